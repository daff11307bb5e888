//! Comparing the table with the ledger, both ways: whatever a database administrator did to the table is found.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use counterfoil::{Error, ErrorKind, Result, Snapshot};
use counterfoil_entry::{Fields, Timestamp};
use serde::Serialize;

use crate::compare::{Unequal, compare, moved};
use crate::dsn::Dsn;
use crate::follow::{NOTICES, STARTED, contradiction};
use crate::pgoutput::{Begin, Message};
use crate::replication::slot_state;
use crate::row::{COLUMNS, Row, RowId, content_of};
use crate::source::{Position, Source, Trail};
use crate::wire::{Connection, literal};

/// Rows of the table that the ledger lacks and that are held until it is known why.
const MAX_UNKNOWN_ROWS: usize = 1_000_000;
const PAUSE: Duration = Duration::from_millis(100);
/// When the state of a ledger is visible to other processes at the latest, with some room.
const PUBLISHED_WITHIN: Duration = Duration::from_secs(2);
const UNSEALED: &str = "it does not have the seal of its trigger";

/// How to compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckOptions {
    /// The slot of this ledger's follower.
    pub slot: String,
    /// How long to wait for a follower at work to catch up, in seconds.
    pub patience_seconds: u64,
}

impl Default for CheckOptions {
    fn default() -> Self {
        Self { slot: "counterfoil".to_owned(), patience_seconds: 30 }
    }
}

/// What is wrong with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Difference {
    /// The table says something else than what was recorded.
    Changed,
    /// Changed, and its moment moved to an earlier one.
    Backdated,
    /// Recorded, and no longer in the table.
    Removed,
    /// In the table without having come the way that the application's rows come.
    Inserted,
    /// The write-ahead log showed a change that the table's triggers refuse; an entry says so.
    Seen,
    /// The table's protection is not as it was installed.
    Unprotected,
    /// Recorded twice.
    Twice,
    /// Committed, and not yet in the ledger.
    NotMoved,
}

/// One row that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What is wrong.
    pub difference: Difference,
    /// The row's id; none for the table itself.
    pub row: Option<RowId>,
    /// The entry in the ledger.
    pub index: Option<u64>,
    /// In a sentence, with what was recorded and what is there now.
    pub message: String,
}

/// What a comparison counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// The source as entries name it.
    pub source: String,
    /// Rows of the table.
    pub rows: u64,
    /// Findings of each kind.
    pub findings: BTreeMap<Difference, u64>,
}

impl Checked {
    /// Whether anything was found that lag does not explain.
    pub fn is_tampered(&self) -> bool {
        self.findings.keys().any(|difference| *difference != Difference::NotMoved)
    }
}

/// Compares every row with its entry, in bounded memory, and gives each finding as it is found.
///
/// Errors: those of reading either side; `Invalid` when more than 1,000,000 rows are in the table and not in the ledger.
pub fn check(
    dsn: &Dsn,
    trail: &dyn Trail,
    options: &CheckOptions,
    found: &mut dyn FnMut(Finding) -> Result<()>,
) -> Result<Checked> {
    let mut connection = Connection::open(dsn)?;
    let source = Source::of(&mut connection)?;
    let mut checked = Checked { source: source.name.clone(), rows: 0, findings: BTreeMap::new() };
    let mut tell = |finding: Finding| {
        *checked.findings.entry(finding.difference).or_default() += 1;
        found(finding)
    };
    let mut checking = Checking { source: &source, trail, named: BTreeSet::new(), found: &mut tell };
    checking.protection(&mut connection)?;
    // The ledger first: every row that it has was committed before the table is read.
    let snapshot = trail.snapshot()?;
    let newest = source.newest(&snapshot, trail.recorder())?;
    checking.notices(&snapshot, 0)?;
    let known = moved(&source, &snapshot, 0, trail.recorder())?;
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL row_security = off")?;
    let mut unknown = BTreeMap::new();
    let rows = compare(&mut connection, known, &mut |unequal| match unequal {
        Unequal::Changed(row, moved) => checking.changed(&snapshot, &row, moved.index),
        Unequal::Unsealed(row, moved) if !checking.named.contains(&row.id) => {
            checking.tell(Difference::Inserted, Some(row.id), Some(moved.index), &inserted(&row, UNSEALED))
        }
        Unequal::Unsealed(..) => Ok(()),
        Unequal::OnlyInLedger(moved) => checking.removed(&snapshot, moved.row, moved.index),
        Unequal::Again(moved) => {
            checking.tell(Difference::Twice, Some(moved.row), Some(moved.index), "is recorded twice")
        }
        Unequal::OnlyInTable(_) if unknown.len() >= MAX_UNKNOWN_ROWS => {
            let message = format!("more than {MAX_UNKNOWN_ROWS} rows are not in the ledger: follow the table first");
            Err(Error::new(ErrorKind::Invalid, message))
        }
        Unequal::OnlyInTable(row) => {
            unknown.insert(row.id, row);
            Ok(())
        }
    })?;
    connection.execute("COMMIT")?;
    if !unknown.is_empty() {
        match newest.map(|newest| newest.position) {
            None => checking.all_pending(&unknown, "nothing was moved yet")?,
            Some(Position::Polled(transaction, row)) => checking.behind_polling(unknown, (transaction, row))?,
            Some(_) => checking.behind_slot(&mut connection, unknown, snapshot.size(), options)?,
        }
    }
    checked.rows = rows;
    Ok(checked)
}

