use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::{BLOCK_BYTES, BlockCache, BlockHashes, BlockMismatch};
use crate::ReadAt;

/// A file that hands out no byte before the block around it was found to be the one that was hashed.
///
/// The bytes that were hashed are the bytes that are returned, now and from the cache later: a file that changes
/// under a reader is either read as it was or answered with [`BlockMismatch`] inside an [`io::Error`].
#[derive(Debug)]
pub struct VerifiedFile {
    inner: Arc<dyn ReadAt>,
    hashes: Arc<BlockHashes>,
    cache: Arc<BlockCache>,
    number: u64,
}

impl VerifiedFile {
    /// Puts the check before `inner`, whose hashes the caller has proven to be `hashes`.
    ///
    /// Errors: the mismatch of the block in which one file ends and the other goes on, when the lengths differ.
    pub fn new(
        inner: Arc<dyn ReadAt>,
        hashes: Arc<BlockHashes>,
        cache: Arc<BlockCache>,
    ) -> Result<Self, BlockMismatch> {
        if inner.len() != hashes.length() {
            return Err(BlockMismatch::at(inner.len().min(hashes.length()) / BLOCK_BYTES as u64));
        }
        let number = cache.number_file();
        Ok(Self { inner, hashes, cache, number })
    }

    /// The hashes that the file is held to.
    pub fn hashes(&self) -> &BlockHashes {
        &self.hashes
    }

    /// The whole of a block, hashed or remembered.
    fn block(&self, block: u64) -> io::Result<Bytes> {
        if let Some(bytes) = self.cache.get((self.number, block)) {
            return Ok(bytes);
        }
        let mut bytes = vec![0; self.hashes.block_length(block)];
        self.inner.read_at(block * BLOCK_BYTES as u64, &mut bytes)?;
        self.hashes.check(block, &bytes)?;
        let bytes = Bytes::from(bytes);
        self.cache.insert((self.number, block), bytes.clone());
        Ok(bytes)
    }
}

impl ReadAt for VerifiedFile {
    fn len(&self) -> u64 {
        self.hashes.length()
    }

    fn read_at(&self, offset: u64, mut buf: &mut [u8]) -> io::Result<()> {
        let end = offset.checked_add(buf.len() as u64);
        if end.is_none_or(|end| end > self.len()) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut at = offset;
        while !buf.is_empty() {
            let block = self.block(at / BLOCK_BYTES as u64)?;
            let rest = &block[(at % BLOCK_BYTES as u64) as usize..];
            let taken = rest.len().min(buf.len());
            let (filled, left) = buf.split_at_mut(taken);
            filled.copy_from_slice(&rest[..taken]);
            at += taken as u64;
            buf = left;
        }
        Ok(())
    }
}
