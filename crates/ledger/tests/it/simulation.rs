//! Seeded runs of everything that can happen to a ledger, against a plain model of what it must remember.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use counterfoil::{ErrorKind, Ledger};
use counterfoil_entry::{Draft, Fields, OWN_PREFIX, Timestamp};
use counterfoil_testkit::{Fault, MemoryDisk, Random};
use counterfoil_tlog::leaf_hash;

use crate::effort::seeds;
use crate::trial::Trial;

const STEPS: u64 = 24;
const HOUR_MICROS: i64 = 3_600_000_000;

/// By what an entry is known again.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Id(Option<String>, String),
    Sequence(Option<String>, String, u64),
}

/// Entries that somebody wants recorded.
#[derive(Debug, Clone)]
struct Batch {
    recorder: Option<String>,
    drafts: Vec<Draft>,
}

/// A ledger and what it must remember.
struct Simulation {
    trial: Trial,
    random: Random,
    recorded: BTreeMap<u64, (Draft, Option<String>)>,
    keys: HashMap<Key, u64>,
    /// Entries up to here have been compared.
    size: u64,
    last_recorded_at: Option<Timestamp>,
    next_sequence: u64,
    /// How far the wall clock was set ahead since the last commit.
    leapt: i64,
    /// Whether a leap has stopped the sealer, which may take a while to try again.
    sealing_stopped: bool,
}

