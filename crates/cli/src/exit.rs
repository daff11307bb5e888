//! How a command ends: exit codes, and failures with advice on what to do.

use std::fmt::Display;
use std::io;

use counterfoil::{Error, ErrorKind};
use counterfoil_entry::EntryError;
use counterfoil_evidence::FindingClass;

use crate::remote::Unreached;

/// The exit codes as the help shows them.
pub const EXIT_CODES: &str = "\
Exit codes:
   0  done; for `verify` and `check`: verified
   1  internal     a defect in counterfoil: report it
   2  invalid      the call or its input is wrong: fix it
   3  conflict     the same idempotency key was used with other content, or the folder is taken
   4  busy         another process writes the ledger: retry
   5  unavailable  disk, signer or clock do not serve: retry later; or a limit was reached: raise it
   6  denied       no right to do this
   7  not-found    no such ledger, file, entry or state
   8  poisoned     a write may not have reached the disk: check it, run the command again
   9  closed       the ledger was closed
  10  damaged      bytes are missing or unreadable: restore them from a copy
  11  tampered     a hash, proof or signature disagrees: raise the alarm, keep the evidence
 141  the reader of the output went away";

/// How a command that did its work ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, or verified.
    Good,
    /// The work was done, and its answer is this kind of bad news, which was already written out.
    Bad(ErrorKind),
}

impl Exit {
    /// The exit of a verification whose gravest finding has this class.
    pub fn of(class: Option<FindingClass>) -> Exit {
        match class {
            None => Exit::Good,
            Some(FindingClass::Damaged) => Exit::Bad(ErrorKind::Damaged),
            Some(FindingClass::Tampered) => Exit::Bad(ErrorKind::Tampered),
        }
    }

    /// The process's exit code.
    pub fn code(self) -> u8 {
        match self {
            Exit::Good => 0,
            Exit::Bad(kind) => exit_code(kind),
        }
    }
}

/// Why a command did not do its work.
#[derive(Debug)]
pub enum Failure {
    /// Nobody reads the output any more: end without a word, as other commands do.
    Pipe,
    /// Something to tell.
    Told {
        /// What the caller should do.
        kind: ErrorKind,
        /// What happened.
        message: String,
        /// What to do next, where that can be said.
        advice: Option<String>,
    },
}

/// What a command returns.
pub type Outcome = Result<Exit, Failure>;

impl Failure {
    /// A failure of this kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Failure {
        Failure::Told { kind, message: message.into(), advice: None }
    }

    /// A call or an input that is wrong.
    pub fn invalid(message: impl Into<String>) -> Failure {
        Failure::new(ErrorKind::Invalid, message)
    }

    /// A file that cannot be read or written.
    pub fn file(path: impl Display, error: &io::Error) -> Failure {
        let kind = match error.kind() {
            io::ErrorKind::NotFound => ErrorKind::NotFound,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Denied,
            io::ErrorKind::AlreadyExists | io::ErrorKind::IsADirectory | io::ErrorKind::InvalidData => {
                ErrorKind::Invalid
            }
            _ => ErrorKind::Unavailable,
        };
        Failure::new(kind, format!("{path}: {error}"))
    }

    /// The same failure with advice in place of what is said of its kind.
    pub fn advise(self, text: impl Into<String>) -> Failure {
        match self {
            Failure::Pipe => Failure::Pipe,
            Failure::Told { kind, message, .. } => Failure::Told { kind, message, advice: Some(text.into()) },
        }
    }

    /// What happened, in a sentence.
    pub fn message(self) -> String {
        match self {
            Failure::Pipe => "nobody reads the output".to_owned(),
            Failure::Told { message, .. } => message,
        }
    }

    /// The process's exit code.
    pub fn code(&self) -> u8 {
        match self {
            Failure::Pipe => 141,
            Failure::Told { kind, .. } => exit_code(*kind),
        }
    }
}

/// How messages of a query's limits begin, and the option of `query` that moves the limit.
pub const LIMITS: [(&str, &str); 3] =
    [("row limit", "--max-rows"), ("time limit", "--max-seconds"), ("memory limit", "--max-memory-mib")];

/// One code per kind of error, as [`EXIT_CODES`] lists them.
pub fn exit_code(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Internal => 1,
        ErrorKind::Invalid => 2,
        ErrorKind::Conflict => 3,
        ErrorKind::Busy => 4,
        ErrorKind::Unavailable => 5,
        ErrorKind::Denied => 6,
        ErrorKind::NotFound => 7,
        ErrorKind::Poisoned => 8,
        ErrorKind::Closed => 9,
        ErrorKind::Damaged => 10,
        ErrorKind::Tampered => 11,
    }
}

/// What to do about a failure of this kind when the command knows nothing better.
pub fn advice(kind: ErrorKind) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::Busy => {
            "Another process has this ledger open for writing. Wait until it is done, or send the entries \
             through it; commands that only read work meanwhile."
        }
        ErrorKind::Unavailable => "Nothing is lost: what was acknowledged is on disk. Retry when the cause is gone.",
        ErrorKind::Poisoned => {
            "The disk did not confirm a write. Check it, then run the command again with the same input; \
             entries that carry `id`, or `source` and `sequence`, are not recorded twice."
        }
        ErrorKind::Damaged => {
            "Keep the folder as it is and restore the named file from a copy; `counterfoil verify` lists everything \
             that is wrong."
        }
        ErrorKind::Tampered => {
            "Keep the folder as it is: it is evidence. `counterfoil verify` lists everything that is wrong."
        }
        ErrorKind::Internal => "This is a defect in counterfoil; please report it with the command that led here.",
        _ => return None,
    })
}

/// What to do where the cause says more than the kind.
fn advice_for_cause(cause: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    match cause.downcast_ref() {
        Some(Unreached::Silent) => return Some("Is the service running there?"),
        Some(Unreached::NoTls) => return Some("It does not speak TLS: use http://."),
        None => {}
    }
    let taken =
        matches!(cause.downcast_ref::<io::Error>()?.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable);
    taken.then_some("Choose another with --listen (--pg, --otlp-grpc for the other protocols).")
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let at_limit = LIMITS.iter().any(|(limit, _)| error.message.starts_with(limit));
        let advice = match at_limit {
            true => Some("Narrow the query."),
            false => std::error::Error::source(&error).and_then(advice_for_cause),
        };
        Failure::Told { kind: error.kind, message: error.message, advice: advice.map(str::to_owned) }
    }
}

impl From<EntryError> for Failure {
    fn from(error: EntryError) -> Failure {
        Failure::invalid(error.to_string())
    }
}

impl From<counterfoil_report::ReportError> for Failure {
    fn from(error: counterfoil_report::ReportError) -> Failure {
        Failure::new(ErrorKind::Internal, error.to_string())
    }
}

/// An error while writing to standard output; files are reported through [`Failure::file`].
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::Pipe,
            _ => Failure::new(ErrorKind::Unavailable, format!("standard output: {error}")),
        }
    }
}
