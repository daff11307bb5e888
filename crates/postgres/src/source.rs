//! Which table of which database a ledger follows, and how far it has come.

use std::ops::ControlFlow;

use counterfoil::{Error, ErrorKind, Receipt, Result, Snapshot, Status};
use counterfoil_entry::{Draft, Fields, Timestamp};

use crate::notice::Noticed;
use crate::protection::Marks;
use crate::wire::Connection;

/// A ledger as the follower uses it.
pub trait Trail {
    /// Records a batch, durably and all of it.
    fn append(&self, drafts: Vec<Draft>) -> Result<Vec<Receipt>>;
    /// The ledger with all that was acknowledged before.
    fn snapshot(&self) -> Result<Snapshot>;
    /// As whom entries are recorded; the ledger itself knows nobody.
    fn recorder(&self) -> Option<&str> {
        None
    }
}

impl Trail for counterfoil::Ledger {
    fn append(&self, drafts: Vec<Draft>) -> Result<Vec<Receipt>> {
        self.append_batch(drafts)
    }

    fn snapshot(&self) -> Result<Snapshot> {
        Ok(counterfoil::Ledger::snapshot(self))
    }
}

/// The audit table of one database of one cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The entries' `source`: `postgres:SYSTEM/DATABASE/counterfoil.audit_log`.
    pub name: String,
    /// What the ids of its entries begin with.
    pub(crate) prefix: String,
}

/// A place in a database's own order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Position {
    /// Found in the table when its slot was made.
    Found,
    /// The commit's place in the write-ahead log, and the number of the change in its transaction.
    Commit(u64, u64),
    /// Polled: the transaction, and the row's id.
    Polled(u64, i64),
}

/// The newest entry of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Newest {
    pub sequence: u64,
    pub position: Position,
    /// The latest moment that it knows of the server.
    pub at_micros: i64,
}

impl Source {
    /// The source that a connection reads. `NotFound` where nothing is installed.
    pub fn of(connection: &mut Connection) -> Result<Self> {
        let found = connection.all(
            "SELECT s.system_identifier, d.datname, d.oid, to_regclass('counterfoil.audit_log') \
             FROM pg_control_system() s, pg_database d WHERE d.datname = current_database()",
        )?;
        let row = found.into_iter().next().unwrap_or_default();
        let [Some(system), Some(database), Some(oid), table] = &row[..] else {
            return Err(Error::new(ErrorKind::Unavailable, "the server does not say which cluster it is"));
        };
        if table.is_none() {
            let message = format!("database {database:?} has no counterfoil.audit_log");
            return Err(Error::new(ErrorKind::NotFound, message + "; make it with `counterfoil postgres install`"));
        }
        let system: u64 = system.parse().unwrap_or_default();
        let name = format!("postgres:{system}/{database}/counterfoil.audit_log");
        Ok(Self { name, prefix: format!("{system:016x}/{oid}/") })
    }

    /// The `id` of an entry at a place; unique in the ledger, and short enough for one.
    pub(crate) fn id(&self, position: Position, row: i64) -> String {
        let prefix = &self.prefix;
        match position {
            Position::Found => format!("{prefix}found/{row}"),
            Position::Commit(commit, number) => format!("{prefix}{commit:016x}/{number}"),
            Position::Polled(transaction, row) => format!("{prefix}x{transaction}/{row}"),
        }
    }

    fn position(&self, id: &str) -> Option<Position> {
        let (first, second) = id.strip_prefix(&self.prefix)?.split_once('/')?;
        // Behind the place stands the mark of a remark.
        let second = second.split('/').next()?;
        match first.strip_prefix('x') {
            Some(transaction) => Some(Position::Polled(transaction.parse().ok()?, second.parse().ok()?)),
            None if first == "found" => Some(Position::Found),
            None => Some(Position::Commit(u64::from_str_radix(first, 16).ok()?, second.parse().ok()?)),
        }
    }

    /// The newest entry of this source in a ledger.
    pub(crate) fn newest(&self, snapshot: &Snapshot, recorder: Option<&str>) -> Result<Option<Newest>> {
        let status = Status::of(snapshot)?;
        let mut sources = status.sources.iter();
        let known = sources.find(|known| known.source == self.name && known.recorder.as_deref() == recorder);
        let Some(sequence) = known.map(|known| known.last) else { return Ok(None) };
        let (mut position, mut at_micros) = (None, i64::MIN);
        let mut look = |bytes: &[u8]| -> Result<()> {
            if let Some(fields) = self.fields(bytes, recorder)?
                && fields.sequence == Some(sequence)
            {
                position = fields.id.as_deref().and_then(|id| self.position(id));
                at_micros = stamped_at(&fields).micros();
            }
            Ok(())
        };
        let mut outcome = Ok(());
        snapshot.tail(snapshot.sealed_size()..snapshot.size(), &mut |_, bytes| {
            if outcome.is_ok() {
                outcome = look(bytes);
            }
        })?;
        outcome?;
        for segment in snapshot.segments().iter().rev() {
            let rows = segment.index()?.lookup_sequence(recorder, &self.name, sequence);
            for row in rows.map_err(|error| Error::new(ErrorKind::Damaged, error.to_string()))? {
                look(&snapshot.entry(segment.first() + u64::from(row))?)?;
            }
        }
        let missing = || {
            let message = format!("entry {sequence} of source {:?} is not of this database", self.name);
            Error::new(ErrorKind::Conflict, message + ": it was replaced by another one of the same name")
        };
        Ok(Some(Newest { sequence, position: position.ok_or_else(missing)?, at_micros }))
    }

