//! A copy as a ledger's folder that can be read: what verifies, queries and restores a folder does so with a bucket.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, RwLock};

use bytes::Bytes;
use counterfoil::{Disk, DiskFile, Error, ErrorKind, FolderLock, Layout, Result};
use counterfoil_segment::ReadAt;
use counterfoil_segment::blocks::BlockHashes;

use crate::catalog::Catalog;
use crate::keys;
use crate::link::Link;
use crate::store::{Store, Stored};

/// The unit in which files are fetched.
const PIECE_BYTES: u64 = 8 << 20;
/// What all files of one copy keep in memory.
const CACHE_BYTES: usize = 256 << 20;

/// A copy, seen as a folder. Only reading works.
pub struct BucketDisk {
    shared: Arc<Shared>,
    listing: RwLock<Arc<Listing>>,
}

/// The folder as it was last looked at.
struct Listing {
    folders: BTreeMap<String, Vec<String>>,
    files: BTreeMap<String, Content>,
    /// The entries that the newest journal object says are in segments.
    sealed: u64,
}

impl fmt::Debug for BucketDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BucketDisk").field("files", &self.listing().files.len()).finish_non_exhaustive()
    }
}

/// What the files of one copy share: the store, and the pieces that were fetched last.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) store: Arc<Store>,
    piece_bytes: u64,
    cache_bytes: usize,
    cache: Mutex<Cache>,
}

/// Where a file's bytes are.
#[derive(Debug, Clone)]
enum Content {
    /// In one object.
    Object(Stored),
    /// In journal objects, one behind the other.
    Journal(Arc<[(Link, Stored)]>),
}

impl BucketDisk {
    /// The folder that a catalog's objects are; `layout` names its files.
    pub(crate) fn new(store: Arc<Store>, catalog: &Catalog, layout: &Layout) -> Self {
        let listing = RwLock::new(Arc::new(Listing::of(catalog, layout)));
        Self { shared: Arc::new(Shared::new(store, PIECE_BYTES, CACHE_BYTES)), listing }
    }

    /// Shows what a catalog holds now. Files that are open stay as they are, and so does what was fetched: no object changes.
    pub(crate) fn show(&self, catalog: &Catalog, layout: &Layout) {
        *self.listing.write().expect("no panic while held") = Arc::new(Listing::of(catalog, layout));
    }

    /// The same folder, of which nothing that was fetched is kept: for whoever reads each file once.
    pub(crate) fn unkept(&self) -> Self {
        let listing = RwLock::new(self.listing());
        Self { shared: Arc::new(Shared::new(self.shared.store.clone(), PIECE_BYTES, 0)), listing }
    }

    /// The entries that the newest journal object says are in segments.
    pub(crate) fn sealed(&self) -> u64 {
        self.listing().sealed
    }

    fn listing(&self) -> Arc<Listing> {
        self.listing.read().expect("no panic while held").clone()
    }
}

impl Listing {
    fn of(catalog: &Catalog, layout: &Layout) -> Self {
        let current = catalog.current();
        let mut files = BTreeMap::new();
        let mut put = |path: &Path, content: Content| files.insert(path.display().to_string(), content);
        if let Some(config) = &catalog.config {
            put(&layout.config(), Content::Object(config.clone()));
        }
        if let Some((_, checkpoint)) = &catalog.newest {
            put(&layout.checkpoint(), Content::Object(checkpoint.clone()));
        }
        for ((first, extension), stored) in &catalog.segments {
            if *first < current.sealed {
                let name = format!("{first:020}.{extension}");
                put(&layout.segments().join(name), Content::Object(stored.clone()));
            }
        }
        for (file, parts) in current.files {
            put(&layout.journal(file), Content::Journal(parts.into()));
        }
        for stored in &catalog.attachments {
            let name = keys::attachment(&stored.key).expect("an attachment's key has a digest");
            put(&layout.attachments().join(name), Content::Object(stored.clone()));
        }
        let root = layout.root().display().to_string();
        let mut folders: BTreeMap<String, Vec<String>> = BTreeMap::from([(root.clone(), Vec::new())]);
        for folder in layout.folders() {
            let name = folder.file_name().expect("a folder has a name").to_string_lossy().into_owned();
            folders.entry(root.clone()).or_default().push(name);
            folders.entry(folder.display().to_string()).or_default();
        }
        for path in files.keys() {
            let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
            folders.entry(folder.to_owned()).or_default().push(name.to_owned());
        }
        for names in folders.values_mut() {
            names.sort_unstable();
        }
        Self { folders, files, sealed: current.sealed }
    }
}

fn read_only<T>() -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "a copy in an object store is only read"))
}

impl Disk for BucketDisk {
    fn create_folder(&self, _: &Path) -> io::Result<()> {
        read_only()
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.listing().folders.get(&path.display().to_string()).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let content = self.listing().files.get(&path.display().to_string()).cloned().ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(BucketFile { content, shared: self.shared.clone() }))
    }

    fn open_writable(&self, _: &Path) -> io::Result<Arc<dyn DiskFile>> {
        read_only()
    }

    fn create(&self, _: &Path, _: u32) -> io::Result<Arc<dyn DiskFile>> {
        read_only()
    }

    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        read_only()
    }

    fn remove(&self, _: &Path) -> io::Result<()> {
        read_only()
    }

    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        read_only()
    }

    fn lock(&self, _: &Path) -> io::Result<Box<dyn FolderLock>> {
        read_only()
    }
}

