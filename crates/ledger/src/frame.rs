//! A frame: one group commit in a journal file. docs/formats/journal.md has the byte map.

use counterfoil_tlog::Hash;

/// The bytes before a frame's table.
pub const HEADER_BYTES: usize = 72;
/// The most entries that one frame holds.
pub const MAX_FRAME_ENTRIES: usize = 65_536;
/// The most bytes that one frame's table and entries take.
pub const MAX_FRAME_BYTES: usize = 64 << 20;

const MAGIC: [u8; 4] = *b"CFJ1";
const FLAG_OWN: u16 = 1;
const ROW_BYTES: usize = 36;
const CHECKSUM: std::ops::Range<usize> = 20..24;

/// What a frame says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// Index of the first entry.
    pub first: u64,
    /// How many entries.
    pub count: u32,
    /// Whether any of them is the ledger's own act.
    pub own: bool,
    /// The bytes after the header.
    pub body_bytes: u64,
    /// `recorded_at` of every entry, in microseconds since 1970.
    pub time_micros: i64,
    /// The tree's root after the last entry.
    pub root: Hash,
    checksum: u32,
}

/// Why bytes are not a frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Zeros, or the end of the file, stand where a frame would start.
    #[error("no frame starts here")]
    Absent,
    /// The header breaks a rule.
    #[error("frame header: {0}")]
    Header(&'static str),
    /// The file ends inside the frame.
    #[error("the file ends inside the frame")]
    Truncated,
    /// The checksum over header and body does not match.
    #[error("the frame's checksum does not match its bytes")]
    Checksum,
    /// The entries' lengths do not fill the body.
    #[error("the entries' lengths do not add up to the frame's length")]
    Lengths,
}

impl FrameHeader {
    /// Reads a header. The checksum is checked by [`FrameHeader::check`], when the body is at hand.
    pub fn parse(bytes: &[u8; HEADER_BYTES]) -> Result<Self, FrameError> {
        if bytes[..4] == [0; 4] {
            return Err(FrameError::Absent);
        }
        if bytes[..4] != MAGIC {
            return Err(FrameError::Header("it does not start with CFJ1"));
        }
        let flags = u16::from_le_bytes(array(bytes, 4));
        let reserved = u16::from_le_bytes(array(bytes, 6));
        if flags & !FLAG_OWN != 0 || reserved != 0 {
            return Err(FrameError::Header("an unknown flag is set"));
        }
        let header = Self {
            first: u64::from_le_bytes(array(bytes, 8)),
            count: u32::from_le_bytes(array(bytes, 16)),
            checksum: u32::from_le_bytes(array(bytes, 20)),
            own: flags & FLAG_OWN != 0,
            body_bytes: u64::from_le_bytes(array(bytes, 24)),
            time_micros: i64::from_le_bytes(array(bytes, 32)),
            root: Hash(array(bytes, 40)),
        };
        if header.count == 0 || header.count as usize > MAX_FRAME_ENTRIES {
            return Err(FrameError::Header("its number of entries is out of range"));
        }
        let least = table_bytes(header.count) as u64;
        if header.body_bytes < least || header.body_bytes > MAX_FRAME_BYTES as u64 {
            return Err(FrameError::Header("its length is out of range"));
        }
        if header.first.checked_add(u64::from(header.count)).is_none() {
            return Err(FrameError::Header("its first index is out of range"));
        }
        Ok(header)
    }

    /// One past the index of the last entry.
    pub fn end(&self) -> u64 {
        self.first + u64::from(self.count)
    }

    /// The frame's length with its header.
    pub fn total_bytes(&self) -> u64 {
        HEADER_BYTES as u64 + self.body_bytes
    }

    /// Checks the checksum over header and body.
    pub fn check(&self, frame: &[u8]) -> Result<(), FrameError> {
        if frame.len() as u64 != self.total_bytes() {
            return Err(FrameError::Truncated);
        }
        if checksum(frame) == self.checksum { Ok(()) } else { Err(FrameError::Checksum) }
    }
}

/// Whether bytes are less than a header and could be the beginning of one.
pub fn is_start(bytes: &[u8]) -> bool {
    bytes.len() < HEADER_BYTES && bytes.iter().zip(&MAGIC).all(|(byte, magic)| byte == magic)
}

