//! Tiles: runs of up to 256 hashes of one level, the files that a log serves (C2SP tlog-tiles, "Merkle Tree").

use std::fmt;
use std::str::FromStr;

use crate::{Error, Hash, TreeSize, encoding, node_hash};

/// How many levels of the tree lie between a tile's hashes and those of the tile above.
const HEIGHT: u8 = 8;

/// The hashes of a full tile.
const FULL_WIDTH: u64 = 1 << HEIGHT;

/// Tile levels that a tree of up to 2^64 leaves can reach.
const LEVELS: u8 = 8;

/// Tile `index` of tile level `level`: hash `i` covers the leaves from `(index * 256 + i) << 8 * level`, `1 << 8 *
/// level` of them. As bytes: its `width` hashes of 32 bytes, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tile {
    level: u8,
    index: u64,
    width: u16,
}

/// The path under which a tile or an entry bundle is served: `tile/<L>/<N>[.p/<W>]`, `tile/entries/<N>[.p/<W>]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TilePath {
    /// The hashes of a tile.
    Hashes(Tile),
    /// The entries whose leaf hashes are this tile of level 0: a [`bundle`](crate::bundle).
    Entries(Tile),
}

impl Tile {
    /// A tile of level 0 to 63 with 1 to 256 hashes; [`Error::InvalidTile`] for anything else.
    pub fn new(level: u8, index: u64, width: u16) -> Result<Self, Error> {
        match (level, width) {
            (64.., _) => Err(Error::InvalidTile("its level is above 63")),
            (_, 0 | 257..) => Err(Error::InvalidTile("it must have 1 to 256 hashes")),
            _ => Ok(Self { level, index, width }),
        }
    }

    /// The tile as wide as it is in a tree of `size` leaves; `None` if that tree has nothing of it.
    pub fn in_tree(level: u8, index: u64, size: TreeSize) -> Option<Self> {
        let hashes = size.0.checked_shr(u32::from(level) * u32::from(HEIGHT))?;
        let width = hashes.saturating_sub(index.checked_mul(FULL_WIDTH)?).min(FULL_WIDTH) as u16;
        (width > 0).then_some(Self { level, index, width })
    }

    /// The tile out of which the complete node `index` of tree level `level` is computed, as wide as it is in a tree
    /// of `size` leaves; `None` if the node is not complete in that tree.
    pub fn of_node(level: u8, index: u64, size: TreeSize) -> Option<Self> {
        let complete = size.0.checked_shr(level.into())?;
        let first_hash = index << (level % HEIGHT);
        if index < complete { Self::in_tree(level / HEIGHT, first_hash / FULL_WIDTH, size) } else { None }
    }

    /// The tiles that a tree of `to` leaves has and one of `from` leaves has not, or has not that wide; by level,
    /// then index. From size 0: all tiles of the tree.
    pub fn added(from: TreeSize, to: TreeSize) -> impl Iterator<Item = Self> {
        (0..LEVELS).flat_map(move |level| {
            let hashes = |size: TreeSize| size.0 >> (level * HEIGHT);
            let changed = if hashes(from) < hashes(to) {
                hashes(from) / FULL_WIDTH..hashes(to).div_ceil(FULL_WIDTH)
            } else {
                0..0
            };
            changed.filter_map(move |index| Self::in_tree(level, index, to))
        })
    }

    /// The tile level, 0 for leaf hashes.
    pub fn level(self) -> u8 {
        self.level
    }

    /// The position within the level.
    pub fn index(self) -> u64 {
        self.index
    }

    /// The number of hashes, 1 to 256. A tile with fewer than 256 is partial.
    pub fn width(self) -> u16 {
        self.width
    }

    /// The hash of the complete node `index` of tree level `level`, computed from the tile's bytes.
    ///
    /// Errors: [`Error::InvalidTile`] when the bytes are not `width` hashes or the node is not in the tile.
    pub fn node(self, bytes: &[u8], level: u8, index: u64) -> Result<Hash, Error> {
        let (hashes, rest) = bytes.as_chunks::<32>();
        if hashes.len() != usize::from(self.width) || !rest.is_empty() {
            return Err(Error::InvalidTile("its bytes are not as many hashes as it must have"));
        }
        let below = level % HEIGHT;
        let nodes_per_tile = FULL_WIDTH >> below;
        let first = ((index % nodes_per_tile) << below) as usize;
        match hashes.get(first..first + (1 << below)) {
            Some(leaves) if (level / HEIGHT, index / nodes_per_tile) == (self.level, self.index) => Ok(join(leaves)),
            _ => Err(Error::InvalidTile("the node is not in it")),
        }
    }
}

/// The node over hashes whose number is a power of two.
fn join(hashes: &[[u8; 32]]) -> Hash {
    match hashes {
        [hash] => Hash(*hash),
        _ => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            node_hash(&join(left), &join(right))
        }
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tile = match self {
            Self::Hashes(tile) => write!(f, "tile/{}/", tile.level).map(|()| tile)?,
            Self::Entries(tile) => f.write_str("tile/entries/").map(|()| tile)?,
        };
        let groups = std::iter::successors(Some(tile.index), |index| (*index >= 1000).then_some(index / 1000));
        let groups: Vec<u64> = groups.map(|index| index % 1000).collect();
        for group in groups[1..].iter().rev() {
            write!(f, "x{group:03}/")?;
        }
        write!(f, "{:03}", groups[0])?;
        if u64::from(tile.width) < FULL_WIDTH { write!(f, ".p/{}", tile.width) } else { Ok(()) }
    }
}

/// Accepts exactly the texts that Display writes.
impl FromStr for TilePath {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let path = parse_path(text).ok_or(Error::InvalidTile("its path is not tile/<L>/<N>[.p/<W>]"))?;
        if path.to_string() == text { Ok(path) } else { Err(Error::InvalidTile("its path is not in canonical form")) }
    }
}

fn parse_path(text: &str) -> Option<TilePath> {
    let (level, rest) = text.strip_prefix("tile/")?.split_once('/')?;
    let (digits, width) = match rest.split_once(".p/") {
        Some((digits, width)) => (digits, encoding::decimal(width)?),
        None => (rest, FULL_WIDTH),
    };
    let mut index = 0u64;
    for group in digits.split('/') {
        let number: u64 = group.strip_prefix('x').unwrap_or(group).parse().ok().filter(|number| *number < 1000)?;
        index = index.checked_mul(1000)?.checked_add(number)?;
    }
    let tile = |level| Tile::new(level, index, width.try_into().ok()?).ok();
    match level {
        "entries" => tile(0).map(TilePath::Entries),
        _ => tile(encoding::decimal(level)?.try_into().ok()?).map(TilePath::Hashes),
    }
}
