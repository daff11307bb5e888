use std::io;

use arrow::error::ArrowError;
use counterfoil_entry::EntryError;
use parquet::errors::ParquetError;

use crate::blocks::BlockMismatch;

/// Why a segment or its index cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    /// What was to be written into row `row` is not the canonical form of an entry.
    #[error("row {row} is not a canonical entry: {source}")]
    NotAnEntry {
        /// The row, counted from 0.
        row: u64,
        /// What is wrong with it.
        source: EntryError,
    },
    /// More rows were pushed than a segment may hold.
    #[error("a segment holds at most {max} rows")]
    TooManyRows {
        /// [`MAX_ROWS`](crate::MAX_ROWS).
        max: u64,
    },
    /// The file can be read but is not what the format pages describe; the text says where it departs.
    #[error("not a segment file of this format: {0}")]
    Format(String),
    /// A block of the file is not the one that was sealed.
    #[error(transparent)]
    Block(#[from] BlockMismatch),
    /// A row was asked for that the segment does not have.
    #[error("row {row} is outside the segment's {count} rows")]
    NoSuchRow {
        /// The row that was asked for, counted from 0.
        row: u64,
        /// How many rows there are.
        count: u64,
    },
    /// Rows were asked for in an order other than that of the file, or twice.
    #[error("row {row} does not come after the row asked for before it")]
    NotAscending {
        /// The row out of order.
        row: u64,
    },
    /// The cells of a row are not those of an entry.
    #[error(transparent)]
    Fault(#[from] RowFault),
    /// The file could not be read.
    #[error("the file cannot be read: {0}")]
    Io(#[source] io::Error),
    /// The Parquet reader or writer refused.
    #[error("Parquet: {0}")]
    Parquet(#[from] ParquetError),
    /// The columns could not be put together or taken apart.
    #[error("Arrow: {0}")]
    Arrow(#[from] ArrowError),
}

impl From<io::Error> for SegmentError {
    fn from(error: io::Error) -> Self {
        match BlockMismatch::in_error(&error) {
            Some(mismatch) => Self::Block(mismatch),
            None => Self::Io(error),
        }
    }
}

/// A row whose cells are not exactly those of one entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("row {row}: {message}")]
pub struct RowFault {
    /// The row, counted from 0 at the start of the segment.
    pub row: u64,
    /// What is wrong, naming the column.
    pub message: String,
}
