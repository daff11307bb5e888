//! How far a sink came, as the ledger says it: what of `state/` is believed.

use std::sync::Weak;

use counterfoil::{Error, ErrorKind, Ledger, Result, Snapshot, act_context};
use counterfoil_entry::{ActorType, Draft, EntryBuilder};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::state::State;

/// The type of the entry. No sink delivers it: the ledger does not feed itself.
pub(crate) const DELIVERED: &str = "ledger.delivered";

/// The ledger that sinks deliver from.
pub trait Trail: Clone + Send + 'static {
    /// The newest state.
    ///
    /// # Errors
    /// Those of reading it.
    fn snapshot(&self) -> Result<Snapshot>;

    /// Records how far a sink came.
    ///
    /// # Errors
    /// Those of [`Ledger::record_act`].
    fn record(&self, act: EntryBuilder) -> Result<()>;
}

/// A ledger that somebody else keeps open: a sink that hangs must not keep it from being closed.
impl Trail for Weak<Ledger> {
    fn snapshot(&self) -> Result<Snapshot> {
        open(self).map(|ledger| ledger.snapshot())
    }

    fn record(&self, act: EntryBuilder) -> Result<()> {
        open(self)?.record_act(act).map(drop)
    }
}

fn open(ledger: &Weak<Ledger>) -> Result<std::sync::Arc<Ledger>> {
    ledger.upgrade().ok_or_else(|| Error::new(ErrorKind::Closed, "the ledger was closed"))
}

/// What an entry says of how far a sink came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// The first entry that was not looked at.
    pub next: u64,
    /// The first entry that may not have been delivered.
    pub from: u64,
    /// SHA-256 of the messages that gather and wait.
    pub messages: String,
}

impl Mark {
    pub fn of(state: &State) -> Self {
        Self { next: state.next, from: state.first_waiting(), messages: state.digest() }
    }

    /// The newest of a sink.
    pub fn newest(snapshot: &Snapshot, sink: &str) -> Result<Option<Self>> {
        let newest = snapshot.newest_acts(sink, &[DELIVERED], 1)?.pop();
        newest.map(|(index, bytes)| act_context(index, &bytes)).transpose()
    }

    /// The entry that says it.
    pub fn entry(&self, sink: &str) -> EntryBuilder {
        Draft::builder(DELIVERED, "counterfoil", sink)
            .actor_type(ActorType::Service)
            .entity_type("sink")
            .context(json!(self))
    }
}
