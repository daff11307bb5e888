//! Ships a ledger: segments, then the journal behind them, then the checkpoint that makes it count.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use counterfoil::{Error, ErrorKind, Result, SegmentFile, Snapshot};
use counterfoil_tlog::{Checkpoint, TreeSize};

use crate::content::{Content, piece};
use crate::keys;
use crate::link::{Link, digest};
use crate::location::Location;
use crate::lock::{self, Lock};
use crate::multipart::{DEFAULT_PART_BYTES, LEAST_PART_BYTES};
use crate::settings::Settings;
use crate::store::{Store, Stored, Written};

/// The most bytes of frames in one journal object, unless one frame has more.
const OBJECT_BYTES: u64 = 1 << 20;

/// What one run put into the store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shipped {
    /// The size of the newest checkpoint there.
    pub size: u64,
    /// Segments of which files were new.
    pub segments: u64,
    /// Journal objects that were new.
    pub journal_objects: u64,
    /// Objects that were new, in all.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Keeps a copy of one ledger in one place.
#[derive(Debug)]
pub struct Shipper {
    pub(crate) store: Store,
    pub(crate) written: Written,
    /// The end of the chain; none until the store was looked at.
    end: Option<End>,
}

/// What the chain in the store ends with.
#[derive(Debug, Clone, Default)]
struct End {
    /// The newest journal object, and its digest.
    newest: Option<(Link, [u8; 32])>,
    /// The size of the newest checkpoint.
    checkpoint: u64,
    /// Entries that are in segments there.
    sealed: u64,
}

impl End {
    /// One past the last entry that the journal objects hold.
    fn position(&self) -> u64 {
        self.newest.map_or(0, |(link, _)| link.end())
    }
}

impl Shipper {
    /// Opens the place and checks, before the first byte, that it keeps what is put there. Every object gets `lock`, or
    /// what the bucket has as its default: one of the two must be.
    pub fn open(location: &Location, settings: &Settings, lock: Option<Lock>) -> Result<Self> {
        let store = Store::open(location, settings)?;
        let lock = store.wait(lock::check_bucket(&store, lock.as_ref()))?;
        Ok(Self { store, written: Written { lock, part_bytes: DEFAULT_PART_BYTES }, end: None })
    }

    /// The same shipper, which puts so many bytes in one request, and what is longer in parts of that length: it holds no more
    /// of a file in memory. `Invalid` for less than S3 takes.
    pub fn in_parts_of(mut self, bytes: u64) -> Result<Self> {
        if bytes < LEAST_PART_BYTES {
            return Err(Error::new(ErrorKind::Invalid, format!("a part has at least {LEAST_PART_BYTES} bytes")));
        }
        self.written.part_bytes = bytes;
        Ok(self)
    }

    /// Ships what the snapshot has and the place has not.
    ///
    /// Errors: `Tampered` when what is there is not this ledger's history, `Unavailable` when the store does not answer;
    /// calling again goes on where it stopped.
    pub fn ship(&mut self, snapshot: &Snapshot) -> Result<Shipped> {
        let run = Run { store: &self.store, written: self.written, snapshot, done: Shipped::default() };
        self.store.wait(run.run(&mut self.end))
    }
}

struct Run<'a> {
    store: &'a Store,
    written: Written,
    snapshot: &'a Snapshot,
    done: Shipped,
}

