//! Reading a ledger's folder into a state: the same way for the writer, for readers beside it and for verification.

use std::path::Path;
use std::sync::Arc;

use counterfoil_segment::blocks::BlockCache;
use counterfoil_tlog::{self as tlog, EMPTY_ROOT, OpenedCheckpoint, TreeSize, leaf_hash};

use crate::config::Config;
use crate::disk::Disk;
use crate::error::{Error, ErrorKind, Result};
use crate::journal::{Journal, ScanEnd};
use crate::layout::{Layout, SegmentFile, first_index};
use crate::own::SealedFacts;
use crate::pruned::Pruned;
use crate::sealed::{Sealed, open_tiles};
use crate::snapshot::{Folder, Head, Snapshot};

/// Verified blocks that one open ledger keeps in memory.
const BLOCK_CACHE_BYTES: usize = 64 << 20;

/// How far a folder is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// To the last durable frame: the writer.
    End,
    /// To the size in `checkpoint`: everybody else.
    Published,
}

/// A folder as it was found.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub folder: Arc<Folder>,
    /// The published checkpoint.
    pub checkpoint: OpenedCheckpoint,
    /// Its signed note.
    pub note: Arc<str>,
    pub segments: Vec<Arc<Sealed>>,
    pub journals: Vec<Arc<Journal>>,
    /// How reading the last journal file ended.
    pub end: ScanEnd,
    /// A last journal file that holds nothing new: a crash may have come before it was durable, so it is made again.
    pub unused_roll: Option<u64>,
    /// Journal files whose entries are all in sealed segments.
    pub sealed_journals: Vec<u64>,
}

/// Opens a folder's `ledger.toml`.
pub(crate) fn open_folder(path: &Path, disk: Arc<dyn Disk>) -> Result<Arc<Folder>> {
    let layout = Layout::new(path);
    refuse_links(disk.as_ref(), &layout)?;
    let text = disk.read_small(&layout.config()).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Error::not_found(format!(
            "{} is no ledger: it has no ledger.toml (counterfoil init makes one)",
            path.display()
        )),
        _ => Error::io(layout.config().display(), error),
    })?;
    let config = Config::parse(&text)?;
    Ok(Arc::new(Folder { layout, config, disk, blocks: Arc::new(BlockCache::new(BLOCK_CACHE_BYTES)) }))
}

/// A ledger's folder holds its own files: a link would let who can write there have files written elsewhere.
fn refuse_links(disk: &dyn Disk, layout: &Layout) -> Result<()> {
    match layout.folders().into_iter().find(|folder| disk.is_link(folder)) {
        Some(link) => Err(Error::tampered(format!("{}: it is a symbolic link", layout.relative(&link)))),
        None => Ok(()),
    }
}

/// Reads `checkpoint` and checks the ledger's signature on it.
pub(crate) fn read_checkpoint(folder: &Folder) -> Result<(OpenedCheckpoint, Arc<str>)> {
    let path = folder.layout.checkpoint();
    let bytes = folder.disk.read_small(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Error::damaged("checkpoint: it is missing"),
        _ => Error::io("checkpoint", error),
    })?;
    let opened = folder.config.open_checkpoint(&bytes, &[]).map_err(|error| {
        let kind = match error {
            tlog::Error::MalformedCheckpoint(_) | tlog::Error::MalformedNote(_) => ErrorKind::Damaged,
            _ => ErrorKind::Tampered,
        };
        Error::new(kind, format!("checkpoint: {error}")).because(error)
    })?;
    let note = String::from_utf8(bytes).map_err(|_| Error::damaged("checkpoint: it is not UTF-8"))?;
    Ok((opened, note.into()))
}

/// Reads a folder into a state. `until` is the size beyond which entries do not count: a reader beside a writer stops at
/// the published size.
pub(crate) fn load(folder: Arc<Folder>, until: Until) -> Result<Loaded> {
    let (checkpoint, note) = read_checkpoint(&folder)?;
    let size = checkpoint.checkpoint.size.0;
    let mut segments = list_segments(&folder)?;
    let sealed_size = segments.last().map_or(0, |segment| segment.end());
    let mut journals = JournalList::read(&folder, sealed_size, size, segments.last().map_or(0, |newest| newest.first))?;
    if let Some(newest) = segments.pop() {
        let limit = if until == Until::Published { size } else { u64::MAX };
        if is_sealed(&journals.files, &newest, limit)? {
            segments.push(newest);
            journals.set_aside(sealed_size);
        }
    }
    journals.check_start(segments.last().map_or(0, |segment| segment.end()))?;
    Ok(Loaded {
        folder,
        checkpoint,
        note,
        segments,
        journals: journals.files,
        end: journals.end,
        unused_roll: journals.unused_roll,
        sealed_journals: journals.sealed,
    })
}

