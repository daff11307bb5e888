//! Verifying a copy: what counts of it as a ledger's folder, every other object against what follows it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use counterfoil::{CopyMark, Error, ErrorKind, Layout, Reader, Result, SegmentFile, Snapshot, Verified, VerifyOptions};
use counterfoil_evidence::{Finding, FindingKind, Report};
use counterfoil_tlog::Hash;
use futures::{StreamExt, stream};

use crate::catalog::Catalog;
use crate::chain::{Chain, MAX_CHECKPOINT_BYTES, Met};
use crate::disk::BucketDisk;
use crate::judge::{Judge, Tip};
use crate::keys;
use crate::location::Location;
use crate::lock::{self, Lock, LockReport};
use crate::memory::Memory;
use crate::roots::Roots;
use crate::settings::Settings;
use crate::shipments::{self, Sizes};
use crate::store::{Store, Stored};

/// The most findings about what somebody put into a copy, each of an object of its own.
const MAX_FOREIGN_FINDINGS: usize = 1000;
/// Checkpoints that are fetched at a time.
const PARALLEL: usize = 8;

/// A copy that is read: for whoever has no more than the right to read it.
pub struct Bucket {
    location: Location,
    store: Arc<Store>,
    catalog: Catalog,
    disk: Arc<BucketDisk>,
    layout: Layout,
    memory: Option<Memory>,
}

impl Bucket {
    /// Looks for the copy at a location. `NotFound` when there is none.
    pub fn open(location: &Location, settings: &Settings) -> Result<Self> {
        let store = Arc::new(Store::open(location, settings)?);
        let catalog = store.wait(Catalog::read(&store))?;
        let layout = Layout::new(location.to_string());
        let disk = Arc::new(BucketDisk::new(store.clone(), &catalog, &layout));
        let mut bucket = Self { location: location.clone(), store, catalog, disk, layout, memory: None };
        // What the newest objects say of themselves may be somebody's invention: then the chain is followed from its start.
        if let Err(error) = bucket.reader().and_then(|reader| reader.snapshot())
            && matches!(error.kind, ErrorKind::Tampered | ErrorKind::Damaged)
        {
            bucket.store.wait(bucket.catalog.follow(&bucket.store))?;
            bucket.disk.show(&bucket.catalog, &bucket.layout);
        }
        Ok(bucket)
    }

    /// The same copy, of which a ledger's state folder remembers what was shipped to it.
    pub fn remembered_in(mut self, state: &Path) -> Self {
        self.memory = Some(Memory::of(state, &self.location));
        self
    }

    /// The copy as a ledger to read: entries, proofs, queries.
    pub fn reader(&self) -> Result<Reader> {
        Reader::open_on(self.layout.root(), self.disk.clone())
    }

    /// Looks for what was shipped since; whether there is more. Readers that are open show it with their next snapshot.
    pub fn refresh(&mut self) -> Result<bool> {
        let grown = self.store.wait(self.catalog.grow(&self.store))?;
        if grown {
            self.disk.show(&self.catalog, &self.layout);
        }
        Ok(grown)
    }

