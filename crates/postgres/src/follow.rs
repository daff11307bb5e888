//! Moving committed rows into a ledger, each once.

use std::time::Duration;

use counterfoil::{Error, ErrorKind, Result};
use counterfoil_entry::Draft;
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::advice;
use crate::dsn::Dsn;
use crate::notice::{ALTERED, Notice, PROTECTION};
use crate::patience::Patience;
use crate::row::{Place, Row};
use crate::source::{Newest, Position, Source, Trail};
use crate::wire::Connection;
use crate::{poll, protection, replication};

/// The most entries that are recorded at once.
const MAX_BATCH_ENTRIES: usize = 4_096;
/// A batch takes no further entry beyond so many bytes.
const MAX_BATCH_BYTES: usize = 8 << 20;
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How rows reach the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// The write-ahead log, in commit order.
    Replication,
    /// Queries, in the order of transaction numbers, once no older transaction is open.
    Polling,
}

/// How to follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The replication slot; each ledger that follows a database needs its own.
    pub slot: String,
    /// How; none chooses replication where the server and the role allow it.
    pub way: Option<Way>,
    /// Ends when everything is moved that was committed when it began.
    pub once: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { slot: "counterfoil".to_owned(), way: None, once: false }
    }
}

/// What the follower tells while it runs.
#[derive(Debug)]
pub enum Progress<'a> {
    /// It is connected and moves rows.
    Following(Way),
    /// So many entries were recorded since it began.
    Moved(u64),
    /// Something about the table that is no new row; an entry says so.
    Noticed(&'a str),
    /// The connection is lost; it tries again after a pause.
    Retrying(&'a Error, Duration),
}

/// What was moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Followed {
    /// Rows recorded.
    pub rows: u64,
    /// Entries about changes that should not be possible.
    pub notices: u64,
}

/// Moves rows until the patience ends, or with `once` until the table is caught up. Whatever breaks, no row is lost and none
/// recorded twice: where it stands is read from the ledger itself.
///
/// Errors: those of the ledger that do not pass, `Denied`, `NotFound`, `Invalid`; a lost connection is none, unless with
/// `once`.
pub fn follow(
    dsn: &Dsn,
    trail: &dyn Trail,
    options: &Options,
    patience: &Patience,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Followed> {
    let mut total = Followed::default();
    let mut pause = SHORTEST_PAUSE;
    loop {
        let before = total;
        let ended = session(dsn, trail, options, patience, &mut total, progress);
        let ended = ended.map_err(|error| advice::on_table(dsn, error));
        let error = match ended {
            Ok(()) => return Ok(total),
            // What was on its way comes again.
            Err(error) if error.kind == ErrorKind::Closed && patience.is_over() => return Ok(total),
            Err(error) if options.once || !matches!(error.kind, ErrorKind::Unavailable | ErrorKind::Busy) => {
                return Err(error);
            }
            Err(error) => error,
        };
        pause = if total == before { (pause * 2).min(LONGEST_PAUSE) } else { SHORTEST_PAUSE };
        progress(Progress::Retrying(&error, pause));
        let mut waited = Duration::ZERO;
        while waited < pause {
            if patience.is_over() {
                return Ok(total);
            }
            std::thread::sleep(SHORTEST_PAUSE);
            waited += SHORTEST_PAUSE;
        }
    }
}

fn session(
    dsn: &Dsn,
    trail: &dyn Trail,
    options: &Options,
    patience: &Patience,
    total: &mut Followed,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<()> {
    let mut queries = Connection::open(dsn, patience)?;
    let source = Source::of(&mut queries)?;
    let newest = source.newest(&trail.snapshot()?, trail.recorder())?;
    let way = match options.way {
        Some(way) => way,
        None => possible_way(&mut queries)?,
    };
    let mut recording = Recording {
        trail,
        source: &source,
        next: newest.map_or(1, |newest| newest.sequence + 1),
        drafts: Vec::new(),
        bytes: 0,
        pending: Followed::default(),
        total,
        progress,
    };
    match (way, newest.map(|newest| newest.position)) {
        (Way::Replication, _) => replication::stream(dsn, &mut queries, &mut recording, newest, options, patience),
        (Way::Polling, None | Some(Position::Polled(..))) => {
            poll::poll(&mut queries, &mut recording, newest, options.once, patience)
        }
        (Way::Polling, Some(_)) => Err(Error::new(
            ErrorKind::Invalid,
            "this ledger has followed the table by replication and cannot go on by polling: give the role REPLICATION, \
             set wal_level = logical, or begin a new ledger",
        )),
    }
}

fn possible_way(queries: &mut Connection) -> Result<Way> {
    let allowed = queries.value(
        "SELECT current_setting('wal_level') = 'logical' AND (rolreplication OR rolsuper) \
         FROM pg_roles WHERE rolname = current_user",
    )?;
    Ok(if allowed.as_deref() == Some("t") { Way::Replication } else { Way::Polling })
}

/// Entries on their way into the ledger.
pub(crate) struct Recording<'a> {
    pub trail: &'a dyn Trail,
    pub source: &'a Source,
    next: u64,
    drafts: Vec<Draft>,
    bytes: usize,
    pending: Followed,
    total: &'a mut Followed,
    progress: &'a mut dyn FnMut(Progress<'_>),
}

