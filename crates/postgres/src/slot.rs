//! The replication slot of a ledger: how it is taken, and how far it is.

use counterfoil::{Error, ErrorKind, Result};
use serde_json::json;

use crate::advice;
use crate::compare::{Unequal, compare, moved};
use crate::follow::Recording;
use crate::notice::{Notice, STARTED};
use crate::source::{Newest, Position};
use crate::wire::{Connection, Texts, Work, identifier, literal};

/// The longest name of a slot (PostgreSQL's 63, less the ending of the one that it is made from).
const MAX_NAME_BYTES: usize = 50;

/// A slot as the server shows it.
#[derive(Debug)]
pub(crate) struct Slot {
    /// Everything before this place was taken by its reader.
    pub confirmed: u64,
    /// Whether somebody reads it now.
    pub is_active: bool,
    pub is_of_this_database: bool,
    /// Whether a follower that begins holds its name, or one that ended a moment ago.
    pub is_temporary: bool,
    database: String,
}

/// The slot of that name; none where there is none in the whole cluster.
///
/// Errors: `Invalid` for one that lost its log.
pub(crate) fn slot_state(queries: &mut Connection, slot: &str) -> Result<Option<Slot>> {
    let sql = format!(
        "SELECT confirmed_flush_lsn, active, coalesce(database, ''), coalesce(database = current_database(), false), \
         wal_status, plugin, temporary FROM pg_replication_slots WHERE slot_name = {}",
        literal(slot)
    );
    let Some(row) = queries.all(&sql)?.into_iter().next() else { return Ok(None) };
    let text = |column: usize| row[column].as_deref().unwrap_or_default();
    if text(4) == "lost" {
        let message = format!("replication slot {slot:?} lost its log (max_slot_wal_keep_size, or it was invalidated)");
        return Err(Error::new(ErrorKind::Invalid, message + &advice::lost(slot)));
    }
    if text(5) != "pgoutput" {
        let message = format!("replication slot {slot:?} is of another kind ({}): take another name (--slot)", text(5));
        return Err(Error::new(ErrorKind::Conflict, message));
    }
    Ok(Some(Slot {
        confirmed: lsn(row[0].as_deref().unwrap_or("0/0"))?,
        is_active: text(1) == "t",
        is_of_this_database: text(3) == "t",
        is_temporary: text(6) == "t",
        database: text(2).to_owned(),
    }))
}

/// `16/B374D848` as a number.
pub(crate) fn lsn(text: &str) -> Result<u64> {
    let parse = |text: &str| u64::from_str_radix(text, 16).ok();
    let parts = text.split_once('/').and_then(|(high, low)| Some((parse(high)?, parse(low)?)));
    let (high, low) =
        parts.ok_or_else(|| Error::new(ErrorKind::Unavailable, format!("{text:?} is no place in a log")))?;
    Ok(high << 32 | low)
}

pub(crate) fn check_name(slot: &str) -> Result<()> {
    let fits = (1..=MAX_NAME_BYTES).contains(&slot.len());
    if fits && slot.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_')) {
        return Ok(());
    }
    let message = format!("a slot's name has 1 to {MAX_NAME_BYTES} of a-z, 0-9 and _; {slot:?} has not");
    Err(Error::new(ErrorKind::Invalid, message))
}

/// The place behind which the ledger goes on; a ledger that has no slot takes one.
///
/// Errors: `Conflict`, with nothing recorded, for a slot of another ledger or another database; `Busy` while somebody takes it.
pub(crate) fn begin(
    connection: &mut Connection,
    queries: &mut Connection,
    recording: &mut Recording<'_>,
    newest: Option<Newest>,
    name: &str,
) -> Result<(u64, u64)> {
    let Some(slot) = slot_state(queries, name)? else {
        return Ok((take(connection, queries, recording, newest, name)?, 0));
    };
    if slot.is_temporary {
        return Err(begins_elsewhere(name));
    }
    let advice = "give this ledger a slot of its own (--slot), or drop the slot if nothing follows with it: \
                  SELECT pg_drop_replication_slot";
    let conflict = |message: String| Err(Error::new(ErrorKind::Conflict, format!("{message}; {advice}('{name}')")));
    if !slot.is_of_this_database {
        let database = &slot.database;
        return conflict(format!("slot {name:?} is of database {database:?}: name that database, or"));
    }
    match newest.map(|newest| newest.position) {
        Some(Position::Commit(commit, number)) => Ok((commit, number)),
        // It ended after it took the slot, before it said so.
        Some(Position::Found) => started(recording, name, slot.confirmed, None).map(|()| (slot.confirmed, 0)),
        Some(Position::Polled(..)) => Ok((0, 0)),
        None => conflict(format!("slot {name:?} is another ledger's: this one has no entry of the table")),
    }
}

