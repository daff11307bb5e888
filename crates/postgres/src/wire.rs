//! A connection to PostgreSQL: the simple query protocol and the copy mode that replication uses. All values are texts, as
//! the server prints them: in a query's answer exactly as in the replication stream.

use std::io::{self, Read, Write};
use std::time::Instant;

use bytes::{Buf, Bytes, BytesMut};
use counterfoil::{Error, ErrorKind, Result};
use fallible_iterator::FallibleIterator;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::backend::{DataRowBody, Message};
use postgres_protocol::message::frontend;

use crate::dsn::Dsn;
use crate::patience::{ANSWERS_WITHIN, ASK_AFTER, ASKS_EVERY, LOOK, Patience, WORKS_AT_MOST};
use crate::server_error::server_error;
use crate::tls::{CANCELS_WITHIN, CONNECTS_WITHIN, Stream, unavailable};

const READ_BYTES: usize = 64 << 10;
/// The longest message that a server may send: PostgreSQL's own limit of a value.
const MAX_MESSAGE_BYTES: usize = 1 << 30;
/// What begins copy mode in both directions.
const COPY_BOTH: u8 = b'W';

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Queries,
    Replication,
}

/// What a statement asks of the server, and how long it may therefore be silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// An answer at once.
    Little,
    /// Reading a table, or waiting for others' transactions: as long as the server is at it.
    Much,
}

/// The process that serves a connection, and what it takes to stop it.
#[derive(Debug, Clone, Copy)]
struct Backend {
    process: i32,
    secret: i32,
}

/// A row of an answer: the texts of its columns, none for NULL.
pub(crate) type Texts = Vec<Option<String>>;

/// A connection to PostgreSQL.
pub struct Connection {
    dsn: Dsn,
    patience: Patience,
    stream: Stream,
    input: BytesMut,
    output: BytesMut,
    backend: Option<Backend>,
    work: Work,
    /// When the server was last asked for something or sent something.
    heard: Instant,
    /// When another connection last asked for it, since then.
    asked: Option<Instant>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("dsn", &self.dsn).finish_non_exhaustive()
    }
}

impl Connection {
    /// Connects for queries.
    ///
    /// Errors: `Unavailable` when nobody answers, `Denied` for a wrong password or a missing right, `NotFound` for a database
    /// that is not there, `Closed` when the patience ended.
    pub fn open(dsn: &Dsn, patience: &Patience) -> Result<Self> {
        Self::open_for(dsn, patience, Purpose::Queries)
    }

    pub(crate) fn open_for(dsn: &Dsn, patience: &Patience, purpose: Purpose) -> Result<Self> {
        let mut connection = Self {
            dsn: dsn.clone(),
            patience: patience.clone(),
            stream: Stream::open(dsn, CONNECTS_WITHIN)?,
            input: BytesMut::new(),
            output: BytesMut::new(),
            backend: None,
            work: Work::Little,
            heard: Instant::now(),
            asked: None,
        };
        connection.stream.set_read_timeout(LOOK).map_err(|error| unavailable(dsn, &error))?;
        // What decides how values are printed is the same on every connection.
        let mut parameters = vec![
            ("user", dsn.user.as_str()),
            ("database", dsn.database.as_str()),
            ("application_name", "counterfoil"),
            ("client_encoding", "UTF8"),
            ("DateStyle", "ISO, YMD"),
            ("TimeZone", "UTC"),
            ("IntervalStyle", "iso_8601"),
            ("extra_float_digits", "1"),
            ("bytea_output", "hex"),
            ("standard_conforming_strings", "on"),
            // Nobody puts a table or a function of his own before the system's.
            ("search_path", "pg_catalog, public"),
            // Reading a large table takes as long as it takes, whatever is set for the role.
            ("statement_timeout", "0"),
        ];
        if purpose == Purpose::Replication {
            parameters.push(("replication", "database"));
        }
        frontend::startup_message(parameters, &mut connection.output).map_err(|error| internal(&error))?;
        connection.send()?;
        connection.authenticate().map_err(|error| crate::advice::on_login(dsn, error))?;
        Ok(connection)
    }

