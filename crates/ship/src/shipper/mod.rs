//! Ships a ledger: segments, then the journal behind them, then the checkpoint that makes it count.

mod end;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use counterfoil::{Config, Error, ErrorKind, JournalPart, Result, SegmentFile, Snapshot, frames_in};

use crate::backend::{DEFAULT_PART_BYTES, LEAST_PART_BYTES};
use crate::chain::Chain;
use crate::content::{Content, piece};
use crate::judge::{Judge, Tip};
use crate::keys;
use crate::link::Link;
use crate::location::Location;
use crate::lock::{self, Lock};
use crate::memory::Memory;
use crate::nested;
use crate::settings::Settings;
use crate::store::{Store, Stored, Written};
use end::End;

/// The most bytes of frames in one journal object, unless one frame has more.
const OBJECT_BYTES: u64 = 1 << 20;

/// What one run put into the store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
    /// Keys that somebody else had taken: the objects stand beside them.
    pub taken: Vec<String>,
    /// What looks like another copy where this place lies, and is none.
    pub pretences: Vec<String>,
    /// Why an attachment could not be put, if one could not: all else was.
    pub blocked: Option<String>,
}

/// Keeps a copy of one ledger in one place.
#[derive(Debug)]
pub struct Shipper {
    pub(crate) store: Store,
    pub(crate) written: Written,
    /// The end of the chain; none until the store was looked at.
    end: Option<End>,
    memory: Option<Memory>,
    /// What was found where the place lies, until it is told.
    told: Vec<String>,
    /// Whether a lock is refused that is less than that of the newest object there.
    no_less: bool,
}

impl Shipper {
    /// Opens the place and checks, before the first byte, that it keeps what is put there and holds no other copy. Every object gets `lock`, or
    /// what the bucket has as its default: one of the two must be.
    pub fn open(location: &Location, settings: &Settings, lock: Option<Lock>) -> Result<Self> {
        let store = Store::open(location, settings)?;
        let lock = store.wait(lock::check_bucket_to_write(&store, lock.as_ref()))?;
        let told = store.wait(nested::refuse(&store, location, settings))?;
        let written = Written { lock, part_bytes: DEFAULT_PART_BYTES };
        Ok(Self { store, written, end: None, memory: None, told, no_less: false })
    }

    /// The same shipper, which remembers in a ledger's state folder where the chain ends: the next one needs not read it
    /// from its start.
    pub fn remembering(mut self, state: &Path, location: &Location) -> Self {
        self.memory = Some(Memory::of(state, location));
        self
    }

    /// The same shipper, which refuses to put anything under a lock that is less than that of the newest object there: for whom
    /// nobody told what lock is wanted.
    pub fn under_no_less(mut self) -> Self {
        self.no_less = true;
        self
    }

    /// The same shipper, which puts so many bytes in one request, and what is longer in parts of that length: it holds no more
    /// of a file in memory. `Invalid` for less than services take.
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
        let judge = Judge::new(Config::parse(&snapshot.config_file()?)?);
        let done = Shipped { pretences: std::mem::take(&mut self.told), ..Shipped::default() };
        let (store, written, no_less) = (&self.store, self.written, self.no_less);
        let mut run = Run { store, written, no_less, snapshot, judge, done };
        let end = self.store.wait(async {
            let mut end = match self.end.clone() {
                Some(end) => end,
                None => run.find_end(self.memory.as_ref()).await?,
            };
            run.run(&mut end).await.map(|()| end)
        })?;
        if let (Some(memory), Some((link, digest))) = (&self.memory, &end.tip.newest)
            && self.end.as_ref() != Some(&end)
        {
            memory.write(link.from, digest, end.checkpoint);
        }
        self.end = Some(end);
        Ok(run.done)
    }
}

struct Run<'a> {
    store: &'a Store,
    written: Written,
    no_less: bool,
    snapshot: &'a Snapshot,
    judge: Judge,
    done: Shipped,
}

