//! Segments whose Parquet file was let go of, since a bucket holds it: which they are, and where their bytes are read.

use std::collections::HashMap;
use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use counterfoil_entry::{Draft, Fields};
use counterfoil_segment::ReadAt;
use counterfoil_segment::blocks::BlockHashes;
use counterfoil_segment::index::Key;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::disk::Disk;
use crate::error::{Error, ErrorKind, Result};
use crate::layout::{Layout, SegmentFile};
use crate::own;
use crate::sealed::open_tiles;
use crate::snapshot::Snapshot;

/// The type of the entry that says which segments were pruned, and to where.
pub const PRUNED: &str = "ledger.pruned";
/// What such an entry is about.
const PRUNED_ENTITY: &str = "segments";
/// The unit in which a file is fetched back.
const PIECE_BYTES: u64 = 8 << 20;

/// Where pruned segments are read from.
pub trait SegmentStore: Send + Sync + Debug {
    /// The Parquet file of the segment that starts at an index, which has these blocks: somebody may have put something else
    /// where it should stand. Its bytes are fetched as they are read.
    ///
    /// Errors: `NotFound` when the place does not hold it, `Tampered` when something else is there, `Unavailable` when it does
    /// not answer.
    fn parquet(&self, first: u64, blocks: &BlockHashes) -> Result<Arc<dyn ReadAt>>;
}

/// Opens the store at a place.
pub type OpenStore = dyn Fn(&str) -> Result<Arc<dyn SegmentStore>> + Send + Sync;

static OPEN_STORE: OnceLock<Box<OpenStore>> = OnceLock::new();

/// Tells once how this program reaches the places that segments were pruned to; later calls change nothing. Without it such
/// segments answer `Unavailable`: the ledger itself knows no network.
pub fn read_pruned_with(open: impl Fn(&str) -> Result<Arc<dyn SegmentStore>> + Send + Sync + 'static) {
    let _ = OPEN_STORE.set(Box::new(open));
}

/// What `pruned.toml` says: of the segments that begin below an index, the Parquet file may stand at a place only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pruned {
    /// Where the files are, as `s3://bucket/prefix`.
    pub place: String,
    /// One past the last entry of these segments.
    pub below: u64,
}

/// What a pruning let go of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LetGo {
    /// Parquet files that were removed.
    pub segments: u64,
    /// The entries in them.
    pub entries: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl LetGo {
    pub(crate) fn add(&mut self, entries: u64, bytes: u64) {
        self.segments += 1;
        self.entries += entries;
        self.bytes += bytes;
    }
}

/// Segments that a folder let go of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnlyInCopy {
    /// The copy that holds them.
    pub place: String,
    /// What only it holds.
    pub gone: LetGo,
}