/// One entry's row in a frame's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableRow {
    /// The entry's leaf hash.
    pub leaf: Hash,
    /// The length of its canonical bytes.
    pub length: u32,
}

/// The length of a frame's table of `count` entries.
pub fn table_bytes(count: u32) -> usize {
    count as usize * ROW_BYTES
}

/// Reads a frame's table and checks that the entries' lengths fill the body.
pub fn table(header: &FrameHeader, bytes: &[u8]) -> Result<Vec<TableRow>, FrameError> {
    let (rows, rest) = bytes.as_chunks::<ROW_BYTES>();
    if !rest.is_empty() || rows.len() != header.count as usize {
        return Err(FrameError::Truncated);
    }
    let rows: Vec<TableRow> = rows
        .iter()
        .map(|row| TableRow { leaf: Hash(array(row, 0)), length: u32::from_le_bytes(array(row, 32)) })
        .collect();
    let entries: u64 = rows.iter().map(|row| u64::from(row.length)).sum();
    if bytes.len() as u64 + entries == header.body_bytes { Ok(rows) } else { Err(FrameError::Lengths) }
}

/// Builds frames in buffers that are kept from frame to frame.
#[derive(Debug, Default)]
pub struct FrameBuilder {
    entries: Vec<u8>,
    ends: Vec<usize>,
    rows: Vec<TableRow>,
    frame: Vec<u8>,
    own: bool,
}

impl FrameBuilder {
    /// Forgets the entries of the frame before.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.ends.clear();
        self.rows.clear();
        self.own = false;
    }

    /// The rows of the entries, once they are hashed.
    pub fn rows(&self) -> &[TableRow] {
        &self.rows
    }

    /// The canonical bytes of the entry at a position.
    pub fn entry(&self, position: usize) -> &[u8] {
        let start = position.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.entries[start..self.ends[position]]
    }

    /// Adds an entry that `write` appends to the buffer, and returns its position in the frame.
    pub fn push(&mut self, own: bool, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        write(&mut self.entries);
        self.ends.push(self.entries.len());
        self.own |= own;
        self.ends.len() - 1
    }

    /// How many entries the frame has so far.
    pub fn count(&self) -> usize {
        self.ends.len()
    }

    /// Hashes the entries: all are there now.
    pub fn hash(&mut self) -> &[TableRow] {
        let entries = (0..self.count()).map(|position| self.entry(position));
        let leaves = counterfoil_tlog::leaf_hashes(entries.clone());
        let length = |entry: &[u8]| u32::try_from(entry.len()).expect("an entry is at most 65,535 bytes");
        self.rows =
            leaves.into_iter().zip(entries).map(|(leaf, entry)| TableRow { leaf, length: length(entry) }).collect();
        &self.rows
    }

    /// The frame's bytes, ready to be written once its entries are hashed.
    pub fn finish(&mut self, first: u64, time_micros: i64, root: Hash) -> &[u8] {
        let count = u32::try_from(self.rows.len()).expect("a frame's entries are bounded");
        let flags = if self.own { FLAG_OWN } else { 0 };
        let body = (self.entries.len() + self.rows.len() * ROW_BYTES) as u64;
        let frame = &mut self.frame;
        frame.clear();
        frame.extend_from_slice(&MAGIC);
        frame.extend_from_slice(&flags.to_le_bytes());
        frame.extend_from_slice(&[0; 2]);
        frame.extend_from_slice(&first.to_le_bytes());
        frame.extend_from_slice(&count.to_le_bytes());
        frame.extend_from_slice(&[0; 4]);
        frame.extend_from_slice(&body.to_le_bytes());
        frame.extend_from_slice(&time_micros.to_le_bytes());
        frame.extend_from_slice(&root.0);
        for row in &self.rows {
            frame.extend_from_slice(&row.leaf.0);
            frame.extend_from_slice(&row.length.to_le_bytes());
        }
        frame.extend_from_slice(&self.entries);
        let sum = checksum(frame);
        frame[CHECKSUM].copy_from_slice(&sum.to_le_bytes());
        frame
    }
}

fn checksum(frame: &[u8]) -> u32 {
    let sum = crc32c::crc32c(&frame[..CHECKSUM.start]);
    crc32c::crc32c_append(sum, &frame[CHECKSUM.end..])
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("a slice of N bytes")
}
