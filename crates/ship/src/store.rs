//! An object store as a write-once place: put what is not there yet, read the oldest version, list.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use counterfoil::{Error, ErrorKind, Result};

use crate::backend::{self, Backend, Page};
use crate::content::Content;
use crate::location::Location;
use crate::lock::Lock;
use crate::settings::Settings;

/// An object as the store lists it: its oldest version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// Its key behind the prefix.
    pub key: String,
    /// Its version, where the store has versions; none as well when only delete markers are there.
    pub version: Option<String>,
    /// Its length in bytes.
    pub size: u64,
    /// When it was written, as the store says.
    pub modified: String,
    /// Versions that were put on top of it.
    pub newer: u64,
    /// Delete markers that were put on top of it.
    pub markers: u64,
}

impl Stored {
    /// The order of their writing, as far as the store tells it.
    pub fn by_age(&self, other: &Self) -> Ordering {
        (&self.modified, &self.key).cmp(&(&other.modified, &other.key))
    }
}

/// How objects are written.
#[derive(Debug, Clone, Copy)]
pub struct Written {
    /// The lock that each gets; none where the bucket's default counts.
    pub lock: Option<Lock>,
    /// What is put in one request; longer objects are put in parts of this length.
    pub part_bytes: u64,
}

impl Written {
    /// In one request, without a lock of its own.
    pub const PLAIN: Self = Self { lock: None, part_bytes: u64::MAX };
}

/// A prefix in an object store.
#[derive(Debug)]
pub struct Store {
    pub backend: Box<dyn Backend>,
    prefix: String,
    /// How long those wait who wait for a single answer; none for as long as the requests take.
    patience: Option<Duration>,
    /// None only while it is dropped.
    runtime: Option<tokio::runtime::Runtime>,
}

/// The last holder may be async code, where a runtime must not wait for its own end.
impl Drop for Store {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The most pages that are asked for to find the last one of a folder.
const MAX_PAGES: usize = 192;
/// The most objects at one key or beside it that are looked at, the oldest of them.
pub const MAX_AT_ONE: usize = 100_000;
/// Threads that wait for the network.
const THREADS: usize = 2;

impl Store {
    /// Opens the store of a location. Nothing is asked of it yet.
    pub fn open(location: &Location, settings: &Settings) -> Result<Self> {
        let backend = backend::open(location, settings)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .enable_all()
            .thread_name("counterfoil-store")
            .build()
            .map_err(|error| Error::new(ErrorKind::Unavailable, format!("no threads for the store: {error}")))?;
        let prefix = match location {
            Location::Bucket { prefix, .. } if !prefix.is_empty() => format!("{prefix}/"),
            _ => String::new(),
        };
        Ok(Self { backend, prefix, patience: None, runtime: Some(runtime) })
    }

    /// The same store, whose single answers are waited for no longer than this.
    pub fn within(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    /// Waits for something that the store does. Not for async code.
    pub fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime().block_on(work)
    }

    /// Fetches an object, or a part of it, and waits: also for callers inside another runtime, such as queries.
    pub fn fetch(self: &Arc<Self>, object: &Stored, range: Option<Range<u64>>) -> Result<Bytes> {
        let (store, object) = (self.clone(), object.clone());
        self.wait_anywhere(async move { store.get(&object, range).await })
    }

    /// Finds the objects at a key or beside it, as [`at`](Self::at) does, and waits, also inside another runtime.
    pub fn look_at(self: &Arc<Self>, key: &str) -> Result<Vec<Stored>> {
        let (store, key) = (self.clone(), key.to_owned());
        self.wait_anywhere(async move { store.at(&key).await })
    }

    /// Waits for something that the store does, also inside another runtime.
    pub fn wait_anywhere<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        let patience = self.patience;
        self.runtime().spawn(async move {
            let answer = match patience {
                None => work.await,
                Some(patience) => tokio::time::timeout(patience, work).await.unwrap_or_else(|_| {
                    let message = format!("the store gives no answer within {} s", patience.as_secs());
                    Err(Error::new(ErrorKind::Unavailable, message))
                }),
            };
            let _ = sender.send(answer);
        });
        let ended = || Error::new(ErrorKind::Internal, "a request to the store ended without an answer");
        receiver.recv().map_err(|_| ended())?
    }

    fn runtime(&self) -> &tokio::runtime::Runtime {
        self.runtime.as_ref().expect("it is there until the store is dropped")
    }

    /// The whole key of an object.
    pub fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// What other programs call an object.
    pub fn address(&self, key: &str) -> String {
        self.backend.address(&self.key(key))
    }

    /// Writes an object that is not there yet, under a lock where one is asked for. False when an object of that key exists.
    pub async fn put_new(&self, key: &str, content: &Content, written: &Written) -> Result<bool> {
        self.backend.put_new(&self.key(key), content, written).await
    }

