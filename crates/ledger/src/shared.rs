//! What the threads of one open ledger share, and what they ask of one another.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use crossbeam_channel::{Receiver, Sender, bounded};

use crate::clock::Clock;
use crate::commit::Submission;
use crate::error::{Error, ErrorKind, Result};
use crate::journal::Journal;
use crate::receipt::Receipt;
use crate::snapshot::{Folder, Head, Snapshot};

/// Entries that may have left the journal's current file without being sealed, unless two spans are more.
const MAX_WAITING_ENTRIES: u64 = 1 << 19;

/// How often a waiting append looks whether the ledger is still well.
const WAIT_STEP: Duration = Duration::from_millis(200);

/// What the threads of one open ledger share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub folder: Arc<Folder>,
    pub clock: Arc<dyn Clock>,
    /// Changed by the sequencer, or by who holds its lock; read without one.
    head: ArcSwap<Head>,
    poison: OnceLock<Error>,
    /// Entries that wait for the sealer.
    pub waiting: Mutex<u64>,
    /// Signalled when fewer entries wait, or when something fails.
    pub waiting_changed: Condvar,
    faults: Mutex<Faults>,
    /// Whether the ledger is being closed.
    pub closing: Mutex<bool>,
    pub closed: Condvar,
}

/// What fails and is tried again; each stands until it succeeds.
#[derive(Debug, Default, Clone)]
pub(crate) struct Faults {
    /// Sealing a span.
    pub sealing: Option<Error>,
    /// Starting a new journal file.
    pub rolling: Option<Error>,
    /// Writing the file `checkpoint`.
    pub publishing: Option<Error>,
}

impl Shared {
    pub fn new(folder: Arc<Folder>, clock: Arc<dyn Clock>, head: Head) -> Self {
        Self {
            folder,
            clock,
            head: ArcSwap::from_pointee(head),
            poison: OnceLock::new(),
            waiting: Mutex::new(0),
            waiting_changed: Condvar::new(),
            faults: Mutex::default(),
            closing: Mutex::new(false),
            closed: Condvar::new(),
        }
    }

    /// The state after the last commit.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { folder: self.folder.clone(), head: self.head.load_full() }
    }

    /// Changes what readers see.
    pub fn update_head(&self, change: impl FnOnce(&mut Head)) {
        let mut head = Head::clone(&self.head.load());
        change(&mut head);
        self.head.store(Arc::new(head));
    }

    /// Why the ledger takes nothing more, if so.
    pub fn poison(&self) -> Option<Error> {
        self.poison.get().cloned()
    }

    /// From now on the ledger takes nothing more.
    pub fn set_poison(&self, error: Error) {
        let _ = self.poison.set(error);
        self.waiting_changed.notify_all();
    }

    /// What fails at present.
    pub fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().expect("no panic while held")
    }

    /// Entries beyond which appends wait for the sealer.
    pub fn most_waiting(&self) -> u64 {
        MAX_WAITING_ENTRIES.max(2 * self.folder.config.segment_span)
    }

    /// Whether an append would have to wait for the sealer.
    pub fn must_wait_for_sealer(&self) -> bool {
        *self.waiting.lock().expect("no panic while held") >= self.most_waiting()
    }

    /// Returns when the sealer has caught up enough for more entries.
    pub fn wait_for_sealer(&self) -> Result<()> {
        let mut waiting = self.waiting.lock().expect("no panic while held");
        while *waiting >= self.most_waiting() {
            if let Some(error) = self.poison() {
                return Err(error);
            }
            if let Some(fault) = self.faults().sealing.clone() {
                return Err(Error::unavailable(format!("sealing fails, so the journal takes no more: {fault}")));
            }
            waiting = self.waiting_changed.wait_timeout(waiting, WAIT_STEP).expect("no panic while held").0;
        }
        Ok(())
    }

    /// Returns when nothing waits for the sealer.
    pub fn wait_until_sealed(&self) -> Result<()> {
        let mut waiting = self.waiting.lock().expect("no panic while held");
        while *waiting > 0 {
            if let Some(error) = self.poison() {
                return Err(error);
            }
            if let Some(fault) = self.faults().sealing.clone() {
                return Err(fault);
            }
            waiting = self.waiting_changed.wait_timeout(waiting, WAIT_STEP).expect("no panic while held").0;
        }
        Ok(())
    }

    /// Why the ledger takes nothing more, cannot seal or cannot publish its checkpoint, if so.
    pub fn fault(&self) -> Option<String> {
        let poison = self.poison().map(|error| error.to_string());
        let faults = self.faults().clone();
        poison.or_else(|| faults.sealing.or(faults.rolling).or(faults.publishing).map(|fault| fault.to_string()))
    }

    /// Poisons the ledger if the work that holds this panics: nobody knows how far it came.
    pub fn poison_on_panic(self: &Arc<Self>, work: &'static str) -> PoisonOnPanic {
        PoisonOnPanic { shared: self.clone(), work }
    }
}

