//! What an append returns.

use std::sync::Arc;

use counterfoil_entry::Timestamp;
use counterfoil_tlog::Hash;

/// The proof that an entry was recorded: it is durable, has its place, and a signed checkpoint covers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The entry's place, counted from 0.
    pub index: u64,
    /// SHA-256(0x00 ‖ canonical bytes).
    pub leaf_hash: Hash,
    /// A size above the index that `checkpoint` signs.
    pub tree_size: u64,
    /// When its commit was made.
    pub recorded_at: Timestamp,
    /// The signed checkpoint of that size, a C2SP note.
    pub checkpoint: Arc<str>,
}
