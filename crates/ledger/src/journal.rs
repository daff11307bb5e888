//! One journal file: the newest entries, frame by frame, and what reading needs to know of them.

use std::ops::Range;
use std::sync::Arc;

use counterfoil_tlog::{CompactRange, Hash, LeafIndex, TreeSize, leaf_hashes, subtree_hash};

use crate::disk::DiskFile;
use crate::error::{Error, Result};
use crate::frame::{self, FrameError, FrameHeader, HEADER_BYTES, MAX_FRAME_BYTES, TableRow};

/// The level of the nodes that a journal keeps, so that a proof over its newest entries costs hundreds of hashes and
/// not hundreds of thousands. Journal files start at multiples of 2^`NODE_LEVEL`.
pub const NODE_LEVEL: u8 = CompactRange::EXTEND_LEVEL;
const NODE_SPAN: usize = 1 << NODE_LEVEL;

/// The most bytes that a writer has allocated behind the last whole frame: a frame that was not finished, and what was
/// reserved for the next ones.
pub const MAX_RESERVE_BYTES: u64 = 2 * (MAX_FRAME_BYTES + HEADER_BYTES) as u64 + (64 << 20);

/// What a file's reserve reads as; comparing with it is faster than looking at each byte.
pub static ZEROS: [u8; 1 << 16] = [0; 1 << 16];

/// A frame and where it stands in its file.
#[derive(Debug, Clone, Copy)]
pub struct FramePlace {
    /// What the frame says of itself.
    pub header: FrameHeader,
    /// Its first byte in the file.
    pub offset: u64,
}

impl FramePlace {
    /// One past the frame's last byte.
    pub fn end_offset(&self) -> u64 {
        self.offset + self.header.total_bytes()
    }

    fn entries_offset(&self) -> u64 {
        self.offset + (HEADER_BYTES + frame::table_bytes(self.header.count)) as u64
    }
}

/// A journal file with the frames that are durable in it.
#[derive(Debug)]
pub struct Journal {
    /// Index of the first entry.
    pub first: u64,
    /// The file's name relative to the ledger's folder.
    pub name: String,
    file: Arc<dyn DiskFile>,
    content: Content,
}

/// What only grows while others read it, without a lock: a reader that was set aside must never hold up a commit. One thread
/// writes. A frame comes after its rows and nodes, so what a frame says is there is there.
#[derive(Debug, Default)]
struct Content {
    frames: boxcar::Vec<FramePlace>,
    rows: boxcar::Vec<Row>,
    nodes: boxcar::Vec<Hash>,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    leaf: Hash,
    place: Place,
}

/// An entry's bytes in the file: 48 bits of offset, 16 bits of length.
#[derive(Debug, Clone, Copy)]
struct Place(u64);

impl Place {
    fn new(offset: u64, length: u32) -> Self {
        Self(offset << 16 | u64::from(length))
    }

    fn offset(self) -> u64 {
        self.0 >> 16
    }

    fn length(self) -> usize {
        (self.0 & 0xffff) as usize
    }
}

/// What is given the entries of a frame, each with its index.
type FrameVisitor<'a> = dyn FnMut(&[(u64, &[u8])]) -> Result<()> + 'a;

/// How reading a journal file's frames came to an end.
#[derive(Debug)]
pub enum ScanEnd {
    /// Nothing but zeros, or nothing at all, follows the last frame.
    Clean,
    /// Something that is no frame follows at `offset`.
    Broken {
        /// Where it starts.
        offset: u64,
        /// Why it is no frame.
        error: FrameError,
    },
}

impl Journal {
    /// A journal with no frames yet.
    pub fn new(first: u64, name: String, file: Arc<dyn DiskFile>) -> Self {
        Self { first, name, file, content: Content::default() }
    }

    /// Reads the headers and tables of all frames; the entries' bytes are left alone.
    pub fn scan(&self) -> Result<ScanEnd> {
        let length = self.file.len();
        let mut offset = 0;
        let mut next = self.first;
        loop {
            match self.read_table(offset, length) {
                Ok((header, rows)) if header.first == next => {
                    next = header.end();
                    let place = FramePlace { header, offset };
                    offset = place.end_offset();
                    let nodes = self.completed_nodes(&rows);
                    self.publish(place, &rows, &nodes);
                }
                Ok(_) => {
                    let error = FrameError::Header("it does not start where the last one ended");
                    return Ok(ScanEnd::Broken { offset, error });
                }
                Err(ScanError::Frame(FrameError::Absent)) => return self.rest(offset, length),
                Err(ScanError::Frame(error)) => return Ok(ScanEnd::Broken { offset, error }),
                Err(ScanError::Disk(error)) => return Err(Error::io(&self.name, error)),
            }
        }
    }

