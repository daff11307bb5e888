use twox_hash::XxHash64;

/// What a file begins with.
pub(super) const MAGIC: [u8; 8] = *b"CFLINDEX";

/// The version of the index format that this crate writes and reads.
pub(super) const VERSION: u32 = 1;

/// Bytes of the header: magic, version, rows, first index, five sections of 20 bytes, sources of 16 bytes.
pub(super) const HEADER_BYTES: usize = 8 + 4 + 4 + 8 + Key::ALL.len() * SECTION_BYTES + 16;

/// Bytes of a section's description in the header.
pub(super) const SECTION_BYTES: usize = 8 + 8 + 4;

/// Bytes of a directory entry: the first hash of a block and the block's offset in the section.
pub(super) const DIRECTORY_ENTRY_BYTES: usize = 8 + 4;

/// A block ends with the first group that makes it this long.
pub(super) const BLOCK_BYTES: usize = 4_096;

/// Hashes have 40 bits: 262,144 distinct values give one false row in four million lookups of an absent value.
pub(super) const HASH_BITS: u32 = 40;
const HASH_MASK: u64 = (1 << HASH_BITS) - 1;

/// The members that rows are found by; each has its section, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Key {
    /// `entity_id`
    EntityId,
    /// `actor`
    Actor,
    /// `trace_id`
    TraceId,
    /// `id`
    Id,
    /// `recorder`, `source` and `sequence` together.
    SourceSequence,
}

impl Key {
    /// The keys in the order of their sections.
    pub const ALL: [Key; 5] = [Key::EntityId, Key::Actor, Key::TraceId, Key::Id, Key::SourceSequence];
}

/// The hash of a value: the upper 40 bits of the XXH64 of its bytes, seed 0. It need not withstand anybody: who makes
/// values that share a hash makes a lookup read rows that it then drops.
pub(super) fn text_hash(value: &str) -> u64 {
    upper_bits(XxHash64::oneshot(0, value.as_bytes()))
}

/// The hash of sequence 0 of a source: of `recorder`, a zero byte and `source`, or of `source` alone.
pub(super) fn source_hash(recorder: Option<&str>, source: &str) -> u64 {
    match recorder {
        Some(recorder) => text_hash(&[recorder, source].join("\0")),
        None => text_hash(source),
    }
}

/// The hash of another sequence: successors lie side by side, so that a source's entries stay small.
pub(super) fn sequence_hash(source_hash: u64, sequence: u64) -> u64 {
    source_hash.wrapping_add(sequence) & HASH_MASK
}

fn upper_bits(hash: u64) -> u64 {
    hash >> (u64::BITS - HASH_BITS)
}
