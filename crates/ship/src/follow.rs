//! Shipping in the background: by time and size, again and again until it works, never in the way of an append.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use counterfoil::{Error, ErrorKind, Result, Snapshot};
use counterfoil_entry::Fields;

use crate::location::Location;
use crate::lock::Lock;
use crate::settings::Settings;
use crate::shipper::{Shipped, Shipper};

/// The longest that an entry waits before it is shipped.
pub const DEFAULT_SECONDS: u64 = 5;
/// The bytes of entries that are shipped before that time is over.
pub const DEFAULT_BYTES: u64 = 1 << 20;
/// The pause after a failure; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause after a failure.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How often the ledger's size is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// When the tail is shipped.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// The longest that an entry waits.
    pub time: Duration,
    /// The bytes of entries that do not wait.
    pub bytes: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { time: Duration::from_secs(DEFAULT_SECONDS), bytes: DEFAULT_BYTES }
    }
}

/// How shipping is.
#[derive(Debug, Clone, Default)]
pub struct Lag {
    /// Entries that the ledger has.
    pub size: u64,
    /// Entries that the place holds under a checkpoint.
    pub shipped: u64,
    /// For how long the oldest entry that is not there has been waiting: what a lost disk would cost.
    pub waiting: Duration,
    /// Attempts that failed since the last one that worked.
    pub failures: u64,
    /// Why the last attempt failed; none when it worked.
    pub fault: Option<String>,
    /// Shipping ended for good: the place holds another history.
    pub stopped: bool,
    /// Objects put since the start.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Called after segments were shipped, to record it.
pub type OnSegments = Box<dyn FnMut(&Shipped) + Send>;

/// A thread that ships.
#[derive(Debug)]
pub struct Follower {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    lag: Mutex<Lag>,
    ending: Mutex<bool>,
    woken: Condvar,
}

/// What the thread works with.
struct Work<S> {
    location: Location,
    settings: Settings,
    lock: Option<Lock>,
    pace: Pace,
    snapshot: S,
    on_segments: OnSegments,
    state: PathBuf,
    shared: Arc<Shared>,
    /// When the oldest entry that is not shipped was seen.
    since: Option<Instant>,
}

impl Follower {
    /// Starts to ship what `snapshot` gives. `state` is a file that tells, for a person, how far it came.
    pub fn start(
        location: Location,
        settings: Settings,
        lock: Option<Lock>,
        pace: Pace,
        state: PathBuf,
        snapshot: impl Fn() -> Result<Snapshot> + Send + 'static,
        on_segments: OnSegments,
    ) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let work =
            Work { location, settings, lock, pace, snapshot, on_segments, state, shared: shared.clone(), since: None };
        let thread = std::thread::Builder::new().name("counterfoil-ship".into()).spawn(move || work.run());
        let thread =
            thread.map_err(|error| Error::new(ErrorKind::Unavailable, format!("no thread to ship: {error}")))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// How shipping is.
    pub fn lag(&self) -> Lag {
        self.shared.lag.lock().expect("no panic while held").clone()
    }

    /// Ships once more, if the place answers, and ends.
    pub fn close(mut self) -> Lag {
        self.end();
        self.lag()
    }

    fn end(&mut self) {
        *self.shared.ending.lock().expect("no panic while held") = true;
        self.shared.woken.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.end();
    }
}

impl<S: Fn() -> Result<Snapshot>> Work<S> {
    fn run(mut self) {
        let mut shipper = None;
        let mut pause = FIRST_PAUSE;
        loop {
            let ending = self.wait(LOOK);
            let Ok(snapshot) = (self.snapshot)() else { continue };
            if !self.is_due(&snapshot) && !ending {
                continue;
            }
            match self.ship(&mut shipper, &snapshot) {
                Ok(()) => pause = FIRST_PAUSE,
                Err(error) => {
                    // What was open may be what is broken: the next attempt looks at the place anew.
                    shipper = None;
                    let stopped = error.kind == ErrorKind::Tampered;
                    self.note(|lag| {
                        lag.failures += 1;
                        lag.fault = Some(error.to_string());
                        lag.stopped = stopped;
                    });
                    if stopped || ending || self.wait(pause) {
                        return;
                    }
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
            if ending {
                return;
            }
        }
    }

    /// Waits; whether the end was asked for.
    fn wait(&self, time: Duration) -> bool {
        let ending = self.shared.ending.lock().expect("no panic while held");
        let (ending, _) =
            self.shared.woken.wait_timeout_while(ending, time, |ending| !*ending).expect("no panic while held");
        *ending
    }

    fn note(&self, change: impl FnOnce(&mut Lag)) {
        change(&mut self.shared.lag.lock().expect("no panic while held"));
    }

    /// Whether the tail has waited long enough or is long enough.
    fn is_due(&mut self, snapshot: &Snapshot) -> bool {
        let shipped = self.shared.lag.lock().expect("no panic while held").shipped;
        if snapshot.size() <= shipped {
            self.since = None;
        } else if self.since.is_none() && !only_of_itself(snapshot, shipped) {
            self.since = Some(Instant::now());
        }
        let waiting = self.since.map_or(Duration::ZERO, |since| since.elapsed());
        self.note(|lag| (lag.size, lag.waiting) = (snapshot.size(), waiting));
        self.since.is_some() && (waiting >= self.pace.time || tail_bytes(snapshot, shipped) >= self.pace.bytes)
    }

    fn ship(&mut self, shipper: &mut Option<Shipper>, snapshot: &Snapshot) -> Result<()> {
        let open = match shipper {
            Some(open) => open,
            None => shipper.insert(Shipper::open(&self.location, &self.settings, self.lock)?),
        };
        let started = Instant::now();
        let done = open.ship(snapshot)?;
        self.since = None;
        self.note(|lag| {
            lag.shipped = done.size;
            lag.waiting = Duration::ZERO;
            (lag.failures, lag.fault) = (0, None);
            lag.objects += done.objects;
            lag.bytes += done.bytes;
        });
        self.write_state(&done, started);
        if done.segments > 0 {
            (self.on_segments)(&done);
        }
        Ok(())
    }

    /// Tells on disk how far it came. Nothing depends on it: where the chain ends is read from the place itself.
    fn write_state(&self, done: &Shipped, started: Instant) {
        let state = serde_json::json!({
            "location": self.location.to_string(),
            "shipped": done.size,
            "at": jiff::Timestamp::now().to_string(),
            "milliseconds": started.elapsed().as_millis() as u64,
        });
        let _ = std::fs::write(&self.state, state.to_string());
    }
}

/// Whether what is not shipped says only that the ledger was opened, verified or shipped: that alone is no reason to ship,
/// or the ledger would feed itself.
fn only_of_itself(snapshot: &Snapshot, shipped: u64) -> bool {
    let own = |bytes: &[u8]| {
        Fields::split(bytes).is_ok_and(|fields| {
            matches!(fields.event_type.as_ref(), "ledger.opened" | "ledger.verified" | "ledger.shipped")
        })
    };
    (shipped..snapshot.size()).take(MAX_OWN).all(|index| snapshot.entry(index).is_ok_and(|bytes| own(&bytes)))
        && snapshot.size() - shipped <= MAX_OWN as u64
}

/// The most entries that are looked at for whether they are the ledger's own.
const MAX_OWN: usize = 16;

/// The bytes of the journal behind what is shipped, counted up to what matters.
fn tail_bytes(snapshot: &Snapshot, shipped: u64) -> u64 {
    let from = shipped.max(snapshot.sealed_size());
    snapshot.tail_bytes(from..snapshot.size())
}
