//! A sealed segment on disk, opened when it is first needed.

use std::sync::{Arc, OnceLock};

use counterfoil_segment::blocks::{BlockHashes, VerifiedFile};
use counterfoil_segment::index::Index;
use counterfoil_segment::{ReadAt, Segment};

use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::layout::{Layout, SegmentFile};
use crate::own::{FileDigest, SealedFacts};
use crate::pruned::open_sealed;
use crate::snapshot::Folder;
use crate::tiles::Tiles;

/// A segment that stands in the folder.
#[derive(Debug)]
pub(crate) struct Sealed {
    /// Index of the first entry.
    pub first: u64,
    /// How many entries.
    pub count: u64,
    tiles: OnceLock<Tiles>,
    parquet_length: OnceLock<u64>,
    facts: OnceLock<SealedFacts>,
    index: OnceLock<Index>,
    open: OnceLock<OpenSegment>,
}

/// A Parquet file that has been tied to its `ledger.sealed` entry.
#[derive(Debug)]
pub(crate) struct OpenSegment {
    pub parquet: Arc<dyn ReadAt>,
    pub segment: Segment,
}

impl Sealed {
    pub fn new(first: u64, count: u64) -> Self {
        Self {
            first,
            count,
            tiles: OnceLock::new(),
            parquet_length: OnceLock::new(),
            facts: OnceLock::new(),
            index: OnceLock::new(),
            open: OnceLock::new(),
        }
    }

    /// One past the index of the last entry.
    pub fn end(&self) -> u64 {
        self.first + self.count
    }

    /// The Parquet file's name in the ledger's folder.
    pub fn name(&self, folder: &Folder) -> String {
        folder.layout.relative(&folder.layout.segment(self.first, SegmentFile::Parquet))
    }

    /// The tree's hashes over the span. They prove themselves: a wrong one gives a proof that fails.
    pub fn tiles(&self, folder: &Folder) -> Result<&Tiles> {
        if let Some(tiles) = self.tiles.get() {
            return Ok(tiles);
        }
        let tiles = open_tiles(folder.disk.as_ref(), &folder.layout, self.first)?;
        if (tiles.first, tiles.count) != (self.first, self.count) {
            return Err(Error::tampered(format!("{}: its tiles are those of another span", self.name(folder))));
        }
        Ok(self.tiles.get_or_init(|| tiles))
    }

    /// The length of the Parquet file, wherever it is.
    pub fn parquet_length(&self, folder: &Folder) -> Result<u64> {
        if let Some(length) = self.parquet_length.get() {
            return Ok(*length);
        }
        let length = self.tiles(folder)?.trailer()?.parquet.length();
        Ok(*self.parquet_length.get_or_init(|| length))
    }

    /// The Parquet file, tied to what the segment's `ledger.sealed` entry says.
    pub fn open(&self, folder: &Folder, facts: impl FnOnce() -> Result<SealedFacts>) -> Result<&OpenSegment> {
        if let Some(open) = self.open.get() {
            return Ok(open);
        }
        let facts = self.facts(folder, facts)?;
        let blocks = self.tiles(folder)?.trailer()?.parquet;
        let parquet = self.verified(folder, SegmentFile::Parquet, blocks, facts)?;
        let name = self.name(folder);
        let segment = Segment::open(parquet.clone()).map_err(|error| Error::segment(&name, error))?;
        let meta = segment.meta();
        if (meta.first, meta.count, meta.root) != (facts.first, facts.count, facts.root) {
            return Err(Error::tampered(format!("{name}: its metadata is not what its ledger.sealed entry says")));
        }
        Ok(self.open.get_or_init(|| OpenSegment { parquet, segment }))
    }

    /// The index file, tied to the same entry. It is there also where the Parquet file was pruned.
    pub fn index(&self, folder: &Folder, facts: impl FnOnce() -> Result<SealedFacts>) -> Result<&Index> {
        if let Some(index) = self.index.get() {
            return Ok(index);
        }
        let facts = self.facts(folder, facts)?;
        let blocks = self.tiles(folder)?.trailer()?.index;
        let index = Index::open(self.verified(folder, SegmentFile::Index, blocks, facts)?);
        let index = index.map_err(|error| Error::segment(self.name(folder), error))?;
        Ok(self.index.get_or_init(|| index))
    }

    fn facts(&self, folder: &Folder, find: impl FnOnce() -> Result<SealedFacts>) -> Result<&SealedFacts> {
        if let Some(facts) = self.facts.get() {
            return Ok(facts);
        }
        let facts = find()?;
        if facts.count != self.count {
            let message = format!("was sealed with {} entries, and {} are before the next", facts.count, self.count);
            return Err(Error::tampered(format!("{}: it {message}", self.name(folder))));
        }
        Ok(self.facts.get_or_init(|| facts))
    }

    fn verified(
        &self,
        folder: &Folder,
        file: SegmentFile,
        blocks: BlockHashes,
        facts: &SealedFacts,
    ) -> Result<Arc<dyn ReadAt>> {
        let path = folder.layout.segment(self.first, file);
        let name = folder.layout.relative(&path);
        if FileDigest::of(&blocks) != facts.file(file) {
            return Err(Error::tampered(format!("{name}: its block digests are not those that were sealed")));
        }
        let inner = open_sealed(folder.disk.as_ref(), &folder.layout, self.first, file, &blocks)?;
        let verified = VerifiedFile::new(inner, Arc::new(blocks), folder.blocks.clone());
        let verified = verified.map_err(|mismatch| Error::tampered(format!("{name}: {mismatch}")).because(mismatch))?;
        Ok(Arc::new(verified))
    }
}

/// Opens the `.tiles` file of the segment that starts at `first`.
pub(crate) fn open_tiles(disk: &dyn Disk, layout: &Layout, first: u64) -> Result<Tiles> {
    let path = layout.segment(first, SegmentFile::Tiles);
    let name = layout.relative(&path);
    let file = disk.open(&path).map_err(|error| Error::io(&name, error))?;
    Tiles::open(file, name)
}