impl Simulation {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let capacity = random.coin();
        let mut trial = Trial::new(if capacity { MemoryDisk::with_capacity(8 << 20) } else { MemoryDisk::new() });
        trial.entries = counterfoil_testkit::Entries::new(seed);
        trial.label = format!("seed {seed}");
        trial.create(if random.coin() { 256 } else { 512 }).expect("a disk that works");
        Self {
            trial,
            random,
            recorded: BTreeMap::new(),
            keys: HashMap::new(),
            size: 0,
            last_recorded_at: None,
            next_sequence: 0,
            leapt: 0,
            sealing_stopped: false,
        }
    }

    fn run(&mut self) {
        for step in 0..STEPS {
            self.trial.label = format!("{} step {step}", self.trial.label.split(" step").next().unwrap_or_default());
            match self.random.below(12) {
                0..=3 => self.append_new(),
                4 => self.repeat(),
                5 => self.conflict(),
                6 => self.seal(),
                7 => self.reopen(),
                8 | 9 => self.crash(),
                _ => self.step_clock(),
            }
        }
        self.reopen();
        self.compare(None);
        self.trial.close().expect("it closes");
        self.trial.assert_clean();
        self.trial.assert_no_fork();
    }

    fn ledger(&self) -> &Ledger {
        self.trial.ledger()
    }

    /// New entries, some of which can be known again.
    fn make(&mut self) -> Batch {
        let recorder = self.random.coin().then(|| format!("writer-{}", self.random.below(2)));
        let most = if self.random.coin() { 3 } else { 90 };
        let count = 1 + self.random.below(most);
        let drafts = (0..count).map(|_| {
            let mut entry = self.trial.entries.builder();
            if self.random.below(3) == 0 {
                self.next_sequence += 1;
                entry = entry.id(&format!("id-{}", self.next_sequence));
            }
            if self.random.below(3) == 0 {
                self.next_sequence += 1 + self.random.below(2);
                entry = entry.source("etl", self.next_sequence);
            }
            entry.build().expect("a valid entry")
        });
        let drafts = drafts.collect();
        Batch { recorder, drafts }
    }

    fn submit(&self, batch: &Batch) -> counterfoil::Result<Vec<counterfoil::Receipt>> {
        match &batch.recorder {
            Some(recorder) => self.ledger().append_batch_as(recorder, batch.drafts.clone()),
            None => self.ledger().append_batch(batch.drafts.clone()),
        }
    }

    fn append_new(&mut self) {
        let batch = self.make();
        match self.submit(&batch) {
            Ok(receipts) => self.acknowledge(&batch, &receipts),
            Err(error) => {
                let leap = error.kind == ErrorKind::Unavailable && self.leapt >= HOUR_MICROS;
                assert!(leap, "{}: {error}", self.trial.label);
                self.reopen();
            }
        }
    }

    fn acknowledge(&mut self, batch: &Batch, receipts: &[counterfoil::Receipt]) {
        let label = &self.trial.label;
        assert_eq!(receipts.len(), batch.drafts.len(), "{label}");
        for (position, receipt) in receipts.iter().enumerate() {
            assert_eq!(receipt.index, receipts[0].index + position as u64, "{label}: a batch is one stretch");
            assert!(receipt.index >= self.size && receipt.tree_size > receipt.index, "{label}: {receipt:?}");
            assert!(Some(receipt.recorded_at) >= self.last_recorded_at, "{label}: recorded_at went back");
            self.last_recorded_at = Some(receipt.recorded_at);
            self.trial.acknowledged.insert(receipt.index, receipt.leaf_hash);
        }
        self.remember(batch, receipts[0].index);
        self.leapt = 0;
    }

    fn remember(&mut self, batch: &Batch, first: u64) {
        for (index, draft) in (first..).zip(&batch.drafts) {
            for key in keys(draft, &batch.recorder) {
                self.keys.insert(key, index);
            }
            self.recorded.insert(index, (draft.clone(), batch.recorder.clone()));
        }
    }

    /// An entry that can be known again, as it was recorded.
    fn known(&mut self) -> Option<(u64, Draft, Option<String>)> {
        let mut indices: Vec<u64> = self.keys.values().copied().collect();
        indices.sort_unstable();
        let index = (!indices.is_empty()).then(|| self.random.pick(&indices))?;
        let (draft, recorder) = self.recorded[&index].clone();
        Some((index, draft, recorder))
    }

    fn repeat(&mut self) {
        let Some((index, draft, recorder)) = self.known() else { return };
        let batch = Batch { recorder, drafts: vec![draft] };
        let before = self.ledger().snapshot().size();
        match self.submit(&batch) {
            Ok(receipts) => {
                assert_eq!(receipts[0].index, index, "{}: a repeat has the first one's place", self.trial.label);
                assert_eq!(receipts[0].leaf_hash, self.trial.acknowledged[&index], "{}", self.trial.label);
                assert!(receipts[0].tree_size > index && receipts[0].tree_size >= before, "{}", self.trial.label);
            }
            Err(error) => assert!(self.leapt >= HOUR_MICROS, "{}: {error}", self.trial.label),
        }
    }

    fn conflict(&mut self) {
        let Some((_, draft, recorder)) = self.known() else { return };
        let mut other = Draft::builder("something_else", "mallory", "INV-0");
        if let Some(id) = draft.id() {
            other = other.id(&id);
        }
        if let Some((source, sequence)) = draft.source() {
            other = other.source(&source, sequence);
        }
        let mut batch = self.make();
        batch.recorder = recorder;
        batch.drafts.push(other.build().expect("a valid entry"));
        let error = self.submit(&batch).expect_err("other content under the same key");
        let leap = error.kind == ErrorKind::Unavailable && self.leapt >= HOUR_MICROS;
        assert!(error.kind == ErrorKind::Conflict || leap, "{}: {error}", self.trial.label);
    }

    fn seal(&mut self) {
        match self.ledger().seal() {
            Ok(sealed) => assert!(self.ledger().snapshot().size() - sealed < 512, "{}", self.trial.label),
            Err(error) => {
                assert!(self.leapt >= HOUR_MICROS || self.sealing_stopped, "{}: {error}", self.trial.label);
                self.sealing_stopped = true;
            }
        }
    }

    fn reopen(&mut self) {
        if let Err(error) = self.trial.close() {
            assert!(self.leapt >= HOUR_MICROS || self.sealing_stopped, "{}: {error}", self.trial.label);
        }
        self.trial.open().unwrap_or_else(|error| panic!("{}: it does not open: {error}", self.trial.label));
        self.leapt = 0;
        self.sealing_stopped = false;
        self.compare(None);
    }

    /// Kills the process within the next operations, and perhaps the machine with it.
    fn crash(&mut self) {
        let fault = if self.random.coin() { Fault::Kill } else { Fault::Tear };
        self.trial.disk.plan(1 + self.random.below(30), fault);
        let mut pending = None;
        for _ in 0..8 {
            let batch = self.make();
            match self.submit(&batch) {
                Ok(receipts) => self.acknowledge(&batch, &receipts),
                Err(_) => {
                    pending = Some(batch);
                    break;
                }
            }
            if self.random.below(4) == 0 && self.ledger().seal().is_err() {
                break;
            }
        }
        drop(self.trial.ledger.take());
        let seed = self.random.number();
        self.trial.disk =
            if self.random.below(3) == 0 { self.trial.disk.restart() } else { self.trial.disk.crash(seed) };
        self.trial.assert_no_finding();
        self.trial.open().unwrap_or_else(|error| panic!("{}: it does not open: {error}", self.trial.label));
        self.leapt = 0;
        self.sealing_stopped = false;
        self.compare(pending);
    }

    fn step_clock(&mut self) {
        self.trial.clock.advance(Duration::from_secs(self.random.below(100)));
        let minutes = self.random.below(110) as i64 - 55;
        self.trial.clock.step(minutes * 60_000_000);
        self.leapt += minutes.max(0) * 60_000_000;
    }

    /// Every entry is one of the ledger's own, one that was acknowledged, or one of a batch that was in flight, and
    /// then all of that batch.
    fn compare(&mut self, mut pending: Option<Batch>) {
        self.trial.assert_whole(|| self.trial.ledger().snapshot());
        let contents = Trial::contents(&self.ledger().snapshot());
        let mut last = None;
        let mut index = 0;
        while index < contents.len() as u64 {
            let bytes = &contents[index as usize];
            let fields = Fields::check(bytes).expect("a valid entry");
            assert!(Some(fields.recorded_at) >= last, "{}: recorded_at went back", self.trial.label);
            last = Some(fields.recorded_at);
            if !fields.event_type.starts_with(OWN_PREFIX) && !self.recorded.contains_key(&index) {
                let batch = pending.take();
                let batch = batch.unwrap_or_else(|| panic!("{}: nobody sent entry {index}", self.trial.label));
                self.remember(&batch, index);
            }
            if let Some((draft, recorder)) = self.recorded.get(&index) {
                let mut expected = Vec::new();
                draft.write_entry(fields.recorded_at, recorder.as_deref(), &mut expected);
                assert_eq!(*bytes, expected, "{}: entry {index}", self.trial.label);
                self.trial.acknowledged.insert(index, leaf_hash(bytes));
            }
            index += 1;
        }
        let beyond = self.recorded.range(contents.len() as u64..).next();
        assert!(beyond.is_none(), "{}: {beyond:?} is lost", self.trial.label);
        self.size = contents.len() as u64;
        self.last_recorded_at = last;
    }
}

fn keys(draft: &Draft, recorder: &Option<String>) -> Vec<Key> {
    let id = draft.id().map(|id| Key::Id(recorder.clone(), id.into_owned()));
    let sequence = draft.source();
    let sequence = sequence.map(|(source, sequence)| Key::Sequence(recorder.clone(), source.into_owned(), sequence));
    id.into_iter().chain(sequence).collect()
}

#[test]
fn whatever_happens_the_ledger_remembers_what_it_acknowledged() {
    for seed in 0..seeds() {
        Simulation::new(seed).run();
    }
}
