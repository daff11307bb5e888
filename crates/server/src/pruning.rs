//! Letting go of sealed segments that the copy holds under lock: when somebody asks, and in the background.

use std::sync::Weak;
use std::time::Duration;

use counterfoil::{Error, ErrorKind, Ledger, LetGo, Result};
use counterfoil_ship::{Bucket, DEFAULT_LOCKED_DAYS, Keep, Lag, Prune, Retention};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::settings::Ship;
use crate::upkeep::Work;

/// Who prunes when nobody asks.
const NOBODY: &str = "counterfoil";

/// What is asked of a pruning.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) keep: Keep,
    pub(crate) retain: Option<Retention>,
    pub(crate) locked_days: u32,
    pub(crate) dry_run: bool,
}

/// What a pruning or a fetching back came to.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct PruneOutcome {
    /// The copy that holds the segments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Segments that the copy was found to hold, byte for byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<u64>,
    /// Their bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_bytes: Option<u64>,
    /// The entry before which they end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<u64>,
    /// When the first of their locks ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked_until: Option<String>,
    /// Segments that went or came back.
    pub segments: u64,
    /// Their entries.
    pub entries: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl PruneOutcome {
    /// What was found to be held, and what went.
    pub fn of(found: &counterfoil_ship::Prunable, gone: &LetGo) -> Self {
        Self {
            place: Some(found.pruned.place.clone()),
            held: Some(found.segments),
            held_bytes: Some(found.bytes),
            below: Some(found.pruned.below),
            locked_until: found.locked_until.clone(),
            ..Self::back(gone)
        }
    }

    /// What came back.
    pub fn back(back: &LetGo) -> Self {
        Self { segments: back.segments, entries: back.entries, bytes: back.bytes, ..Self::default() }
    }
}

/// Checks what the copy holds and lets go of it.
///
/// # Errors
/// Those of [`Bucket::prunable`] and [`Ledger::prune`].
pub(crate) fn prune(ledger: &Ledger, ship: &Ship, principal: &str, wanted: &Wanted) -> Result<PruneOutcome> {
    let snapshot = ledger.snapshot();
    let retain = wanted.retain.or(ship.retain);
    let lock = retain.map(|retain| retain.lock(snapshot.retention_class())).transpose()?;
    let asked = Prune { keep: wanted.keep, lock, locked_days: wanted.locked_days };
    let found = Bucket::open(&ship.to, &ship.settings)?.prunable(&snapshot, &asked)?;
    let gone = match wanted.dry_run || found.segments == 0 {
        true => LetGo::default(),
        false => ledger.prune_as(principal, found.pruned.clone(), found.covered)?,
    };
    Ok(PruneOutcome::of(&found, &gone))
}

/// Prunes what has become old, once it was shipped.
pub(crate) struct Pruning {
    pub(crate) ledger: Weak<Ledger>,
    pub(crate) ship: Ship,
    pub(crate) shipments: watch::Receiver<Lag>,
    pub(crate) keep: Keep,
}

impl Work for Pruning {
    const LOOK: Duration = Duration::from_secs(5);

    fn run(&mut self) -> Result<bool> {
        let Some(ledger) = self.ledger.upgrade() else { return Ok(false) };
        let going = self.keep.going(&ledger.snapshot())?;
        let shipped = self.shipments.borrow().shipped;
        if going.last().is_none_or(|last| last.first() + last.count() > shipped) {
            return Ok(false);
        }
        let (keep, locked_days) = (self.keep, DEFAULT_LOCKED_DAYS);
        let gone = prune(&ledger, &self.ship, NOBODY, &Wanted { keep, retain: None, locked_days, dry_run: false })?;
        tracing::info!(segments = gone.segments, bytes = gone.bytes, "segments were pruned: the copy holds them");
        Ok(gone.segments > 0)
    }
}

/// Where the service ships to, for whoever wants to prune.
///
/// # Errors
/// `NotFound` where it ships nowhere, `Conflict` where it ships elsewhere than somebody believes.
pub(crate) fn place<'a>(ship: Option<&'a Ship>, believed: Option<&str>) -> Result<&'a Ship> {
    match ship {
        None => {
            let message = "the service ships nowhere, so nothing can go: start it with --ship, or end it and prune";
            Err(Error::new(ErrorKind::NotFound, message))
        }
        Some(ship) if believed.is_some_and(|believed| believed != ship.to.to_string()) => {
            let message =
                format!("the service ships to {}: prune against that copy, or end the service first", ship.to);
            Err(Error::new(ErrorKind::Conflict, message))
        }
        Some(ship) => Ok(ship),
    }
}