    /// The newest content of an object that changes, and its tag. `None` when there is none.
    pub async fn current(&self, key: &str) -> Result<Option<(Bytes, String)>> {
        self.backend.current(&self.key(key)).await
    }

    /// Puts content in the place of what has this tag, or where nothing is. False when something else is there by now,
    /// which a folder does not tell.
    pub async fn put_over(&self, key: &str, bytes: Bytes, tag: Option<&str>) -> Result<bool> {
        match tag {
            Some(tag) => self.backend.put_over(&self.key(key), bytes, tag).await,
            None => self.put_new(key, &(Arc::new(bytes) as Content), &Written::PLAIN).await,
        }
    }

    /// The content of an object, or a part of it.
    pub async fn get(&self, object: &Stored, range: Option<Range<u64>>) -> Result<Bytes> {
        let key = self.key(&object.key);
        let length = range.as_ref().map_or(object.size, |range| range.end - range.start);
        let bytes = self.backend.get(&key, object.version.as_deref(), range).await?;
        if bytes.len() as u64 == length {
            return Ok(bytes);
        }
        Err(Error::new(ErrorKind::Damaged, format!("{key}: the store gives {} bytes of {length}", bytes.len())))
    }

    /// The oldest version of an object; `None` when there is none.
    pub async fn find(&self, key: &str) -> Result<Option<Stored>> {
        let mut found = None;
        self.list(key, "", &mut |stored| {
            if stored.key == key {
                found = Some(stored);
            }
        })
        .await?;
        Ok(found.filter(|stored: &Stored| stored.size > 0 || stored.version.is_some()))
    }

    /// The last page of what a folder lists, found in a number of requests that hardly grows with it: keys that are numbers
    /// are halved.
    pub async fn last_page(&self, folder: &str) -> Result<Vec<Stored>> {
        let (mut newest, mut from, mut to): (Vec<Stored>, u64, u64) = (Vec::new(), 0, u64::MAX);
        // No number of a ledger has more than 19 digits.
        let numbers = format!("{folder}0");
        for _ in 0..MAX_PAGES {
            // First ever further away, then halving what is left.
            let at = if to == u64::MAX { from.saturating_mul(2) } else { from + (to - from) / 2 };
            let after = if newest.is_empty() { String::new() } else { format!("{folder}{at:020}") };
            let (page, more) = self.page(&numbers, &after).await?;
            match page.last() {
                Some(_) if !more => return Ok(page),
                Some(last) => {
                    let number = crate::keys::numbered(&last.key, folder);
                    from = number.unwrap_or(at).max(at.saturating_add(1));
                    newest = page;
                }
                None if newest.is_empty() || to - from <= 1 => break,
                None => to = at,
            }
        }
        Ok(newest)
    }

    /// The objects at a key or beside it, the oldest first; no more than [`MAX_AT_ONE`] of them.
    pub async fn at(&self, key: &str) -> Result<Vec<Stored>> {
        let mut found = Vec::new();
        let beside = |found: &str| found.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
        let leave_oldest = |found: &mut Vec<Stored>| {
            found.sort_by(Stored::by_age);
            found.truncate(MAX_AT_ONE);
        };
        self.list(key, "", &mut |stored| {
            if beside(&stored.key) && (stored.size > 0 || stored.version.is_some()) {
                found.push(stored);
            }
            if found.len() == 2 * MAX_AT_ONE {
                leave_oldest(&mut found);
            }
        })
        .await?;
        leave_oldest(&mut found);
        Ok(found)
    }

    /// Takes the prefix of the copy off a key that the store listed.
    fn strip(&self, stored: &mut Stored) -> Result<()> {
        let key = stored.key.strip_prefix(&self.prefix).map(str::to_owned);
        let stray =
            || Error::new(ErrorKind::Unavailable, format!("the store lists {:?}, which was not asked for", stored.key));
        stored.key = key.ok_or_else(stray)?;
        Ok(())
    }

    /// One page of the objects whose keys begin with `under` and come behind `after`, in order; whether more come behind it.
    pub async fn page(&self, under: &str, after: &str) -> Result<(Vec<Stored>, bool)> {
        let after = if after.is_empty() { String::new() } else { self.key(after) };
        let Page { mut objects, next } = self.backend.page(&self.key(under), &after).await?;
        objects.iter_mut().try_for_each(|stored| self.strip(stored))?;
        Ok((objects, next.is_some()))
    }

    /// Lists the objects whose keys begin with `under` and come behind `after`, in order.
    pub async fn list(&self, under: &str, after: &str, each: &mut (dyn FnMut(Stored) + Send)) -> Result<()> {
        let prefix = self.key(under);
        let mut after = if after.is_empty() { String::new() } else { self.key(after) };
        loop {
            let Page { objects, next } = self.backend.page(&prefix, &after).await?;
            for mut stored in objects {
                self.strip(&mut stored)?;
                each(stored);
            }
            match next {
                Some(next) => after = next,
                None => return Ok(()),
            }
        }
    }
}
