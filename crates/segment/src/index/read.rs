use std::sync::{Arc, OnceLock};

use super::group::{self, Place};
use super::layout::{
    DIRECTORY_ENTRY_BYTES, HEADER_BYTES, Key, MAGIC, SECTION_BYTES, VERSION, sequence_hash, source_hash, text_hash,
};
use super::sources::{self, SourceState};
use crate::{MAX_ROWS, ReadAt, SegmentError};

/// An open index file. Opening reads the header; a lookup reads one block, and the first lookup of a key its directory.
#[derive(Debug)]
pub struct Index {
    file: Arc<dyn ReadAt>,
    first: u64,
    rows: u32,
    sections: [Section; Key::ALL.len()],
    sources: (u64, u64),
}

/// The part of the file that belongs to one key.
#[derive(Debug)]
struct Section {
    start: u64,
    directory_start: u64,
    blocks: u32,
    directory: OnceLock<Vec<Fence>>,
}

/// Where a block begins: its first hash, and its offset in the section.
#[derive(Clone, Copy, Debug)]
struct Fence {
    hash: u64,
    offset: u32,
}

impl Index {
    /// Reads the header.
    ///
    /// Errors: [`SegmentError::Format`] when the file is not an index of this version, and those of reading.
    pub fn open(file: Arc<dyn ReadAt>) -> Result<Self, SegmentError> {
        let mut header = [0; HEADER_BYTES];
        file.read_at(0, &mut header)?;
        let mut rest = header.as_slice();
        if take::<8>(&mut rest) != MAGIC || u32::from_le_bytes(take(&mut rest)) != VERSION {
            return Err(malformed("it does not begin as one"));
        }
        let rows = u32::from_le_bytes(take(&mut rest));
        let first = u64::from_le_bytes(take(&mut rest));
        let sections = std::array::from_fn(|_| Section::read(&take::<SECTION_BYTES>(&mut rest)));
        let sources = (u64::from_le_bytes(take(&mut rest)), u64::from_le_bytes(take(&mut rest)));
        let index = Self { file, first, rows, sections, sources };
        index.check()?;
        Ok(index)
    }

    /// Refuses a header whose parts do not follow one another to the end of the file.
    fn check(&self) -> Result<(), SegmentError> {
        let mut at = HEADER_BYTES as u64;
        for section in &self.sections {
            let end = section.directory_bytes().checked_add(section.directory_start);
            let inside = section.directory_start.checked_sub(section.start).is_some_and(|len| len <= u32::MAX.into());
            match end.filter(|_| section.start == at && inside) {
                Some(end) => at = end,
                None => return Err(malformed("its sections do not follow one another")),
            }
        }
        let (start, end) = self.sources;
        if start != at || end < start || end != self.file.len() || u64::from(self.rows) > MAX_ROWS {
            return Err(malformed("its length does not fit its header"));
        }
        Ok(())
    }

    /// The index of the entry in row 0.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// How many rows the segment has.
    pub fn rows(&self) -> u64 {
        self.rows.into()
    }

    /// The rows, ascending, whose entry has `value` as its `key`. A row with another value of the same hash may be
    /// among them, so the caller compares. [`Key::SourceSequence`] has no single value: it gives no row here.
    ///
    /// Errors: [`SegmentError::Format`] when the file contradicts itself, and those of reading.
    pub fn lookup(&self, key: Key, value: &str) -> Result<Vec<u32>, SegmentError> {
        match key {
            Key::SourceSequence => Ok(Vec::new()),
            _ => self.find(key, text_hash(value)),
        }
    }

    /// The rows, ascending, of the entry with this source and sequence that `recorder` submitted. As with
    /// [`Index::lookup`] the caller compares.
    ///
    /// Errors: as for [`Index::lookup`].
    pub fn lookup_sequence(
        &self,
        recorder: Option<&str>,
        source: &str,
        sequence: u64,
    ) -> Result<Vec<u32>, SegmentError> {
        self.find(Key::SourceSequence, sequence_hash(source_hash(recorder, source), sequence))
    }

    /// What was seen of every source when the segment's last entry was committed, ordered by recorder and source.
    ///
    /// Errors: as for [`Index::lookup`].
    pub fn sources(&self) -> Result<Vec<SourceState>, SegmentError> {
        let (start, end) = self.sources;
        sources::read(&self.bytes(start, end)?).ok_or_else(|| malformed("its sources cannot be read"))
    }

    fn find(&self, key: Key, hash: u64) -> Result<Vec<u32>, SegmentError> {
        let section = &self.sections[key as usize];
        let directory = self.directory(section)?;
        let after = directory.partition_point(|fence| fence.hash <= hash);
        let Some(fence) = after.checked_sub(1).map(|block| directory[block]) else {
            return Ok(Vec::new());
        };
        let next = directory.get(after).map(|next| section.start + u64::from(next.offset));
        let end = next.unwrap_or(section.directory_start);
        let block = self.bytes(section.start + u64::from(fence.offset), end)?;
        let mut bytes = block.as_slice();
        let mut place = Place { hash: fence.hash, row: 0 };
        let mut rows = Vec::new();
        while !bytes.is_empty() {
            let found = group::read(&mut place, &mut bytes, self.rows, |group| group == hash, &mut rows);
            if found.ok_or_else(|| malformed("a block cannot be read"))? >= hash {
                break;
            }
        }
        Ok(rows)
    }

    fn directory<'a>(&self, section: &'a Section) -> Result<&'a [Fence], SegmentError> {
        if let Some(directory) = section.directory.get() {
            return Ok(directory);
        }
        let bytes = self.bytes(section.directory_start, section.directory_start + section.directory_bytes())?;
        let fences = bytes.chunks_exact(DIRECTORY_ENTRY_BYTES).map(|mut entry| Fence {
            hash: u64::from_le_bytes(take(&mut entry)),
            offset: u32::from_le_bytes(take(&mut entry)),
        });
        let directory: Vec<Fence> = fences.collect();
        let length = section.directory_start - section.start;
        let ascending = directory.windows(2).all(|pair| pair[0].hash < pair[1].hash && pair[0].offset < pair[1].offset);
        if !ascending || directory.last().is_some_and(|last| u64::from(last.offset) >= length) {
            return Err(malformed("a directory is not in order"));
        }
        Ok(section.directory.get_or_init(|| directory))
    }

    /// The bytes from `start` to `end`, which lie inside the file.
    fn bytes(&self, start: u64, end: u64) -> Result<Vec<u8>, SegmentError> {
        let mut bytes = vec![0; (end - start) as usize];
        self.file.read_at(start, &mut bytes)?;
        Ok(bytes)
    }
}

impl Section {
    fn read(mut described: &[u8]) -> Self {
        Self {
            start: u64::from_le_bytes(take(&mut described)),
            directory_start: u64::from_le_bytes(take(&mut described)),
            blocks: u32::from_le_bytes(take(&mut described)),
            directory: OnceLock::new(),
        }
    }

    fn directory_bytes(&self) -> u64 {
        u64::from(self.blocks) * DIRECTORY_ENTRY_BYTES as u64
    }
}

/// Takes `N` bytes off the front of bytes whose number is fixed.
fn take<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
    let (taken, rest) = bytes.split_first_chunk().expect("the length is fixed");
    *bytes = rest;
    *taken
}

fn malformed(what: &str) -> SegmentError {
    SegmentError::Format(format!("the index is damaged: {what}"))
}