impl<'a> Recording<'a> {
    pub fn tell(&mut self, progress: Progress<'_>) {
        (self.progress)(progress);
    }

    pub fn is_empty(&self) -> bool {
        self.drafts.is_empty()
    }

    pub fn row(&mut self, row: &Row, position: Position) -> Result<()> {
        let place = self.place(position, row.id);
        let draft = row.draft(Some(&place))?;
        self.pending.rows += 1;
        self.add(draft)
    }

    /// An entry about the table itself.
    pub fn notice(&mut self, notice: &Notice, position: Position) -> Result<()> {
        let place = self.place(position, notice.row.unwrap_or_default());
        self.add_notice(notice, &place)
    }

    /// A notice that has no place of its own in the database's order: it stands beside what is at this place.
    pub fn remark(&mut self, notice: &Notice, position: Position, mark: &str) -> Result<()> {
        let mut place = self.place(position, 0);
        place.id = format!("{}/{mark}", place.id);
        self.add_notice(notice, &place)
    }

    fn add_notice(&mut self, notice: &Notice, place: &Place<'_>) -> Result<()> {
        self.tell(Progress::Noticed(&notice.problem));
        let draft = notice.draft(place)?;
        self.pending.notices += 1;
        self.add(draft)
    }

    /// Records how the table's protection stands, where that is not what was recorded last.
    pub fn protection(&mut self, queries: &mut Connection, newest: Option<Newest>, position: Position) -> Result<()> {
        let now = protection::marks(queries)?;
        let snapshot = self.trail.snapshot()?;
        let before = self.source.recorded_protection(&snapshot, self.trail.recorder())?;
        let altered = before.as_ref().map(|before| protection::altered(before, &now));
        let (event_type, problem) = match &altered {
            Some(None) => return Ok(()),
            Some(Some(names)) => (ALTERED, format!("the table's protection was altered: {names}")),
            None => (PROTECTION, "the table's protection is recorded as it stands".to_owned()),
        };
        let replaced = if before.is_none() { self.source.replaced(queries, &snapshot)? } else { Vec::new() };
        let digest = hex::encode(&Sha256::digest(json!(now).to_string())[..3]);
        let server = queries.value("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")?;
        let at = server.and_then(|micros| micros.parse().ok()).max(newest.map(|newest| newest.at_micros));
        let details = json!({"marks": now, "replaces": replaced});
        self.remark(&Notice { event_type, row: None, problem, at_micros: at, details }, position, &format!("p{digest}"))
    }

    fn place(&self, position: Position, row: i64) -> Place<'a> {
        Place { source: &self.source.name, sequence: self.next, id: self.source.id(position, row) }
    }

    fn add(&mut self, draft: Draft) -> Result<()> {
        self.next += 1;
        self.bytes += draft.client_bytes().len();
        self.drafts.push(draft);
        if self.drafts.len() >= MAX_BATCH_ENTRIES || self.bytes >= MAX_BATCH_BYTES { self.flush() } else { Ok(()) }
    }

    /// Records what is gathered; when it returns, all of it is durable.
    pub fn flush(&mut self) -> Result<()> {
        if self.drafts.is_empty() {
            return Ok(());
        }
        self.trail.append(std::mem::take(&mut self.drafts))?;
        self.bytes = 0;
        let pending = std::mem::take(&mut self.pending);
        self.total.rows += pending.rows;
        self.total.notices += pending.notices;
        let moved = self.total.rows + self.total.notices;
        self.tell(Progress::Moved(moved));
        Ok(())
    }
}
