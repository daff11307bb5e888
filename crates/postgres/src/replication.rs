//! Following the write-ahead log through a replication slot.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Buf;
use counterfoil::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use crate::advice;
use crate::contradiction::{ServerClock, contradiction};
use crate::dsn::Dsn;
use crate::follow::{Options, Progress, Recording, Way};
use crate::notice::Notice;
use crate::patience::Patience;
use crate::pgoutput::{Begin, Message};
use crate::row::{COLUMNS, Row};
use crate::slot::{begin, check_log, check_name, check_publication, lsn};
use crate::source::{Newest, Position};
use crate::wire::{Connection, Purpose, Texts, identifier};

/// How often the server hears from us at least (it gives up after `wal_sender_timeout`, 60 s).
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How long the server may say nothing, though it is asked at every heartbeat.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);
/// How often it is looked after what replication needs.
const LOOKS_EVERY: Duration = Duration::from_secs(20);
const EPOCH_2000_SECONDS: u64 = 946_684_800;

/// Streams until the patience ends, or with `once` until the log's present end.
pub(crate) fn stream(
    dsn: &Dsn,
    queries: &mut Connection,
    recording: &mut Recording<'_>,
    newest: Option<Newest>,
    options: &Options,
    patience: &Patience,
) -> Result<()> {
    check_name(&options.slot)?;
    let mut connection = Connection::open_for(dsn, patience, Purpose::Replication)?;
    let seen = begin(&mut connection, queries, recording, newest, &options.slot)?;
    check_log(queries, seen.0, &options.slot)?;
    check_publication(queries, &options.slot)?;
    recording.protection(queries, newest, Position::Commit(seen.0, seen.1))?;
    let until = match options.once {
        true => Some(lsn(&queries.value("SELECT pg_current_wal_flush_lsn()")?.unwrap_or_default())?),
        false => None,
    };
    let sql = format!(
        "START_REPLICATION SLOT {} LOGICAL {:X}/{:X} (proto_version '1', publication_names 'counterfoil')",
        identifier(&options.slot),
        seen.0 >> 32,
        seen.0 & 0xffff_ffff
    );
    connection.copy_both(&sql).map_err(|error| advice::on_slot(&options.slot, error))?;
    recording.tell(Progress::Following(Way::Replication));
    let mut stream = Stream {
        connection,
        table: None,
        columns: Vec::new(),
        begin: Begin::default(),
        clock: ServerClock::new(newest.map_or(i64::MIN, |newest| newest.at_micros)),
        number: 0,
        seen,
        in_transaction: false,
        durable: 0,
        server_end: 0,
        told: Instant::now(),
        heard: Instant::now(),
    };
    let look = &mut || check_publication(queries, &options.slot);
    stream.run(recording, until, patience, look).map_err(|error| advice::on_slot(&options.slot, error))
}

struct Stream {
    connection: Connection,
    /// The table's oid, once the stream has named it.
    table: Option<u32>,
    /// For each column of a [`Row`], its place in the table's tuples.
    columns: Vec<usize>,
    begin: Begin,
    clock: ServerClock,
    /// Changes of the table in this transaction so far.
    number: u64,
    /// The newest change that the ledger has.
    seen: (u64, u64),
    in_transaction: bool,
    /// Everything up to here is in the ledger.
    durable: u64,
    server_end: u64,
    /// When the server last heard from us, and we from it.
    told: Instant,
    heard: Instant,
}

impl Stream {
    fn run(
        &mut self,
        recording: &mut Recording<'_>,
        until: Option<u64>,
        patience: &Patience,
        look: &mut dyn FnMut() -> Result<()>,
    ) -> Result<()> {
        let (mut ended, mut looked) = (0, Instant::now());
        loop {
            if looked.elapsed() > LOOKS_EVERY {
                look()?;
                looked = Instant::now();
            }
            if !self.connection.has_message() {
                recording.flush()?;
                if ended > self.durable {
                    self.durable = ended;
                    self.confirm(false)?;
                }
                if patience.is_over() || until.is_some_and(|until| self.is_past(until)) {
                    return self.confirm(false);
                }
            }
            let copied = self.connection.copied()?;
            if copied.is_some() {
                self.heard = Instant::now();
            }
            match copied {
                Some(data) => match data[..].split_first() {
                    Some((b'w', mut body)) if body.len() >= 24 => {
                        self.server_end = self.server_end.max((&body[8..]).get_u64());
                        body.advance(24);
                        if let Some(end) = self.message(Message::parse(body)?, recording)? {
                            ended = end;
                        }
                    }
                    Some((b'k', mut body)) if body.len() >= 17 => {
                        let end = body.get_u64();
                        self.server_end = self.server_end.max(end);
                        if recording.is_empty() && !self.in_transaction {
                            ended = ended.max(end);
                        }
                        if body[8] == 1 || self.told.elapsed() > HEARTBEAT {
                            recording.flush()?;
                            self.durable = self.durable.max(ended);
                            self.confirm(false)?;
                        }
                    }
                    _ => {}
                },
                None if self.heard.elapsed() > LONGEST_SILENCE => {
                    return Err(Error::new(ErrorKind::Unavailable, "the server has said nothing for a minute"));
                }
                None if until.is_some() || self.told.elapsed() > HEARTBEAT => self.confirm(true)?,
                None => {}
            }
        }
    }

