//! What stands in a copy, and what of it counts.

use std::collections::BTreeMap;

use counterfoil::{Error, ErrorKind, Result, SegmentFile};
use counterfoil_evidence::{Finding, FindingKind};
use futures::{StreamExt, TryStreamExt, stream};

use crate::keys;
use crate::link::{HEADER_BYTES, Link};
use crate::store::{Store, Stored};

/// Headers of journal objects that are read at a time.
const PARALLEL: usize = 16;

/// All objects of a copy, each in its oldest version.
#[derive(Debug, Default)]
pub struct Catalog {
    pub config: Option<Stored>,
    /// By first index and ending.
    pub segments: BTreeMap<(u64, &'static str), Stored>,
    /// Ascending.
    pub journal: Vec<(u64, Stored)>,
    /// Ascending.
    pub checkpoints: Vec<(u64, Stored)>,
    pub attachments: Vec<Stored>,
    /// Keys that no shipper writes, and versions that were put on top.
    pub findings: Vec<Finding>,
}

/// The part of a copy that is the ledger now.
#[derive(Debug)]
pub struct Current {
    /// The entries below are in segments.
    pub sealed: u64,
    /// The journal files that count: the index that names each, and its objects in order.
    pub files: Vec<(u64, Vec<(Link, Stored)>)>,
}

impl Catalog {
    /// Lists a copy. `NotFound` when there is none.
    pub async fn read(store: &Store) -> Result<Self> {
        let mut catalog = Self::default();
        store.list("", "", &mut |stored| catalog.add(stored)).await?;
        if catalog.config.is_none() && catalog.checkpoints.is_empty() {
            return Err(Error::new(
                ErrorKind::NotFound,
                "there is no copy of a ledger: no ledger.toml and no checkpoint",
            ));
        }
        Ok(catalog)
    }

    /// Takes in what was shipped since. Checkpoints are listed first: what they cover was there before them.
    pub async fn grow(&mut self, store: &Store) -> Result<()> {
        let mut new = Self::default();
        let last = |known: &[(u64, Stored)]| known.last().map_or(String::new(), |(_, stored)| stored.key.clone());
        store.list(keys::CHECKPOINTS, &last(&self.checkpoints), &mut |stored| new.add(stored)).await?;
        if new.checkpoints.is_empty() {
            return Ok(());
        }
        let newest = self.segments.last_key_value().map(|((first, _), _)| keys::segment_of(*first));
        store.list(keys::JOURNAL, &last(&self.journal), &mut |stored| new.add(stored)).await?;
        store.list(keys::SEGMENTS, &newest.unwrap_or_default(), &mut |stored| new.add(stored)).await?;
        store.list(keys::ATTACHMENTS, "", &mut |stored| new.add(stored)).await?;
        self.checkpoints.append(&mut new.checkpoints);
        self.journal.append(&mut new.journal);
        self.segments.append(&mut new.segments);
        self.attachments = new.attachments;
        Ok(())
    }

    fn add(&mut self, stored: Stored) {
        let key = stored.key.clone();
        if stored.newer > 0 {
            let message = format!("{} newer versions were put on top of it; the oldest was read", stored.newer);
            self.find(FindingKind::UnexpectedFile, &key, message);
        }
        if stored.markers > 0 {
            let message = format!("{} delete markers were put on it; its oldest version was read", stored.markers);
            self.find(FindingKind::UnexpectedFile, &key, message);
        }
        if key == keys::CONFIG {
            self.config = Some(stored);
        } else if let Some((first, extension)) = keys::segment(&key) {
            let known = SegmentFile::ALL.into_iter().map(SegmentFile::extension).find(|known| *known == extension);
            self.segments.insert((first, known.expect("a segment's key ends in one of three")), stored);
        } else if let Some(from) = keys::number(&key, keys::JOURNAL) {
            self.journal.push((from, stored));
        } else if let Some(size) = keys::number(&key, keys::CHECKPOINTS) {
            self.checkpoints.push((size, stored));
        } else if keys::attachment(&key).is_some() {
            self.attachments.push(stored);
        } else if !key.starts_with(keys::COSIGNATURES) {
            self.find(FindingKind::UnexpectedFile, &key, "no shipper writes an object of this key".into());
        }
    }

    fn find(&mut self, kind: FindingKind, key: &str, message: String) {
        self.findings.push(Finding::new(kind, message).in_file(key));
    }

    /// All objects.
    pub fn objects(&self) -> Vec<Stored> {
        let journal = self.journal.iter().map(|(_, stored)| stored);
        let checkpoints = self.checkpoints.iter().map(|(_, stored)| stored);
        let all = self.config.iter().chain(self.segments.values()).chain(journal).chain(checkpoints);
        all.chain(&self.attachments).cloned().collect()
    }

    /// The newest checkpoint and its size.
    pub fn newest_checkpoint(&self) -> Option<&(u64, Stored)> {
        self.checkpoints.last()
    }

    /// What of the copy is the ledger now: it reads the headers of journal objects backwards until a journal file begins
    /// where the segments end or before.
    pub async fn current(&self, store: &Store) -> Result<Current> {
        let size = self.newest_checkpoint().map_or(0, |(size, _)| *size);
        let mut links: Vec<(Link, Stored)> = Vec::new();
        let mut sealed = None;
        for chunk in self.journal.rchunks(PARALLEL) {
            let headers = stream::iter(chunk).map(|(_, stored)| async move {
                let head = match stored.size {
                    0 => Err(Error::new(ErrorKind::Damaged, "it is empty")),
                    size => store.get(stored, Some(0..size.min(HEADER_BYTES as u64))).await,
                };
                match head.and_then(|head| Link::parse(&stored.key, &head)) {
                    Ok(link) => Ok(Some((link, stored.clone()))),
                    // Verification of the chain says what is wrong with it.
                    Err(error) if error.kind == ErrorKind::Damaged => Ok(None),
                    Err(error) => Err(error),
                }
            });
            let mut headers: Vec<_> = headers.buffered(PARALLEL).try_collect().await?;
            while let Some(header) = headers.pop() {
                let Some((link, stored)) = header else { continue };
                if link.end() <= size && sealed.is_none() {
                    sealed = Some(link.sealed);
                }
                let begins = link.offset == 0 && sealed.is_some_and(|sealed| link.file <= sealed);
                links.push((link, stored));
                if begins {
                    return Ok(Self::files(sealed.unwrap_or(0), size, links));
                }
            }
        }
        Ok(Self::files(sealed.unwrap_or(0), size, links))
    }

    fn files(sealed: u64, size: u64, mut links: Vec<(Link, Stored)>) -> Current {
        links.reverse();
        let mut files: Vec<(u64, Vec<(Link, Stored)>)> = Vec::new();
        let mut end = sealed;
        for (link, stored) in links {
            if link.end() > size && link.first > end {
                // It rests on segments that count with the next checkpoint, and so does all behind it.
                break;
            }
            end = link.end();
            match files.last_mut() {
                Some((file, parts)) if *file == link.file => parts.push((link, stored)),
                _ => files.push((link.file, vec![(link, stored)])),
            }
        }
        Current { sealed, files }
    }
}