    fn read_table(&self, offset: u64, length: u64) -> std::result::Result<(FrameHeader, Vec<TableRow>), ScanError> {
        if offset == length {
            return Err(ScanError::Frame(FrameError::Absent));
        }
        let mut bytes = [0; HEADER_BYTES];
        if offset + HEADER_BYTES as u64 > length {
            let short = &mut bytes[..(length - offset) as usize];
            self.file.read_at(offset, short)?;
            let absent = short.iter().all(|byte| *byte == 0);
            return Err(ScanError::Frame(if absent { FrameError::Absent } else { FrameError::Truncated }));
        }
        self.file.read_at(offset, &mut bytes)?;
        let header = FrameHeader::parse(&bytes)?;
        if offset + header.total_bytes() > length {
            return Err(ScanError::Frame(FrameError::Truncated));
        }
        let mut table = vec![0; frame::table_bytes(header.count)];
        self.file.read_at(offset + HEADER_BYTES as u64, &mut table)?;
        Ok((header, frame::table(&header, &table)?))
    }

    fn rest(&self, offset: u64, length: u64) -> Result<ScanEnd> {
        if length - offset > MAX_RESERVE_BYTES {
            let error = FrameError::Header("the file goes on for longer than any writer reserves");
            return Ok(ScanEnd::Broken { offset, error });
        }
        if self.first_nonzero(offset, length)?.is_none() {
            return Ok(ScanEnd::Clean);
        }
        let error = FrameError::Header("bytes that are not zero stand where a frame would start");
        Ok(ScanEnd::Broken { offset, error })
    }

    /// Where the first byte that is not zero stands in a part of the file.
    pub fn first_nonzero(&self, from: u64, to: u64) -> Result<Option<u64>> {
        let mut buffer = vec![0; 1 << 16];
        let mut at = from;
        while at < to {
            let part = &mut buffer[..((to - at) as usize).min(1 << 16)];
            self.file.read_at(at, part).map_err(|error| Error::io(&self.name, error))?;
            if *part != ZEROS[..part.len()]
                && let Some(position) = part.iter().position(|byte| *byte != 0)
            {
                return Ok(Some(at + position as u64));
            }
            at += part.len() as u64;
        }
        Ok(None)
    }

    /// The nodes at [`NODE_LEVEL`] that further rows complete.
    pub fn completed_nodes(&self, rows: &[TableRow]) -> Vec<Hash> {
        let end = self.end();
        let open = (end - self.first) % NODE_SPAN as u64;
        let mut leaves = self.leaves(end - open..end);
        leaves.extend(rows.iter().map(|row| row.leaf));
        leaves.chunks_exact(NODE_SPAN).map(subtree_hash).collect()
    }

    /// Adds a frame whose bytes are durable, and the nodes at [`NODE_LEVEL`] that it completes.
    pub fn publish(&self, place: FramePlace, rows: &[TableRow], nodes: &[Hash]) {
        let mut at = place.entries_offset();
        for row in rows {
            self.content.rows.push(Row { leaf: row.leaf, place: Place::new(at, row.length) });
            at += u64::from(row.length);
        }
        for node in nodes {
            self.content.nodes.push(*node);
        }
        self.content.frames.push(place);
    }

    /// Forgets the last frame, which turned out not to be whole.
    pub fn forget_last(&mut self) {
        let Some(place) = self.last_frame() else { return };
        let kept = (place.header.first - self.first) as usize;
        let Content { frames, rows, nodes } = std::mem::take(&mut self.content);
        let frames_kept = frames.count() - 1;
        self.content = Content {
            frames: frames.into_iter().take(frames_kept).collect(),
            rows: rows.into_iter().take(kept).collect(),
            nodes: nodes.into_iter().take(kept >> NODE_LEVEL).collect(),
        };
    }

    /// The underlying file.
    pub fn file(&self) -> &Arc<dyn DiskFile> {
        &self.file
    }

    /// One past the index of the last entry.
    pub fn end(&self) -> u64 {
        self.last_frame().map_or(self.first, |place| place.header.end())
    }

    /// One past the last frame's last byte.
    pub fn end_offset(&self) -> u64 {
        self.last_frame().map_or(0, |place| place.end_offset())
    }

    /// The last frame.
    pub fn last_frame(&self) -> Option<FramePlace> {
        let frames = &self.content.frames;
        frames.count().checked_sub(1).and_then(|last| frames.get(last)).copied()
    }

    /// The frames with entries in a range of indices.
    pub fn frames(&self, range: Range<u64>) -> Vec<FramePlace> {
        let frames = &self.content.frames;
        let (mut from, mut to) = (0, frames.count());
        while from < to {
            let middle = from.midpoint(to);
            match frames.get(middle) {
                Some(place) if place.header.end() <= range.start => from = middle + 1,
                _ => to = middle,
            }
        }
        let behind = (from..).map_while(|position| frames.get(position));
        behind.take_while(|place| place.header.first < range.end).copied().collect()
    }

    fn row(&self, index: u64) -> Option<&Row> {
        self.content.rows.get(usize::try_from(index.checked_sub(self.first)?).ok()?)
    }

    fn rows(&self, range: Range<u64>) -> impl Iterator<Item = &Row> {
        range.map(|index| self.row(index).expect("the file holds the range"))
    }