/// See [`Shared::poison_on_panic`].
pub(crate) struct PoisonOnPanic {
    shared: Arc<Shared>,
    work: &'static str,
}

impl Drop for PoisonOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let message = format!("{} panicked; open the ledger again", self.work);
            self.shared.set_poison(Error::new(ErrorKind::Poisoned, message));
        }
    }
}

/// Locks what a panic may have left half done: poison tells whether it did.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is done with a submission's receipts. Dropped uncalled only when the sequencer's thread has ended.
pub(crate) struct Reply(Box<dyn FnOnce(Result<Vec<Receipt>>) + Send>);

impl Reply {
    /// Hands the receipts to somebody who waits for them.
    pub fn to(waiting: Sender<Result<Vec<Receipt>>>) -> Self {
        Self::then(move |answer| drop(waiting.send(answer)))
    }

    /// Calls this with the receipts.
    pub fn then(then: impl FnOnce(Result<Vec<Receipt>>) + Send + 'static) -> Self {
        Self(Box::new(then))
    }

    /// Answers.
    pub fn send(self, answer: Result<Vec<Receipt>>) {
        (self.0)(answer);
    }
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reply")
    }
}

/// What the sequencer's thread is asked for.
#[derive(Debug)]
pub(crate) enum Request {
    Append {
        submission: Submission,
        reply: Reply,
    },
    /// Start a new journal file at the last multiple of 256, so that everything before can be sealed.
    Roll {
        reply: Sender<Result<()>>,
    },
    /// A segment was sealed: publish the checkpoint that covers its entry; answers the journals to drop.
    Retire {
        reply: Sender<Result<Vec<Arc<Journal>>>>,
    },
    /// Write `checkpoint` now.
    Publish {
        reply: Sender<Result<()>>,
    },
    /// A caller has committed by itself: see when `checkpoint` is due.
    Wake,
    /// Write `checkpoint`, trim the journal and end.
    Close {
        reply: Sender<Result<()>>,
    },
}

/// The way to the sequencer's thread. Whoever asks waits for the answer, so it holds at most one request a caller.
#[derive(Debug, Clone)]
pub(crate) struct Queue {
    requests: Sender<Request>,
    pending: Arc<AtomicUsize>,
}

impl Queue {
    pub fn new(requests: Sender<Request>) -> Self {
        Self { requests, pending: Arc::default() }
    }

    /// Whether nothing was asked that is not done yet: what was asked may not be overtaken.
    pub fn is_idle(&self) -> bool {
        self.pending.load(Ordering::Acquire) == 0
    }

    /// Asks for something; `Closed` when the thread has ended.
    pub fn send(&self, request: Request) -> Result<()> {
        self.pending.fetch_add(1, Ordering::AcqRel);
        let closed = |_| Error::new(ErrorKind::Closed, "the ledger was closed");
        self.requests.send(request).map_err(closed)
    }

    /// Asks for something that is answered.
    pub fn ask<T>(&self, request: impl FnOnce(Sender<Result<T>>) -> Request) -> Result<Receiver<Result<T>>> {
        let (reply, answer) = bounded(1);
        self.send(request(reply))?;
        Ok(answer)
    }

    /// Says that some requests are done.
    pub fn done(&self, requests: usize) {
        self.pending.fetch_sub(requests, Ordering::Release);
    }
}

/// A journal file that can be sealed up to an index.
#[derive(Debug)]
pub(crate) struct SealJob {
    pub journal: Arc<Journal>,
    pub range: Range<u64>,
}