    fn authenticate(&mut self) -> Result<()> {
        let mut scram = None;
        loop {
            match self.message()? {
                Message::AuthenticationOk | Message::ParameterStatus(_) | Message::NoticeResponse(_) => continue,
                Message::BackendKeyData(body) => {
                    self.backend = Some(Backend { process: body.process_id(), secret: body.secret_key() });
                    continue;
                }
                Message::ReadyForQuery(_) => return Ok(()),
                Message::AuthenticationCleartextPassword => {
                    let password = self.password()?;
                    frontend::password_message(password.as_bytes(), &mut self.output).map_err(|e| internal(&e))?;
                }
                Message::AuthenticationMd5Password(body) => {
                    let hash = md5_hash(self.dsn.user.as_bytes(), self.password()?.as_bytes(), body.salt());
                    frontend::password_message(hash.as_bytes(), &mut self.output).map_err(|e| internal(&e))?;
                }
                Message::AuthenticationSasl(body) => {
                    let known = body.mechanisms().any(|name| Ok(name == SCRAM_SHA_256)).map_err(|e| internal(&e))?;
                    if !known {
                        return Err(self.denied("the server asks for a way to log in other than a password"));
                    }
                    let started = ScramSha256::new(self.password()?.as_bytes(), ChannelBinding::unsupported());
                    let sent = frontend::sasl_initial_response(SCRAM_SHA_256, started.message(), &mut self.output);
                    sent.map_err(|e| internal(&e))?;
                    scram = Some(started);
                }
                Message::AuthenticationSaslContinue(body) => {
                    let Some(scram) = &mut scram else { return Err(strange("it logs in out of order")) };
                    scram.update(body.data()).map_err(|e| internal(&e))?;
                    frontend::sasl_response(scram.message(), &mut self.output).map_err(|e| internal(&e))?;
                }
                Message::AuthenticationSaslFinal(body) => {
                    let finished = scram.as_mut().map(|scram| scram.finish(body.data()));
                    if !matches!(finished, Some(Ok(()))) {
                        return Err(self.denied("the server does not know the password either: it may be an impostor"));
                    }
                }
                Message::ErrorResponse(body) => return Err(server_error(&body)),
                _ => return Err(self.denied("the server asks for a way to log in other than a password")),
            }
            self.send()?;
        }
    }

    fn password(&self) -> Result<String> {
        let password = self.dsn.password.clone();
        password.ok_or_else(|| self.denied("the server asks for a password: put it into PGPASSWORD or ~/.pgpass"))
    }

    /// Runs statements whose answer does not matter.
    ///
    /// Errors: `Denied`, `NotFound`, `Busy` or `Invalid` as the server's SQLSTATE says; `Unavailable` when it is gone or does
    /// not answer; `Closed` when the patience ended.
    pub fn execute(&mut self, sql: &str) -> Result<()> {
        self.rows(sql, Work::Much, &mut |_| Ok(()))
    }

    /// All rows of a small answer.
    pub(crate) fn all(&mut self, sql: &str) -> Result<Vec<Texts>> {
        let mut rows = Vec::new();
        self.rows(sql, Work::Little, &mut |row| {
            rows.push(row);
            Ok(())
        })?;
        Ok(rows)
    }

    /// The one value of an answer of one row; none for NULL or no row.
    pub(crate) fn value(&mut self, sql: &str) -> Result<Option<String>> {
        Ok(self.all(sql)?.into_iter().next().and_then(|row| row.into_iter().next().flatten()))
    }

    /// Runs a query and gives its rows as they arrive: none is kept here.
    pub(crate) fn rows(&mut self, sql: &str, work: Work, each: &mut dyn FnMut(Texts) -> Result<()>) -> Result<()> {
        self.ask(sql, work)?;
        let mut outcome = Ok(());
        loop {
            match self.message()? {
                Message::DataRow(body) if outcome.is_ok() => {
                    outcome = texts(&body).and_then(&mut *each);
                    if outcome.is_err() {
                        // Nobody reads the rest, which may be long.
                        self.cancel();
                    }
                }
                Message::ErrorResponse(body) if outcome.is_ok() => outcome = Err(server_error(&body)),
                Message::ReadyForQuery(_) => return outcome,
                _ => {}
            }
        }
    }

