//! Following by queries, where replication is not allowed: rows in the order of their transactions' numbers. A row is
//! taken only when every transaction with a lower number has ended, so that none that commits later is passed over.

use std::time::Duration;

use counterfoil::{Error, ErrorKind, Result};

use crate::follow::{Progress, Recording, Way};
use crate::patience::Patience;
use crate::row::Row;
use crate::source::{Newest, Position};
use crate::wire::{Connection, Work};

const INTERVAL: Duration = Duration::from_millis(250);

/// Polls until the patience ends, or with `once` until what is there now is moved.
pub(crate) fn poll(
    queries: &mut Connection,
    recording: &mut Recording<'_>,
    newest: Option<Newest>,
    once: bool,
    patience: &Patience,
) -> Result<()> {
    let mut last = match newest.map(|newest| newest.position) {
        Some(Position::Polled(transaction, row)) => (transaction, row),
        _ => (0, i64::MIN),
    };
    recording.protection(queries, newest, Position::Polled(last.0, last.1))?;
    recording.tell(Progress::Following(Way::Polling));
    loop {
        queries.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL row_security = off")?;
        let horizon = queries.value("SELECT pg_snapshot_xmin(pg_current_snapshot())")?.unwrap_or_default();
        let sql = format!(
            "SELECT {} FROM counterfoil.audit_log WHERE (recorded_txid, id) > ('{}'::xid8, {}) \
             AND recorded_txid < '{horizon}'::xid8 ORDER BY recorded_txid, id",
            Row::select_list(),
            last.0,
            last.1
        );
        queries.rows(&sql, Work::Much, &mut |texts| {
            let row = Row::new(texts)?;
            let transaction = row.recorded_txid();
            let unstamped = || Error::new(ErrorKind::Invalid, format!("row {} has no transaction", row.id));
            last = (transaction.ok_or_else(unstamped)?, row.id);
            recording.row(&row, Position::Polled(last.0, last.1))
        })?;
        queries.execute("COMMIT")?;
        recording.flush()?;
        if once || patience.is_over() {
            return Ok(());
        }
        std::thread::sleep(INTERVAL);
    }
}
