//! A ledger on a disk that may fail, with everything that it acknowledged and signed.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use counterfoil::{
    CreateOptions, Disk, ErrorKind, Ledger, OpenOptions, Reader, Receipt, Result, Snapshot, VerifyOptions, verify,
};
use counterfoil_entry::Draft;
use counterfoil_testkit::{Entries, MemoryDisk, RecordingSigner, SimulatedClock};
use counterfoil_tlog::{Hash, Signer, leaf_hash};

/// Where the ledger stands on its disk.
pub const FOLDER: &str = "/books/ledger";
pub const ORIGIN: &str = "example.com/trial";
const START_MICROS: i64 = 1_760_000_000_000_000;

/// A ledger under trial.
pub struct Trial {
    pub disk: MemoryDisk,
    pub signer: Arc<RecordingSigner>,
    pub clock: Arc<SimulatedClock>,
    pub entries: Entries,
    /// Leaf hashes of the entries that were acknowledged.
    pub acknowledged: BTreeMap<u64, Hash>,
    pub ledger: Option<Ledger>,
    /// What is being tried, for messages.
    pub label: String,
}

impl Trial {
    /// Nothing yet, on a disk with an empty folder `/books`.
    pub fn new(disk: MemoryDisk) -> Self {
        disk.create_folder(Path::new("/books")).expect("an empty disk works");
        disk.sync_folder(Path::new("/")).expect("an empty disk works");
        Self {
            disk,
            signer: Arc::new(RecordingSigner::new(ORIGIN, 7).expect("a valid key")),
            clock: Arc::new(SimulatedClock::new(START_MICROS)),
            entries: Entries::new(1),
            acknowledged: BTreeMap::new(),
            ledger: None,
            label: String::new(),
        }
    }

    /// The same past, going on with another disk.
    pub fn branch(&self, disk: MemoryDisk, label: &str) -> Self {
        Self {
            disk,
            signer: Arc::new(self.signer.branch().expect("a valid key")),
            clock: Arc::new(SimulatedClock::new(START_MICROS)),
            entries: self.entries.clone(),
            acknowledged: self.acknowledged.clone(),
            ledger: None,
            label: format!("{} {label}", self.label),
        }
    }

    /// The same past after a power failure, also while the ledger goes on: what was signed is counted before the disk
    /// stops, so every head that counts was durable.
    pub fn crashed(&self, seed: u64, label: &str) -> Self {
        let mut branch = self.branch(self.disk.clone(), label);
        branch.disk = self.disk.crash(seed);
        branch
    }

    pub fn options(&self) -> OpenOptions {
        OpenOptions {
            signer: Some(self.signer.clone()),
            disk: Arc::new(self.disk.clone()),
            clock: self.clock.clone(),
            ..OpenOptions::default()
        }
    }

    pub fn create(&mut self, span: u64) -> Result<()> {
        let mut create = CreateOptions::new(ORIGIN)?;
        create.segment_span = span;
        self.ledger = Some(Ledger::create(FOLDER, create, self.options())?);
        Ok(())
    }

    pub fn open(&mut self) -> Result<()> {
        self.ledger = Some(Ledger::open(FOLDER, self.options())?);
        Ok(())
    }

    pub fn close(&mut self) -> Result<()> {
        self.ledger.take().map_or(Ok(()), Ledger::close)
    }

    pub fn ledger(&self) -> &Ledger {
        self.ledger.as_ref().expect("the ledger is open")
    }

    /// Appends a batch of generated entries.
    pub fn append(&mut self, count: usize) -> Result<()> {
        let drafts = self.entries.drafts(count);
        self.append_drafts(&drafts).map(drop)
    }

    /// Appends a batch and remembers it, if it was acknowledged.
    pub fn append_drafts(&mut self, drafts: &[Draft]) -> Result<Vec<Receipt>> {
        let receipts = self.ledger().append_batch(drafts.to_vec())?;
        for (draft, receipt) in drafts.iter().zip(&receipts) {
            let mut bytes = Vec::new();
            draft.write_entry(receipt.recorded_at, None, &mut bytes);
            assert_eq!(leaf_hash(&bytes), receipt.leaf_hash, "{}: a receipt is for what was sent", self.label);
            assert!(receipt.tree_size > receipt.index, "{}: {receipt:?}", self.label);
            self.acknowledged.insert(receipt.index, receipt.leaf_hash);
        }
        Ok(receipts)
    }