impl Pruned {
    /// Reads the folder's `pruned.toml`; `None` where nothing was pruned.
    pub fn read(disk: &dyn Disk, layout: &Layout) -> Result<Option<Self>> {
        let text = match disk.read_small(&layout.pruned()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|error| Error::io("pruned.toml", error))?,
        };
        let text = String::from_utf8_lossy(&text);
        let pruned: Self =
            toml::from_str(&text).map_err(|error| Error::damaged(format!("pruned.toml: {}", error.message())))?;
        if pruned.to_text() != text {
            return Err(Error::damaged("pruned.toml: it is not as counterfoil writes it"));
        }
        Ok(Some(pruned))
    }

    fn to_text(&self) -> String {
        let body = toml::to_string(self).expect("a table of plain values is TOML");
        format!("# Where the Parquet files of pruned segments stand. Written by `counterfoil prune`.\n{body}")
    }

    /// Replaces the folder's `pruned.toml`.
    pub(crate) fn write(&self, disk: &dyn Disk, layout: &Layout) -> Result<()> {
        let written = disk.replace(&layout.pruned(), self.to_text().as_bytes());
        written.map_err(|error| Error::io("pruned.toml", error))
    }

    /// Whether a segment's Parquet file may be at the place only.
    pub fn covers(&self, first: u64) -> bool {
        first < self.below
    }

    /// The entry that says it: of a copy whose newest checkpoint covers `covered` entries, what goes from the entry `first` on.
    pub(crate) fn draft(&self, principal: &str, first: u64, covered: u64, going: &LetGo) -> Draft {
        let context = json!({
            "place": self.place, "first": first, "below": self.below, "covered": covered,
            "segments": going.segments, "entries": going.entries, "bytes": going.bytes,
        });
        own::draft_by(principal, PRUNED, PRUNED_ENTITY, "segments", &context)
    }

    /// What an entry says was pruned, if it is such an entry.
    pub(crate) fn of_entry(canonical: &[u8]) -> Option<Self> {
        let fields = Fields::split(canonical).ok().filter(|fields| fields.event_type == PRUNED)?;
        let context: serde_json::Value = serde_json::from_str(fields.context?).ok()?;
        Some(Self { place: context.get("place")?.as_str()?.to_owned(), below: context.get("below")?.as_u64()? })
    }

    /// Whether an entry says that a segment was pruned to this place.
    fn is_said_by(&self, canonical: &[u8], first: u64) -> bool {
        Self::of_entry(canonical).is_some_and(|entry| entry.place == self.place && entry.covers(first))
    }

    /// The store at the place, opened once by each process.
    fn store(&self) -> Result<Arc<dyn SegmentStore>> {
        type Open = Mutex<HashMap<(u32, String), Arc<dyn SegmentStore>>>;
        static OPEN: OnceLock<Open> = OnceLock::new();
        let opener = OPEN_STORE.get().ok_or_else(|| {
            Error::unavailable(
                "this program does not reach object stores; fetch the segments with `counterfoil prune --fetch`",
            )
        })?;
        let mut open = OPEN.get_or_init(Mutex::default).lock().expect("no panic while held");
        let key = (std::process::id(), self.place.clone());
        if let Some(store) = open.get(&key) {
            return Ok(store.clone());
        }
        let store = opener(&self.place)?;
        Ok(open.entry(key).or_insert(store).clone())
    }

    fn parquet(&self, first: u64, blocks: &BlockHashes) -> Result<Arc<dyn ReadAt>> {
        let inner = self.store().and_then(|store| store.parquet(first, blocks));
        let inner = inner.map_err(|error| self.unreachable(error))?;
        Ok(Arc::new(Elsewhere { pruned: self.clone(), inner }))
    }

    /// An error of the place, with what to do about it.
    fn unreachable(&self, error: Error) -> Error {
        let message = format!("it was pruned to {}: {error}", self.place);
        match error.kind {
            ErrorKind::NotFound => Error::damaged(message),
            kind @ (ErrorKind::Damaged | ErrorKind::Tampered) => Error::new(kind, message),
            ErrorKind::Denied => Error::new(ErrorKind::Denied, message),
            _ => Error::unavailable(format!("{message}; try again when the bucket answers")),
        }
        .because(error)
    }
}

