//! Reading sealed segments again, one at a time: every block must be the one that was sealed.

use std::io;
use std::sync::Arc;

use counterfoil_evidence::{Finding, FindingKind};
use counterfoil_segment::blocks::BlockHashes;

use super::finding;
use super::seals::{SealedFile, changed};
use super::segment::{FileCheck, trailer_blocks};
use crate::disk::Stamp;
use crate::error::{Error, ErrorKind, Result};
use crate::layout::SegmentFile;
use crate::sealed_segment::SealedSegment;

impl SealedSegment {
    /// How its three files look without being read; nothing of one that is not there.
    pub fn stamps(&self) -> [Option<Stamp>; 3] {
        let folder = &self.snapshot.folder;
        SegmentFile::ALL.map(|file| folder.disk.stamp(&folder.layout.segment(self.first(), file)).ok())
    }

    /// Reads its files from the disk, whatever is in memory, and holds every block against what its `ledger.sealed` entry says,
    /// which is proven to be in the tree. Of a Parquet file that the trail says was pruned, only the end that is kept: the rest
    /// is the copy's.
    ///
    /// Errors: those of a disk that does not answer.
    pub fn reread(&self) -> Result<Vec<Finding>> {
        let facts = match self.snapshot.sealed_facts(self.position) {
            Ok(facts) => facts,
            Err(error) => return broken(error, &self.name(), self.first()).map(|finding| vec![finding]),
        };
        let (mut files, mut findings) = (Vec::new(), Vec::new());
        for kind in SegmentFile::ALL {
            match self.read_again(kind) {
                Ok(Some(file)) => files.push((kind, file)),
                Ok(None) => {}
                Err(error) => findings.push(broken(error, &self.file_name(kind), self.first())?),
            }
        }
        let tiles = files.iter().find(|(kind, _)| *kind == SegmentFile::Tiles);
        let blocks = tiles.and_then(|(_, tiles)| trailer_blocks(tiles));
        if let Some([parquet, _]) = &blocks
            && files.iter().all(|(kind, _)| *kind != SegmentFile::Parquet)
        {
            findings.extend(self.check_end(parquet));
        }
        for (kind, file) in files {
            let expected = match (kind, &blocks) {
                (SegmentFile::Parquet, Some([parquet, _])) => Some(parquet.clone()),
                (SegmentFile::Index, Some([_, index])) => Some(index.clone()),
                _ => None,
            };
            let (file, sealed) = (SealedFile::new(file.name, kind, file.blocks, expected), facts.file(kind));
            if file.digest != sealed {
                findings.push(Finding { index: Some(self.first()), ..changed(&file, sealed) });
            }
        }
        Ok(findings)
    }

    /// One of its files as it is on the disk now; nothing of one that was pruned.
    fn read_again(&self, kind: SegmentFile) -> Result<Option<FileCheck>> {
        let folder = &self.snapshot.folder;
        let name = self.file_name(kind);
        match folder.disk.read(&folder.layout.segment(self.first(), kind)) {
            Ok(bytes) => Ok(Some(FileCheck { name, blocks: BlockHashes::of(&bytes), bytes: Arc::new(bytes) })),
            Err(error) if error.kind() == io::ErrorKind::NotFound && kind == SegmentFile::Parquet => {
                match self.snapshot.was_pruned(self.first())? {
                    true => Ok(None),
                    false => Err(Error::io(&name, error)),
                }
            }
            Err(error) => Err(Error::io(&name, error)),
        }
    }

    /// What is kept as the end of a pruned file, where it is another one.
    fn check_end(&self, blocks: &BlockHashes) -> Option<Finding> {
        let folder = &self.snapshot.folder;
        let path = folder.layout.footer(self.first());
        let end = folder.disk.open(&path).ok()?;
        if blocks.end_with(end.as_ref()).unwrap_or(false) {
            return None;
        }
        Some(wrong_end(&folder.layout.relative(&path), &self.name(), self.first()))
    }

    fn file_name(&self, kind: SegmentFile) -> String {
        let layout = &self.snapshot.folder.layout;
        layout.relative(&layout.segment(self.first(), kind))
    }
}

/// The finding that what is kept as the end of a pruned file is not its end.
pub(super) fn wrong_end(name: &str, of: &str, first: u64) -> Finding {
    let message =
        format!("it is not the end of {of}; nothing is read from it: remove it, and the bucket is asked for the end");
    finding(FindingKind::BlockMismatch, name, Some(first), message)
}

/// The finding that an error is; the error itself where nothing is known to be wrong.
fn broken(error: Error, name: &str, first: u64) -> Result<Finding> {
    let kind = match error.kind {
        ErrorKind::Tampered => FindingKind::SegmentUnsealed,
        ErrorKind::NotFound => FindingKind::MissingFile,
        ErrorKind::Damaged => FindingKind::FileUnreadable,
        _ => return Err(error),
    };
    Ok(finding(kind, name, Some(first), error.message))
}
