use std::io;

use counterfoil_tlog::{CompactRange, EMPTY_ROOT, Hash, LeafIndex, leaf_hash, leaf_hashes};

use super::BLOCK_BYTES;
use crate::{ReadAt, SegmentError};

/// The RFC 6962 leaf hash of every block of one file, and the file's length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockHashes {
    length: u64,
    leaves: Vec<Hash>,
}

/// A block whose bytes are not those that were hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("block {block} (at byte {offset}) is not the block that was sealed")]
pub struct BlockMismatch {
    /// The block, counted from 0.
    pub block: u64,
    /// The byte at which it begins.
    pub offset: u64,
}

impl BlockMismatch {
    pub(crate) fn at(block: u64) -> Self {
        Self { block, offset: block * BLOCK_BYTES as u64 }
    }

    /// The mismatch inside an error that a [`VerifiedFile`](super::VerifiedFile) gave, if it is one.
    pub fn in_error(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }
}

impl From<BlockMismatch> for io::Error {
    fn from(mismatch: BlockMismatch) -> Self {
        io::Error::new(io::ErrorKind::InvalidData, mismatch)
    }
}

impl BlockHashes {
    /// Hashes a file that is in memory.
    pub fn of(bytes: &[u8]) -> Self {
        Self { length: bytes.len() as u64, leaves: leaf_hashes(bytes.chunks(BLOCK_BYTES)) }
    }

    /// Hashes a file, reading it once from front to back.
    pub fn of_reader(file: &dyn ReadAt) -> io::Result<Self> {
        let length = file.len();
        let mut block = vec![0; BLOCK_BYTES];
        let mut leaves = Vec::new();
        for offset in (0..length).step_by(BLOCK_BYTES) {
            let bytes = &mut block[..block_length(length, offset)];
            file.read_at(offset, bytes)?;
            leaves.push(leaf_hash(bytes));
        }
        Ok(Self { length, leaves })
    }

    /// The root of the tree over the blocks; that of an empty tree for an empty file.
    pub fn root(&self) -> Hash {
        let mut range = CompactRange::new(LeafIndex(0));
        range.extend(&self.leaves);
        range.root().unwrap_or(EMPTY_ROOT)
    }

    /// The length of the file in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// How many blocks the file has.
    pub fn blocks(&self) -> u64 {
        self.leaves.len() as u64
    }

    /// Whether what is kept as the end of the file begins with a block and holds these very blocks from there on.
    pub fn end_with(&self, end: &dyn ReadAt) -> io::Result<bool> {
        let start = self.length.checked_sub(end.len());
        let Some(start) = start.filter(|start| start.is_multiple_of(BLOCK_BYTES as u64)) else { return Ok(false) };
        let mut bytes = vec![0; BLOCK_BYTES];
        for block in start / BLOCK_BYTES as u64..self.blocks() {
            let bytes = &mut bytes[..self.block_length(block)];
            end.read_at(block * BLOCK_BYTES as u64 - start, bytes)?;
            if self.check(block, bytes).is_err() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The hashes one after another, 32 bytes each.
    pub fn encode(&self) -> Vec<u8> {
        self.leaves.iter().flat_map(|leaf| leaf.0).collect()
    }

    /// The inverse of [`BlockHashes::encode`] for a file of `length` bytes; [`SegmentError::Format`] when a file of
    /// that length has another number of blocks.
    pub fn decode(encoded: &[u8], length: u64) -> Result<Self, SegmentError> {
        if encoded.len() as u64 != length.div_ceil(BLOCK_BYTES as u64).saturating_mul(32) {
            return Err(SegmentError::Format(format!(
                "{} bytes of block hashes do not fit a file of {length} bytes",
                encoded.len()
            )));
        }
        let leaves = encoded.chunks_exact(32).map(|leaf| Hash(leaf.try_into().expect("32 bytes"))).collect();
        Ok(Self { length, leaves })
    }

    /// The bytes that block `block` has.
    pub(super) fn block_length(&self, block: u64) -> usize {
        block_length(self.length, block * BLOCK_BYTES as u64)
    }

    /// Whether `bytes` are the bytes of block `block`.
    pub(super) fn check(&self, block: u64, bytes: &[u8]) -> Result<(), BlockMismatch> {
        match self.leaves.get(block as usize) {
            Some(leaf) if *leaf == leaf_hash(bytes) => Ok(()),
            _ => Err(BlockMismatch::at(block)),
        }
    }
}

/// The length of the block that begins at `offset` in a file of `length` bytes.
fn block_length(length: u64, offset: u64) -> usize {
    (length - offset).min(BLOCK_BYTES as u64) as usize
}