    fn is_past(&self, until: u64) -> bool {
        !self.in_transaction && self.server_end >= until
    }

    /// Takes one message; the end of a transaction, when it is one.
    fn message(&mut self, message: Message, recording: &mut Recording<'_>) -> Result<Option<u64>> {
        match message {
            Message::Begin(begin) => {
                (self.begin, self.number, self.in_transaction) = (begin, 0, true);
            }
            Message::Commit { end } => {
                self.in_transaction = false;
                return Ok(Some(end));
            }
            Message::Relation { table, is_audit_log: true, columns } => {
                self.table = Some(table);
                let place = |name: &str| columns.iter().position(|column| column == name);
                let places: Option<Vec<_>> = COLUMNS.iter().map(|name| place(name)).collect();
                let missing =
                    || Error::new(ErrorKind::Invalid, "counterfoil.audit_log lacks a column that install made");
                self.columns = places.ok_or_else(missing)?;
            }
            Message::Insert { table, new } if Some(table) == self.table => {
                let row = Row::new(self.ordered(new))?;
                self.watch_clock(recording)?;
                if let Some(position) = self.next() {
                    recording.row(&row, position)?;
                }
                if let Some(notice) = contradiction(&row, &self.begin)
                    && let Some(position) = self.next()
                {
                    recording.notice(&notice, position)?;
                }
            }
            Message::Update { table, new } if Some(table) == self.table => {
                let now = self.ordered(new);
                self.notice("postgres.row_updated", "was changed by an UPDATE", &now, recording)?;
            }
            Message::Delete { table, old } if Some(table) == self.table => {
                let was = self.ordered(old);
                self.notice("postgres.row_deleted", "was removed by a DELETE", &was, recording)?;
            }
            Message::Truncate { tables } if self.table.is_some_and(|table| tables.contains(&table)) => {
                self.notice("postgres.table_truncated", "the table was emptied by a TRUNCATE", &[], recording)?;
            }
            _ => {}
        }
        Ok(None)
    }

    /// Notices a clock that stepped before this transaction, unless the ledger has all of the transaction already.
    fn watch_clock(&mut self, recording: &mut Recording<'_>) -> Result<()> {
        let is_new = self.number == 0 && self.begin.commit > self.seen.0;
        let now = since_1970().as_micros() as i64;
        match is_new.then(|| self.clock.commit(&self.begin, now)).flatten() {
            Some(notice) => recording.remark(&notice, Position::Commit(self.begin.commit, 0), "clock"),
            None => Ok(()),
        }
    }

    /// The place of the next change; none when the ledger has it already.
    fn next(&mut self) -> Option<Position> {
        self.number += 1;
        let place = (self.begin.commit, self.number);
        (place > self.seen).then_some(Position::Commit(place.0, place.1))
    }

    fn notice(
        &mut self,
        event_type: &'static str,
        what: &str,
        row: &[Option<String>],
        recording: &mut Recording<'_>,
    ) -> Result<()> {
        let Some(position) = self.next() else { return Ok(()) };
        let id = row.first().and_then(|id| id.as_deref()?.parse().ok());
        let named = COLUMNS.iter().zip(row).filter_map(|(name, text)| {
            let text: String = text.as_ref()?.chars().take(MAX_NOTICE_CHARS).collect();
            Some(((*name).to_owned(), Value::from(text)))
        });
        let notice = Notice {
            event_type,
            row: id,
            problem: id.map_or(what.to_owned(), |id| format!("row {id} {what}")),
            at_micros: Some(self.begin.at_micros),
            details: json!({
                "transaction": self.begin.transaction,
                "row": Value::Object(named.collect()),
            }),
        };
        recording.notice(&notice, position)
    }

    /// A tuple's texts in the order of a [`Row`].
    fn ordered(&self, tuple: Texts) -> Texts {
        self.columns.iter().map(|place| tuple.get(*place).cloned().flatten()).collect()
    }

    /// Tells the server how far everything is durable in the ledger, and asks for its own place.
    fn confirm(&mut self, reply: bool) -> Result<()> {
        let micros = since_1970().saturating_sub(Duration::from_secs(EPOCH_2000_SECONDS)).as_micros() as u64;
        let mut status = vec![b'r'];
        for place in [self.durable, self.durable, self.durable, micros] {
            status.extend_from_slice(&place.to_be_bytes());
        }
        status.push(u8::from(reply));
        self.told = Instant::now();
        self.connection.copy(&status)
    }
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The longest text of a column that a notice repeats.
const MAX_NOTICE_CHARS: usize = 1_000;
