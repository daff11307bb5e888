//! A frame: one group commit in a journal file. docs/formats/journal.md has the byte map.

use counterfoil_tlog::{Hash, Origin, Signer, VerifierKey};

use crate::error::Error;

/// The bytes before a frame's table.
pub const HEADER_BYTES: usize = SIGNED_BYTES + SIGNATURE_BYTES;
/// The most entries that one frame holds.
pub const MAX_FRAME_ENTRIES: usize = 65_536;
/// The most bytes that one frame's table and entries take.
pub const MAX_FRAME_BYTES: usize = 64 << 20;

const MAGIC: [u8; 4] = *b"CFJ1";
const FLAG_OWN: u16 = 1;
const ROW_BYTES: usize = 36;
const CHECKSUM: std::ops::Range<usize> = 20..24;
/// What the signature covers of a header, but for the checksum in it.
const SIGNED_BYTES: usize = 72;
const SIGNATURE_BYTES: usize = 64;
/// What signed bytes begin with, so that a frame's signature is good for nothing else.
const DOMAIN: &str = "counterfoil-frame/v1\n";

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

    /// Checks the ledger's signature of these bytes of the frame. Through the root it covers every entry up to the frame's
    /// end; without it anybody could put entries behind the published checkpoint.
    pub fn check_signature(
        &self,
        frame: &[u8],
        origin: &Origin,
        key: &VerifierKey,
    ) -> Result<(), counterfoil_tlog::Error> {
        let signature = frame.get(SIGNED_BYTES..HEADER_BYTES).unwrap_or_default();
        key.verify_message(&signed_message(origin, &self.signed_bytes()), signature)
    }

    /// The header as it stands in the file, up to the signature; the checksum left zero.
    fn signed_bytes(&self) -> [u8; SIGNED_BYTES] {
        let mut bytes = [0; SIGNED_BYTES];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4..6].copy_from_slice(&(if self.own { FLAG_OWN } else { 0 }).to_le_bytes());
        bytes[8..16].copy_from_slice(&self.first.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.count.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.body_bytes.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.time_micros.to_le_bytes());
        bytes[40..].copy_from_slice(&self.root.0);
        bytes
    }

    /// Checks the checksum over header and body.
    pub fn check(&self, frame: &[u8]) -> Result<(), FrameError> {
        if frame.len() as u64 != self.total_bytes() {
            return Err(FrameError::Truncated);
        }
        if checksum(frame) == self.checksum { Ok(()) } else { Err(FrameError::Checksum) }
    }
}

/// The bytes that the ledger signs of a frame: domain, origin, and the header with its checksum left zero.
fn signed_message(origin: &Origin, header: &[u8; SIGNED_BYTES]) -> Vec<u8> {
    [DOMAIN.as_bytes(), origin.as_str().as_bytes(), b"\n", header].concat()
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

    /// Signs the frame, whose entries are hashed, and puts its bytes together.
    ///
    /// Errors: `Unavailable` when the signer fails; nothing was written yet.
    pub fn finish(
        &mut self,
        first: u64,
        time_micros: i64,
        root: Hash,
        origin: &Origin,
        signer: &dyn Signer,
    ) -> Result<FrameHeader, Error> {
        let mut header = FrameHeader {
            first,
            count: u32::try_from(self.rows.len()).expect("a frame's entries are bounded"),
            own: self.own,
            body_bytes: (self.entries.len() + self.rows.len() * ROW_BYTES) as u64,
            time_micros,
            root,
            checksum: 0,
        };
        let signed = header.signed_bytes();
        let signature = signer.sign(&signed_message(origin, &signed)).map_err(|error| {
            Error::unavailable(format!("the signer failed, so nothing was recorded: {error}")).because(error)
        })?;
        let no_signature = |_| Error::unavailable("the signer gave no Ed25519 signature, so nothing was recorded");
        let signature: [u8; SIGNATURE_BYTES] = signature.try_into().map_err(no_signature)?;
        let frame = &mut self.frame;
        frame.clear();
        frame.extend_from_slice(&signed);
        frame.extend_from_slice(&signature);
        for row in &self.rows {
            frame.extend_from_slice(&row.leaf.0);
            frame.extend_from_slice(&row.length.to_le_bytes());
        }
        frame.extend_from_slice(&self.entries);
        header.checksum = checksum(frame);
        frame[CHECKSUM].copy_from_slice(&header.checksum.to_le_bytes());
        Ok(header)
    }

    /// The bytes of the frame that was finished last.
    pub fn bytes(&self) -> &[u8] {
        &self.frame
    }

    /// The same with zeros behind them.
    pub fn padded(&mut self, zeros: usize) -> &[u8] {
        self.frame.resize(self.frame.len() + zeros, 0);
        &self.frame
    }
}

fn checksum(frame: &[u8]) -> u32 {
    let sum = crc32c::crc32c(&frame[..CHECKSUM.start]);
    crc32c::crc32c_append(sum, &frame[CHECKSUM.end..])
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("a slice of N bytes")
}
