//! A processor for whoever records, while others read.
//!
//! A sync ends on a thread of the kernel that belongs to the processor where it was asked for. Where a query runs there, that thread
//! waits for the next tick, whatever the priorities. So while both go on, the sequencer stays on one processor, and readers stay off it.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::thread::Thread;
use std::time::Duration;

use counterfoil::{OnCommit, SEQUENCER_THREAD, background_threads};
use rustix::thread::{CpuSet, Pid, gettid, sched_getaffinity, sched_getcpu, sched_setaffinity};

/// How often it is looked whether both go on.
const LOOK: Duration = Duration::from_millis(50);
/// Readers that took no more of the processors between two looks leave the sequencer alone.
const IDLE: Duration = Duration::from_millis(5);

/// What the sequencer tells.
#[derive(Debug, Default)]
struct Recording {
    /// Since the last look.
    committed: AtomicBool,
    /// Its thread's number; 0 before its first commit.
    sequencer: AtomicI32,
    processor: AtomicUsize,
    ended: AtomicBool,
}

/// What the ledger is to call after each commit instead of `then`: as long as it is kept, readers and the sequencer are kept apart, by a
/// thread that sleeps while nothing is recorded. Where there is only one processor, it is `then`.
pub(crate) fn kept_apart(then: OnCommit) -> OnCommit {
    let Some(keeper) = Keeper::start() else { return then };
    Arc::new(move |entries| {
        keeper.committed();
        then(entries);
    })
}

struct Keeper {
    recording: Arc<Recording>,
    thread: Thread,
}

impl Keeper {
    fn start() -> Option<Self> {
        let all = sched_getaffinity(None).ok().filter(|all| all.count() > 1)?;
        let recording = Arc::new(Recording::default());
        let name = "counterfoil-processors".to_owned();
        let told = Arc::clone(&recording);
        let thread = std::thread::Builder::new().name(name).spawn(move || told.keep_apart(&all)).ok()?;
        Some(Self { recording, thread: thread.thread().clone() })
    }

    /// Called by whoever committed: the sequencer's thread, or a caller that found it idle.
    fn committed(&self) {
        if self.recording.committed.swap(true, Ordering::AcqRel) {
            return;
        }
        if std::thread::current().name() == Some(SEQUENCER_THREAD) {
            self.recording.processor.store(sched_getcpu(), Ordering::Relaxed);
            self.recording.sequencer.store(gettid().as_raw_pid(), Ordering::Release);
        }
        self.thread.unpark();
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.recording.ended.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

impl Recording {
    fn keep_apart(&self, all: &CpuSet) {
        while !self.ended.load(Ordering::Acquire) {
            std::thread::park();
            let (mut apart, mut before) = (None, busy());
            while !self.ended.load(Ordering::Acquire) && self.committed.swap(false, Ordering::AcqRel) {
                std::thread::sleep(LOOK);
                let now = busy();
                match self.sequencer() {
                    Some(sequencer) if now.saturating_sub(before) > IDLE => {
                        let processor = *apart.get_or_insert_with(|| self.processor.load(Ordering::Relaxed));
                        place(sequencer, &only(processor), &without(all, processor));
                    }
                    _ => self.together(apart.take(), all),
                }
                before = now;
            }
            self.together(apart, all);
        }
    }

    fn sequencer(&self) -> Option<Pid> {
        Pid::from_raw(self.sequencer.load(Ordering::Acquire))
    }

    fn together(&self, apart: Option<usize>, all: &CpuSet) {
        if let (Some(_), Some(sequencer)) = (apart, self.sequencer()) {
            place(sequencer, all, all);
        }
    }
}

/// A thread that is gone, or that may not run there, stays where it is.
fn place(sequencer: Pid, its: &CpuSet, readers: &CpuSet) {
    let _ = sched_setaffinity(Some(sequencer), its);
    for reader in background_threads() {
        let _ = sched_setaffinity(Some(reader), readers);
    }
}

fn only(processor: usize) -> CpuSet {
    let mut set = CpuSet::new();
    set.set(processor);
    set
}

fn without(all: &CpuSet, processor: usize) -> CpuSet {
    let mut set = *all;
    set.unset(processor);
    set
}

/// How long the readers have had the processors so far.
fn busy() -> Duration {
    let of = |thread: Pid| {
        let text = fs::read_to_string(format!("/proc/self/task/{}/schedstat", thread.as_raw_pid())).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    };
    Duration::from_nanos(background_threads().into_iter().filter_map(of).sum())
}
