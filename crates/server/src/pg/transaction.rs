//! Transactions: nothing is written, so they only say which state of the ledger statements see.

use counterfoil::Snapshot;
use pgwire::messages::response::TransactionStatus;

/// The transaction of a connection, if it is in one.
#[derive(Debug, Default)]
pub(crate) struct Transaction {
    open: Option<Open>,
    /// Whether those to come keep to one state.
    steadily: bool,
}

#[derive(Debug)]
struct Open {
    failed: bool,
    /// Whether its statements all see one state of the ledger.
    steady: bool,
    seen: Option<Snapshot>,
}

impl Transaction {
    pub(crate) fn status(&self) -> TransactionStatus {
        match &self.open {
            None => TransactionStatus::Idle,
            Some(Open { failed: false, .. }) => TransactionStatus::Transaction,
            Some(Open { failed: true, .. }) => TransactionStatus::Error,
        }
    }

    /// Begins one, unless it is open already.
    pub(crate) fn begin(&mut self, steady: bool) {
        let steady = steady || self.steadily;
        self.open.get_or_insert(Open { failed: false, steady, seen: None });
    }

    pub(crate) fn end(&mut self) {
        self.open = None;
    }

    /// A statement in it failed: only its end can follow.
    pub(crate) fn fail(&mut self) {
        if let Some(open) = &mut self.open {
            open.failed = true;
        }
    }

    /// What failed is given up.
    pub(crate) fn recover(&mut self) {
        if let Some(open) = &mut self.open {
            open.failed = false;
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    pub(crate) fn failed(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.failed)
    }

    /// Whether its statements, or those of all to come, see one state of the ledger.
    pub(crate) fn set_steady(&mut self, steady: bool, session: bool) {
        match &mut self.open {
            _ if session => self.steadily = steady,
            Some(open) => open.steady = steady,
            None => {}
        }
    }

    /// Whether the next statement sees what the ones before it in the transaction saw.
    pub(crate) fn is_steady(&self) -> bool {
        self.open.as_ref().map_or(self.steadily, |open| open.steady)
    }

    /// The state that its next statement sees.
    pub(crate) fn snapshot(&mut self, newest: impl FnOnce() -> Snapshot) -> Snapshot {
        match &mut self.open {
            Some(open) if open.steady => open.seen.get_or_insert_with(newest).clone(),
            _ => newest(),
        }
    }
}
