//! Rows of the table that the ledger lacks: on their way, or never to come.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use counterfoil::Result;

use crate::check::{Checking, Difference, Finding, UNSEALED, inserted};
use crate::contradiction::contradiction;
use crate::pgoutput::{Begin, Message};
use crate::row::{COLUMNS, Row, RowId, content_of};
use crate::slot::{lsn, slot_state};
use crate::wire::{Connection, Work, literal};

const PAUSE: Duration = Duration::from_millis(100);
/// When the state of a ledger is visible to other processes at the latest, with some room.
const PUBLISHED_WITHIN: Duration = Duration::from_secs(2);

/// Rows by their ids.
pub(crate) type Rows = BTreeMap<RowId, Row>;

impl Checking<'_> {
    fn pending(&mut self, row: &Row, why: &str) -> Result<()> {
        if row.is_sealed() {
            return self.tell(Difference::NotMoved, Some(row.id), None, &format!("is not in the ledger: {why}"));
        }
        self.tell(Difference::Inserted, Some(row.id), None, &inserted(row, UNSEALED))
    }

    pub fn all_pending(&mut self, rows: &Rows, why: &str) -> Result<()> {
        rows.values().try_for_each(|row| self.pending(row, why))
    }

    pub fn behind_polling(&mut self, rows: Rows, last: (u64, RowId)) -> Result<()> {
        for (id, row) in rows {
            if (row.recorded_txid().unwrap_or_default(), id) > last {
                self.pending(&row, "it waits for the follower")?;
            } else {
                let what = inserted(&row, "its transaction was polled before without it");
                self.tell(Difference::Inserted, Some(id), None, &what)?;
            }
        }
        Ok(())
    }

    /// Rows that the slot still holds are on their way; those that it does not hold will never come.
    pub fn behind_slot(&mut self, connection: &mut Connection, mut rows: Rows, size: u64) -> Result<()> {
        let now = connection.value("SELECT pg_current_wal_flush_lsn()")?.unwrap_or_default();
        let until = lsn(&now)?;
        let started = Instant::now();
        loop {
            let Some(slot) = slot_state(connection, &self.options.slot)?
                .filter(|slot| slot.is_of_this_database && !slot.is_temporary)
            else {
                return self.all_pending(&rows, "the follower's slot is gone, and following again takes it over");
            };
            if slot.confirmed >= until {
                break;
            }
            if !slot.is_active {
                self.waiting_in_slot(connection, &mut rows, &now)?;
                break;
            }
            if started.elapsed() > Duration::from_secs(self.options.patience_seconds) {
                return self.all_pending(&rows, "the follower is at work and behind");
            }
            std::thread::sleep(PAUSE);
        }
        self.moved_meanwhile(&mut rows, size)?;
        for (id, row) in rows {
            let what =
                inserted(&row, "no transaction brought it to the follower, unless somebody dropped or moved its slot");
            self.tell(Difference::Inserted, Some(id), None, &what)?;
        }
        Ok(())
    }

    /// Takes away what a follower moved since the ledger had `first` entries. Another process sees it within a second.
    fn moved_meanwhile(&mut self, rows: &mut Rows, first: u64) -> Result<()> {
        let started = Instant::now();
        let (source, recorder) = (self.source, self.trail.recorder());
        let mut first = first;
        loop {
            let snapshot = self.trail.snapshot()?;
            let mut changed = Vec::new();
            source.each(&snapshot, first, recorder, &mut |index, fields| {
                if let Some((id, digest)) = content_of(fields)
                    && let Some(row) = rows.remove(&id)
                    && row.digest()? != digest
                {
                    changed.push((row, index));
                }
                Ok(())
            })?;
            self.notices(&snapshot, first)?;
            for (row, index) in changed {
                self.changed(&snapshot, &row, index)?;
            }
            first = snapshot.size();
            if rows.is_empty() || started.elapsed() > PUBLISHED_WITHIN {
                return Ok(());
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn waiting_in_slot(&mut self, connection: &mut Connection, rows: &mut Rows, until: &str) -> Result<()> {
        let sql = format!(
            "SELECT encode(data, 'hex') FROM pg_logical_slot_peek_binary_changes({}, {}, NULL, \
             'proto_version', '1', 'publication_names', 'counterfoil')",
            literal(&self.options.slot),
            literal(until)
        );
        let mut begin = Begin::default();
        let (mut table, mut id_at) = (None, 0);
        connection.rows(&sql, Work::Much, &mut |texts| {
            let data = texts.into_iter().next().flatten().and_then(|text| hex::decode(text).ok()).unwrap_or_default();
            match Message::parse(&data)? {
                Message::Begin(now) => begin = now,
                Message::Relation { table: of, is_audit_log: true, columns } => {
                    table = Some(of);
                    id_at = columns.iter().position(|name| name == COLUMNS[0]).unwrap_or(0);
                }
                Message::Insert { table: of, new } if Some(of) == table => {
                    let id = new.get(id_at).and_then(|id| id.as_deref()?.parse::<RowId>().ok());
                    if let Some(row) = id.and_then(|id| rows.remove(&id)) {
                        match contradiction(&row, &begin) {
                            Some(notice) => (self.found)(Finding {
                                difference: Difference::Inserted,
                                row: Some(row.id),
                                index: None,
                                message: notice.problem,
                            })?,
                            None => self.pending(&row, "it waits in the slot")?,
                        }
                    }
                }
                _ => {}
            }
            Ok(())
        })
    }
}
