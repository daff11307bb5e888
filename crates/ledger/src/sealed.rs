//! A sealed segment on disk, opened when it is first needed.

use std::sync::{Arc, OnceLock};

use counterfoil_segment::blocks::{BlockHashes, VerifiedFile};
use counterfoil_segment::index::Index;
use counterfoil_segment::{ReadAt, Segment};

use crate::error::{Error, Result};
use crate::layout::SegmentFile;
use crate::own::{FileDigest, SealedFacts};
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
    open: OnceLock<OpenSegment>,
}

/// A segment whose files have been tied to its `ledger.sealed` entry.
#[derive(Debug)]
pub(crate) struct OpenSegment {
    pub parquet: Arc<dyn ReadAt>,
    pub segment: Segment,
    pub index: Index,
}

impl Sealed {
    pub fn new(first: u64, count: u64) -> Self {
        Self { first, count, tiles: OnceLock::new(), open: OnceLock::new() }
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
        let tiles = open_tiles(folder, self.first)?;
        if (tiles.first, tiles.count) != (self.first, self.count) {
            return Err(Error::tampered(format!("{}: its tiles are those of another span", self.name(folder))));
        }
        Ok(self.tiles.get_or_init(|| tiles))
    }

    /// The files, tied to what the segment's `ledger.sealed` entry says.
    pub fn open(&self, folder: &Folder, facts: impl FnOnce() -> Result<SealedFacts>) -> Result<&OpenSegment> {
        if let Some(open) = self.open.get() {
            return Ok(open);
        }
        let facts = facts()?;
        if facts.count != self.count {
            let message = format!("was sealed with {} entries, and {} are before the next", facts.count, self.count);
            return Err(Error::tampered(format!("{}: it {message}", self.name(folder))));
        }
        let trailer = self.tiles(folder)?.trailer()?;
        let parquet = self.verified(folder, SegmentFile::Parquet, trailer.parquet, &facts)?;
        let index = self.verified(folder, SegmentFile::Index, trailer.index, &facts)?;
        let name = self.name(folder);
        let segment = Segment::open(parquet.clone()).map_err(|error| Error::segment(&name, error))?;
        let meta = segment.meta();
        if (meta.first, meta.count, meta.root) != (facts.first, facts.count, facts.root) {
            return Err(Error::tampered(format!("{name}: its metadata is not what its ledger.sealed entry says")));
        }
        let index = Index::open(index).map_err(|error| Error::segment(&name, error))?;
        Ok(self.open.get_or_init(|| OpenSegment { parquet, segment, index }))
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
        let inner = folder.disk.open(&path).map_err(|error| Error::io(&name, error))?;
        let inner: Arc<dyn ReadAt> = inner;
        let verified = VerifiedFile::new(inner, Arc::new(blocks), folder.blocks.clone());
        let verified = verified.map_err(|mismatch| Error::tampered(format!("{name}: {mismatch}")).because(mismatch))?;
        Ok(Arc::new(verified))
    }
}

/// Opens the `.tiles` file of the segment that starts at `first`.
pub(crate) fn open_tiles(folder: &Folder, first: u64) -> Result<Tiles> {
    let path = folder.layout.segment(first, SegmentFile::Tiles);
    let name = folder.layout.relative(&path);
    let file = folder.disk.open(&path).map_err(|error| Error::io(&name, error))?;
    Tiles::open(file, name)
}