    /// The leaf hash of an entry.
    pub fn leaf(&self, index: u64) -> Option<Hash> {
        self.row(index).map(|row| row.leaf)
    }

    /// The leaf hashes of a range of indices that the file holds.
    pub fn leaves(&self, range: Range<u64>) -> Vec<Hash> {
        self.rows(range).map(|row| row.leaf).collect()
    }

    /// The complete nodes at [`NODE_LEVEL`] over a range of indices that starts at a multiple of 256.
    pub fn nodes(&self, range: Range<u64>) -> Vec<Hash> {
        let position = |index: u64| ((index - self.first) >> NODE_LEVEL) as usize;
        let nodes = position(range.start)..position(range.end);
        nodes.map(|position| *self.content.nodes.get(position).expect("the file holds the range")).collect()
    }

    /// The hash of a complete subtree, when all its leaves are in this file.
    pub fn node(&self, level: u8, index: u64) -> Option<Hash> {
        let (begin, end) = (index << level, (index + 1) << level);
        if begin < self.first || end > self.end() {
            return None;
        }
        let hashes = if level >= NODE_LEVEL { self.nodes(begin..end) } else { self.leaves(begin..end) };
        Some(subtree_hash(&hashes))
    }

    /// Brings a tree that ends at a multiple of 256 inside this file up to `end`.
    pub fn extend(&self, tree: &mut CompactRange, end: u64) {
        let begin = tree.end().0;
        let whole = begin + (end - begin) / NODE_SPAN as u64 * NODE_SPAN as u64;
        for node in self.nodes(begin..whole) {
            let begin = tree.end().0;
            let end = TreeSize(begin + NODE_SPAN as u64);
            let node = CompactRange::from_parts(LeafIndex(begin), end, vec![node]);
            tree.append(&node.expect("one complete subtree")).expect("the tree ends where the node begins");
        }
        tree.extend(&self.leaves(whole..end));
    }

    /// The canonical bytes of an entry.
    pub fn entry(&self, index: u64) -> Result<Vec<u8>> {
        let row = self.row(index).ok_or_else(|| Error::not_found(format!("there is no entry {index}")))?;
        let mut bytes = vec![0; row.place.length()];
        self.file.read_at(row.place.offset(), &mut bytes).map_err(|error| Error::io(&self.name, error))?;
        Ok(bytes)
    }

    /// Calls `each` with index and canonical bytes of the entries in a range, in order, as they stand in the file.
    pub fn for_each(&self, range: Range<u64>, each: &mut dyn FnMut(u64, &[u8])) -> Result<()> {
        self.for_each_frame(range, &mut |entries| {
            entries.iter().for_each(|(index, bytes)| each(*index, bytes));
            Ok(())
        })
    }

    /// [`Journal::for_each`], for readers that rely on what they read: `Tampered` when an entry is not the one that was
    /// hashed.
    pub fn for_each_checked(&self, range: Range<u64>, each: &mut dyn FnMut(u64, &[u8])) -> Result<()> {
        self.for_each_frame(range, &mut |entries| {
            let hashes = leaf_hashes(entries.iter().map(|(_, bytes)| *bytes));
            for ((index, _), leaf) in entries.iter().zip(hashes) {
                if self.leaf(*index) != Some(leaf) {
                    let message = format!("{}: entry {index} is not the one that was hashed", self.name);
                    return Err(Error::tampered(message));
                }
            }
            entries.iter().for_each(|(index, bytes)| each(*index, bytes));
            Ok(())
        })
    }

    fn for_each_frame(&self, range: Range<u64>, each: &mut FrameVisitor<'_>) -> Result<()> {
        let mut buffer = Vec::new();
        for place in self.frames(range.clone()) {
            let header = place.header;
            let rows = self.rows(header.first..header.end());
            let lengths: Vec<usize> = rows.map(|row| row.place.length()).collect();
            buffer.resize(lengths.iter().sum(), 0);
            self.file.read_at(place.entries_offset(), &mut buffer).map_err(|error| Error::io(&self.name, error))?;
            let mut rest = &*buffer;
            let mut entries = Vec::with_capacity(lengths.len());
            for (index, length) in (header.first..).zip(lengths) {
                let (bytes, behind) = rest.split_at(length);
                rest = behind;
                if range.contains(&index) {
                    entries.push((index, bytes));
                }
            }
            each(&entries)?;
        }
        Ok(())
    }

    /// A frame's bytes, header included.
    pub fn frame_bytes(&self, place: &FramePlace) -> Result<Vec<u8>> {
        let mut bytes = vec![0; place.header.total_bytes() as usize];
        self.file.read_at(place.offset, &mut bytes).map_err(|error| Error::io(&self.name, error))?;
        Ok(bytes)
    }
}

#[derive(Debug)]
enum ScanError {
    Frame(FrameError),
    Disk(std::io::Error),
}

impl From<FrameError> for ScanError {
    fn from(error: FrameError) -> Self {
        Self::Frame(error)
    }
}

impl From<std::io::Error> for ScanError {
    fn from(error: std::io::Error) -> Self {
        Self::Disk(error)
    }
}
