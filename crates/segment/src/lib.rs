//! Parquet segments and the entries that they hold.
//!
//! A segment is an immutable Parquet file with one row per entry. Its columns *are* the entries: the canonical
//! bytes that were hashed are rebuilt from the cells, and [`Segment::scan`] refuses every cell that could say
//! something to a query which the leaf does not say. Beside it lies an [`index`] file, derived from the same
//! entries, that finds the rows of one entity, actor, trace, id or source without a scan.
//!
//! - Writing: [`Writer`] or [`write()`] turn canonical bytes into [`Sealed`], the bytes of both files.
//! - Reading: [`Segment`] over any [`ReadAt`]; [`blocks::VerifiedFile`] makes a `ReadAt` whose every byte was hashed.
//! - Queries: [`schema`], [`BatchBuilder`] for entries that are not in a segment yet, [`rebuild`] for the way back.
//!
//! The formats are described in `docs/formats/segment.md` and `docs/formats/index.md`.

mod batch;
pub mod blocks;
mod cores;
mod error;
pub mod index;
mod literal;
mod meta;
mod properties;
mod read_at;
mod rebuild;
mod schema;
mod segment;
mod shape;
mod source;
mod text;
mod writer;

pub use batch::BatchBuilder;
pub use cores::on_all_cores;
pub use error::{RowFault, SegmentError};
pub use meta::{FORMAT_VERSION, SegmentMeta};
pub use read_at::ReadAt;
pub use rebuild::rebuild;
pub use schema::schema;
pub use segment::Segment;
pub use writer::{MAX_ROWS, ROW_GROUP_ROWS, Sealed, Writer, write};
