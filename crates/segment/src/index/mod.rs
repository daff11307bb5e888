//! The `.index` file: where the entries of one entity, actor, trace, id or source lie in a segment.
//!
//! It is derived from the entries alone, byte for byte the same whenever it is built, and never trusted for proofs:
//! a lookup may return a row too many (two values with one hash), never one too few, so the caller compares the
//! value in the row. `docs/formats/index.md` describes the file.

mod build;
mod group;
mod layout;
mod read;
mod sources;
mod varint;

pub use build::Builder;
pub use layout::Key;
pub use read::Index;
pub use sources::SourceState;