struct Checking<'a> {
    source: &'a Source,
    trail: &'a dyn Trail,
    /// Rows that a notice names as inserted.
    named: BTreeSet<RowId>,
    found: &'a mut dyn FnMut(Finding) -> Result<()>,
}

impl Checking<'_> {
    fn tell(&mut self, difference: Difference, row: Option<RowId>, index: Option<u64>, what: &str) -> Result<()> {
        let message = row.map_or_else(|| what.to_owned(), |row| format!("row {row} {what}"));
        (self.found)(Finding { difference, row, index, message })
    }

    /// What install put in place and is not in place now.
    fn protection(&mut self, connection: &mut Connection) -> Result<()> {
        let sql = "SELECT 'trigger ' || t || ' is missing or disabled' FROM unnest(ARRAY['stamp', 'append_only', 'no_truncate']) t \
             WHERE NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 'counterfoil.audit_log'::regclass \
               AND tgname = t AND tgenabled = 'A') \
             UNION ALL SELECT 'the table belongs to ' || rolname || ', who can log in' FROM pg_class c \
               JOIN pg_roles r ON r.oid = c.relowner WHERE c.oid = 'counterfoil.audit_log'::regclass AND rolcanlogin \
             UNION ALL SELECT 'the publication counterfoil no longer publishes the table' WHERE NOT EXISTS \
               (SELECT FROM pg_publication_tables WHERE pubname = 'counterfoil' AND schemaname = 'counterfoil' \
                AND tablename = 'audit_log')";
        for problem in connection.all(sql)? {
            let problem = problem.into_iter().next().flatten().unwrap_or_default();
            self.tell(Difference::Unprotected, None, None, &problem)?;
        }
        Ok(())
    }

    /// What the follower saw in the write-ahead log.
    fn notices(&mut self, snapshot: &Snapshot, first: u64) -> Result<()> {
        let (source, recorder) = (self.source, self.trail.recorder());
        source.each(snapshot, first, recorder, &mut |index, fields| {
            let notice = fields.event_type.starts_with(NOTICES) && fields.event_type != STARTED;
            let Some(notice) = fields.context.filter(|_| notice).and_then(NoticeContext::read) else { return Ok(()) };
            let message = format!("{} (entry {index}, {})", notice.problem, fields.timestamp);
            let difference = match &*fields.event_type {
                "postgres.row_contradicted" => Difference::Inserted,
                _ => Difference::Seen,
            };
            self.named.extend(notice.row.filter(|_| difference == Difference::Inserted));
            (self.found)(Finding { difference, row: notice.row, index: Some(index), message })
        })
    }

    fn changed(&mut self, snapshot: &Snapshot, row: &Row, index: u64) -> Result<()> {
        let bytes = snapshot.entry(index)?;
        let recorded = Fields::split(&bytes)?;
        let mut now = Vec::new();
        row.draft(None)?.write_entry(recorded.recorded_at, None, &mut now);
        let now = Fields::split(&now)?;
        let moments = [(recorded.timestamp, now.timestamp), (stamp(&recorded), stamp(&now))];
        let backdated = moments.iter().any(|(before, after)| after < before);
        let difference = if backdated { Difference::Backdated } else { Difference::Changed };
        let what = format!("was changed: {}", differing(&recorded, &now));
        self.tell(difference, Some(row.id), Some(index), &what)
    }

    fn removed(&mut self, snapshot: &Snapshot, row: RowId, index: u64) -> Result<()> {
        let bytes = snapshot.entry(index)?;
        let recorded = Fields::split(&bytes)?;
        let (event, actor, entity) = (&recorded.event_type, &recorded.actor, &recorded.entity_id);
        let what = format!("was removed: {event} of {entity} by {actor}, {}", recorded.timestamp);
        self.tell(Difference::Removed, Some(row), Some(index), &what)
    }

    fn pending(&mut self, row: &Row, why: &str) -> Result<()> {
        if row.is_sealed() {
            return self.tell(Difference::NotMoved, Some(row.id), None, &format!("is not in the ledger: {why}"));
        }
        self.tell(Difference::Inserted, Some(row.id), None, &inserted(row, UNSEALED))
    }

    fn all_pending(&mut self, rows: &BTreeMap<RowId, Row>, why: &str) -> Result<()> {
        rows.values().try_for_each(|row| self.pending(row, why))
    }

    fn behind_polling(&mut self, rows: BTreeMap<RowId, Row>, last: (u64, RowId)) -> Result<()> {
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
    fn behind_slot(
        &mut self,
        connection: &mut Connection,
        mut rows: BTreeMap<RowId, Row>,
        size: u64,
        options: &CheckOptions,
    ) -> Result<()> {
        let now = connection.value("SELECT pg_current_wal_flush_lsn()")?.unwrap_or_default();
        let until = crate::replication::lsn(&now)?;
        let started = Instant::now();
        while let Some((confirmed, active)) = slot_state(connection, &options.slot)? {
            if confirmed >= until {
                break;
            }
            if !active {
                self.waiting_in_slot(connection, &mut rows, &now, options)?;
                break;
            }
            if started.elapsed() > Duration::from_secs(options.patience_seconds) {
                return self.all_pending(&rows, "the follower is at work and behind");
            }
            std::thread::sleep(PAUSE);
        }
        self.moved_meanwhile(&mut rows, size)?;
        for (id, row) in rows {
            let what = inserted(&row, "no committed transaction brought it to the follower");
            self.tell(Difference::Inserted, Some(id), None, &what)?;
        }
        Ok(())
    }

    /// Takes away what a follower moved since the ledger had `first` entries. Another process sees it within a second.
    fn moved_meanwhile(&mut self, rows: &mut BTreeMap<RowId, Row>, first: u64) -> Result<()> {
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

    fn waiting_in_slot(
        &mut self,
        connection: &mut Connection,
        rows: &mut BTreeMap<RowId, Row>,
        until: &str,
        options: &CheckOptions,
    ) -> Result<()> {
        let sql = format!(
            "SELECT encode(data, 'hex') FROM pg_logical_slot_peek_binary_changes({}, {}, NULL, \
             'proto_version', '1', 'publication_names', 'counterfoil')",
            literal(&options.slot),
            literal(until)
        );
        let mut begin = Begin::default();
        let (mut table, mut id_at) = (None, 0);
        connection.rows(&sql, &mut |texts| {
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

fn inserted(row: &Row, why: &str) -> String {
    let said = row.timestamp().unwrap_or_default();
    format!("was inserted past the application: {why} (it says {said})")
}

#[derive(serde::Deserialize)]
struct NoticeContext {
    postgres_notice: NoticeBody,
}

#[derive(serde::Deserialize)]
struct NoticeBody {
    row: Option<RowId>,
    problem: String,
}

impl NoticeContext {
    fn read(context: &str) -> Option<NoticeBody> {
        serde_json::from_str::<Self>(context).ok().map(|context| context.postgres_notice)
    }
}

/// When the table's own stamp says that a row was written.
fn stamp(fields: &Fields<'_>) -> Timestamp {
    let context: serde_json::Value = serde_json::from_str(fields.context.unwrap_or("null")).unwrap_or_default();
    let at = context["postgres"]["recorded_at"].as_str().and_then(|text| Timestamp::parse(text).ok());
    at.unwrap_or(fields.timestamp)
}

/// The longest value that a finding repeats.
const MAX_SHOWN_CHARS: usize = 120;

/// The members that differ, with both values.
fn differing(recorded: &Fields<'_>, now: &Fields<'_>) -> String {
    let pairs = |fields: &Fields<'_>| -> [(&'static str, Option<String>); 13] {
        let own = |text: &Option<std::borrow::Cow<'_, str>>| text.as_ref().map(|text| text.to_string());
        let json = |text: Option<&str>| text.map(str::to_owned);
        [
            ("timestamp", Some(fields.timestamp.to_string())),
            ("event_type", Some(fields.event_type.to_string())),
            ("actor", Some(fields.actor.to_string())),
            ("actor_type", own(&fields.actor_type)),
            ("on_behalf_of", own(&fields.on_behalf_of)),
            ("entity_id", Some(fields.entity_id.to_string())),
            ("entity_type", own(&fields.entity_type)),
            ("old_value", json(fields.old_value)),
            ("new_value", json(fields.new_value)),
            ("outcome", own(&fields.outcome)),
            ("reason", own(&fields.reason)),
            ("context", json(fields.context)),
            ("trace_id", own(&fields.trace_id)),
        ]
    };
    let shown = |value: Option<String>| {
        let value = value.unwrap_or_else(|| "absent".to_owned());
        if value.chars().count() <= MAX_SHOWN_CHARS {
            return value;
        }
        value.chars().take(MAX_SHOWN_CHARS).collect::<String>() + "…"
    };
    let both = pairs(recorded).into_iter().zip(pairs(now)).filter(|(before, after)| before.1 != after.1);
    let all: Vec<_> =
        both.map(|((name, was), (_, is))| format!("{name} was {}, is {}", shown(was), shown(is))).collect();
    all.join("; ")
}
