//! The copy in an object store, kept beside the service: shipped in the background, waited for where a client asks for it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use counterfoil::{Error, ErrorKind, Layout, Ledger, OpenOptions, Result};
use counterfoil_ship::{Follower, Lag, Lock, Pace, Route, Shipped, newest_checkpoint};
use counterfoil_tlog::{Checkpoint, Note};
use serde::Serialize;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::Problem;
use crate::service::{Service, act};
use crate::settings::{Ack, Ship};

/// How long a start waits for the place's newest checkpoint.
const CHECKPOINT_TIME: Duration = Duration::from_secs(10);

/// How long a request waits for the copy to hold its entries.
const ACK_TIME: Duration = Duration::from_secs(30);

/// Most requests that wait for the copy at once.
const MAX_WAITING: usize = 10_000;

/// The copy that a service keeps.
pub(crate) struct Shipping {
    to: String,
    follower: Follower,
    waiting: Arc<Semaphore>,
}

/// What the place holds already.
pub(crate) struct Before {
    note: Option<Vec<u8>>,
}

impl Before {
    /// Asks the place for its newest checkpoint. One that does not answer keeps nothing from starting: a fork is refused by
    /// the place when it is shipped.
    pub(crate) fn ask(ship: &Ship, folder: &Path) -> Self {
        let folder = Layout::new(folder);
        let note = newest_checkpoint(&folder, &ship.to, &ship.settings, CHECKPOINT_TIME).unwrap_or_else(|error| {
            tracing::warn!(detail = error.message, "the ledger was not compared with its copy before it was opened");
            None
        });
        Self { note }
    }

    /// The options with the checkpoint that the ledger must extend.
    pub(crate) fn bind(&self, options: OpenOptions) -> OpenOptions {
        OpenOptions { extends: self.note.clone(), ..options }
    }

    /// Says what to do when the ledger does not extend it.
    pub(crate) fn explain(&self, error: Error, ship: &Ship) -> Error {
        if error.kind != ErrorKind::Tampered || self.note.is_none() {
            return error;
        }
        let message = format!(
            "{}. The checkpoint is the newest one at {}. Nothing was signed. Keep this folder as it is and find out who changed \
             it; the copy can be verified (counterfoil verify {}) and brought back (counterfoil restore {} NEW)",
            error.message, ship.to, ship.to, ship.to
        );
        Error::new(error.kind, message)
    }

    /// Entries that the place is known to hold.
    fn size(&self) -> u64 {
        let note = self.note.as_deref().and_then(|note| Note::parse(note).ok());
        note.and_then(|note| note.text().parse::<Checkpoint>().ok()).map_or(0, |checkpoint| checkpoint.size.0)
    }
}

impl Shipping {
    /// Starts to ship a ledger.
    pub(crate) fn start(ship: &Ship, before: &Before, folder: &Path, ledger: &Arc<Ledger>) -> Result<Self> {
        let class = ledger.snapshot().retention_class().to_owned();
        let lock = ship.retain.map(|retain| retain.lock(&class)).transpose()?;
        let route = Route {
            to: ship.to.clone(),
            settings: ship.settings.clone(),
            lock: lock.map(|lock| Lock { legal_hold: ship.legal_hold, ..lock }),
            pace: Pace::default(),
            known: before.size(),
            state: Layout::new(folder).state(),
            warn: |fault| tracing::warn!(fault, "the ledger is not shipped as it should be"),
        };
        // A shipment that hangs must not keep the ledger from being closed.
        let (source, to) = (Arc::downgrade(ledger), ship.to.to_string());
        let recorder = source.clone();
        let closed = || Error::new(ErrorKind::Closed, "the ledger was closed");
        let snapshot = move || source.upgrade().map(|ledger| ledger.snapshot()).ok_or_else(closed);
        let place = to.clone();
        let on_segments = move |done: &Shipped| {
            let Some(ledger) = recorder.upgrade() else { return };
            if let Err(error) = ledger.record_act(shipped(&ledger, &place, done)) {
                tracing::error!(detail = error.message, "a shipped segment could not be recorded");
            }
        };
        let follower = Follower::start(route, snapshot, Box::new(on_segments))?;
        Ok(Self { to, follower, waiting: Arc::new(Semaphore::new(MAX_WAITING)) })
    }

    /// How shipping is.
    pub(crate) fn lag(&self) -> Lag {
        self.follower.lag()
    }

    /// How many requests wait for the copy.
    pub(crate) fn waiting(&self) -> usize {
        MAX_WAITING - self.waiting.available_permits()
    }

