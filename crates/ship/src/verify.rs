//! Verifying a copy: what counts of it as a ledger's folder, every other object against what follows it.

use std::sync::Arc;

use counterfoil::{Config, CopyMark, ErrorKind, Layout, Reader, Result, Verified, VerifyOptions};
use counterfoil_evidence::{Finding, FindingKind, Report};
use futures::{StreamExt, stream};

use crate::catalog::Catalog;
use crate::disk::BucketDisk;
use crate::keys;
use crate::link::{Link, digest};
use crate::location::Location;
use crate::lock::{self, Lock, LockReport};
use crate::settings::Settings;
use crate::store::Store;

/// Objects that are fetched at a time.
const PARALLEL: usize = 8;

/// A copy that is read: for whoever has no more than the right to read it.
pub struct Bucket {
    location: Location,
    store: Arc<Store>,
    catalog: Catalog,
    disk: Arc<BucketDisk>,
    layout: Layout,
    /// The size of the newest checkpoint that the disk shows.
    shown: u64,
}

impl Bucket {
    /// Lists the copy at a location. `NotFound` when there is none.
    pub fn open(location: &Location, settings: &Settings) -> Result<Self> {
        let store = Arc::new(Store::open(location, settings)?);
        let catalog = store.wait(Catalog::read(&store))?;
        let layout = Layout::new(location.to_string());
        let disk = Arc::new(store.wait(BucketDisk::new(store.clone(), &catalog, &layout))?);
        let shown = catalog.newest_checkpoint().map_or(0, |(size, _)| *size);
        Ok(Self { location: location.clone(), store, catalog, disk, layout, shown })
    }

    /// The copy as a ledger to read: entries, proofs, queries.
    pub fn reader(&self) -> Result<Reader> {
        Reader::open_on(self.layout.root(), self.disk.clone())
    }

    /// Looks for what was shipped since; whether there is more. Readers that are open show it with their next snapshot.
    pub fn refresh(&mut self) -> Result<bool> {
        let (store, catalog) = (&self.store, &mut self.catalog);
        store.wait(catalog.grow(store))?;
        let newest = catalog.newest_checkpoint().map_or(0, |(size, _)| *size);
        if newest == self.shown {
            return Ok(false);
        }
        store.wait(self.disk.show(catalog, &self.layout))?;
        self.shown = newest;
        Ok(true)
    }

    /// The checkpoint of this size, a C2SP note, if one was shipped. Whoever uses it checks it.
    pub fn checkpoint(&self, size: u64) -> Result<Option<Vec<u8>>> {
        let position = self.catalog.checkpoints.binary_search_by_key(&size, |(size, _)| *size);
        let Ok(position) = position else { return Ok(None) };
        let (_, stored) = &self.catalog.checkpoints[position];
        self.store.fetch(stored, None).map(|bytes| Some(bytes.to_vec()))
    }

