//! What a query reads.

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use counterfoil::{Result, SealedSegment, Snapshot};
use counterfoil_segment::ReadAt;
use counterfoil_segment::index::Key;
use parquet::file::metadata::ParquetMetaData;

/// One consistent state of a ledger: sealed segments from entry 0 on without a gap, then the unsealed tail.
/// Two sources of the same [`identity`](Source::identity) hold the same entry at the same index.
pub trait Source: Send + Sync + 'static {
    /// What tells this ledger from others: origin and verifier key.
    fn identity(&self) -> Arc<str>;
    /// Number of entries: those that one signed checkpoint covers.
    fn size(&self) -> u64;
    /// The sealed segments, ascending and contiguous from entry 0. The last may reach beyond [`size`](Source::size).
    fn sealed(&self) -> Vec<Arc<dyn Sealed>>;
    /// Hands out the canonical bytes of unsealed entries, in order.
    ///
    /// # Errors
    /// What the ledger answers when its journal cannot be read.
    fn tail(&self, range: Range<u64>, each: &mut dyn FnMut(u64, &[u8])) -> Result<()>;
}

/// One sealed segment.
pub trait Sealed: Debug + Send + Sync + 'static {
    /// The file's name inside the ledger folder, for errors and plans.
    fn name(&self) -> String;
    /// Index of its first entry.
    fn first(&self) -> u64;
    /// Number of its entries.
    fn count(&self) -> u64;
    /// Whether the Parquet file is on the local disk, so that reading it waits for nobody.
    fn is_here(&self) -> bool {
        true
    }
    /// The Parquet file's bytes, checked as they are read.
    ///
    /// # Errors
    /// `Damaged` or `Tampered` when the file is not there or not the one that was sealed.
    fn file(&self) -> Result<Arc<dyn ReadAt>>;
    /// The footer with its page index.
    ///
    /// # Errors
    /// `Damaged` or `Tampered` when the footer cannot be read or is not what was sealed.
    fn metadata(&self) -> Result<Arc<ParquetMetaData>>;
    /// Positions, ascending, of all rows with this value (more may be among them); `None` when the segment has no index.
    ///
    /// # Errors
    /// `Damaged` or `Tampered` when the index cannot be read or is not what was sealed.
    fn lookup(&self, key: Key, value: &str) -> Result<Option<Vec<u64>>>;
}

impl Source for Snapshot {
    fn identity(&self) -> Arc<str> {
        format!("{} {}", self.origin(), self.verifier_key()).into()
    }

    fn size(&self) -> u64 {
        Snapshot::size(self)
    }

    fn sealed(&self) -> Vec<Arc<dyn Sealed>> {
        let segments = self.segments().into_iter();
        segments.map(|segment| Arc::new(segment) as Arc<dyn Sealed>).collect()
    }

    fn tail(&self, range: Range<u64>, each: &mut dyn FnMut(u64, &[u8])) -> Result<()> {
        Snapshot::tail(self, range, each)
    }
}

impl Sealed for SealedSegment {
    fn name(&self) -> String {
        SealedSegment::name(self)
    }

    fn first(&self) -> u64 {
        SealedSegment::first(self)
    }

    fn count(&self) -> u64 {
        SealedSegment::count(self)
    }

    fn is_here(&self) -> bool {
        SealedSegment::is_here(self)
    }

    fn file(&self) -> Result<Arc<dyn ReadAt>> {
        self.parquet()
    }

    fn metadata(&self) -> Result<Arc<ParquetMetaData>> {
        Ok(self.segment()?.parquet_metadata())
    }

    fn lookup(&self, key: Key, value: &str) -> Result<Option<Vec<u64>>> {
        SealedSegment::lookup(self, key, value).map(Some)
    }
}
