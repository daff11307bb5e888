//! The chain of journal objects, followed by its keys: what stands at other keys leads nobody astray.

use bytes::Bytes;
use counterfoil::{ErrorKind, Result};
use futures::{StreamExt, stream};

use crate::judge::{Judge, Own, Tip};
use crate::keys;
use crate::link::{MAX_OBJECT_BYTES, digest};
use crate::store::{MAX_AT_ONE, Store, Stored};

/// Objects that are fetched at a time.
const PARALLEL: usize = 8;
/// The longest object that is fetched before it is known to be the next one.
const AHEAD_BYTES: u64 = 4 << 20;
/// The most bytes that are kept of the objects at one number; what is behind them is fetched again.
const HELD_BYTES: usize = 16 << 20;

/// An object that goes on behind the ones before.
#[derive(Debug, Clone)]
pub struct Next {
    pub stored: Stored,
    pub own: Own,
    pub bytes: Bytes,
}

/// What a walk met.
#[derive(Debug)]
pub enum Met<'a> {
    /// The next object of the chain.
    Next(&'a Next),
    /// An object that is none of the chain, and why.
    Foreign(&'a Stored, &'a str),
    /// The ledger's object, but what it goes on behind is missing or damaged.
    Torn(&'a Next, u64),
}

/// Whether an object goes on behind a tip.
enum Fit {
    Next(Next),
    /// Its frames are the ledger's, and it stands elsewhere in the chain, or nowhere.
    Elsewhere(&'static str, Next),
    /// Somebody else's, and why.
    Foreign(String),
}

/// An object that was fetched ahead, if it is short.
type Fetched = (Stored, Option<Result<Bytes>>);

impl Next {
    /// What the chain ends with when this is its newest object.
    pub fn tip(&self) -> Tip {
        Tip { newest: Some((self.own.link, digest(&self.bytes))) }
    }
}

/// A copy's chain, and who tells what is in it.
#[derive(Debug, Clone, Copy)]
pub struct Chain<'a> {
    pub store: &'a Store,
    pub judge: &'a Judge,
}

impl Chain<'_> {
    /// The object behind a tip, found by its key alone.
    pub async fn step(&self, tip: &Tip) -> Result<Option<Next>> {
        for stored in self.store.at(&keys::journal(tip.position())).await? {
            if let Fit::Next(next) = self.next(tip, (stored, None)).await? {
                return Ok(Some(next));
            }
        }
        Ok(None)
    }

    /// The object behind a tip where a put was refused and no list shows why: a store may answer with an old list.
    pub async fn unlisted(&self, tip: &Tip) -> Result<Option<Next>> {
        let key = keys::journal(tip.position());
        let Some((bytes, _)) = self.store.current(&key).await? else { return Ok(None) };
        let stored = Stored { key, size: bytes.len() as u64, ..Stored::default() };
        match self.next(tip, (stored, Some(Ok(bytes)))).await? {
            Fit::Next(next) => Ok(Some(next)),
            _ => Ok(None),
        }
    }

    /// The object that somebody remembers by its number and digest, if it is there as it was.
    pub async fn recall(&self, number: u64, known: &str) -> Result<Option<Next>> {
        for stored in self.store.at(&keys::journal(number)).await? {
            if stored.size > MAX_OBJECT_BYTES {
                continue;
            }
            let bytes = self.store.get(&stored, None).await?;
            if hex::encode(digest(&bytes)) == known {
                return Ok(self.judge.own(&stored.key, &bytes).ok().map(|own| Next { stored, own, bytes }));
            }
        }
        Ok(None)
    }

    /// Follows the chain from a tip to its end, which it gives, and tells of every object under `journal/` on the way.
    pub async fn walk(&self, mut tip: Tip, each: &mut (dyn FnMut(Met<'_>) + Send)) -> Result<Tip> {
        let mut after = keys::before(keys::JOURNAL, tip.position());
        let (mut group, mut held) = (Vec::<Fetched>::new(), 0);
        loop {
            let (page, more) = self.store.page(keys::JOURNAL, &after).await?;
            after = page.last().map_or(after, |last| last.key.clone());
            let fetched = stream::iter(page).map(|stored| async move {
                let ahead = keys::numbered(&stored.key, keys::JOURNAL).is_some() && stored.size <= AHEAD_BYTES;
                let bytes = if ahead { Some(self.store.get(&stored, None).await) } else { None };
                (stored, bytes)
            });
            let mut fetched = fetched.buffered(PARALLEL);
            while let Some(mut found) = fetched.next().await {
                let number = |found: &Fetched| keys::numbered(&found.0.key, keys::JOURNAL);
                // Keys of no number are told of with the other keys that no shipper writes.
                let Some(this) = number(&found) else { continue };
                if group.first().is_some_and(|first| number(first) != Some(this)) {
                    self.settle(std::mem::take(&mut group), &mut tip, each).await?;
                    held = 0;
                }
                let length = found.1.as_ref().map_or(0, |bytes| bytes.as_ref().map_or(0, Bytes::len));
                if held + length > HELD_BYTES {
                    found.1 = None;
                } else {
                    held += length;
                }
                group.push(found);
                if group.len() == 2 * MAX_AT_ONE {
                    leave_oldest(&mut group, each);
                }
            }
            if !more {
                self.settle(group, &mut tip, each).await?;
                return Ok(tip);
            }
        }
    }

    /// Judges the objects of one number, the oldest first.
    async fn settle(
        &self,
        mut group: Vec<Fetched>,
        tip: &mut Tip,
        each: &mut (dyn FnMut(Met<'_>) + Send),
    ) -> Result<()> {
        leave_oldest(&mut group, each);
        let before = *tip;
        for (stored, bytes) in group {
            let (named, torn) = (stored.clone(), before.position());
            match self.next(&before, (stored, bytes)).await? {
                Fit::Next(_) if *tip != before => each(Met::Foreign(&named, "another object came before it")),
                Fit::Next(next) => {
                    *tip = next.tip();
                    each(Met::Next(&next));
                }
                // Entries that the chain has not: nobody but the ledger could have signed them.
                Fit::Elsewhere(_, own) if *tip == before && own.own.link.from >= torn && own.own.link.end() > torn => {
                    *tip = own.tip();
                    each(Met::Torn(&own, torn));
                }
                Fit::Elsewhere(reason, _) => each(Met::Foreign(&named, reason)),
                Fit::Foreign(reason) => each(Met::Foreign(&named, &reason)),
            }
        }
        Ok(())
    }

    /// The object as the one behind a tip; else why it is not, and the object where its frames are the ledger's all the same.
    async fn next(&self, tip: &Tip, fetched: Fetched) -> Result<Fit> {
        let (stored, bytes) = fetched;
        if stored.size == 0 {
            return Ok(Fit::Foreign("it is empty, or only a delete marker".into()));
        }
        if stored.size > MAX_OBJECT_BYTES {
            return Ok(Fit::Foreign(format!("it has {} bytes, more than a journal object", stored.size)));
        }
        let bytes = match bytes {
            Some(bytes) => bytes,
            None => self.store.get(&stored, None).await,
        };
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(error) if matches!(error.kind, ErrorKind::Damaged | ErrorKind::NotFound) => {
                return Ok(Fit::Foreign(error.message));
            }
            Err(error) => return Err(error),
        };
        Ok(match self.judge.own(&stored.key, &bytes) {
            Err(reason) => Fit::Foreign(reason),
            Ok(own) => match tip.refuses(&own.link) {
                Some(reason) => Fit::Elsewhere(reason, Next { stored, own, bytes }),
                None => Fit::Next(Next { stored, own, bytes }),
            },
        })
    }

    /// The checkpoint of a size that the ledger signed, if one is there.
    pub async fn checkpoint(&self, size: u64) -> Result<Option<(Stored, Bytes)>> {
        let found = self.store.at(&keys::checkpoint(size)).await?;
        self.first_signed(found.into_iter()).await
    }

    /// The first of these objects that is a checkpoint of the ledger.
    pub async fn first_signed(&self, objects: impl Iterator<Item = Stored> + Send) -> Result<Option<(Stored, Bytes)>> {
        let short = objects.filter(|stored| stored.size <= MAX_CHECKPOINT_BYTES);
        let read = stream::iter(short).map(|stored| async move {
            let bytes = self.store.get(&stored, None).await;
            (stored, bytes)
        });
        let mut read = read.buffered(PARALLEL);
        while let Some((stored, bytes)) = read.next().await {
            let bytes = match bytes {
                Err(error) if matches!(error.kind, ErrorKind::Damaged | ErrorKind::NotFound) => continue,
                bytes => bytes?,
            };
            if self.judge.checkpoint(&stored.key, &bytes).is_ok() {
                return Ok(Some((stored, bytes)));
            }
        }
        Ok(None)
    }
}

/// Sorts the objects of one number by age and leaves no more of them than are looked at.
fn leave_oldest(group: &mut Vec<Fetched>, each: &mut (dyn FnMut(Met<'_>) + Send)) {
    group.sort_by(|a, b| a.0.by_age(&b.0));
    for (stored, _) in group.drain(MAX_AT_ONE.min(group.len())..) {
        each(Met::Foreign(&stored, "too many older objects stand at its number"));
    }
}

/// The longest checkpoint, with cosignatures.
pub const MAX_CHECKPOINT_BYTES: u64 = 1 << 20;