impl Loaded {
    /// The state up to `size` entries.
    pub fn head(&self, size: u64) -> Head {
        Head {
            size,
            root: self.checkpoint.checkpoint.root,
            checkpoint: self.note.clone(),
            segments: self.segments.clone().into(),
            journals: self.journals.clone().into(),
        }
    }

    /// One past the last entry that stands in the folder.
    pub fn end_index(&self) -> u64 {
        self.journals.last().map_or(0, |journal| journal.end())
    }

    /// The state at the published checkpoint; `Tampered` when the folder is shorter or has another root.
    pub fn published(&self) -> Result<Snapshot> {
        let size = self.checkpoint.checkpoint.size.0;
        let end = self.end_index();
        if end < size {
            return Err(Error::tampered(format!(
                "the folder was rolled back: it holds {end} entries, but checkpoint covers {size}"
            )));
        }
        let snapshot = Snapshot { folder: self.folder.clone(), head: Arc::new(self.head(size)) };
        let root = match size {
            0 => EMPTY_ROOT,
            _ => counterfoil_tlog::root(&snapshot, TreeSize(size))?,
        };
        if root == self.checkpoint.checkpoint.root {
            return Ok(snapshot);
        }
        Err(Error::tampered(format!("the {size} entries in the folder do not have the root that checkpoint signs")))
    }
}

/// The segments of which all three files are there. Fewer than three are what a crash leaves of the newest one.
fn list_segments(folder: &Folder) -> Result<Vec<Arc<Sealed>>> {
    let (firsts, partial) = segment_firsts(folder)?;
    if let Some(first) = partial.iter().find(|first| firsts.last().is_some_and(|newest| *first < newest)) {
        let path = |file| folder.layout.relative(&folder.layout.segment(*first, file));
        let files = SegmentFile::ALL.map(path).join(", ");
        return Err(Error::damaged(format!(
            "one of a segment's three files is missing, and pruned.toml does not say where it is: {files}"
        )));
    }
    let mut segments = Vec::with_capacity(firsts.len());
    for (position, first) in firsts.iter().enumerate() {
        let count = match firsts.get(position + 1) {
            Some(next) => next - first,
            None => open_tiles(folder.disk.as_ref(), &folder.layout, *first)?.count,
        };
        segments.push(Arc::new(Sealed::new(*first, count)));
    }
    match segments.first() {
        Some(oldest) if oldest.first != 0 => {
            Err(Error::damaged(format!("segments: the entries before {} are missing", oldest.first)))
        }
        _ => Ok(segments),
    }
}

/// The first indices of segments with all three files, and of those with fewer, ascending.
pub(crate) fn segment_firsts(folder: &Folder) -> Result<(Vec<u64>, Vec<u64>)> {
    let names = folder.disk.list(&folder.layout.segments()).map_err(|error| Error::io("segments", error))?;
    let mut files: std::collections::BTreeMap<u64, Vec<SegmentFile>> = std::collections::BTreeMap::new();
    for file in SegmentFile::ALL {
        for first in names.iter().filter_map(|name| first_index(name, file.extension())) {
            files.entry(first).or_default().push(file);
        }
    }
    // After the names: who prunes writes it before the first file goes.
    let pruned = Pruned::read(folder.disk.as_ref(), &folder.layout)?;
    let is_whole = |(first, files): &(u64, Vec<SegmentFile>)| is_whole(*first, files, pruned.as_ref());
    let (whole, partial): (Vec<_>, Vec<_>) = files.into_iter().partition(is_whole);
    let firsts = |list: Vec<(u64, Vec<SegmentFile>)>| list.into_iter().map(|(first, _)| first).collect();
    Ok((firsts(whole), firsts(partial)))
}

/// Whether these are all of a segment's files, but for a Parquet file that was pruned.
pub(crate) fn is_whole(first: u64, files: &[SegmentFile], pruned: Option<&Pruned>) -> bool {
    let lacks_only_parquet = files == [SegmentFile::Tiles, SegmentFile::Index];
    files.len() == SegmentFile::ALL.len() || lacks_only_parquet && pruned.is_some_and(|pruned| pruned.covers(first))
}

