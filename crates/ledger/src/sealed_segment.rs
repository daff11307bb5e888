//! A sealed segment as a snapshot sees it.

use std::sync::Arc;

use counterfoil_segment::blocks::BLOCK_BYTES;
use counterfoil_segment::index::{Index, Key};
use counterfoil_segment::{ReadAt, Segment};

use crate::error::{Error, Result};
use crate::layout::SegmentFile;
use crate::sealed::{OpenSegment, Sealed};
use crate::snapshot::Snapshot;

/// A sealed segment as a snapshot sees it. What is read from it is checked, block by block, against the digests in its
/// `ledger.sealed` entry, and that entry against the snapshot's root.
#[derive(Debug, Clone)]
pub struct SealedSegment {
    pub(crate) snapshot: Snapshot,
    pub(crate) position: usize,
}

impl SealedSegment {
    fn sealed(&self) -> &Sealed {
        &self.snapshot.head.segments[self.position]
    }

    /// Index of the first entry.
    pub fn first(&self) -> u64 {
        self.sealed().first
    }

    /// How many entries it holds.
    pub fn count(&self) -> u64 {
        self.sealed().count
    }

    /// The Parquet file's name in the ledger's folder.
    pub fn name(&self) -> String {
        self.sealed().name(&self.snapshot.folder)
    }

    /// Whether the folder would gain by letting go of its Parquet file: it is there, and longer than the block that would stay.
    pub fn may_go(&self) -> bool {
        let folder = &self.snapshot.folder;
        let opened = folder.disk.open(&folder.layout.segment(self.first(), SegmentFile::Parquet));
        opened.is_ok_and(|file| file.len() > BLOCK_BYTES as u64)
    }

    /// Whether its Parquet file is in the folder, rather than in a copy only.
    pub fn is_here(&self) -> bool {
        let folder = &self.snapshot.folder;
        folder.disk.open(&folder.layout.segment(self.first(), SegmentFile::Parquet)).is_ok()
    }

    fn open(&self) -> Result<&OpenSegment> {
        self.sealed().open(&self.snapshot.folder, || self.snapshot.sealed_facts(self.position))
    }

    /// The Parquet file; every block is checked when it is read.
    pub fn parquet(&self) -> Result<Arc<dyn ReadAt>> {
        Ok(self.open()?.parquet.clone())
    }

    /// The segment behind the file, opened once.
    pub fn segment(&self) -> Result<&Segment> {
        Ok(&self.open()?.segment)
    }

    /// The index file beside it.
    pub fn index(&self) -> Result<&Index> {
        self.sealed().index(&self.snapshot.folder, || self.snapshot.sealed_facts(self.position))
    }

    /// Rows whose key may have this value, ascending.
    pub fn lookup(&self, key: Key, value: &str) -> Result<Vec<u64>> {
        let rows = self.index()?.lookup(key, value);
        let rows = rows.map_err(|error| Error::segment(self.name(), error))?;
        Ok(rows.into_iter().map(u64::from).collect())
    }
}