    /// How the protection of the table stood when it was last recorded.
    pub(crate) fn recorded_protection(&self, snapshot: &Snapshot, recorder: Option<&str>) -> Result<Option<Marks>> {
        for (_, bytes) in snapshot.history(&self.name)?.iter().rev() {
            let noticed = self.fields(bytes, recorder)?.and_then(|fields| Noticed::read(&fields));
            if let Some(noticed) = noticed {
                return Ok(noticed.marks());
            }
        }
        Ok(None)
    }

    /// The sources in a ledger that this one may have taken the place of: a database of its name in another cluster, or one
    /// of this cluster that is gone or renamed.
    pub(crate) fn replaced(&self, queries: &mut Connection, snapshot: &Snapshot) -> Result<Vec<String>> {
        let databases = queries.all("SELECT datname FROM pg_database")?;
        let ours = self.parts();
        let status = Status::of(snapshot)?;
        let others = status.sources.into_iter().map(|known| known.source).filter(|name| *name != self.name);
        let replaces = |name: &String| {
            let parts = Self { name: name.clone(), prefix: String::new() };
            parts.parts().zip(ours).is_some_and(|((system, database), (our_system, our_database))| {
                match system == our_system {
                    true => !databases.iter().any(|known| known[0].as_deref() == Some(database)),
                    false => database == our_database,
                }
            })
        };
        Ok(others.filter(replaces).collect())
    }

    /// The cluster and the database of a source's name.
    fn parts(&self) -> Option<(&str, &str)> {
        self.name.strip_prefix("postgres:")?.strip_suffix("/counterfoil.audit_log")?.split_once('/')
    }

    /// An entry of this source taken apart; none for all others.
    pub(crate) fn fields<'a>(&self, bytes: &'a [u8], recorder: Option<&str>) -> Result<Option<Fields<'a>>> {
        // Most entries of other sources are told by a look at their id.
        if !contains(bytes, self.prefix.as_bytes()) {
            return Ok(None);
        }
        let fields = Fields::split(bytes)?;
        let ours = fields.source.as_deref() == Some(&self.name) && fields.recorder.as_deref() == recorder;
        Ok(ours.then_some(fields))
    }

    /// Gives every entry of this source from `first` on, in the ledger's order.
    pub(crate) fn each(
        &self,
        snapshot: &Snapshot,
        first: u64,
        recorder: Option<&str>,
        each: &mut dyn FnMut(u64, Fields<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut outcome = Ok(());
        let mut visit = |index: u64, bytes: &[u8]| {
            // The first error stays.
            if outcome.is_ok() {
                outcome =
                    self.fields(bytes, recorder).and_then(|found| found.map_or(Ok(()), |fields| each(index, fields)));
            }
            if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        for segment in snapshot.segments() {
            let from = first.saturating_sub(segment.first());
            if from >= segment.count() {
                continue;
            }
            let faults = segment.segment()?.scan(from..segment.count(), &mut visit);
            let faults =
                faults.map_err(|error| Error::new(ErrorKind::Damaged, format!("{}: {error}", segment.name())))?;
            if let Some(fault) = faults.first() {
                return Err(Error::new(ErrorKind::Tampered, format!("{}: {fault}", segment.name())));
            }
        }
        let mut ended = false;
        snapshot.tail(first.max(snapshot.sealed_size())..snapshot.size(), &mut |index, bytes| {
            ended = ended || visit(index, bytes).is_break();
        })?;
        outcome
    }
}

/// When the server wrote what an entry says: the stamp of a row, else the moment of a notice.
pub(crate) fn stamped_at(fields: &Fields<'_>) -> Timestamp {
    let context: serde_json::Value = serde_json::from_str(fields.context.unwrap_or("null")).unwrap_or_default();
    let at = context["postgres"]["recorded_at"].as_str().and_then(|text| Timestamp::parse(text).ok());
    at.unwrap_or(fields.timestamp)
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}
