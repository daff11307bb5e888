//! What an error of the query engine is about, for protocols that have codes of their own.

use std::fmt;

use counterfoil::{Error, ErrorKind};

/// What an error of the query engine is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The text is no SQL.
    Syntax,
    /// There is no such table.
    NoTable,
    /// There is no such column.
    NoColumn,
    /// There is no such function.
    NoFunction,
    /// The statement does not only read.
    Refused,
    /// The statement is too long or has too many operators.
    TooLarge,
    /// SQL that is not supported here.
    Unsupported,
    /// A value that cannot be computed or converted.
    Value,
    /// A limit of time, memory or rows was reached.
    Limit,
    /// Something else about the statement.
    Other,
}

/// The source of an error of the query engine: what it is about, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// What it is about.
    pub what: What,
    /// Line and column of the statement's text, from 1.
    pub place: Option<(u64, u64)>,
    /// The message without the place.
    pub message: String,
}

impl Cause {
    /// The cause of an error, if it has one of this engine.
    pub fn of(error: &Error) -> Option<&Self> {
        error.source.as_ref()?.downcast_ref()
    }

    pub(crate) fn invalid(what: What, message: impl Into<String>) -> Error {
        Self::error(ErrorKind::Invalid, what, message.into())
    }

    pub(crate) fn limit(message: impl Into<String>) -> Error {
        Self::error(ErrorKind::Unavailable, What::Limit, message.into())
    }

    fn error(kind: ErrorKind, what: What, message: String) -> Error {
        Error::new(kind, message.clone()).because(Self { what, place: None, message })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Cause {}