    /// The checkpoints that were shipped, to be asked for while this looks for more.
    pub fn checkpoints(&self) -> Checkpoints {
        Checkpoints { store: self.store.clone(), judge: self.catalog.judge.clone() }
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
    /// checkpoint, the chain of all journal objects, and that nobody else put anything there. Behind an earlier
    /// verification (`options.resume`) only what is new is read.
    pub fn verify(&self, options: &VerifyOptions<'_>) -> Result<Report> {
        let mut findings = self.findings_beside()?;
        let earlier = options.resume.as_ref().map(Verified::copy_mark).transpose()?;
        self.store.wait(self.check_checkpoints(earlier, &mut findings, &mut Sizes::new()))?;
        let reached = self.store.wait(self.check_chain(earlier, &mut findings))?;
        let findings = findings.finish();
        let remember = |state: Verified| {
            if let (Some(remember), Some(reached), true) = (options.remember, &reached, findings.is_empty()) {
                remember(state.of_copy(reached.clone()));
            }
        };
        let remember: &(dyn Fn(Verified) + Sync) = &remember;
        let mut options = VerifyOptions { disk: self.disk.clone(), ..options.clone() };
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

    /// Keys that no shipper writes, and versions that were put on top.
    fn findings_beside(&self) -> Result<Findings> {
        let mut findings = Findings::default();
        self.store.wait(self.store.list("", "", &mut |stored| findings.beside(&stored, &self.catalog.foreign)))?;
        Ok(findings)
    }

    /// Reads the checkpoints behind what was verified: the entries must lead to each of them. They are read and forgotten, one
    /// after the other. Those that are there are taken out of `expected`.
    async fn check_checkpoints(
        &self,
        earlier: Option<&CopyMark>,
        findings: &mut Findings,
        expected: &mut Sizes,
    ) -> Result<()> {
        let Some(judge) = &self.catalog.judge else { return Ok(()) };
        let snapshot = self.reader().and_then(|reader| reader.snapshot()).ok();
        let mut roots = snapshot.map(Roots::of);
        let (counts, mut ahead) = (self.catalog.newest.as_ref().map_or(0, |(size, _)| *size), Vec::new());
        let mut after = keys::before(keys::CHECKPOINTS, earlier.map_or(0, |mark| mark.checkpoint + 1));
        loop {
            let (page, more) = self.store.page(keys::CHECKPOINTS, &after).await?;
            after = page.last().map_or(after, |last| last.key.clone());
            let numbered = page.into_iter().filter(|stored| keys::numbered(&stored.key, keys::CHECKPOINTS).is_some());
            let read = stream::iter(numbered).map(|stored| async move {
                let note = match stored.size {
                    ..=MAX_CHECKPOINT_BYTES => self.store.get(&stored, None).await,
                    size => Err(Error::new(ErrorKind::Damaged, format!("{size} bytes are no checkpoint"))),
                };
                (stored.key, note)
            });
            let mut read = read.buffered(PARALLEL);
            while let Some((key, note)) = read.next().await {
                let judged = match note {
                    Err(error) if error.kind == ErrorKind::Unavailable => return Err(error),
                    note => note.map_err(|error| error.message).and_then(|note| judge.checkpoint(&key, &note)),
                };
                if let (Ok(_), Some(size)) = (&judged, keys::numbered(&key, keys::CHECKPOINTS)) {
                    expected.remove(&size);
                    if size > counts {
                        ahead.push((size, key));
                        continue;
                    }
                }
                self.check_checkpoint(&key, judged, roots.as_mut(), findings)?;
            }
            if !more {
                return self.check_ahead(&Chain { store: &self.store, judge }, ahead, findings).await;
            }
        }
    }

    /// Checkpoints of more than what counted when the copy was opened were shipped since, or journal objects are missing.
    async fn check_ahead(&self, chain: &Chain<'_>, ahead: Vec<(u64, String)>, findings: &mut Findings) -> Result<()> {
        let mut tip = *self.catalog.tip();
        let mut reached = BTreeSet::from([tip.position()]);
        while !ahead.is_empty()
            && let Some(next) = chain.step(&tip).await?
        {
            tip = next.tip();
            reached.insert(tip.position());
        }
        for (size, key) in ahead.into_iter().filter(|(size, _)| !reached.contains(size)) {
            let end = tip.position();
            let message = format!(
                "it covers {size} entries, and the journal objects lead to no more than {end}: some are missing"
            );
            findings.add(Finding::new(FindingKind::CheckpointAhead, message).in_file(key));
        }
        Ok(())
    }

    /// Holds one checkpoint against the entries.
    fn check_checkpoint(
        &self,
        key: &str,
        judged: std::result::Result<Hash, String>,
        roots: Option<&mut Roots>,
        findings: &mut Findings,
    ) -> Result<()> {
        let size = keys::numbered(key, keys::CHECKPOINTS).expect("only these are read");
        let counts = self.catalog.newest.as_ref().map_or(0, |(size, _)| *size);
        let mut add = |kind, message: String| findings.add(Finding::new(kind, message).in_file(key));
        match (judged, roots) {
            (Ok(root), Some(roots)) => match roots.at(size) {
                Ok(own) if own == root => {}
                Ok(_) => add(FindingKind::Fork, format!("the first {size} entries do not have the root that it signs")),
                Err(error) if error.kind == ErrorKind::Unavailable => return Err(error),
                Err(error) => add(FindingKind::RootMismatch, error.message),
            },
            (Ok(_), None) => {}
            (Err(reason), _) if size > counts && size <= self.catalog.tip().position() => {
                add(FindingKind::CheckpointMalformed, format!("it may have been the newest checkpoint: {reason}"));
            }
            (Err(reason), _) => findings.foreign(key, &reason),
        }
        Ok(())
    }

    /// Reads all journal objects in order, from the newest on that was verified: each must go on behind the one before and
    /// embed its digest, and each frame must be whole and the ledger's. How far it came.
    async fn check_chain(&self, earlier: Option<&CopyMark>, findings: &mut Findings) -> Result<Option<CopyMark>> {
        let Some(judge) = &self.catalog.judge else { return Ok(None) };
        let chain = Chain { store: &self.store, judge };
        let start = match earlier {
            None => Tip::default(),
            Some(mark) => match chain.recall(mark.journal, &mark.digest).await? {
                Some(known) => known.tip(),
                None => {
                    let message = "the object that was verified earlier is missing, or another one stands there";
                    let finding = Finding::new(FindingKind::FrameOutOfOrder, message);
                    findings.add(finding.in_file(keys::journal(mark.journal)));
                    return Ok(None);
                }
            },
        };
        let mut meet = |met: Met<'_>| match met {
            Met::Next(_) => {}
            Met::Foreign(stored, reason) => findings.foreign(&stored.key, reason),
            Met::Torn(next, end) => {
                let message =
                    format!("it should go on behind entry {end}: what is before it is missing or was changed");
                let finding = Finding::new(FindingKind::FrameOutOfOrder, message).in_file(&next.stored.key);
                findings.add(finding.at_index(next.own.link.first));
            }
        };
        let tip = chain.walk(start, &mut meet).await?;
        let Some((link, digest)) = tip.newest else { return Ok(None) };
        let checkpoint = self.catalog.newest.as_ref().map_or(0, |(size, _)| *size);
        if tip.position() < checkpoint {
            let message = format!(
                "the checkpoint covers {checkpoint} entries, and the journal objects end at {}",
                tip.position()
            );
            findings.add(Finding::new(FindingKind::MissingFile, message).in_file(keys::journal(tip.position())));
        }
        Ok(Some(CopyMark { journal: link.from, digest: hex::encode(digest), checkpoint }))
    }

    /// Reads mode and date of the lock on every object and holds them against `lock`, or the bucket's default; and looks for what
    /// must be there of the ledger that `snapshot` shows, which says what was shipped, and for what must not.
    pub fn check_locks(&self, snapshot: &Snapshot, lock: Option<Lock>) -> Result<LockReport> {
        let lock = self.store.wait(lock::check_bucket(&self.store, lock.as_ref()))?;
        let lock = lock.ok_or_else(|| Error::new(ErrorKind::Invalid, "a folder has no Object Lock to check"))?;
        let mut findings = self.findings_beside()?;
        let mut shipped = shipments::recorded(snapshot, &self.location, self.memory.as_ref())?;
        self.store.wait(self.check_checkpoints(None, &mut findings, &mut shipped))?;
        for (size, source) in shipped {
            let message = format!("{source} says that it was shipped, and it is not there");
            findings.add(Finding::new(FindingKind::MissingFile, message).in_file(keys::checkpoint(size)));
        }
        self.store.wait(self.check_chain(None, &mut findings))?;
        self.check_presence(snapshot, &mut findings)?;
        let mut objects = Vec::new();
        self.store.wait(self.store.list("", "", &mut |stored| objects.push(stored)))?;
        let report = self.store.wait(lock::check_objects(&self.store, objects, &lock))?;
        Ok(LockReport { findings: findings.finish(), ..report })
    }

    /// Whether the copy has the files of all segments that it says it has, and the attachments of what it covers.
    fn check_presence(&self, snapshot: &Snapshot, findings: &mut Findings) -> Result<()> {
        let mut missing = |key: String| {
            findings.add(Finding::new(FindingKind::MissingFile, "it was shipped, and it is not there").in_file(key));
        };
        if self.catalog.config.is_none() {
            missing(keys::CONFIG.into());
        }
        let sealed = self.disk.sealed();
        for segment in snapshot.segments().iter().take_while(|segment| segment.first() + segment.count() <= sealed) {
            for file in SegmentFile::ALL {
                if !self.catalog.segments.contains_key(&(segment.first(), file.extension())) {
                    missing(keys::segment_file(segment.first(), file));
                }
            }
        }
        let covers_all = self.catalog.newest.as_ref().is_some_and(|(size, _)| *size == snapshot.size());
        let there: BTreeSet<&str> = self.catalog.attachments.iter().map(|stored| stored.key.as_str()).collect();
        for name in snapshot.attachments()?.into_iter().filter(|_| covers_all) {
            let key = format!("{}{name}", keys::ATTACHMENTS);
            if !there.contains(key.as_str()) {
                missing(key);
            }
        }
        Ok(())
    }
}

/// The checkpoints of a copy.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    store: Arc<Store>,
    judge: Option<Judge>,
}