impl Run<'_> {
    async fn run(mut self, known: &mut Option<End>) -> Result<Shipped> {
        let mut end = match known.take() {
            Some(end) => end,
            None => self.find_end().await?,
        };
        if self.snapshot.size() > end.checkpoint {
            self.refuse_fork(&end).await?;
            self.ship_attachments().await?;
            self.ship_segments(&mut end).await?;
            self.ship_journal(&mut end).await?;
            self.ship_checkpoint(&mut end).await?;
        }
        self.done.size = end.checkpoint;
        *known = Some(end);
        Ok(self.done)
    }

    /// Reads where the chain in the store ends, and checks that it is this ledger's.
    async fn find_end(&mut self) -> Result<End> {
        let config = self.snapshot.config_file()?;
        self.put("ledger.toml", Arc::new(config)).await?;
        let mut end = End::default();
        if let Some(stored) = self.store.newest(keys::CHECKPOINTS).await? {
            end.checkpoint = self.check_checkpoint(&stored).await?;
        }
        if let Some(stored) = self.store.newest(keys::JOURNAL).await? {
            let bytes = self.store.get(&stored, None).await?;
            self.adopt(&stored.key, &bytes, &mut end)?;
        }
        Ok(end)
    }

    /// Checks a checkpoint in the store against the ledger; its size.
    async fn check_checkpoint(&self, stored: &Stored) -> Result<u64> {
        let bytes = self.store.get(stored, None).await?;
        let key = std::slice::from_ref(self.snapshot.verifier_key());
        let opened = Checkpoint::open(&bytes, self.snapshot.origin(), key, &[]);
        let opened = opened.map_err(|error| tampered(format!("{}: {error}", stored.key)))?;
        let size = opened.checkpoint.size.0;
        self.check_root(size, opened.checkpoint.root, &stored.key)?;
        Ok(size)
    }

    fn check_root(&self, size: u64, root: counterfoil_tlog::Hash, what: &str) -> Result<()> {
        if size > self.snapshot.size() {
            let have = self.snapshot.size();
            let message = format!(
                "{what}: the copy holds {size} entries, this ledger {have}: another shipper is ahead, or the ledger was rolled back"
            );
            return Err(Error::new(ErrorKind::Busy, message));
        }
        if size > 0 && counterfoil_tlog::root(self.snapshot, TreeSize(size))? != root {
            return Err(tampered(format!(
                "{what}: this ledger's first {size} entries are not those of the copy: it is a fork"
            )));
        }
        Ok(())
    }

    /// Goes on behind a journal object that is there, once its entries are those of this ledger.
    fn adopt(&self, key: &str, bytes: &[u8], end: &mut End) -> Result<()> {
        let link = Link::parse(key, bytes)?;
        let frames = link.frames(key, bytes)?;
        let headers =
            counterfoil::frames_in(&frames).map_err(|error| Error::new(error.kind, format!("{key}: {error}")))?;
        let (last, _) = headers.last().expect("an object has a frame");
        if last.end() != link.end() {
            return Err(tampered(format!("{key}: its frames do not end where it says")));
        }
        self.check_root(link.end(), last.root, key)?;
        end.newest = Some((link, digest(bytes)));
        end.sealed = end.sealed.max(link.sealed);
        Ok(())
    }

    /// Looks for checkpoints that another shipper wrote meanwhile: two that go on from one end with different histories
    /// must not both go unseen.
    async fn refuse_fork(&self, end: &End) -> Result<()> {
        let after = if end.checkpoint == 0 { String::new() } else { keys::checkpoint(end.checkpoint) };
        let mut newer = Vec::new();
        self.store.list(keys::CHECKPOINTS, &after, &mut |stored| newer.push(stored)).await?;
        match newer.last() {
            Some(stored) => self.check_checkpoint(stored).await.map(|_| ()),
            None => Ok(()),
        }
    }

    async fn ship_attachments(&mut self) -> Result<()> {
        let names = self.snapshot.attachments()?;
        if names.is_empty() {
            return Ok(());
        }
        let mut there = std::collections::HashSet::new();
        self.store.list(keys::ATTACHMENTS, "", &mut |stored| there.extend([stored.key])).await?;
        for name in names {
            let key = format!("{}{name}", keys::ATTACHMENTS);
            if !there.contains(&key) {
                self.put(&key, self.snapshot.attachment(&name)?).await?;
            }
        }
        Ok(())
    }

    async fn ship_segments(&mut self, end: &mut End) -> Result<()> {
        for segment in self.snapshot.segments() {
            if segment.first() < end.sealed {
                continue;
            }
            let before = self.done.objects;
            for file in SegmentFile::ALL {
                let (key, content) = segment.file(file)?;
                self.put(&key, content).await?;
            }
            self.done.segments += u64::from(self.done.objects > before);
            end.sealed = segment.first() + segment.count();
        }
        Ok(())
    }

    async fn ship_journal(&mut self, end: &mut End) -> Result<()> {
        while end.position() < self.snapshot.size() {
            let from = end.position();
            let reached = from.max(self.snapshot.sealed_size());
            let file = self.snapshot.journal_file_of(reached);
            let file =
                file.ok_or_else(|| Error::new(ErrorKind::Damaged, format!("no journal file holds entry {reached}")))?;
            let continues = end.newest.is_some_and(|(link, _)| link.file == file);
            let first = if continues { from } else { file };
            let Some(part) = self.snapshot.journal_part(file, first, reached, OBJECT_BYTES)? else { break };
            let previous = end.newest.map_or([0; 32], |(_, digest)| digest);
            let link = Link::new(&part, from, self.snapshot.sealed_size(), previous);
            let key = keys::journal(from);
            let object = Bytes::from(link.encode(&part.bytes)?);
            let content: Content = Arc::new(object.clone());
            if self.store.put_new(&key, &content, &self.written).await? {
                self.count(&content);
                self.done.journal_objects += 1;
                end.newest = Some((link, digest(&object)));
            } else {
                self.yield_to_winner(&key, end).await?;
            }
        }
        Ok(())
    }

    /// Goes on behind an object that another shipper put first, if it is this ledger's.
    async fn yield_to_winner(&self, key: &str, end: &mut End) -> Result<()> {
        let stored = self.store.find(key).await?;
        let stored = stored
            .ok_or_else(|| Error::new(ErrorKind::Unavailable, format!("{key}: it is there and cannot be found")))?;
        let bytes = self.store.get(&stored, None).await?;
        let link = Link::parse(key, &bytes)?;
        let previous = end.newest.map_or([0; 32], |(_, digest)| digest);
        if link.previous != previous {
            return Err(tampered(format!("{key}: it does not continue the chain that was read before it")));
        }
        self.adopt(key, &bytes, end)
    }

    async fn ship_checkpoint(&mut self, end: &mut End) -> Result<()> {
        let size = self.snapshot.size();
        if end.position() < size {
            return Ok(());
        }
        let note = self.snapshot.checkpoint().as_bytes().to_vec();
        self.put(&keys::checkpoint(size), Arc::new(note)).await?;
        end.checkpoint = size;
        Ok(())
    }

    /// Writes an object; one that is there must be the same.
    async fn put(&mut self, key: &str, content: Content) -> Result<()> {
        if self.store.put_new(key, &content, &self.written).await? {
            self.count(&content);
            return Ok(());
        }
        let stored = self.store.find(key).await?;
        let stored = stored
            .ok_or_else(|| Error::new(ErrorKind::Unavailable, format!("{key}: it is there and cannot be found")))?;
        if self.is_same(&stored, &content).await? {
            return Ok(());
        }
        Err(tampered(format!(
            "{key}: what is there is not this ledger's; another ledger or a fork was shipped here, or it was changed"
        )))
    }

    /// Whether an object has this content, compared part by part.
    async fn is_same(&self, stored: &Stored, content: &Content) -> Result<bool> {
        if stored.size != content.len() {
            return Ok(false);
        }
        for start in (0..content.len()).step_by(self.written.part_bytes as usize) {
            let end = (start + self.written.part_bytes).min(content.len());
            if self.store.get(stored, Some(start..end)).await? != piece(&stored.key, content, start, end)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn count(&mut self, content: &Content) {
        self.done.objects += 1;
        self.done.bytes += content.len();
    }
}

/// The newest checkpoint of a copy, if there is one: what a ledger that is shipped there must extend before it signs anything
/// more. `Unavailable` when the place does not answer within `patience`.
pub fn newest_checkpoint(location: &Location, settings: &Settings, patience: Duration) -> Result<Option<Vec<u8>>> {
    let store = Store::open(location, settings)?;
    let read = async {
        match store.newest(keys::CHECKPOINTS).await? {
            Some(stored) => store.get(&stored, None).await.map(|bytes| Some(bytes.to_vec())),
            None => Ok(None),
        }
    };
    let late = || format!("{location} does not answer within {} seconds", patience.as_secs());
    let answered = store.wait(async { tokio::time::timeout(patience, read).await });
    answered.unwrap_or_else(|_| Err(Error::new(ErrorKind::Unavailable, late())))
}

fn tampered(message: String) -> Error {
    Error::new(ErrorKind::Tampered, message)
}
