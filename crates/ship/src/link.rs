//! A journal object: a link in the chain of what was shipped of the journal. docs/formats/bucket.md has the byte map.

use counterfoil::{Error, ErrorKind, JournalPart, Result};
use sha2::{Digest, Sha256};

const MAGIC: [u8; 8] = *b"CFBUCKJ1";
/// The bytes before the compressed frames.
pub const HEADER_BYTES: usize = 96;
/// The most bytes that the frames of one object take: what a new journal file carries over, and a frame of the greatest
/// length.
const MAX_FRAMES_BYTES: u64 = 256 << 20;
/// The most bytes of an object: frames that do not get shorter, with what zstd writes around them.
pub const MAX_OBJECT_BYTES: u64 = MAX_FRAMES_BYTES + MAX_FRAMES_BYTES / 128 + HEADER_BYTES as u64 + 1024;
/// How hard frames are compressed.
const ZSTD_LEVEL: i32 = 3;

/// What a journal object says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// The end of the object before: its key.
    pub from: u64,
    /// The index that names the journal file.
    pub file: u64,
    /// Index of the first entry.
    pub first: u64,
    /// How many entries.
    pub count: u64,
    /// Where the first frame stands in the journal file.
    pub offset: u64,
    /// The length of the frames.
    pub length: u64,
    /// The entries below are in segments that were there before.
    pub sealed: u64,
    /// SHA-256 of the object before.
    pub previous: [u8; 32],
}

impl Link {
    /// The link that holds a part of a journal file.
    pub fn new(part: &JournalPart, from: u64, sealed: u64, previous: [u8; 32]) -> Self {
        Self {
            from,
            file: part.file,
            first: part.first,
            count: part.end - part.first,
            offset: part.offset,
            length: part.bytes.len() as u64,
            sealed,
            previous,
        }
    }

    /// One past the index of the last entry: the key of the next object.
    pub fn end(&self) -> u64 {
        self.first + self.count
    }

    /// One past the last byte in the journal file.
    pub fn end_offset(&self) -> u64 {
        self.offset + self.length
    }

    /// The object's bytes.
    pub fn encode(&self, frames: &[u8]) -> Result<Vec<u8>> {
        if self.length > MAX_FRAMES_BYTES {
            let message = format!("{} bytes of the journal belong into one object: seal more often", self.length);
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        let mut bytes = MAGIC.to_vec();
        for number in [self.from, self.file, self.first, self.count, self.offset, self.length, self.sealed] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&self.previous);
        let packed = zstd::bulk::compress(frames, ZSTD_LEVEL);
        let packed = packed.map_err(|error| Error::new(ErrorKind::Internal, format!("the frames: {error}")))?;
        bytes.extend_from_slice(&packed);
        Ok(bytes)
    }

    /// Reads the header of an object of this key.
    pub fn parse(key: &str, bytes: &[u8]) -> Result<Self> {
        let damaged = |reason: &str| Error::new(ErrorKind::Damaged, format!("{key}: {reason}"));
        let header: &[u8; HEADER_BYTES] =
            bytes.first_chunk().ok_or_else(|| damaged("it is shorter than its header"))?;
        if header[..8] != MAGIC {
            return Err(damaged("it does not start with CFBUCKJ1"));
        }
        let number = |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().expect("eight bytes"));
        let previous = header[64..].try_into().expect("32 bytes");
        let link = Self {
            from: number(8),
            file: number(16),
            first: number(24),
            count: number(32),
            offset: number(40),
            length: number(48),
            sealed: number(56),
            previous,
        };
        let fits = link.first.checked_add(link.count).is_some_and(|end| end < 1 << 62)
            && link.offset.checked_add(link.length).is_some_and(|end| end < 1 << 62)
            && link.count > 0
            && (1..=MAX_FRAMES_BYTES).contains(&link.length)
            && link.file <= link.first;
        if fits { Ok(link) } else { Err(damaged("its numbers are out of range")) }
    }

    /// The frames in the whole object.
    pub fn frames(&self, key: &str, bytes: &[u8]) -> Result<Vec<u8>> {
        let packed = &bytes[HEADER_BYTES..];
        let frames = zstd::bulk::decompress(packed, self.length as usize);
        match frames {
            Ok(frames) if frames.len() as u64 == self.length => Ok(frames),
            Ok(_) => Err(Error::new(ErrorKind::Damaged, format!("{key}: its frames are shorter than it says"))),
            Err(error) => Err(Error::new(ErrorKind::Damaged, format!("{key}: {error}"))),
        }
    }
}

/// The digest that the next object embeds.
pub fn digest(object: &[u8]) -> [u8; 32] {
    Sha256::digest(object).into()
}
