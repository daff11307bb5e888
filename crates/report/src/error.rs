//! What can go wrong.

use thiserror::Error;

/// Why a report or document cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReportError {
    /// The layout failed; a fault of this program.
    #[error("the pages cannot be laid out: {0}; write the HTML instead, and report this as a fault of the program")]
    Layout(String),
    /// The answer to a statement has other columns.
    #[error("a statement was not answered as it asks: {0}; ask a ledger of this version")]
    Rows(String),
    /// The figures contradict one another.
    #[error("the figures contradict one another: {0}; gather them again from one snapshot")]
    Contradiction(String),
}
