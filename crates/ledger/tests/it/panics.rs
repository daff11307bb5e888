//! A panic in the middle of the ledger's work: whoever comes next is told, and nobody waits for ever.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use counterfoil::{Clock, CreateOptions, ErrorKind, Ledger, OpenOptions, SystemClock, VerifyOptions, verify};
use counterfoil_testkit::Entries;
use tempfile::TempDir;

#[derive(Debug, Default)]
struct BrokenClock {
    broken: AtomicBool,
    clock: SystemClock,
}

impl Clock for BrokenClock {
    fn now_micros(&self) -> i64 {
        assert!(!self.broken.load(Ordering::SeqCst), "the clock is broken");
        self.clock.now_micros()
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }
}

fn ledger(folder: &TempDir) -> (Ledger, Arc<BrokenClock>) {
    let clock = Arc::new(BrokenClock::default());
    let options = CreateOptions { segment_span: 256, ..CreateOptions::new("example.com/panics").expect("an origin") };
    let open = OpenOptions { clock: clock.clone(), ..OpenOptions::default() };
    let ledger = Ledger::create(folder.path().join("ledger"), options, open).expect("created");
    ledger.append_batch(Entries::new(1).drafts(300)).expect("recorded");
    clock.broken.store(true, Ordering::SeqCst);
    (ledger, clock)
}

/// Runs what must come to an end.
fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let running = std::thread::spawn(work);
    let start = Instant::now();
    while !running.is_finished() {
        assert!(start.elapsed() < Duration::from_secs(30), "it waits for ever");
        std::thread::sleep(Duration::from_millis(5));
    }
    running.join().expect("no panic")
}

fn assert_poisoned_and_sound(folder: &TempDir, ledger: Ledger) {
    let error = ledger.append(Entries::new(2).draft()).expect_err("poisoned");
    assert_eq!(error.kind, ErrorKind::Poisoned, "{error}");
    assert!(ledger.status().expect("readable").poisoned.is_some());
    assert!(in_time(move || ledger.close()).is_err());
    let path = folder.path().join("ledger");
    let ledger = Ledger::open(&path, OpenOptions::default()).expect("opened again");
    ledger.append(Entries::new(3).draft()).expect("recorded");
    ledger.close().expect("closed");
    assert_eq!(verify(&path, &VerifyOptions::default()).expect("verified").findings, []);
}

#[test]
fn a_panic_in_a_callers_commit_poisons_the_ledger() {
    let folder = TempDir::new().expect("a folder");
    let (ledger, _clock) = ledger(&folder);
    // The caller commits itself, or finds the thread at work and hears from it.
    if let Ok(answer) = catch_unwind(AssertUnwindSafe(|| ledger.append(Entries::new(2).draft()))) {
        assert_eq!(answer.expect_err("it cannot be recorded").kind, ErrorKind::Poisoned);
    }
    assert_poisoned_and_sound(&folder, ledger);
}

#[test]
fn a_panic_in_the_sequencers_thread_poisons_the_ledger() {
    let folder = TempDir::new().expect("a folder");
    let (ledger, _clock) = ledger(&folder);
    let (ledger, sealed) = in_time(move || {
        let sealed = ledger.seal();
        (ledger, sealed)
    });
    assert_eq!(sealed.expect_err("the entry that seals cannot be recorded").kind, ErrorKind::Poisoned);
    assert_poisoned_and_sound(&folder, ledger);
}

#[test]
fn a_lone_commit_is_published_although_nothing_follows() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("ledger");
    let options = CreateOptions::new("example.com/lone").expect("an origin");
    let ledger = Ledger::create(&path, options, OpenOptions::default()).expect("created");
    for round in 0..3 {
        let receipt = ledger.append(Entries::new(round).draft()).expect("recorded");
        let start = Instant::now();
        let published = || std::fs::read_to_string(path.join("checkpoint")).expect("there");
        while published().lines().nth(1) != Some(&receipt.tree_size.to_string()) {
            assert!(start.elapsed() < Duration::from_secs(30), "round {round}: never published");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    ledger.close().expect("closed");
}
