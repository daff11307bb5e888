//! What a ledger answers when it cannot do what was asked.

use std::fmt;

use counterfoil_segment::SegmentError;
use counterfoil_segment::blocks::BlockMismatch;

/// What the caller should do about an [`Error`]. The same names are exit codes, exceptions and problem types elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The call or its data is wrong: fix it.
    Invalid,
    /// The same idempotency key was used with other content.
    Conflict,
    /// Somebody else holds it, or a queue is full: retry now.
    Busy,
    /// It cannot be done at present: retry later.
    Unavailable,
    /// No right to do this.
    Denied,
    /// There is no such thing.
    NotFound,
    /// A write may or may not have reached the disk: reopen the ledger.
    Poisoned,
    /// Bytes cannot be read: restore them.
    Damaged,
    /// Bytes can be read, but a hash, proof or signature disagrees: raise the alarm and keep the evidence.
    Tampered,
    /// The ledger was closed.
    Closed,
    /// A defect in Counterfoil.
    Internal,
}

impl ErrorKind {
    /// The kind's name as programs read it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Conflict => "conflict",
            Self::Busy => "busy",
            Self::Unavailable => "unavailable",
            Self::Denied => "denied",
            Self::NotFound => "not-found",
            Self::Poisoned => "poisoned",
            Self::Damaged => "damaged",
            Self::Tampered => "tampered",
            Self::Closed => "closed",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An error of the ledger: its kind says what to do, its message what happened and where.
#[derive(Debug, Clone)]
pub struct Error {
    /// What to do.
    pub kind: ErrorKind,
    /// What happened, in a sentence that names file, index or member.
    pub message: String,
    /// Which entry of a batch is meant, counted from 0, if one is.
    pub position: Option<usize>,
    /// The error underneath, if there is one.
    pub source: Option<std::sync::Arc<dyn std::error::Error + Send + Sync>>,
}

/// The result of a ledger's call.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of this kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), position: None, source: None }
    }

    /// The same error with the one underneath.
    pub fn because(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(std::sync::Arc::new(source));
        self
    }

    /// The same error, of this file.
    pub(crate) fn of(self, file: &str) -> Self {
        Self { message: format!("{file}: {self}"), ..self }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    pub(crate) fn damaged(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Damaged, message)
    }

    pub(crate) fn tampered(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Tampered, message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }

    /// What an input/output error means: a missing file, a missing right, or a disk that does not serve now.
    pub(crate) fn io(what: impl fmt::Display, error: std::io::Error) -> Self {
        if let Some(known) = error.get_ref().and_then(|inner| inner.downcast_ref::<Self>()) {
            return Self { message: format!("{what}: {known}"), ..known.clone() };
        }
        if let Some(mismatch) = BlockMismatch::in_error(&error) {
            return Self::tampered(format!("{what}: {mismatch}")).because(error);
        }
        let kind = match error.kind() {
            std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            std::io::ErrorKind::PermissionDenied => ErrorKind::Denied,
            std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::InvalidData => ErrorKind::Damaged,
            _ => ErrorKind::Unavailable,
        };
        Self::new(kind, format!("{what}: {error}")).because(error)
    }
}

impl Error {
    /// What a segment's error means, for the file of that name.
    pub(crate) fn segment(name: impl fmt::Display, error: SegmentError) -> Self {
        let error = match error {
            SegmentError::Io(error) => return Self::io(name, error),
            other => other,
        };
        let kind = match &error {
            SegmentError::Block(_) | SegmentError::Fault(_) => ErrorKind::Tampered,
            SegmentError::Io(_) => ErrorKind::Unavailable,
            SegmentError::NoSuchRow { .. } => ErrorKind::NotFound,
            SegmentError::NotAscending { .. } => ErrorKind::Invalid,
            SegmentError::NotAnEntry { .. } | SegmentError::TooManyRows { .. } => ErrorKind::Internal,
            SegmentError::Format(_) | SegmentError::Parquet(_) | SegmentError::Arrow(_) => ErrorKind::Damaged,
        };
        Self::new(kind, format!("{name}: {error}")).because(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

impl From<counterfoil_entry::EntryError> for Error {
    fn from(error: counterfoil_entry::EntryError) -> Self {
        Self::invalid(error.to_string()).because(error)
    }
}

impl From<counterfoil_tlog::Error> for Error {
    fn from(error: counterfoil_tlog::Error) -> Self {
        Self::invalid(error.to_string()).because(error)
    }
}