    fn ask(&mut self, sql: &str, work: Work) -> Result<()> {
        frontend::query(sql, &mut self.output).map_err(|error| internal(&error))?;
        self.work = work;
        self.send()
    }

    /// Waits until a query has put the connection into copy mode in both directions.
    pub(crate) fn copy_both(&mut self, sql: &str) -> Result<()> {
        self.ask(sql, Work::Much)?;
        loop {
            self.fill(5)?;
            if self.input[0] == COPY_BOTH {
                let length = self.message_length()?;
                self.fill(length)?;
                self.input.advance(length);
                return Ok(());
            }
            if let Message::ErrorResponse(body) = self.message()? {
                return Err(server_error(&body));
            }
        }
    }

    /// The next message in copy mode; none when a moment has passed without one.
    pub(crate) fn copied(&mut self) -> Result<Option<Bytes>> {
        loop {
            match parsed(&mut self.input)? {
                Some(Message::CopyData(body)) => return Ok(Some(body.into_bytes())),
                Some(Message::ErrorResponse(body)) => return Err(server_error(&body)),
                Some(Message::CopyDone | Message::CommandComplete(_)) => {
                    return Err(Error::new(
                        ErrorKind::Unavailable,
                        format!("{}: the server ended the stream", self.dsn),
                    ));
                }
                Some(_) => {}
                None if !self.read_more()? => return Ok(None),
                None => {}
            }
        }
    }

    /// Whether a whole message of copy mode is here already.
    pub(crate) fn has_message(&self) -> bool {
        self.message_length().is_ok_and(|length| self.input.len() >= length)
    }

    /// The bytes of the message at the beginning of the input, its head included.
    fn message_length(&self) -> Result<usize> {
        length(&self.input)?.ok_or_else(|| strange("a message was cut"))
    }

    /// Sends a message in copy mode.
    pub(crate) fn copy(&mut self, data: &[u8]) -> Result<()> {
        frontend::CopyData::new(data).map_err(|error| internal(&error))?.write(&mut self.output);
        self.send()
    }

    fn message(&mut self) -> Result<Message> {
        loop {
            if self.patience.is_over() {
                self.cancel();
                return Err(Patience::stopped());
            }
            if let Some(message) = parsed(&mut self.input)? {
                return Ok(message);
            }
            self.fill(self.input.len() + 1)?;
        }
    }

    fn fill(&mut self, length: usize) -> Result<()> {
        while self.input.len() < length {
            if !self.read_more()? {
                self.wait_on()?;
            }
        }
        Ok(())
    }

    /// Whether it is worth to wait on for a server that is silent.
    fn wait_on(&mut self) -> Result<()> {
        if self.patience.is_over() {
            self.cancel();
            return Err(Patience::stopped());
        }
        let silent = self.heard.elapsed();
        let most = if self.work == Work::Much { WORKS_AT_MOST } else { ANSWERS_WITHIN };
        if silent > most {
            self.cancel();
            let late = format!("the server has not answered for {} s", silent.as_secs());
            return Err(unavailable(&self.dsn, &io::Error::new(io::ErrorKind::TimedOut, late)));
        }
        let is_time = match self.asked {
            None => silent > ASK_AFTER,
            Some(asked) => asked.elapsed() > asked.duration_since(self.heard).min(ASKS_EVERY),
        };
        if self.work == Work::Much && is_time {
            self.ask_elsewhere()?;
            self.asked = Some(Instant::now());
        }
        Ok(())
    }