    /// How shipping is, in words for whoever may know only that.
    pub(crate) fn fault(&self) -> Option<String> {
        let lag = self.lag();
        let waiting = lag.waiting().as_secs();
        match lag.fault {
            Some(_) if lag.stopped => Some("shipping has stopped: the copy holds another history".to_owned()),
            Some(_) => Some(format!("shipping fails, {} attempts so far, {waiting} s behind", lag.failures)),
            None => None,
        }
    }

    /// What is told of it, of a ledger of this size.
    pub(crate) fn told(&self, size: u64) -> Told {
        let lag = self.lag();
        Told {
            to: self.to.clone(),
            shipped_size: lag.shipped,
            lag_entries: size.saturating_sub(lag.shipped),
            lag_seconds: lag.waiting().as_secs_f64(),
            last_shipped_at: lag.last_shipped_at.map(|at| at.to_string()),
            failures: lag.failures,
            fault: lag.fault,
            stopped: lag.stopped,
            objects: lag.objects,
            bytes: lag.bytes,
        }
    }

    /// Ships what is left, if the place answers, and ends.
    pub(crate) fn close(self) {
        let lag = self.follower.close();
        if let Some(fault) = lag.fault {
            tracing::warn!(shipped = lag.shipped, fault, "the copy does not hold the newest entries");
        }
    }

    /// Waits until the place holds an entry; many wait for one shipment.
    async fn holds(&self, index: u64) -> std::result::Result<(), Problem> {
        let mut shipments = self.follower.shipments();
        self.follower.hurry();
        let there = shipments.wait_for(|lag| lag.shipped > index || lag.stopped);
        let there = tokio::time::timeout(ACK_TIME, there).await;
        if matches!(there, Ok(Ok(lag)) if lag.shipped > index) {
            return Ok(());
        }
        let lag = self.lag();
        let why = lag.fault.map_or_else(|| "it is slow".to_owned(), |fault| format!("the last attempt: {fault}"));
        let detail = format!(
            "entry {index} and those before it are durable and signed in the ledger, but {} does not hold them yet ({why}). \
             Sending the same again with the same id, or source and sequence, is safe: nothing is recorded twice",
            self.to
        );
        Err(Problem::new("unavailable", axum::http::StatusCode::SERVICE_UNAVAILABLE, detail))
    }
}

/// How the copy is, as it is told.
#[derive(Debug, Serialize)]
pub(crate) struct Told {
    to: String,
    shipped_size: u64,
    lag_entries: u64,
    lag_seconds: f64,
    last_shipped_at: Option<String>,
    failures: u64,
    fault: Option<String>,
    stopped: bool,
    objects: u64,
    bytes: u64,
}

/// The entry that says what was shipped.
fn shipped(ledger: &Ledger, to: &str, done: &Shipped) -> counterfoil_entry::EntryBuilder {
    let context = json!({
        "to": to, "size": done.size, "segments": done.segments, "objects": done.objects, "bytes": done.bytes,
    });
    act("ledger.shipped", "counterfoil", ledger.snapshot().origin().as_str(), "ledger", context)
}

/// What a request waits for before it is answered.
pub(crate) enum Acknowledging {
    /// Its entries are durable in the ledger.
    Durable,
    /// The copy holds them too.
    Shipped(OwnedSemaphorePermit),
}

impl Acknowledging {
    /// What a request wished for, or what the service does unless asked, with a place among those that wait.
    ///
    /// # Errors
    /// `invalid` where nothing is shipped; `busy` when all places are taken.
    pub(crate) fn of(wish: Option<Ack>, service: &Service) -> std::result::Result<Self, Problem> {
        if wish.unwrap_or(service.settings.ack) == Ack::Durable {
            return Ok(Self::Durable);
        }
        let Some(shipping) = service.backing.shipping() else {
            return Err(Problem::not_found(
                "ack=shipped needs a place to ship to: this service was started without --ship",
            ));
        };
        let place = Arc::clone(&shipping.waiting).try_acquire_owned();
        let place = place.map_err(|_| Problem::busy(format!("{MAX_WAITING} requests wait for the copy already")))?;
        Ok(Self::Shipped(place))
    }

    /// Waits for it, for entries up to an index.
    ///
    /// # Errors
    /// `unavailable` when the copy does not hold them in time; the ledger does.
    pub(crate) async fn wait(self, service: &Service, last: Option<u64>) -> std::result::Result<(), Problem> {
        match (self, service.backing.shipping(), last) {
            (Self::Shipped(_place), Some(shipping), Some(last)) => shipping.holds(last).await,
            _ => Ok(()),
        }
    }
}