/// Whether an entry below `limit` seals this newest segment; it can only stand in the journal. The last frame may be torn
/// or just being written, so only bytes that have their leaf hash count.
fn is_sealed(journals: &[Arc<Journal>], newest: &Sealed, limit: u64) -> Result<bool> {
    let mut sealed = Ok(false);
    for journal in journals {
        for place in journal.frames(newest.first..limit).iter().filter(|place| place.header.own) {
            journal.for_each(place.header.first..place.header.end(), &mut |index, bytes| {
                let whole = index < limit && journal.leaf(index) == Some(leaf_hash(bytes));
                match whole.then(|| SealedFacts::read(bytes)) {
                    Some(Ok(Some(facts))) if facts.first == newest.first && facts.count == newest.count => {
                        sealed = Ok(true);
                    }
                    Some(Ok(Some(facts))) if facts.first == newest.first => {
                        let message = format!(
                            "the segment that starts at {} was sealed with {} entries",
                            newest.first, facts.count
                        );
                        sealed = Err(Error::tampered(format!("{message}, and its tiles are of {}", newest.count)));
                    }
                    Some(Err(error)) => sealed = Err(error),
                    _ => {}
                }
            })?;
        }
    }
    sealed
}

/// The journal files of a folder.
struct JournalList {
    files: Vec<Arc<Journal>>,
    end: ScanEnd,
    unused_roll: Option<u64>,
    sealed: Vec<u64>,
}

impl JournalList {
    /// Reads the files that hold entries from `newest_first` on, where the newest segment starts.
    fn read(folder: &Folder, sealed_size: u64, published: u64, newest_first: u64) -> Result<Self> {
        let names = folder.disk.list(&folder.layout.journals()).map_err(|error| Error::io("journal", error))?;
        let mut firsts: Vec<u64> = names.iter().filter_map(|name| first_index(name, "journal")).collect();
        let needed = firsts.partition_point(|first| *first <= newest_first).saturating_sub(1);
        let sealed = firsts.drain(..needed).collect();
        let mut list = Self { files: Vec::new(), end: ScanEnd::Clean, unused_roll: None, sealed };
        for (position, first) in firsts.iter().enumerate() {
            let last = position + 1 == firsts.len();
            let (journal, end) = scan(folder, *first)?;
            if let ScanEnd::Broken { offset, error } = &end
                && !last
            {
                return Err(Error::damaged(format!("{}: at byte {offset}: {error}", journal.name)));
            }
            list.add(journal, end, last, published)?;
        }
        if list.files.is_empty() {
            return Err(Error::damaged(format!("journal: no file holds the entries from {sealed_size} on")));
        }
        Ok(list)
    }

    fn add(&mut self, journal: Journal, end: ScanEnd, last: bool, published: u64) -> Result<()> {
        if let Some(previous) = self.files.last() {
            let continues = journal.first >= previous.first && journal.first <= previous.end();
            if continues && journal.end() <= previous.end() && last && published <= previous.end() {
                self.unused_roll = Some(journal.first);
                return Ok(());
            }
            if !continues || journal.end() < previous.end() {
                return Err(Error::damaged(format!(
                    "{}: it does not continue {}, which ends at entry {}",
                    journal.name,
                    previous.name,
                    previous.end()
                )));
            }
            let shared = journal.first..previous.end();
            if journal.leaves(shared.clone()) != previous.leaves(shared) {
                return Err(Error::tampered(format!("{} and {} differ", journal.name, previous.name)));
            }
        }
        self.files.push(Arc::new(journal));
        self.end = end;
        Ok(())
    }

    /// Lets go of files whose entries are all in segments.
    fn set_aside(&mut self, sealed_size: u64) {
        while self.files.len() > 1 && self.files[1].first <= sealed_size {
            self.sealed.push(self.files.remove(0).first);
        }
    }

    fn check_start(&self, sealed_size: u64) -> Result<()> {
        let first = self.files[0].first;
        if first <= sealed_size && sealed_size <= self.files.last().expect("there is one").end() {
            return Ok(());
        }
        Err(Error::damaged(format!("the entries between {sealed_size} and {first} are in no segment and no journal")))
    }
}

fn scan(folder: &Folder, first: u64) -> Result<(Journal, ScanEnd)> {
    let path = folder.layout.journal(first);
    let name = folder.layout.relative(&path);
    let file = folder.disk.open_writable(&path).or_else(|error| match error.kind() {
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => folder.disk.open(&path),
        _ => Err(error),
    });
    let file = file.map_err(|error| Error::io(&name, error))?;
    let journal = Journal::new(first, name, file);
    let end = journal.scan()?;
    Ok((journal, end))
}