impl Run<'_> {
    async fn run(&mut self, end: &mut End) -> Result<()> {
        if self.snapshot.size() > end.checkpoint {
            self.catch_up(end).await?;
            if self.no_less {
                self.refuse_less(&end.tip).await?;
            }
        }
        if self.snapshot.size() > end.checkpoint {
            self.ship_attachments().await?;
            self.ship_segments(end).await?;
            self.ship_journal(end).await?;
            self.ship_checkpoint(end).await?;
        }
        self.done.size = end.checkpoint;
        Ok(())
    }

    fn chain(&self) -> Chain<'_> {
        Chain { store: self.store, judge: &self.judge }
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
            if !there.contains(&key)
                && let Some(other) = self.put(&key, self.snapshot.attachment(&name)?).await?
            {
                self.done.blocked = Some(other);
            }
        }
        Ok(())
    }

    /// Ships the segments that are not there. Where a key is taken, the file stands beside it, under a mark that readers know
    /// from the journal object behind it.
    async fn ship_segments(&mut self, end: &mut End) -> Result<()> {
        for segment in self.snapshot.segments() {
            if segment.first() < end.sealed {
                continue;
            }
            let before = self.done.objects;
            for file in SegmentFile::ALL {
                let (key, content) = segment.file(file)?;
                if self.put(&key, content.clone()).await?.is_some() {
                    if self.look_again(end).await? && segment.first() < end.sealed {
                        // Another shipper put the segment, and the object by which readers know where.
                        break;
                    }
                    let secret = self.next_frame(end)?;
                    if let Some(other) = self.put(&keys::beside(&key, &secret), content).await? {
                        return Err(Error::new(ErrorKind::Conflict, other));
                    }
                    self.done.taken.push(key);
                }
            }
            self.done.segments += u64::from(self.done.objects > before);
            end.sealed = end.sealed.max(segment.first() + segment.count());
        }
        Ok(())
    }

    async fn ship_journal(&mut self, end: &mut End) -> Result<()> {
        while let Some(part) = self.next_part(&end.tip)? {
            let from = end.tip.position();
            let link = Link::new(&part, from, self.snapshot.sealed_size(), end.tip.digest());
            let object = Bytes::from(link.encode(&part.bytes)?);
            let content: Content = Arc::new(object.clone());
            let key = keys::journal(from);
            if self.put_journal(&key, &content).await? || self.put_beside(&key, &part, &content, end).await? {
                self.done.journal_objects += 1;
                end.tip = Tip::of(link, &object);
            }
        }
        Ok(())
    }

    /// What the journal object behind a tip holds; nothing when all is there.
    fn next_part(&self, tip: &Tip) -> Result<Option<JournalPart>> {
        let from = tip.position();
        if from >= self.snapshot.size() {
            return Ok(None);
        }
        let reached = from.max(self.snapshot.sealed_size());
        let file = self.snapshot.journal_file_of(reached);
        let file =
            file.ok_or_else(|| Error::new(ErrorKind::Damaged, format!("no journal file holds entry {reached}")))?;
        let continues = tip.newest.is_some_and(|(link, _)| link.file == file);
        let first = if continues { from } else { file };
        self.snapshot.journal_part(file, first, reached, OBJECT_BYTES)
    }

    /// The first frame of the journal object behind the end: nobody knows it before it is there, and every shipper of this
    /// ledger has the same.
    fn next_frame(&self, end: &End) -> Result<Vec<u8>> {
        let part = self.next_part(&end.tip)?;
        let part = part.ok_or_else(|| Error::new(ErrorKind::Busy, "a segment was sealed and no entry says so yet"))?;
        first_frame(&part)
    }

    async fn put_journal(&mut self, key: &str, content: &Content) -> Result<bool> {
        let put = self.store.put_new(key, content, &self.written).await?;
        if put {
            self.count(content);
        }
        Ok(put)
    }

    /// Goes on behind what another shipper of this ledger put at a key; what somebody else put there is left where it is. Whether
    /// the object was put beside it.
    async fn put_beside(&mut self, key: &str, part: &JournalPart, content: &Content, end: &mut End) -> Result<bool> {
        if self.look_again(end).await? {
            return Ok(false);
        }
        let beside = keys::beside(key, &first_frame(part)?);
        if self.put_journal(&beside, content).await? {
            self.done.taken.push(key.to_owned());
            return Ok(true);
        }
        if self.look_again(end).await? {
            return Ok(false);
        }
        Err(Error::new(ErrorKind::Conflict, format!("{beside}: it is taken by something that is not the ledger's")))
    }

    async fn ship_checkpoint(&mut self, end: &mut End) -> Result<()> {
        let size = self.snapshot.size();
        if end.tip.position() < size {
            return Ok(());
        }
        let note: Content = Arc::new(self.snapshot.checkpoint().as_bytes().to_vec());
        let key = keys::checkpoint(size);
        if self.put(&key, note.clone()).await?.is_some() && !self.has_checkpoint(size).await? {
            let mut secret = [0; 32];
            getrandom::fill(&mut secret)
                .map_err(|error| Error::new(ErrorKind::Unavailable, format!("no random numbers: {error}")))?;
            self.put(&keys::beside(&key, &secret), note).await?;
            self.done.taken.push(key);
        }
        end.checkpoint = size;
        Ok(())
    }

    /// Writes an object. Where another one is there that is not the same: what to do about it.
    async fn put(&mut self, key: &str, content: Content) -> Result<Option<String>> {
        if self.store.put_new(key, &content, &self.written).await? {
            self.count(&content);
            return Ok(None);
        }
        let Some(stored) = self.store.find(key).await? else {
            return self.put_unlisted(key, &content).await;
        };
        if self.is_same(&stored, &content).await? {
            return Ok(None);
        }
        let version = stored.version.as_deref().map_or(String::new(), |version| format!(" (version {version})"));
        Ok(Some(format!(
            "{key}{version}: what is there is not this ledger's. Whoever may delete it deletes that version; where it is locked, ship to another prefix"
        )))
    }

    /// Looks at what is at a key that no list shows yet: it is there by its key. No more than a part is kept in memory.
    async fn put_unlisted(&self, key: &str, content: &Content) -> Result<Option<String>> {
        if content.len() <= self.written.part_bytes
            && let Some((bytes, _)) = self.store.current(key).await?
            && bytes == piece(key, content, 0, content.len())?
        {
            return Ok(None);
        }
        Err(Error::new(ErrorKind::Unavailable, format!("{key}: it is there, and no list of the store shows it yet")))
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

fn first_frame(part: &JournalPart) -> Result<Vec<u8>> {
    Ok(frames_in(&part.bytes)?.first().expect("a part has a frame").1.to_vec())
}

fn tampered(message: String) -> Error {
    Error::new(ErrorKind::Tampered, message)
}
