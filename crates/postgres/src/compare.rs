//! Table and ledger side by side, in the order of the rows' ids.

use counterfoil::{Result, Snapshot};

use crate::moved::{Moved, Sorted, Sorter};
use crate::row::{Row, RowId, content_of};
use crate::source::Source;
use crate::wire::{Connection, Work};

/// What one side has and the other has not, or has otherwise.
#[derive(Debug)]
pub(crate) enum Unequal {
    /// The table's row is not what was recorded.
    Changed(Row, Moved),
    /// The table's row is what was recorded, and its trigger did not write it so.
    Unsealed(Row, Moved),
    /// The ledger has a row that the table has not.
    OnlyInLedger(Moved),
    /// The table has a row that the ledger has not.
    OnlyInTable(Row),
    /// The ledger has a row once more.
    Again(Moved),
}

/// What a ledger holds of the table, sorted.
pub(crate) fn moved(source: &Source, snapshot: &Snapshot, first: u64, recorder: Option<&str>) -> Result<Sorted> {
    let mut sorter = Sorter::default();
    source.each(snapshot, first, recorder, &mut |index, fields| match content_of(fields) {
        Some((row, digest)) => sorter.push(Moved { row, index, digest }),
        None => Ok(()),
    })?;
    sorter.finish()
}

/// Reads the whole table on a connection that has its snapshot, and gives what is unequal. The number of rows.
pub(crate) fn compare(
    connection: &mut Connection,
    mut moved: Sorted,
    unequal: &mut dyn FnMut(Unequal) -> Result<()>,
) -> Result<u64> {
    let mut rows = 0;
    let mut last: Option<RowId> = None;
    let sql = format!("SELECT {} FROM counterfoil.audit_log ORDER BY id", Row::select_list());
    connection.rows(&sql, Work::Much, &mut |texts| {
        let row = Row::new(texts)?;
        rows += 1;
        while let Some(before) = moved.peek().copied().filter(|before| before.row < row.id) {
            moved.next()?;
            unequal(if last == Some(before.row) { Unequal::Again(before) } else { Unequal::OnlyInLedger(before) })?;
            last = Some(before.row);
        }
        last = Some(row.id);
        match moved.peek().copied().filter(|same| same.row == row.id) {
            Some(same) => {
                moved.next()?;
                match same.digest == row.digest()? {
                    true if row.is_sealed() => Ok(()),
                    true => unequal(Unequal::Unsealed(row, same)),
                    false => unequal(Unequal::Changed(row, same)),
                }
            }
            None => unequal(Unequal::OnlyInTable(row)),
        }
    })?;
    while let Some(after) = moved.next()? {
        unequal(if last == Some(after.row) { Unequal::Again(after) } else { Unequal::OnlyInLedger(after) })?;
        last = Some(after.row);
    }
    Ok(rows)
}
