//! What a client is told when something cannot be done: a message with the code that PostgreSQL has for it.

use counterfoil::{Error, ErrorKind};
use counterfoil_query::{Cause, What};
use pgwire::error::{ErrorInfo, PgWireError};
use pgwire::messages::PgWireBackendMessage;

use crate::problem::Problem;

/// An error as PostgreSQL's protocol tells it.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    /// The SQLSTATE.
    pub(crate) code: &'static str,
    /// What happened, in a sentence.
    pub(crate) message: String,
    /// The character of the statement that is meant, from 1.
    pub(crate) position: Option<usize>,
    /// Whether the connection ends with it.
    pub(crate) fatal: bool,
}

/// What ends a connection without a word.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The client left, or the network did.
    Gone,
    /// The client is told why.
    Told(Refusal),
}

impl From<Refusal> for Broken {
    fn from(refusal: Refusal) -> Self {
        Self::Told(refusal)
    }
}

impl Refusal {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), position: None, fatal: false }
    }

    /// One that ends the connection.
    pub(crate) fn fatal(code: &'static str, message: impl Into<String>) -> Self {
        Self { fatal: true, ..Self::new(code, message) }
    }

    /// A message that is not as the protocol has it.
    pub(crate) fn protocol(message: impl Into<String>) -> Self {
        Self::fatal("08P01", message)
    }

    pub(crate) fn unsupported(message: impl Into<String>) -> Self {
        Self::new("0A000", message)
    }

    /// The answer to a cancel request.
    pub(crate) fn cancelled() -> Self {
        Self::new("57014", "the query was cancelled by its client")
    }

    /// What an error of the query engine means; places in it refer to `sql`.
    pub(crate) fn of(error: &Error, sql: &str) -> Self {
        let Some(cause) = Cause::of(error) else {
            return Self::new(by_kind(error.kind), error.message.as_str());
        };
        let code = match cause.what {
            What::Syntax => "42601",
            What::NoTable => "42P01",
            What::NoColumn => "42703",
            What::NoFunction => "42883",
            What::Refused => "25006",
            What::TooLarge => "54000",
            What::Unsupported => "0A000",
            What::Value => "22000",
            What::Limit => "57014",
            What::Other => "42000",
        };
        let position = cause.place.and_then(|(line, column)| position(sql, line, column));
        let message = if position.is_some() { &cause.message } else { &error.message };
        Self { position, ..Self::new(code, message.as_str()) }
    }

    /// The message that carries it.
    pub(crate) fn into_message(self) -> PgWireBackendMessage {
        let severity = if self.fatal { "FATAL" } else { "ERROR" };
        let mut info = ErrorInfo::new(severity.to_owned(), self.code.to_owned(), self.message);
        info.severity_nonlocalized = Some(severity.to_owned());
        info.position = self.position.map(|position| position.to_string());
        PgWireBackendMessage::ErrorResponse(info.into())
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let code = match problem.kind {
            "busy" => "53300",
            "unauthenticated" => "28000",
            "denied" => "42501",
            "unavailable" => "58030",
            "damaged" | "tampered" => "XX001",
            "invalid" => "42000",
            _ => "XX000",
        };
        Self::new(code, problem.detail)
    }
}

impl From<PgWireError> for Refusal {
    fn from(error: PgWireError) -> Self {
        let info = ErrorInfo::from(error);
        Self::new("22000", info.message)
    }
}

fn by_kind(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Invalid => "42000",
        ErrorKind::Busy => "53300",
        ErrorKind::Unavailable => "58030",
        ErrorKind::Denied => "42501",
        ErrorKind::NotFound => "58P01",
        ErrorKind::Closed => "57P01",
        ErrorKind::Damaged | ErrorKind::Tampered => "XX001",
        ErrorKind::Conflict | ErrorKind::Poisoned | ErrorKind::Internal => "XX000",
    }
}

/// A place by line and column as the number of its character.
fn position(sql: &str, line: u64, column: u64) -> Option<usize> {
    let (line, column) = (usize::try_from(line).ok()?, usize::try_from(column).ok()?);
    if line == 0 || column == 0 {
        return None;
    }
    let before: usize = sql.split('\n').take(line - 1).map(|line| line.chars().count() + 1).sum();
    Some(before + column)
}