impl Checkpoints {
    /// The checkpoint of this size, a C2SP note that the ledger signed, if one was shipped.
    pub fn of(&self, size: u64) -> Result<Option<Vec<u8>>> {
        let Some(judge) = self.judge.clone() else { return Ok(None) };
        let store = self.store.clone();
        self.store.wait_anywhere(async move {
            let found = Chain { store: &store, judge: &judge }.checkpoint(size).await?;
            Ok(found.map(|(_, note)| note.to_vec()))
        })
    }
}

/// What is wrong with a copy, and what somebody else put into it.
#[derive(Debug, Default)]
struct Findings {
    found: Vec<Finding>,
    foreign: usize,
}

impl Findings {
    fn add(&mut self, finding: Finding) {
        self.found.push(finding);
    }

    /// An object that is not the ledger's, or not in its place.
    fn foreign(&mut self, key: &str, reason: &str) {
        self.unexpected(key, format!("it is not the ledger's, and was not counted: {reason}"));
    }

    /// What somebody else did in a copy.
    fn unexpected(&mut self, key: &str, message: String) {
        self.foreign += 1;
        if self.foreign <= MAX_FOREIGN_FINDINGS {
            self.add(Finding::new(FindingKind::UnexpectedFile, message).in_file(key));
        }
    }

    /// What the listing alone tells of an object.
    fn beside(&mut self, stored: &Stored, segments: &BTreeSet<String>) {
        let key = &stored.key;
        if stored.newer > 0 {
            let message = format!("{} newer versions were put on top of it; the oldest was read", stored.newer);
            self.unexpected(key, message);
        }
        if stored.markers > 0 {
            let message = format!("{} delete markers were put on it; its oldest version was read", stored.markers);
            self.unexpected(key, message);
        }
        if !keys::is_of_a_copy(key) {
            self.foreign(key, "no shipper writes an object of this key");
        } else if segments.contains(key) {
            self.foreign(key, "the segment's file stands beside this key, or at it");
        }
    }

    fn finish(mut self) -> Vec<Finding> {
        let more = self.foreign.saturating_sub(MAX_FOREIGN_FINDINGS);
        if more > 0 {
            let message = format!("{more} more times something is not the ledger's, or was put on top");
            self.found.push(Finding::new(FindingKind::UnexpectedFile, message));
        }
        self.found
    }
}
