//! Comparing the table with the ledger, both ways: whatever a database administrator did to the table is found.

use std::collections::{BTreeMap, BTreeSet};

use counterfoil::{Error, ErrorKind, Result, Snapshot};
use counterfoil_entry::Fields;
use serde::Serialize;

use crate::advice;
use crate::compare::{Unequal, compare, moved};
use crate::differing::differing;
use crate::dsn::Dsn;
use crate::notice::{ALTERED, CONTRADICTED, Noticed, PROTECTION, STARTED};
use crate::patience::Patience;
use crate::pending::Rows;
use crate::protection::{self, Marks};
use crate::row::{Row, RowId};
use crate::source::{Position, Source, Trail, stamped_at};
use crate::wire::Connection;

/// Rows of the table that the ledger lacks and that are held until it is known why.
const MAX_UNKNOWN_BYTES: usize = 256 << 20;
pub(crate) const UNSEALED: &str = "it does not have the seal of its trigger";

/// How to compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckOptions {
    /// The slot of this ledger's follower.
    pub slot: String,
    /// How long to wait for a follower at work to catch up, in seconds.
    pub patience_seconds: u64,
    /// What the follower noticed before this entry was looked into, and is no finding any more.
    pub looked_into: u64,
}

impl Default for CheckOptions {
    fn default() -> Self {
        Self { slot: "counterfoil".to_owned(), patience_seconds: 30, looked_into: 0 }
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
    /// The follower saw what the table's triggers refuse, or a clock that stepped; an entry says so.
    Seen,
    /// The table's protection is not as it was installed, or was otherwise for a while.
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
/// Errors: those of reading either side; `Closed` when the patience ended; `Invalid` when more than 256 MiB of rows are in the table and not in the ledger.
pub fn check(
    dsn: &Dsn,
    trail: &dyn Trail,
    options: &CheckOptions,
    patience: &Patience,
    found: &mut dyn FnMut(Finding) -> Result<()>,
) -> Result<Checked> {
    let mut connection = Connection::open(dsn, patience)?;
    compared(&mut connection, trail, options, found).map_err(|error| advice::on_table(dsn, error))
}

fn compared(
    connection: &mut Connection,
    trail: &dyn Trail,
    options: &CheckOptions,
    found: &mut dyn FnMut(Finding) -> Result<()>,
) -> Result<Checked> {
    let source = Source::of(connection)?;
    let mut checked = Checked { source: source.name.clone(), rows: 0, findings: BTreeMap::new() };
    let mut tell = |finding: Finding| {
        *checked.findings.entry(finding.difference).or_default() += 1;
        found(finding)
    };
    let mut checking =
        Checking { source: &source, trail, options, marks: None, named: BTreeSet::new(), found: &mut tell };
    // The ledger first: every row that it has was committed before the table is read.
    let snapshot = trail.snapshot()?;
    if options.looked_into > snapshot.size() {
        let (asked, size) = (options.looked_into, snapshot.size());
        let message = format!(
            "what was noticed before entry {asked} cannot have been looked into: the ledger has {size} entries"
        );
        return Err(Error::new(ErrorKind::Invalid, message));
    }
    let newest = source.newest(&snapshot, trail.recorder())?;
    let followed = newest.is_some();
    checking.notices(&snapshot, 0)?;
    checking.protection(connection)?;
    if newest.is_none() {
        checking.replaced(&source.replaced(connection, &snapshot)?, None)?;
    }
    let known = moved(&source, &snapshot, 0, trail.recorder())?;
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL row_security = off")?;
    let (mut unknown, mut unknown_bytes) = (Rows::new(), 0);
    let rows = compare(connection, known, &mut |unequal| match unequal {
        Unequal::Changed(row, moved) => checking.changed(&snapshot, &row, moved.index),
        Unequal::Unsealed(row, moved) if !checking.named.contains(&row.id) => {
            checking.tell(Difference::Inserted, Some(row.id), Some(moved.index), &inserted(&row, UNSEALED))
        }
        Unequal::Unsealed(..) => Ok(()),
        Unequal::OnlyInLedger(moved) => checking.removed(&snapshot, moved.row, moved.index),
        Unequal::Again(moved) => {
            checking.tell(Difference::Twice, Some(moved.row), Some(moved.index), "is recorded twice")
        }
        Unequal::OnlyInTable(row) => {
            unknown_bytes += row.bytes();
            unknown.insert(row.id, row);
            if unknown_bytes <= MAX_UNKNOWN_BYTES {
                return Ok(());
            }
            let held = unknown.len();
            let message = format!("more than {held} rows are not in the ledger: follow the table first");
            Err(Error::new(ErrorKind::Invalid, message))
        }
    })?;
    connection.execute("COMMIT")?;
    if !unknown.is_empty() {
        match newest.map(|newest| newest.position) {
            None => checking.all_pending(&unknown, "nothing was moved yet")?,
            Some(Position::Polled(transaction, row)) => checking.behind_polling(unknown, (transaction, row))?,
            Some(_) => checking.behind_slot(connection, unknown, snapshot.size())?,
        }
    }
    checked.rows = rows;
    if rows == 0 && !followed && checked.findings.is_empty() {
        let message = format!(
            "{} has no rows, and this ledger has never followed it: name the database that it follows",
            checked.source
        );
        return Err(Error::new(ErrorKind::NotFound, message));
    }
    Ok(checked)
}

pub(crate) struct Checking<'a> {
    pub source: &'a Source,
    pub trail: &'a dyn Trail,
    pub options: &'a CheckOptions,
    /// How the protection stood when the follower recorded it last, and in which entry.
    marks: Option<(u64, Marks)>,
    /// Rows that a notice names as inserted.
    named: BTreeSet<RowId>,
    pub found: &'a mut dyn FnMut(Finding) -> Result<()>,
}

impl Checking<'_> {
    pub fn tell(&mut self, difference: Difference, row: Option<RowId>, index: Option<u64>, what: &str) -> Result<()> {
        let message = row.map_or_else(|| what.to_owned(), |row| format!("row {row} {what}"));
        (self.found)(Finding { difference, row, index, message })
    }

