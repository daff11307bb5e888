//! The `.tiles` file of a segment: the tree's hashes over its span, and what proves its neighbours.
//! docs/formats/tiles.md has the byte map.

use std::sync::Arc;

use counterfoil_segment::ReadAt;
use counterfoil_segment::blocks::BlockHashes;
use counterfoil_tlog::{CompactRange, Hash, LeafIndex, TreeSize, subtree_hash};

use crate::error::{Error, Result};

const MAGIC: [u8; 8] = *b"CFTILES1";
const FIXED_BYTES: usize = 32;
const LEVEL_BYTES: usize = 24;
/// Leaves per hash of a tile level: 256 to the power of the level.
const TILE_WIDTH: u64 = 256;
/// With at most 2^63 leaves there are no more levels than these.
const MAX_LEVELS: usize = 8;
/// The most bytes that the part behind the hashes may have.
const MAX_TRAILER_BYTES: u64 = 64 << 20;

/// The hashes of one tile level that a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Level {
    /// Index, within the level, of the first hash.
    start: u64,
    /// How many hashes.
    count: u64,
    /// Where they begin in the file.
    offset: u64,
}

/// A `ledger.sealed` entry that stands in this segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedEntry {
    /// Its index.
    pub index: u64,
    /// Its canonical bytes.
    pub canonical: Vec<u8>,
}

/// What stands behind the hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trailer {
    /// Block digests of the `.parquet` file.
    pub parquet: BlockHashes,
    /// Block digests of the `.index` file.
    pub index: BlockHashes,
    /// The `ledger.sealed` entries of this segment.
    pub sealed: Vec<SealedEntry>,
}

/// The hashes to write: one list a tile level, each with the index of its first hash within the level.
#[derive(Debug)]
pub struct LevelHashes {
    levels: Vec<(u64, Vec<Hash>)>,
}

impl LevelHashes {
    /// Computes the hashes of a segment that starts at `first` from its leaves and from its complete nodes over 256
    /// leaves each. Levels above the leaves start at the beginning of the tile in which the segment starts, so that the
    /// newest file of all holds the whole right edge; `earlier(level, start, count)` reads hashes before the segment.
    pub fn compute(
        first: u64,
        leaves: Vec<Hash>,
        nodes: Vec<Hash>,
        mut earlier: impl FnMut(u8, u64, u64) -> Result<Vec<Hash>>,
    ) -> Result<Self> {
        let end = first + leaves.len() as u64;
        let mut levels = vec![(first, leaves)];
        let mut own = nodes;
        for level in 1..MAX_LEVELS as u8 {
            let total = end >> (8 * level);
            if total == 0 {
                break;
            }
            let own_start = total - own.len() as u64;
            let start = (first >> (8 * level)) / TILE_WIDTH * TILE_WIDTH;
            let mut hashes = earlier(level, start, own_start - start)?;
            hashes.extend(own);
            own = complete_above(&hashes, start, own_start);
            levels.push((start, hashes));
        }
        Ok(Self { levels })
    }

    /// The levels above the leaves: index of the first hash, and the hashes.
    pub fn above_leaves(&self) -> Vec<(u64, Vec<Hash>)> {
        self.levels[1..].to_vec()
    }

    /// The file's bytes.
    pub fn encode(&self, trailer: &Trailer) -> Vec<u8> {
        let (first, leaves) = &self.levels[0];
        let mut out = Vec::new();
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&first.to_le_bytes());
        out.extend_from_slice(&(leaves.len() as u64).to_le_bytes());
        out.extend_from_slice(&(self.levels.len() as u64).to_le_bytes());
        let mut offset = (FIXED_BYTES + self.levels.len() * LEVEL_BYTES) as u64;
        for (start, hashes) in &self.levels {
            for number in [*start, hashes.len() as u64, offset] {
                out.extend_from_slice(&number.to_le_bytes());
            }
            offset += hashes.len() as u64 * 32;
        }
        for hash in self.levels.iter().flat_map(|(_, hashes)| hashes) {
            out.extend_from_slice(&hash.0);
        }
        trailer.encode(&mut out);
        out
    }
}

impl Trailer {
    fn encode(&self, out: &mut Vec<u8>) {
        for file in [&self.parquet, &self.index] {
            out.extend_from_slice(&file.length().to_le_bytes());
            out.extend_from_slice(&file.encode());
        }
        out.extend_from_slice(&(self.sealed.len() as u64).to_le_bytes());
        for entry in &self.sealed {
            out.extend_from_slice(&entry.index.to_le_bytes());
            out.extend_from_slice(&(entry.canonical.len() as u64).to_le_bytes());
            out.extend_from_slice(&entry.canonical);
        }
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let parquet = take_blocks(&mut rest)?;
        let index = take_blocks(&mut rest)?;
        let count = take_u64(&mut rest)?;
        let mut sealed = Vec::new();
        for _ in 0..count {
            let index = take_u64(&mut rest)?;
            let length = usize::try_from(take_u64(&mut rest)?).ok()?;
            let canonical = rest.split_off(..length)?.to_vec();
            sealed.push(SealedEntry { index, canonical });
        }
        rest.is_empty().then_some(Self { parquet, index, sealed })
    }
}

