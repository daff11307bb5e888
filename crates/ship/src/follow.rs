//! Shipping in the background: by time and size, again and again until it works, never in the way of an append.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use counterfoil::{Error, ErrorKind, Result, Snapshot};
use counterfoil_entry::Fields;
use jiff::Timestamp;
use tokio::sync::watch;

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
/// How often a fault that lasts is told of.
const WARN_STEP: Duration = Duration::from_secs(60);
/// How long a shipment under way may take when the follower ends; then it is left to the next start.
const CLOSING_TIME: Duration = Duration::from_secs(20);

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

/// What is shipped where.
#[derive(Debug, Clone)]
pub struct Route {
    /// The place.
    pub to: Location,
    /// How it is reached.
    pub settings: Settings,
    /// What every object is written under; by default what the bucket says.
    pub lock: Option<Lock>,
    /// When the tail is shipped.
    pub pace: Pace,
    /// Entries of this ledger that the place is known to hold already.
    pub known: u64,
    /// The ledger's state folder, where it is remembered how far shipping came.
    pub state: PathBuf,
    /// Told of a fault when it begins, and of one that lasts once a minute.
    pub warn: fn(&str),
}

/// How shipping is.
#[derive(Debug, Clone, Default)]
pub struct Lag {
    /// Entries that the place holds under a checkpoint.
    pub shipped: u64,
    /// Since when the oldest entry that is not there has been waiting, at the longest.
    since: Option<Instant>,
    /// When something was shipped last.
    pub last_shipped_at: Option<Timestamp>,
    /// Attempts that failed since the last one that worked.
    pub failures: u64,
    /// Attempts that failed since the start.
    pub failures_total: u64,
    /// Why the last attempt failed; none when it worked.
    pub fault: Option<String>,
    /// Shipping ended for good: the place holds another history.
    pub stopped: bool,
    /// Keys that somebody else had taken, since the start.
    pub taken: u64,
    /// Objects put since the start.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Lag {
    /// For how long the oldest entry that is not there has been waiting: what a lost disk would cost.
    pub fn waiting(&self) -> Duration {
        self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

/// Called after segments were shipped, to record it.
pub type OnSegments = Box<dyn FnMut(&Shipped) + Send>;

/// A thread that ships.
#[derive(Debug)]
pub struct Follower {
    shared: Arc<Shared>,
    /// Closed when the thread has ended.
    ended: Option<Mutex<Receiver<()>>>,
}

#[derive(Debug)]
struct Shared {
    lag: watch::Sender<Lag>,
    asked: Mutex<Asked>,
    woken: Condvar,
}

#[derive(Debug, Default)]
struct Asked {
    /// To end.
    ending: bool,
    /// To ship without waiting for time or size.
    soon: bool,
}

/// What the thread works with.
struct Work<S> {
    route: Route,
    snapshot: S,
    on_segments: OnSegments,
    shared: Arc<Shared>,
    /// When the ledger was looked at last: what was new then is no older.
    looked: Instant,
    /// When a fault that lasts was told of last.
    warned: Option<Instant>,
    _ended: Sender<()>,
}

impl Follower {
    /// Starts to ship what `snapshot` gives.
    pub fn start(
        route: Route,
        snapshot: impl Fn() -> Result<Snapshot> + Send + 'static,
        on_segments: OnSegments,
    ) -> Result<Self> {
        let lag = watch::Sender::new(Lag { shipped: route.known, ..Lag::default() });
        let shared = Arc::new(Shared { lag, asked: Mutex::default(), woken: Condvar::new() });
        let (sender, ended) = channel();
        let looked = Instant::now();
        let work = Work { route, snapshot, on_segments, shared: shared.clone(), looked, warned: None, _ended: sender };
        let thread = std::thread::Builder::new().name("counterfoil-ship".into()).spawn(move || work.run());
        thread.map_err(|error| Error::new(ErrorKind::Unavailable, format!("no thread to ship: {error}")))?;
        Ok(Self { shared, ended: Some(Mutex::new(ended)) })
    }

    /// How shipping is.
    pub fn lag(&self) -> Lag {
        self.shared.lag.borrow().clone()
    }

    /// How shipping is, from shipment to shipment: for whoever waits for one.
    pub fn shipments(&self) -> watch::Receiver<Lag> {
        self.shared.lag.subscribe()
    }

    /// Ships soon: as soon as the shipment under way is there, unless a pause after a failure is kept.
    pub fn hurry(&self) {
        self.shared.asked.lock().expect("no panic while held").soon = true;
        self.shared.woken.notify_all();
    }

    /// Ships once more, if the place answers in time, and ends.
    pub fn close(mut self) -> Lag {
        self.end();
        self.lag()
    }

    fn end(&mut self) {
        self.shared.asked.lock().expect("no panic while held").ending = true;
        self.shared.woken.notify_all();
        if let Some(ended) = self.ended.take() {
            let _ = ended.lock().expect("no panic while held").recv_timeout(CLOSING_TIME);
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
        // A place that keeps nothing is told of at once, however long nothing is to be shipped.
        let mut again = self.open(&mut shipper).map_err(|error| self.failed(&error)).is_err();
        loop {
            let Asked { ending, soon } = self.wait_for_work();
            let now = Instant::now();
            let snapshot = match (self.snapshot)() {
                Ok(snapshot) => snapshot,
                Err(_) if ending => return,
                Err(_) => continue,
            };
            let due = self.is_due(&snapshot, soon || again || ending);
            self.looked = now;
            again = false;
            if due && let Err(error) = self.ship(&mut shipper, &snapshot) {
                // What was open may be what is broken: the next attempt looks at the place anew.
                shipper = None;
                again = true;
                if self.failed(&error) || ending || self.pause(pause) {
                    return;
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            } else if due {
                pause = FIRST_PAUSE;
            }
            if ending {
                return;
            }
        }
    }

    /// Takes down a fault; whether it is one for good.
    fn failed(&mut self, error: &Error) -> bool {
        let stopped = error.kind == ErrorKind::Tampered;
        self.shared.lag.send_if_modified(|lag| {
            lag.failures += 1;
            lag.failures_total += 1;
            lag.fault = Some(error.to_string());
            lag.stopped = stopped;
            stopped
        });
        self.warn(&error.to_string());
        stopped
    }

    fn warn(&mut self, fault: &str) {
        if self.warned.is_none_or(|warned| warned.elapsed() >= WARN_STEP) {
            self.warned = Some(Instant::now());
            (self.route.warn)(fault);
        }
    }

    /// Waits until it is time to look; what was asked for meanwhile.
    fn wait_for_work(&self) -> Asked {
        let asked = self.shared.asked.lock().expect("no panic while held");
        let idle = |asked: &mut Asked| !asked.ending && !asked.soon;
        let (mut asked, _) = self.shared.woken.wait_timeout_while(asked, LOOK, idle).expect("no panic while held");
        Asked { ending: asked.ending, soon: std::mem::take(&mut asked.soon) }
    }

    /// Waits after a failure, also when somebody is in a hurry; whether the end was asked for.
    fn pause(&self, time: Duration) -> bool {
        let asked = self.shared.asked.lock().expect("no panic while held");
        let idle = |asked: &mut Asked| !asked.ending;
        let (asked, _) = self.shared.woken.wait_timeout_while(asked, time, idle).expect("no panic while held");
        asked.ending
    }

    /// Whether the tail has waited long enough, is long enough, or somebody waits for it.
    fn is_due(&self, snapshot: &Snapshot, soon: bool) -> bool {
        let (shipped, since) = {
            let lag = self.shared.lag.borrow();
            (lag.shipped, lag.since)
        };
        let since = match since {
            _ if snapshot.size() <= shipped => None,
            None if only_of_itself(snapshot, shipped) => None,
            None => Some(self.looked),
            since => since,
        };
        self.shared.lag.send_if_modified(|lag| {
            lag.since = since;
            false
        });
        let Some(since) = since else { return soon && snapshot.size() > shipped };
        let Pace { time, bytes } = self.route.pace;
        soon || since.elapsed() >= time || tail_bytes(snapshot, shipped) >= bytes
    }

    fn open<'a>(&self, shipper: &'a mut Option<Shipper>) -> Result<&'a mut Shipper> {
        let Route { to, settings, lock, state, .. } = &self.route;
        match shipper {
            Some(open) => Ok(open),
            None => Ok(shipper.insert(Shipper::open(to, settings, *lock)?.remembering(state, to))),
        }
    }

    fn ship(&mut self, shipper: &mut Option<Shipper>, snapshot: &Snapshot) -> Result<()> {
        let done = self.open(shipper)?.ship(snapshot)?;
        done.pretences.iter().for_each(|pretence| self.warn(pretence));
        match (&done.blocked, done.taken.first()) {
            (Some(blocked), _) => self.warn(blocked),
            (None, Some(key)) => self.warn(&format!("{key}: somebody else had put something there")),
            (None, None) => self.warned = None,
        }
        self.shared.lag.send_modify(|lag| {
            lag.shipped = done.size;
            lag.since = None;
            lag.last_shipped_at = Some(Timestamp::now());
            (lag.failures, lag.fault) = (0, done.blocked.clone());
            lag.taken += done.taken.len() as u64;
            lag.objects += done.objects;
            lag.bytes += done.bytes;
        });
        if done.segments > 0 {
            (self.on_segments)(&done);
        }
        Ok(())
    }
}

/// What the ledger says of itself as it goes on: that alone is no reason to ship, or the ledger would feed itself.
const OF_ITSELF: [&str; 5] =
    ["ledger.opened", "ledger.verified", "ledger.shipped", "ledger.watched", "ledger.delivered"];

/// Whether what is not shipped says only that.
fn only_of_itself(snapshot: &Snapshot, shipped: u64) -> bool {
    let own = |bytes: &[u8]| Fields::split(bytes).is_ok_and(|fields| OF_ITSELF.contains(&fields.event_type.as_ref()));
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