    /// Seals what can be sealed and waits for it.
    pub fn seal(&mut self) -> Result<()> {
        self.ledger().seal().map(drop)
    }

    /// Everything acknowledged is there, and every tree head ever signed is one of this tree.
    pub fn assert_whole(&self, take: impl Fn() -> Snapshot) {
        let signed = self.signed();
        let newest = signed.last().map_or(0, |checkpoint| checkpoint.size.0);
        let started = Instant::now();
        let mut snapshot = take();
        while snapshot.size() < newest && started.elapsed() < Duration::from_secs(30) {
            snapshot = take();
        }
        for (index, leaf) in &self.acknowledged {
            let found = snapshot.leaf_hash(*index);
            let found = found.unwrap_or_else(|error| panic!("{}: entry {index} is lost: {error}", self.label));
            assert_eq!(found, *leaf, "{}: entry {index}", self.label);
        }
        let mut last = None;
        for checkpoint in signed {
            if last.replace((checkpoint.size, checkpoint.root)) == Some((checkpoint.size, checkpoint.root)) {
                continue;
            }
            let size = checkpoint.size.0;
            let root = snapshot.root_at(size);
            let root = root.unwrap_or_else(|error| panic!("{}: size {size} was signed: {error}", self.label));
            assert_eq!(root, checkpoint.root, "{}: two trees of size {size}", self.label);
        }
    }

    /// No two tree heads of one size were ever signed.
    pub fn assert_no_fork(&self) {
        for pair in self.signed().windows(2) {
            let forked = pair[0].size == pair[1].size && pair[0].root != pair[1].root;
            assert!(!forked, "{}: two trees of size {}", self.label, pair[0].size.0);
        }
    }

    fn signed(&self) -> Vec<counterfoil_tlog::Checkpoint> {
        let mut signed = self.signer.signed();
        signed.sort_by_key(|checkpoint| (checkpoint.size, checkpoint.root.0));
        signed
    }

    /// A verification finds nothing wrong, and a reader sees everything.
    pub fn assert_clean(&self) {
        self.assert_no_finding();
        let reader = Reader::open_on(FOLDER, Arc::new(self.disk.clone())).and_then(|reader| reader.snapshot());
        let snapshot = reader.unwrap_or_else(|error| panic!("{}: a reader: {error}", self.label));
        self.assert_whole(|| snapshot.clone());
    }

    /// A verification finds nothing wrong; where a ledger was still being made there is nothing to verify.
    pub fn assert_no_finding(&self) {
        if self.acknowledged.is_empty() && self.disk.open(&Path::new(FOLDER).join("ledger.toml")).is_err() {
            return;
        }
        let options = VerifyOptions {
            disk: Arc::new(self.disk.clone()),
            threads: 1,
            keys: vec![self.signer.verifier_key().clone()],
            ..VerifyOptions::default()
        };
        let report = verify(FOLDER, &options).unwrap_or_else(|error| panic!("{}: {error}", self.label));
        assert_eq!(report.findings, [], "{}", self.label);
    }

    /// The canonical bytes of all entries.
    pub fn contents(snapshot: &Snapshot) -> Vec<Vec<u8>> {
        let mut contents = Vec::new();
        for sealed in snapshot.segments() {
            let segment = sealed.segment().expect("a segment that was checked");
            let mut take = |_: u64, bytes: &[u8]| {
                contents.push(bytes.to_vec());
                ControlFlow::Continue(())
            };
            assert_eq!(segment.scan(0..sealed.count(), &mut take).expect("readable"), []);
        }
        let tail = snapshot.sealed_size()..snapshot.size();
        snapshot.tail(tail, &mut |_, bytes| contents.push(bytes.to_vec())).expect("a readable tail");
        contents
    }

    /// Opens what a crash left, checks it, goes on, closes and verifies. Half a ledger is none, as long as it never
    /// acknowledged anything.
    pub fn assert_recovers(&mut self) {
        self.assert_no_finding();
        match self.open() {
            Err(error) if error.kind == ErrorKind::NotFound && self.acknowledged.is_empty() => return,
            other => other.unwrap_or_else(|error| panic!("{}: it does not open: {error}", self.label)),
        }
        self.assert_whole(|| self.ledger().snapshot());
        let label = self.label.clone();
        self.append(1).unwrap_or_else(|error| panic!("{label}: it takes no more: {error}"));
        self.close().unwrap_or_else(|error| panic!("{label}: it does not close: {error}"));
        self.assert_clean();
    }
}