impl Snapshot {
    /// Whether the Parquet file of a segment was pruned: `pruned.toml` says so, which whoever writes in the folder may have
    /// written, and an entry of the trail. That entry stands behind all that it covers, in a segment that is here or in the tail.
    pub(crate) fn was_pruned(&self, first: u64) -> Result<bool> {
        let Some(pruned) = self.pruned()?.filter(|pruned| pruned.covers(first)) else { return Ok(false) };
        for (index, canonical) in self.own_tail_entries()? {
            if pruned.is_said_by(&canonical, first) {
                return self.check_leaf(index, &canonical).map(|()| true);
            }
        }
        for segment in self.segments().iter().rev().filter(|segment| segment.is_here()) {
            for row in segment.lookup(Key::EntityId, PRUNED_ENTITY)? {
                if pruned.is_said_by(&self.entry(segment.first() + row)?, first) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

/// A file at the place; its errors say what to do.
#[derive(Debug)]
struct Elsewhere {
    pruned: Pruned,
    inner: Arc<dyn ReadAt>,
}

impl ReadAt for Elsewhere {
    fn len(&self) -> u64 {
        self.inner.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.inner.read_at(offset, buffer).map_err(|error| {
            let known = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()).cloned();
            let known = known.unwrap_or_else(|| Error::new(ErrorKind::Unavailable, error.to_string()));
            io::Error::other(self.pruned.unreachable(known))
        })
    }
}

/// A pruned file of which the end is in the folder: the rest is looked for at the place when it is first read.
#[derive(Debug)]
struct EndHere {
    first: u64,
    blocks: BlockHashes,
    end: Arc<dyn ReadAt>,
    pruned: Pruned,
    rest: OnceLock<Arc<dyn ReadAt>>,
}

impl EndHere {
    fn rest(&self) -> Result<&Arc<dyn ReadAt>> {
        if let Some(rest) = self.rest.get() {
            return Ok(rest);
        }
        let rest = self.pruned.parquet(self.first, &self.blocks)?;
        Ok(self.rest.get_or_init(|| rest))
    }
}

impl ReadAt for EndHere {
    fn len(&self) -> u64 {
        self.blocks.length()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        match offset.checked_sub(self.len() - self.end.len()) {
            Some(offset) => self.end.read_at(offset, buffer),
            None => self.rest().map_err(io::Error::other)?.read_at(offset, buffer),
        }
    }
}

/// Opens one of a segment's files: in the folder or, for a Parquet file that was pruned, where that stands.
pub(crate) fn open_file(disk: &dyn Disk, layout: &Layout, first: u64, file: SegmentFile) -> Result<Arc<dyn ReadAt>> {
    let name = layout.relative(&layout.segment(first, file));
    match open_here(disk, layout, first, file)? {
        Found::Here(opened) => Ok(opened),
        Found::Pruned(pruned) => {
            let blocks = open_tiles(disk, layout, first)?.trailer()?.parquet;
            pruned.parquet(first, &blocks).map_err(|error| error.of(&name))
        }
    }
}

/// [`open_file`] of a file that has these blocks: of one that was pruned, what its end answers needs no place. Another end than
/// that, or one that cannot be read, is as if it were not kept: the place holds it all, and verification finds it.
pub(crate) fn open_sealed(
    disk: &dyn Disk,
    layout: &Layout,
    first: u64,
    file: SegmentFile,
    blocks: &BlockHashes,
) -> Result<Arc<dyn ReadAt>> {
    let name = layout.relative(&layout.segment(first, file));
    let pruned = match open_here(disk, layout, first, file)? {
        Found::Here(opened) => return Ok(opened),
        Found::Pruned(pruned) => pruned,
    };
    match disk.open(&layout.footer(first)) {
        Ok(end) if blocks.end_with(end.as_ref()).unwrap_or(false) => {
            Ok(Arc::new(EndHere { first, blocks: blocks.clone(), end, pruned, rest: OnceLock::new() }))
        }
        _ => pruned.parquet(first, blocks).map_err(|error| error.of(&name)),
    }
}

/// Where a segment's file is.
enum Found {
    Here(Arc<dyn ReadAt>),
    Pruned(Pruned),
}

/// Opens a segment's file in the folder, or says that it was pruned. One that is being fetched back may come in between.
fn open_here(disk: &dyn Disk, layout: &Layout, first: u64, file: SegmentFile) -> Result<Found> {
    let path = layout.segment(first, file);
    let error = match disk.open(&path) {
        Ok(opened) => return Ok(Found::Here(opened)),
        Err(error) => error,
    };
    if file == SegmentFile::Parquet && error.kind() == io::ErrorKind::NotFound {
        if let Some(pruned) = Pruned::read(disk, layout)?.filter(|pruned| pruned.covers(first)) {
            return Ok(Found::Pruned(pruned));
        }
        if let Ok(opened) = disk.open(&path) {
            return Ok(Found::Here(opened));
        }
    }
    Err(Error::io(layout.relative(&path), error))
}

/// The whole of one of a segment's files.
pub(crate) fn read_file(disk: &dyn Disk, layout: &Layout, first: u64, file: SegmentFile) -> Result<Vec<u8>> {
    let opened = open_file(disk, layout, first, file)?;
    let mut bytes = vec![0; usize::try_from(opened.len()).map_err(|_| Error::damaged("it is too long"))?];
    let read = opened.read_at(0, &mut bytes);
    read.map_err(|error| Error::io(layout.relative(&layout.segment(first, file)), error))?;
    Ok(bytes)
}

/// Removes these files of segments, as far as they are there.
pub(crate) fn remove(disk: &dyn Disk, layout: &Layout, paths: impl Iterator<Item = PathBuf>) -> Result<()> {
    for path in paths {
        match disk.remove(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io(layout.relative(&path), error));
            }
            _ => {}
        }
    }
    disk.sync_folder(&layout.segments()).map_err(|error| Error::io("segments", error))
}

/// Writes a file from a byte on into the folder, under its own name once it is whole and durable; how many bytes.
pub(crate) fn write_whole(disk: &dyn Disk, layout: &Layout, path: &Path, file: &dyn ReadAt, from: u64) -> Result<u64> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = PathBuf::from(temporary);
    let bring = || -> io::Result<()> {
        match disk.remove(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let target = disk.create(&temporary, 0o444)?;
        let mut at = from;
        while at < file.len() {
            let mut piece = vec![0; (file.len() - at).min(PIECE_BYTES) as usize];
            file.read_at(at, &mut piece)?;
            target.write_at(at - from, &piece)?;
            at += piece.len() as u64;
        }
        target.sync()?;
        disk.rename(&temporary, path)
    };
    bring().map_err(|error| Error::io(layout.relative(path), error))?;
    Ok(file.len() - from)
}
