//! A connection to PostgreSQL: the simple query protocol and the copy mode that replication uses. All values are texts, as
//! the server prints them: in a query's answer exactly as in the replication stream.

use std::io::{self, Read, Write};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use counterfoil::{Error, ErrorKind, Result};
use fallible_iterator::FallibleIterator;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::backend::{ErrorResponseBody, Message};
use postgres_protocol::message::frontend;

use crate::dsn::Dsn;
use crate::tls::{Stream, unavailable};

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

/// A row of an answer: the texts of its columns, none for NULL.
pub(crate) type Texts = Vec<Option<String>>;

/// A connection to PostgreSQL.
pub struct Connection {
    dsn: Dsn,
    stream: Stream,
    input: BytesMut,
    output: BytesMut,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("dsn", &self.dsn).finish_non_exhaustive()
    }
}

impl Connection {
    /// Connects for queries.
    ///
    /// Errors: `Unavailable` when nobody answers, `Denied` for a wrong password or a missing right.
    pub fn open(dsn: &Dsn) -> Result<Self> {
        Self::open_for(dsn, Purpose::Queries)
    }

    pub(crate) fn open_for(dsn: &Dsn, purpose: Purpose) -> Result<Self> {
        let stream = Stream::open(dsn)?;
        let mut connection = Self { dsn: dsn.clone(), stream, input: BytesMut::new(), output: BytesMut::new() };
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
        connection.authenticate()?;
        connection.set_timeout(None)?;
        Ok(connection)
    }

    fn authenticate(&mut self) -> Result<()> {
        let mut scram = None;
        loop {
            match self.message()? {
                Message::AuthenticationOk | Message::ParameterStatus(_) | Message::BackendKeyData(_) => {}
                Message::NoticeResponse(_) => {}
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
                    let Some(scram) = &mut scram else { return Err(self.strange()) };
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
    /// Errors: `Denied`, `NotFound`, `Busy` or `Invalid` as the server's SQLSTATE says; `Unavailable` when it is gone.
    pub fn execute(&mut self, sql: &str) -> Result<()> {
        self.rows(sql, &mut |_| Ok(()))
    }

    /// All rows of a small answer.
    pub(crate) fn all(&mut self, sql: &str) -> Result<Vec<Texts>> {
        let mut rows = Vec::new();
        self.rows(sql, &mut |row| {
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
    pub(crate) fn rows(&mut self, sql: &str, each: &mut dyn FnMut(Texts) -> Result<()>) -> Result<()> {
        self.ask(sql)?;
        let mut outcome = Ok(());
        loop {
            match self.message()? {
                Message::DataRow(body) if outcome.is_ok() => {
                    let ranges: Vec<_> = body.ranges().collect().map_err(|error| internal(&error))?;
                    let text = |range: std::ops::Range<usize>| utf8(&body.buffer()[range]);
                    let row = ranges.into_iter().map(|range| range.map(text).transpose()).collect::<Result<_>>();
                    outcome = row.and_then(&mut *each);
                }
                Message::ErrorResponse(body) if outcome.is_ok() => outcome = Err(server_error(&body)),
                Message::ReadyForQuery(_) => return outcome,
                _ => {}
            }
        }
    }

    pub(crate) fn ask(&mut self, sql: &str) -> Result<()> {
        frontend::query(sql, &mut self.output).map_err(|error| internal(&error))?;
        self.send()
    }

    /// Waits until a query has put the connection into copy mode in both directions.
    pub(crate) fn copy_both(&mut self, sql: &str) -> Result<()> {
        self.ask(sql)?;
        loop {
            self.fill(1)?;
            if self.input[0] == COPY_BOTH {
                self.fill(5)?;
                let length = u32::from_be_bytes([self.input[1], self.input[2], self.input[3], self.input[4]]);
                self.fill(1 + length as usize)?;
                self.input.advance(1 + length as usize);
                return Ok(());
            }
            if let Message::ErrorResponse(body) = self.message()? {
                return Err(server_error(&body));
            }
        }
    }

    /// The next message in copy mode; none when the timeout has passed without one.
    pub(crate) fn copied(&mut self) -> Result<Option<Bytes>> {
        loop {
            let parsed = Message::parse(&mut self.input).map_err(|error| internal(&error))?;
            match parsed {
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
        let Some(head) = self.input.get(..5) else { return false };
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        self.input.len() > length
    }

    /// Sends a message in copy mode.
    pub(crate) fn copy(&mut self, data: &[u8]) -> Result<()> {
        frontend::CopyData::new(data).map_err(|error| internal(&error))?.write(&mut self.output);
        self.send()
    }

    pub(crate) fn set_timeout(&mut self, timeout: Option<Duration>) -> Result<()> {
        self.stream.set_read_timeout(timeout).map_err(|error| unavailable(&self.dsn, &error))
    }

    fn message(&mut self) -> Result<Message> {
        loop {
            if let Some(message) = Message::parse(&mut self.input).map_err(|error| internal(&error))? {
                return Ok(message);
            }
            self.fill(self.input.len() + 1)?;
        }
    }

    fn fill(&mut self, length: usize) -> Result<()> {
        while self.input.len() < length {
            if !self.read_more()? {
                let late = io::Error::new(io::ErrorKind::TimedOut, "the server did not answer in time");
                return Err(unavailable(&self.dsn, &late));
            }
        }
        Ok(())
    }

    /// Reads what is there; false when the timeout has passed.
    fn read_more(&mut self) -> Result<bool> {
        if self.input.len() > MAX_MESSAGE_BYTES {
            return Err(self.strange());
        }
        let start = self.input.len();
        self.input.resize(start + READ_BYTES, 0);
        let read = self.stream.read(&mut self.input[start..]);
        self.input.truncate(start + read.as_ref().copied().unwrap_or(0));
        match read {
            Ok(0) => {
                let gone = io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection");
                Err(unavailable(&self.dsn, &gone))
            }
            Ok(_) => Ok(true),
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
        sent.map_err(|error| unavailable(&self.dsn, &error))
    }

    fn denied(&self, problem: &str) -> Error {
        Error::new(ErrorKind::Denied, format!("{}: {problem}", self.dsn))
    }

    fn strange(&self) -> Error {
        Error::new(ErrorKind::Unavailable, format!("{}: this does not speak PostgreSQL's protocol", self.dsn))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        frontend::terminate(&mut self.output);
        // A server that is gone needs no farewell.
        let _ = self.send();
    }
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

/// What a server's error means for the caller, by its SQLSTATE.
fn server_error(body: &ErrorResponseBody) -> Error {
    let (mut state, mut message, mut hint) = (String::new(), String::new(), String::new());
    let mut fields = body.fields();
    while let Ok(Some(field)) = fields.next() {
        let value = String::from_utf8_lossy(field.value_bytes()).into_owned();
        match field.type_() {
            b'C' => state = value,
            b'M' => message = value,
            b'H' => hint = format!(" ({value})"),
            _ => {}
        }
    }
    let kind = match state.as_str() {
        "42501" => ErrorKind::Denied,
        "42P01" | "3F000" | "3D000" | "42704" => ErrorKind::NotFound,
        "42710" => ErrorKind::Conflict,
        "55006" | "55P03" => ErrorKind::Busy,
        _ => match state.get(..2).unwrap_or("") {
            "28" => ErrorKind::Denied,
            "08" | "53" | "57" | "58" => ErrorKind::Unavailable,
            "40" => ErrorKind::Busy,
            _ => ErrorKind::Invalid,
        },
    };
    Error::new(kind, format!("PostgreSQL: {message}{hint} [{state}]"))
}