    /// Asks on another connection whether the server still works for this one: one that is gone without a word, or whose
    /// connection somebody holds, does not answer there either.
    fn ask_elsewhere(&mut self) -> Result<()> {
        let Some(Backend { process, .. }) = self.backend else { return Ok(()) };
        let asking = Self::open(&self.dsn, &self.patience);
        let state = asking.and_then(|mut other| {
            let sql = format!(
                "SELECT state = 'active', array_to_string(pg_blocking_pids(pid), ', ') FROM pg_stat_activity \
                 WHERE pid = {process}"
            );
            other.all(&sql)
        });
        let state = state.map_err(|error| match error.kind {
            ErrorKind::Closed => error,
            _ => {
                let message = format!("the server fell silent while it worked, and now: {}", error.message);
                Error::new(ErrorKind::Unavailable, message)
            }
        })?;
        match state.first().map(Vec::as_slice) {
            Some([Some(active), blocking]) if active == "t" => {
                let seconds = self.heard.elapsed().as_secs();
                let what = match blocking.as_deref() {
                    None | Some("") => format!("the server has been at work for {seconds} s"),
                    Some(others) => format!(
                        "waiting for {seconds} s for what another session of the server holds (an open transaction or a \
                         lock; process {others} in pg_stat_activity)"
                    ),
                };
                self.patience.tell(&what);
                Ok(())
            }
            // It has answered meanwhile, and the answer is on its way.
            Some([Some(_), _]) if self.asked.is_none() => Ok(()),
            _ => {
                let gone =
                    io::Error::new(io::ErrorKind::ConnectionAborted, "the server no longer knows this connection");
                Err(unavailable(&self.dsn, &gone))
            }
        }
    }

    /// Asks the server to stop what it does here; whether it does is not waited for.
    fn cancel(&mut self) {
        let Some(Backend { process, secret }) = self.backend else { return };
        let mut request = BytesMut::new();
        frontend::cancel_request(process, secret, &mut request);
        if let Ok(mut other) = Stream::open(&self.dsn, CANCELS_WITHIN) {
            let _ = other.write_all(&request).and_then(|()| other.flush());
        }
    }

    /// Reads what is there; false when a moment has passed without anything.
    fn read_more(&mut self) -> Result<bool> {
        let start = self.input.len();
        self.input.resize(start + READ_BYTES, 0);
        let read = self.stream.read(&mut self.input[start..]);
        self.input.truncate(start + read.as_ref().copied().unwrap_or(0));
        match read {
            Ok(0) => {
                let gone = io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection");
                Err(unavailable(&self.dsn, &gone))
            }
            Ok(_) => {
                (self.heard, self.asked) = (Instant::now(), None);
                Ok(true)
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Ok(false),
                io::ErrorKind::Interrupted => Ok(true),
                _ => Err(unavailable(&self.dsn, &error)),
            },
        }
    }

    fn send(&mut self) -> Result<()> {
        let sent = self.stream.write_all(&self.output).and_then(|()| self.stream.flush());
        self.output.clear();
        (self.heard, self.asked) = (Instant::now(), None);
        sent.map_err(|error| unavailable(&self.dsn, &error))
    }

    fn denied(&self, problem: &str) -> Error {
        Error::new(ErrorKind::Denied, format!("{}: {problem}", self.dsn))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        frontend::terminate(&mut self.output);
        // A server that is gone needs no farewell.
        let _ = self.send();
    }
}

/// The next message, once all of it is here.
pub(crate) fn parsed(input: &mut BytesMut) -> Result<Option<Message>> {
    match length(input)? {
        // The parser would make room for whatever length is announced.
        Some(length) if input.len() >= length => Message::parse(input).map_err(|error| internal(&error)),
        _ => Ok(None),
    }
}

/// The bytes of the message at the beginning of some input, its head included; none before the head is here.
fn length(input: &[u8]) -> Result<Option<usize>> {
    let Some(head) = input.get(..5) else { return Ok(None) };
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
    if (4..=MAX_MESSAGE_BYTES).contains(&length) { Ok(Some(1 + length)) } else { Err(strange("a message's length")) }
}

/// The columns of a row.
pub(crate) fn texts(body: &DataRowBody) -> Result<Texts> {
    let ranges: Vec<_> = body.ranges().collect().map_err(|error| internal(&error))?;
    let text = |range: std::ops::Range<usize>| utf8(&body.buffer()[range]);
    ranges.into_iter().map(|range| range.map(text).transpose()).collect()
}

/// A text as an SQL literal.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A name as an SQL identifier.
pub(crate) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub(crate) fn utf8(bytes: &[u8]) -> Result<String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| {
        Error::new(ErrorKind::Invalid, "the database sent bytes that are no UTF-8; its encoding must be UTF8")
    })
}

fn internal(error: &io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("PostgreSQL's protocol: {error}"))
}

fn strange(what: &str) -> Error {
    Error::new(ErrorKind::Unavailable, format!("this does not speak PostgreSQL's protocol: {what}"))
}
