//! How many alerts are open. It is asked every few seconds, so it is kept and follows what was recorded since.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use counterfoil::{Result, Snapshot};
use counterfoil_query::{Engine, Order};

use crate::inbox::{self, AlertState, Ask, Effect, Wanted};

/// Open alerts that are kept; beyond it they are counted anew each time.
const MAX_KEPT: usize = 1_000_000;

/// The open alerts at a size of the ledger, each by the index at which it was raised.
#[derive(Debug, Default)]
pub(crate) struct OpenAlerts(Mutex<Option<(u64, HashSet<u64>)>>);

impl OpenAlerts {
    /// How many there are.
    pub(crate) fn count(&self, engine: &Engine, snapshot: &Snapshot) -> Result<u64> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ask = Ask { wanted: Wanted::Open, limit: MAX_KEPT, ..Ask::default() };
        let open = match known.take() {
            Some((size, open)) if size <= snapshot.size() => follow(engine, snapshot, size, open)?,
            _ => None,
        };
        let open = match open {
            Some(open) => open,
            None => inbox::raised(engine, snapshot, &ask)?.into_iter().collect(),
        };
        if open.len() > MAX_KEPT {
            return inbox::count(engine, snapshot, &ask);
        }
        let count = open.len() as u64;
        *known = Some((snapshot.size(), open));
        Ok(count)
    }
}

/// Takes in what was recorded since; `None` where that does not say of which alert it is.
fn follow(engine: &Engine, snapshot: &Snapshot, size: u64, mut open: HashSet<u64>) -> Result<Option<HashSet<u64>>> {
    if size == snapshot.size() {
        return Ok(Some(open));
    }
    let since = format!("index >= {size} AND starts_with(event_type, 'ledger.alert_')");
    let indices = engine.select_indices(snapshot, &since, Order::Ascending)?;
    for (index, bytes) in indices.iter().zip(snapshot.entries(&indices)?) {
        let Some(Effect { raised, state }) = inbox::effect(*index, &bytes)? else { return Ok(None) };
        match state {
            AlertState::Open => open.insert(raised),
            _ => open.remove(&raised),
        };
    }
    Ok(Some(open))
}