/// Takes over what the table holds already, then takes the slot, then says that following begins. A slot that is there
/// therefore means that everything before it was taken over. The name is held from the first by a temporary slot, so that
/// nothing is recorded where it cannot be had. Where the slot begins.
fn take(
    connection: &mut Connection,
    queries: &mut Connection,
    recording: &mut Recording<'_>,
    newest: Option<Newest>,
    name: &str,
) -> Result<u64> {
    let refused = |error| advice::on_slot(name, error);
    let starting = format!("{name}_starting");
    let mut made: Option<Texts> = None;
    let create =
        format!("CREATE_REPLICATION_SLOT {} TEMPORARY LOGICAL pgoutput (SNAPSHOT 'export')", identifier(&starting));
    // It waits for every transaction that is open now.
    let creating = connection.rows(&create, Work::Much, &mut |row| {
        made = Some(row);
        Ok(())
    });
    creating.map_err(|error| match refused(error) {
        taken if taken.kind == ErrorKind::Conflict => begins_elsewhere(name),
        other => other,
    })?;
    let made = made.unwrap_or_default();
    let [_, Some(point), Some(snapshot), ..] = &made[..] else {
        return Err(Error::new(ErrorKind::Unavailable, "the server did not say where the slot begins"));
    };
    let copy = |temporary: bool| {
        let (from, to) = (literal(&starting), literal(name));
        format!("SELECT pg_copy_logical_replication_slot({from}, {to}, {temporary})")
    };
    queries.execute(&copy(true)).map_err(refused)?;
    let found = take_over(queries, recording, snapshot)?;
    recording.protection(queries, newest, Position::Found)?;
    recording.flush()?;
    queries.execute(&format!("SELECT pg_drop_replication_slot({})", literal(name)))?;
    queries.execute(&copy(false)).map_err(refused)?;
    let point = lsn(point)?;
    started(recording, name, point, Some(found))?;
    connection.execute(&format!("DROP_REPLICATION_SLOT {}", identifier(&starting)))?;
    Ok(point)
}

fn begins_elsewhere(slot: &str) -> Error {
    let message = format!("another follower begins with slot {slot:?}, or ended a moment ago: try again");
    Error::new(ErrorKind::Busy, message + ", and give each ledger a slot of its own (--slot)")
}

/// Records the rows of a snapshot that the ledger lacks; how many.
fn take_over(queries: &mut Connection, recording: &mut Recording<'_>, snapshot: &str) -> Result<u64> {
    let ledger = recording.trail.snapshot()?;
    let known = moved(recording.source, &ledger, 0, recording.trail.recorder())?;
    queries.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL row_security = off")?;
    queries.execute(&format!("SET TRANSACTION SNAPSHOT {}", literal(snapshot)))?;
    let mut found = 0;
    compare(queries, known, &mut |unequal| match unequal {
        Unequal::OnlyInTable(row) => {
            found += 1;
            recording.row(&row, Position::Found)
        }
        _ => Ok(()),
    })?;
    queries.execute("COMMIT")?;
    Ok(found)
}

/// Says that following begins; how many rows were found before is not known where the follower was stopped in between.
fn started(recording: &mut Recording<'_>, slot: &str, point: u64, found: Option<u64>) -> Result<()> {
    let rows = match found {
        Some(found) => format!("{found} rows were found in the table and taken over"),
        None => "what the table held was taken over before the follower was stopped".to_owned(),
    };
    let from = format!("{:X}/{:X}", point >> 32, point & 0xffff_ffff);
    let begin = Notice {
        event_type: STARTED,
        row: None,
        problem: format!("following begins; {rows}"),
        at_micros: None,
        details: json!({"slot": slot, "from": from, "rows_found": found}),
    };
    recording.notice(&begin, Position::Commit(point, 0))?;
    recording.flush()
}

/// Refuses to go on without the publication: since version 18 the server passes over the table's rows without an error.
pub(crate) fn check_publication(queries: &mut Connection, slot: &str) -> Result<()> {
    let published = queries.value(
        "SELECT true FROM pg_publication_tables WHERE pubname = 'counterfoil' AND schemaname = 'counterfoil' \
         AND tablename = 'audit_log'",
    )?;
    if published.is_some() {
        return Ok(());
    }
    let message = "the publication counterfoil is missing or lacks the table counterfoil.audit_log";
    Err(Error::new(ErrorKind::NotFound, message.to_owned() + &advice::unpublished(slot)))
}

/// Refuses a database whose log ends before what the ledger has of it: it was restored to an earlier time, and would write
/// other transactions in the same places.
pub(crate) fn check_log(queries: &mut Connection, seen: u64, slot: &str) -> Result<()> {
    let end = queries.value("SELECT pg_current_wal_flush_lsn()")?.unwrap_or_default();
    if seen <= lsn(&end)? {
        return Ok(());
    }
    let message = "the database was restored to a time before the newest row in the ledger; `counterfoil postgres check` \
                   names what is lost";
    let advice = format!("; to go on from here, drop the slot: SELECT pg_drop_replication_slot('{slot}')");
    Err(Error::new(ErrorKind::Conflict, message.to_owned() + &advice))
}