    pub(crate) fn location(&self) -> &Location {
        &self.location
    }

    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.store
    }

    pub(crate) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    pub(crate) fn disk(&self) -> &Arc<BucketDisk> {
        &self.disk
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Verifies the copy: every segment, tile, frame and entry as [`counterfoil::verify`] does in a folder, every
    /// checkpoint, the chain of all journal objects, and that nothing was put on top of any object. Behind an earlier
    /// verification (`options.resume`) only what is new is read.
    pub fn verify(&self, options: &VerifyOptions<'_>) -> Result<Report> {
        let mut findings = self.catalog.findings.clone();
        let earlier = options.resume.as_ref().map(Verified::copy_mark).transpose()?;
        let older = self.store.wait(self.older_checkpoints(earlier, &mut findings));
        let config = self.config();
        let reached = self.store.wait(self.check_chain(config.as_ref(), earlier, &mut findings));
        let remember = |state: Verified| {
            if let (Some(remember), Some(reached), true) = (options.remember, &reached, findings.is_empty()) {
                remember(state.of_copy(reached.clone()));
            }
        };
        let remember: &(dyn Fn(Verified) + Sync) = &remember;
        let mut options = VerifyOptions { disk: self.disk.clone(), older, ..options.clone() };
        options.remember = options.remember.map(|_| remember);
        let mut report = counterfoil::verify(self.layout.root(), &options)?;
        report.findings.append(&mut findings.clone());
        let sealed = self.reader().and_then(|reader| reader.snapshot()).map(|snapshot| snapshot.sealed_size());
        if let (Ok(sealed), claimed) = (sealed, self.disk.sealed())
            && sealed != claimed
        {
            let message =
                format!("the newest journal object says that {claimed} entries are in segments, and {sealed} are");
            report.add(Finding::new(FindingKind::SegmentMetadata, message).in_file("journal"));
        }
        Ok(report)
    }

    /// Reads mode and date of the lock on every object and holds them against `lock`, or the bucket's default.
    pub fn check_locks(&self, lock: Option<Lock>) -> Result<LockReport> {
        let lock = self.store.wait(lock::check_bucket(&self.store, lock.as_ref()))?;
        let lock =
            lock.ok_or_else(|| counterfoil::Error::new(ErrorKind::Invalid, "a folder has no Object Lock to check"))?;
        self.store.wait(lock::check_objects(&self.store, self.catalog.objects(), &lock))
    }

    fn config(&self) -> Option<Config> {
        let config = self.catalog.config.as_ref()?;
        Config::parse(&self.store.wait(self.store.get(config, None)).ok()?).ok()
    }

    /// The checkpoints before the newest and behind what was verified, which the entries must lead to as well.
    async fn older_checkpoints(
        &self,
        earlier: Option<&CopyMark>,
        findings: &mut Vec<Finding>,
    ) -> Vec<(String, Vec<u8>)> {
        let Some((_, older)) = self.catalog.checkpoints.split_last() else { return Vec::new() };
        let known = earlier.map_or(0, |mark| older.partition_point(|(size, _)| *size <= mark.checkpoint));
        let read = stream::iter(&older[known..])
            .map(|(size, stored)| async move { (size, stored, self.store.get(stored, None).await) });
        let mut read = read.buffered(PARALLEL);
        let mut found = Vec::new();
        while let Some((_, stored, bytes)) = read.next().await {
            match bytes {
                Ok(bytes) => found.push((stored.key.clone(), bytes.to_vec())),
                Err(error) => findings.push(unreadable(&stored.key, &error)),
            }
        }
        found
    }

    /// Reads all journal objects in order, from the newest on that was verified: each must continue the one before and embed its
    /// digest, and each frame must be whole and the ledger's. How far it came.
    async fn check_chain(
        &self,
        config: Option<&Config>,
        earlier: Option<&CopyMark>,
        findings: &mut Vec<Finding>,
    ) -> Option<CopyMark> {
        let known = earlier.map_or(0, |mark| self.catalog.journal.partition_point(|(from, _)| *from < mark.journal));
        let objects = stream::iter(&self.catalog.journal[known..])
            .map(|(from, stored)| async move { (*from, stored, self.store.get(stored, None).await) });
        let mut objects = objects.buffered(PARALLEL);
        let mut before: Option<(Link, [u8; 32])> = None;
        let mut is_known = earlier;
        while let Some((from, stored, bytes)) = objects.next().await {
            let bytes = match bytes {
                Ok(bytes) => bytes,
                Err(error) => {
                    findings.push(unreadable(&stored.key, &error));
                    continue;
                }
            };
            match Link::parse(&stored.key, &bytes) {
                Ok(link) => {
                    match is_known.take() {
                        Some(mark) => findings.extend(changed_since(&stored.key, from, &bytes, mark)),
                        None => findings.extend(break_in_chain(&stored.key, from, &link, before.as_ref())),
                    }
                    findings.extend(foreign_frame(&stored.key, &link, &bytes, config));
                    before = Some((link, digest(&bytes)));
                }
                Err(error) => {
                    findings.push(Finding::new(FindingKind::FrameDamaged, error.message).in_file(&stored.key))
                }
            }
        }
        if let Some(mark) = is_known {
            let message = "it was verified earlier, and it is missing";
            findings.push(Finding::new(FindingKind::MissingFile, message).in_file(keys::journal(mark.journal)));
        }
        let (link, digest) = before?;
        let checkpoint = self.catalog.newest_checkpoint().map_or(0, |(size, _)| *size);
        Some(CopyMark { journal: link.from, digest: hex::encode(digest), checkpoint })
    }
}

/// The newest journal object that was verified must be the same one.
fn changed_since(key: &str, from: u64, object: &[u8], mark: &CopyMark) -> Option<Finding> {
    let same = from == mark.journal && hex::encode(digest(object)) == mark.digest;
    let message = "it is not the object that was verified earlier";
    (!same).then(|| Finding::new(FindingKind::FrameOutOfOrder, message).in_file(key))
}

fn break_in_chain(key: &str, from: u64, link: &Link, before: Option<&(Link, [u8; 32])>) -> Option<Finding> {
    let (end, digest) = before.map_or((0, [0; 32]), |(before, digest)| (before.end(), *digest));
    let continues = before.is_some_and(|(before, _)| {
        link.file == before.file && link.first == before.end() && link.offset == before.end_offset()
    });
    let begins = link.offset == 0 && link.first == link.file && (link.first <= end || link.first <= link.sealed);
    let message = if link.from != from || from != end {
        format!("it follows {end} entries, and its key or header says otherwise: an object is missing or was added")
    } else if link.previous != digest {
        "it does not embed the digest of the object before it: one of them was changed".to_owned()
    } else if !continues && !begins {
        "its frames neither continue the journal file of the object before it nor begin one".to_owned()
    } else {
        return None;
    };
    Some(Finding::new(FindingKind::FrameOutOfOrder, message).in_file(key).at_index(link.first))
}

fn foreign_frame(key: &str, link: &Link, object: &[u8], config: Option<&Config>) -> Option<Finding> {
    let damaged = |message: String| Some(Finding::new(FindingKind::FrameDamaged, message).in_file(key));
    let frames = match link.frames(key, object) {
        Ok(frames) => frames,
        Err(error) => return damaged(error.message),
    };
    let headers = match counterfoil::frames_in(&frames) {
        Ok(headers) => headers,
        Err(error) => return damaged(error.message),
    };
    let mut next = link.first;
    for (header, frame) in headers {
        if header.first != next {
            return damaged(format!("a frame begins with entry {}, not {next}", header.first));
        }
        next = header.end();
        let signed = config.map_or(Ok(()), |config| config.check_frame(&header, frame));
        if let Err(error) = signed {
            let message = format!("its writer was not the ledger: {error}");
            return Some(Finding::new(FindingKind::FrameSignature, message).in_file(key).at_index(header.first));
        }
    }
    if next == link.end() { None } else { damaged(format!("its frames end with entry {next}, not {}", link.end())) }
}

fn unreadable(key: &str, error: &counterfoil::Error) -> Finding {
    Finding::new(FindingKind::FileUnreadable, error.message.clone()).in_file(key)
}
