//! The Iceberg table of the copy, which grows with what was sealed and shipped.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use counterfoil::{Error, Ledger, Result};
use counterfoil_ship::{Lag, Location};
use serde::Serialize;
use tokio::sync::watch;

use crate::settings::Ship;
use crate::upkeep::{State, Upkeep, Work};

/// The table that a service keeps.
pub(crate) struct Lake {
    to: Location,
    entries: Arc<AtomicU64>,
    upkeep: Upkeep,
}

/// How the table is, as it is told.
#[derive(Debug, Serialize)]
pub(crate) struct Told {
    to: String,
    /// Entries in it, as of the last commit since the start.
    entries: u64,
    /// Sealed entries that it does not have.
    lag_entries: u64,
    last_committed_at: Option<String>,
    failures: u64,
    fault: Option<String>,
}

impl Lake {
    /// Starts to keep the table at `to` of the copy at `ship`.
    pub(crate) fn start(
        ledger: &Arc<Ledger>,
        ship: &Ship,
        to: &Location,
        shipments: watch::Receiver<Lag>,
    ) -> Result<Self> {
        // A table inside the copy is refused at the start.
        let table = counterfoil_ship::Lake::open(&ship.to, to, &ship.settings)?;
        let entries = Arc::new(AtomicU64::new(0));
        let work = Growing {
            ledger: Arc::downgrade(ledger),
            shipments,
            table,
            to: to.clone(),
            entries: Arc::clone(&entries),
            looked: false,
        };
        Ok(Self { to: to.clone(), entries, upkeep: Upkeep::start("lake", work)? })
    }

    /// Entries in it, as of the last commit since the start.
    pub(crate) fn entries(&self) -> u64 {
        self.entries.load(Ordering::Relaxed)
    }

    pub(crate) fn state(&self) -> State {
        self.upkeep.state()
    }

    /// What is told of it, beside a ledger of which this much is sealed.
    pub(crate) fn told(&self, sealed: u64) -> Told {
        let State { last_done_at, failures, fault, .. } = self.upkeep.state();
        let entries = self.entries();
        let lag_entries = sealed.saturating_sub(entries);
        Told { to: self.to.to_string(), entries, lag_entries, last_committed_at: last_done_at, failures, fault }
    }

    pub(crate) fn close(self) {
        self.upkeep.close();
    }
}

struct Growing {
    ledger: Weak<Ledger>,
    shipments: watch::Receiver<Lag>,
    table: counterfoil_ship::Lake,
    to: Location,
    entries: Arc<AtomicU64>,
    /// Whether the table was looked at since the start.
    looked: bool,
}

impl Work for Growing {
    /// A commit leaves about 100 KB, so small segments wait for one another.
    const LOOK: Duration = Duration::from_secs(10);

    fn run(&mut self) -> Result<bool> {
        let Some(ledger) = self.ledger.upgrade() else { return Ok(false) };
        let snapshot = ledger.snapshot();
        let sealed = snapshot.sealed_size();
        let known = self.entries.load(Ordering::Relaxed);
        if sealed > self.shipments.borrow().shipped || self.looked && sealed <= known || sealed == 0 {
            return Ok(false);
        }
        let of_table = |error: Error| Error { message: format!("{}: {}", self.to, error.message), ..error };
        let table = self.table.commit(&snapshot).map_err(of_table)?;
        self.looked = true;
        self.entries.store(table.entries, Ordering::Relaxed);
        Ok(table.added > 0)
    }
}
