//! Digests by block: every byte of a sealed file is hashed before it is used.
//!
//! A file is cut into blocks of [`BLOCK_BYTES`]; the RFC 6962 tree over them has the root that `ledger.sealed`
//! records. A [`VerifiedFile`] checks each block that a read touches, so that a range read proves what it returns.

mod cache;
mod hashes;
mod verified_file;

pub use cache::BlockCache;
pub use hashes::{BlockHashes, BlockMismatch};
pub use verified_file::VerifiedFile;

/// The length of every block of a file but the last, which may be shorter.
pub const BLOCK_BYTES: usize = 65_536;