    /// What install put in place and is not in place now, or was altered since the follower looked.
    fn protection(&mut self, connection: &mut Connection) -> Result<()> {
        for problem in protection::problems(connection)? {
            self.tell(Difference::Unprotected, None, None, &problem)?;
        }
        let Some((index, before)) = self.marks.take() else { return Ok(()) };
        match protection::altered(&before, &protection::marks(connection)?) {
            Some(names) => {
                let what = format!("the table's protection was altered since entry {index}: {names}");
                self.tell(Difference::Unprotected, None, Some(index), &what)
            }
            None => Ok(()),
        }
    }

    fn replaced(&mut self, others: &[impl AsRef<str>], index: Option<u64>) -> Result<()> {
        others.iter().try_for_each(|other| {
            let what =
                "this database stands in the place of another, whose rows are in the ledger and are not compared: ";
            self.tell(Difference::Unprotected, None, index, &(what.to_owned() + other.as_ref()))
        })
    }

    /// What the follower noticed.
    pub fn notices(&mut self, snapshot: &Snapshot, first: u64) -> Result<()> {
        let (source, recorder) = (self.source, self.trail.recorder());
        source.each(snapshot, first, recorder, &mut |index, fields| {
            let Some(notice) = Noticed::read(&fields) else { return Ok(()) };
            if let Some(marks) = notice.marks() {
                self.marks = Some((index, marks));
            }
            let difference = match &*fields.event_type {
                CONTRADICTED => Difference::Inserted,
                ALTERED => Difference::Unprotected,
                _ => Difference::Seen,
            };
            self.named.extend(notice.row.filter(|_| difference == Difference::Inserted));
            match &*fields.event_type {
                _ if index < self.options.looked_into => Ok(()),
                STARTED => Ok(()),
                PROTECTION => self.replaced(&notice.replaces(), Some(index)),
                _ => {
                    let message = format!("{} (entry {index}, {})", notice.problem, fields.timestamp);
                    (self.found)(Finding { difference, row: notice.row, index: Some(index), message })
                }
            }
        })
    }

    pub fn changed(&mut self, snapshot: &Snapshot, row: &Row, index: u64) -> Result<()> {
        let bytes = snapshot.entry(index)?;
        let recorded = Fields::split(&bytes)?;
        let mut now = Vec::new();
        row.draft(None)?.write_entry(recorded.recorded_at, None, &mut now);
        let now = Fields::split(&now)?;
        let moments = [(recorded.timestamp, now.timestamp), (stamped_at(&recorded), stamped_at(&now))];
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
}

pub(crate) fn inserted(row: &Row, why: &str) -> String {
    let said = row.timestamp().unwrap_or_default();
    format!("was inserted past the application: {why} (it says {said})")
}