fn take_u64(rest: &mut &[u8]) -> Option<u64> {
    let (bytes, tail) = rest.split_first_chunk::<8>()?;
    *rest = tail;
    Some(u64::from_le_bytes(*bytes))
}

fn take_blocks(rest: &mut &[u8]) -> Option<BlockHashes> {
    let length = take_u64(rest)?;
    let blocks = length.div_ceil(counterfoil_segment::blocks::BLOCK_BYTES as u64);
    let bytes = rest.split_off(..usize::try_from(blocks.checked_mul(32)?).ok()?)?;
    BlockHashes::decode(bytes, length).ok()
}

/// An open `.tiles` file.
#[derive(Debug)]
pub struct Tiles {
    file: Arc<dyn ReadAt>,
    name: String,
    /// Index of the segment's first entry.
    pub first: u64,
    /// How many entries the segment has.
    pub count: u64,
    levels: Vec<Level>,
}

impl Tiles {
    /// Reads the header.
    pub fn open(file: Arc<dyn ReadAt>, name: String) -> Result<Self> {
        let damaged = |reason: &str| Error::damaged(format!("{name}: {reason}"));
        let read = |offset: u64, bytes: &mut [u8]| {
            let whole = file.read_at(offset, bytes);
            whole.map_err(|error| Error::io(&name, error))
        };
        let mut fixed = [0; FIXED_BYTES];
        read(0, &mut fixed)?;
        if fixed[..8] != MAGIC {
            return Err(damaged("it does not start with CFTILES1"));
        }
        let number = |bytes: &[u8], at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        let (first, count) = (number(&fixed, 8), number(&fixed, 16));
        let level_count = number(&fixed, 24);
        if level_count == 0 || level_count > MAX_LEVELS as u64 {
            return Err(damaged("its number of levels is out of range"));
        }
        let mut table = vec![0; level_count as usize * LEVEL_BYTES];
        read(FIXED_BYTES as u64, &mut table)?;
        let levels: Vec<Level> = table
            .chunks_exact(LEVEL_BYTES)
            .map(|row| Level { start: number(row, 0), count: number(row, 8), offset: number(row, 16) })
            .collect();
        let mut offset = (FIXED_BYTES + table.len()) as u64;
        for level in &levels {
            let end = level.count.checked_mul(32).and_then(|bytes| bytes.checked_add(offset));
            match end {
                Some(end) if level.offset == offset && end <= file.len() => offset = end,
                _ => return Err(damaged("its levels do not fit its length")),
            }
        }
        if (levels[0].start, levels[0].count) != (first, count) {
            return Err(damaged("its leaves are not its span"));
        }
        Ok(Self { file, name, first, count, levels })
    }

    /// The hashes of a tile level from `start`, `count` of them.
    pub fn hashes(&self, level: u8, start: u64, count: u64) -> Result<Vec<Hash>> {
        let place = self
            .levels
            .get(usize::from(level))
            .filter(|place| start >= place.start && start - place.start + count <= place.count);
        let place = place.ok_or_else(|| {
            Error::damaged(format!("{}: it lacks hashes {start}+{count} of level {level}", self.name))
        })?;
        let mut bytes = vec![0; count as usize * 32];
        self.file
            .read_at(place.offset + (start - place.start) * 32, &mut bytes)
            .map_err(|error| Error::io(&self.name, error))?;
        let (hashes, _) = bytes.as_chunks::<32>();
        Ok(hashes.iter().copied().map(Hash).collect())
    }

    /// The part behind the hashes.
    pub fn trailer(&self) -> Result<Trailer> {
        let last = self.levels.last().expect("there is a level");
        let start = last.offset + last.count * 32;
        let length = self.file.len() - start;
        let malformed = || Error::damaged(format!("{}: what stands behind its hashes is malformed", self.name));
        if length > MAX_TRAILER_BYTES {
            return Err(malformed());
        }
        let mut bytes = vec![0; length as usize];
        self.file.read_at(start, &mut bytes).map_err(|error| Error::io(&self.name, error))?;
        Trailer::parse(&bytes).ok_or_else(malformed)
    }
}

/// The hashes of the level above that a segment completes: those whose last child is one of its own.
fn complete_above(hashes: &[Hash], start: u64, own_start: u64) -> Vec<Hash> {
    let width = TILE_WIDTH as usize;
    let whole = hashes.chunks_exact(width).enumerate();
    let completed = whole.filter(|(tile, _)| start + ((tile + 1) * width) as u64 > own_start);
    completed.map(|(_, children)| subtree_hash(children)).collect()
}

/// RFC 6962 root over the leaves of a segment alone, from its complete nodes over 256 leaves each and the leaves behind
/// them.
pub fn segment_root(nodes: &[Hash], rest: &[Hash]) -> Hash {
    let mut range = CompactRange::new(LeafIndex(0));
    for (position, node) in nodes.iter().enumerate() {
        let begin = position as u64 * TILE_WIDTH;
        let node = CompactRange::from_parts(LeafIndex(begin), TreeSize(begin + TILE_WIDTH), vec![*node]);
        range.append(&node.expect("one complete subtree")).expect("it begins where the range ends");
    }
    range.extend(rest);
    range.root().expect("a range that begins at 0 has a root")
}
