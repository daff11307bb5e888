//! What a copy of the ledger is made of: the bytes of its files, as a snapshot sees them.

use std::ops::Range;
use std::sync::Arc;

use counterfoil_segment::ReadAt;
use counterfoil_segment::blocks::{BlockCache, BlockHashes, VerifiedFile};

use crate::error::{Error, Result};
use crate::frame::FrameHeader;
use crate::layout::SegmentFile;
use crate::own::FileDigest;
use crate::pruned::open_file;
use crate::sealed_segment::SealedSegment;
use crate::snapshot::Snapshot;

/// Whole frames of one journal file, as they stand in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalPart {
    /// The index that names the journal file.
    pub file: u64,
    /// Index of the first entry.
    pub first: u64,
    /// One past the index of the last entry.
    pub end: u64,
    /// Where the first frame begins in the file.
    pub offset: u64,
    /// The frames.
    pub bytes: Vec<u8>,
}

impl Snapshot {
    /// The bytes of `ledger.toml`.
    pub fn config_file(&self) -> Result<Vec<u8>> {
        let read = self.folder.disk.read_small(&self.folder.layout.config());
        read.map_err(|error| Error::io("ledger.toml", error))
    }

    /// The index that names the newest journal file that begins at or before an entry.
    pub fn journal_file_of(&self, index: u64) -> Option<u64> {
        self.head.journals.iter().map(|journal| journal.first).rfind(|first| *first <= index)
    }

    /// Whole frames of a journal file from the entry `from` on, where a frame must begin: at most `most` bytes, but as many
    /// as it takes to hold the entry `beyond`; `None` where the snapshot ends before it. `Tampered` when no frame begins
    /// there, `Damaged` when one is not whole.
    pub fn journal_part(&self, file: u64, from: u64, beyond: u64, most: u64) -> Result<Option<JournalPart>> {
        let journal = self.head.journals.iter().find(|journal| journal.first == file);
        let journal = journal.ok_or_else(|| Error::not_found(format!("there is no journal file {file}")))?;
        let frames = journal.frames(from..self.size());
        let Some(start) = frames.first() else { return Ok(None) };
        if start.header.first != from {
            return Err(Error::tampered(format!("{}: no commit begins with entry {from}", journal.name)));
        }
        let mut part = JournalPart { file, first: from, end: from, offset: start.offset, bytes: Vec::new() };
        for place in &frames {
            let whole = place.header.end() <= self.size();
            if !whole || part.end > beyond && part.bytes.len() as u64 + place.header.total_bytes() > most {
                break;
            }
            let frame = journal.frame_bytes(place)?;
            let checked = place.header.check(&frame);
            checked.map_err(|error| Error::damaged(format!("{}: at byte {}: {error}", journal.name, place.offset)))?;
            part.bytes.extend_from_slice(&frame);
            part.end = place.header.end();
        }
        Ok((part.end > beyond).then_some(part))
    }

    /// How many bytes of the journal hold the tail's entries in a range.
    pub fn tail_bytes(&self, range: Range<u64>) -> u64 {
        let Some(journal) = self.head.journals.iter().rfind(|journal| journal.first <= range.start) else { return 0 };
        journal.frames(range).iter().map(|place| place.header.total_bytes()).sum()
    }

    /// The names of the attachments.
    pub fn attachments(&self) -> Result<Vec<String>> {
        let listed = self.folder.disk.list(&self.folder.layout.attachments());
        listed.map_err(|error| Error::io("attachments", error))
    }

    /// An attachment, to be read piece by piece.
    pub fn attachment(&self, name: &str) -> Result<Arc<dyn ReadAt>> {
        let opened = self.folder.disk.open(&self.folder.layout.attachments().join(name));
        let opened: Arc<dyn ReadAt> = opened.map_err(|error| Error::io(format!("attachments/{name}"), error))?;
        Ok(opened)
    }
}

impl SealedSegment {
    /// The name of one of the segment's files in the ledger's folder, and the file: each block is checked when it is read.
    pub fn file(&self, file: SegmentFile) -> Result<(String, Arc<dyn ReadAt>)> {
        let folder = &self.snapshot.folder;
        let name = folder.layout.relative(&folder.layout.segment(self.first(), file));
        let opened = open_file(folder.disk.as_ref(), &folder.layout, self.first(), file)?;
        let blocks = BlockHashes::of_reader(opened.as_ref()).map_err(|error| Error::io(&name, error))?;
        if !self.was_sealed_as(file, &blocks)? {
            return Err(Error::tampered(format!("{name}: it is not the file that was sealed")));
        }
        let checked = VerifiedFile::new(opened, Arc::new(blocks), Arc::new(BlockCache::new(0)));
        let checked = checked.map_err(|mismatch| Error::tampered(format!("{name}: {mismatch}")))?;
        Ok((name, Arc::new(checked)))
    }

    /// Whether a file with these blocks is the one that was sealed.
    pub fn was_sealed_as(&self, file: SegmentFile, blocks: &BlockHashes) -> Result<bool> {
        Ok(FileDigest::of(blocks) == self.snapshot.sealed_facts(self.position)?.file(file))
    }
}

/// The frames' headers in a part of a journal file, each checked against its bytes. `Damaged` when the bytes are not whole
/// frames, one behind the other.
pub fn frames_in(bytes: &[u8]) -> Result<Vec<(FrameHeader, &[u8])>> {
    let mut found = Vec::new();
    let mut rest = bytes;
    while let Some(header) = rest.first_chunk() {
        let header = FrameHeader::parse(header).map_err(|error| Error::damaged(error.to_string()))?;
        let frame = usize::try_from(header.total_bytes()).ok().and_then(|length| rest.split_off(..length));
        let frame = frame.ok_or_else(|| Error::damaged("the bytes end inside a frame"))?;
        header.check(frame).map_err(|error| Error::damaged(error.to_string()))?;
        found.push((header, frame));
    }
    if rest.is_empty() { Ok(found) } else { Err(Error::damaged("the bytes end inside a frame")) }
}