/// A file of a copy.
#[derive(Debug)]
pub(crate) struct BucketFile {
    content: Content,
    shared: Arc<Shared>,
}

impl BucketFile {
    /// The file that is one object.
    pub(crate) fn of_object(stored: Stored, shared: Arc<Shared>) -> Self {
        Self { content: Content::Object(stored), shared }
    }

    /// The digests of all its blocks: it is read whole.
    pub(crate) fn blocks(&self) -> Result<BlockHashes> {
        BlockHashes::of_reader(self).map_err(|error| {
            match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
                Some(known) => known.clone(),
                None => Error::new(ErrorKind::Unavailable, error.to_string()),
            }
        })
    }

    /// The piece that holds the byte at `offset`: where it begins in the file, and its bytes.
    fn piece(&self, offset: u64) -> Result<(u64, Bytes)> {
        match &self.content {
            Content::Object(stored) => {
                let start = offset - offset % self.shared.piece_bytes;
                let end = (start + self.shared.piece_bytes).min(stored.size);
                let piece =
                    self.shared.piece(&stored.key, start, || self.shared.store.fetch(stored, Some(start..end)))?;
                Ok((start, piece))
            }
            Content::Journal(parts) => {
                let position = parts.partition_point(|(link, _)| link.end_offset() <= offset);
                let (link, stored) = &parts[position];
                let piece = self.shared.piece(&stored.key, 0, || {
                    let object = self.shared.store.fetch(stored, None)?;
                    link.frames(&stored.key, &object).map(Bytes::from)
                })?;
                if offset < link.offset {
                    let message = format!("{}: bytes of the journal file before it are in no object", stored.key);
                    return Err(Error::new(ErrorKind::Damaged, message));
                }
                Ok((link.offset, piece))
            }
        }
    }
}

impl ReadAt for BucketFile {
    fn len(&self) -> u64 {
        match &self.content {
            Content::Object(stored) => stored.size,
            Content::Journal(parts) => parts.last().map_or(0, |(link, _)| link.end_offset()),
        }
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        if offset.checked_add(buffer.len() as u64).is_none_or(|end| end > self.len()) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut filled = 0;
        while filled < buffer.len() {
            let at = offset + filled as u64;
            let (start, piece) = self.piece(at).map_err(io_error)?;
            let rest = piece.get((at - start) as usize..).filter(|rest| !rest.is_empty());
            let rest = rest.ok_or(io::ErrorKind::UnexpectedEof)?;
            let taken = rest.len().min(buffer.len() - filled);
            buffer[filled..filled + taken].copy_from_slice(&rest[..taken]);
            filled += taken;
        }
        Ok(())
    }
}

fn io_error(error: Error) -> io::Error {
    let kind = match error.kind {
        ErrorKind::NotFound => io::ErrorKind::NotFound,
        ErrorKind::Denied => io::ErrorKind::PermissionDenied,
        ErrorKind::Damaged => io::ErrorKind::InvalidData,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}

impl DiskFile for BucketFile {
    fn write_at(&self, _: u64, _: &[u8]) -> io::Result<()> {
        read_only()
    }

    fn sync(&self) -> io::Result<()> {
        read_only()
    }

    fn allocate(&self, _: u64) -> io::Result<()> {
        read_only()
    }

    fn truncate(&self, _: u64) -> io::Result<()> {
        read_only()
    }
}

impl Shared {
    /// Nothing fetched yet; files come in pieces of `piece_bytes`, of which at most `cache_bytes` are kept.
    pub(crate) fn new(store: Arc<Store>, piece_bytes: u64, cache_bytes: usize) -> Self {
        Self { store, piece_bytes, cache_bytes, cache: Mutex::default() }
    }

    fn piece(&self, key: &str, start: u64, fetch: impl FnOnce() -> Result<Bytes>) -> Result<Bytes> {
        let name = (key.to_owned(), start);
        if let Some(piece) = self.cache.lock().expect("no panic while held").pieces.get(&name) {
            return Ok(piece.clone());
        }
        let piece = fetch()?;
        self.cache.lock().expect("no panic while held").put(name, piece.clone(), self.cache_bytes);
        Ok(piece)
    }
}

/// The pieces that were fetched last.
#[derive(Debug, Default)]
struct Cache {
    pieces: BTreeMap<(String, u64), Bytes>,
    order: VecDeque<(String, u64)>,
    bytes: usize,
}

impl Cache {
    fn put(&mut self, name: (String, u64), piece: Bytes, most: usize) {
        self.bytes += piece.len();
        if let Some(old) = self.pieces.insert(name.clone(), piece) {
            self.bytes -= old.len();
        } else {
            self.order.push_back(name);
        }
        while self.bytes > most
            && let Some(oldest) = self.order.pop_front()
        {
            self.bytes -= self.pieces.remove(&oldest).map_or(0, |piece| piece.len());
        }
    }
}
