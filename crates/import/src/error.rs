//! What can go wrong in a map or in the rows it is applied to.

use std::fmt;

/// A fault in a map, with the line and the key where it stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct MapError {
    /// Line of the map, from 1; none when the fault is that something is absent.
    pub line: Option<usize>,
    /// Dotted key, such as `context.amount`; empty when the text is no TOML.
    pub key: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("map")?;
        if let Some(line) = self.line {
            write!(f, " line {line}")?;
        }
        if !self.key.is_empty() {
            write!(f, ", {}", self.key)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Why an import cannot go on, or why one row of it cannot become an entry.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The map asks for something that the file does not have.
    #[error(transparent)]
    Map(#[from] MapError),
    /// The file could not be read.
    #[error("the input cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// The file as a whole is not what the map says; reading stops here.
    #[error("line {line}: {message}")]
    Input {
        /// Line where it was noticed, from 1.
        line: u64,
        /// What is wrong.
        message: String,
    },
    /// One row cannot become an entry; the rows after it can still be read.
    #[error("row {number} (line {line}): {reason}")]
    Row {
        /// Row, from 1: a CSV record without the header, a JSON record.
        number: u64,
        /// Line of the file on which the row starts, from 1.
        line: u64,
        /// What is wrong, with the member it would have become.
        reason: String,
    },
}

impl ImportError {
    /// Whether the rows after this one can still be read.
    pub fn is_row(&self) -> bool {
        matches!(self, ImportError::Row { .. })
    }
}
