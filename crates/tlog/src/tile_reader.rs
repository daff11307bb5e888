//! Reading a tree out of its tiles.

use std::borrow::Cow;

use crate::{Error, Hash, HashReader, Tile, TreeSize};

/// Where tiles are read from: a folder, a server, memory.
pub trait TileSource {
    /// What reading may fail with.
    type Error: From<Error>;

    /// The bytes of the tile: its hashes, one after the other. One tile may be asked for several times in a row.
    fn tile(&self, tile: Tile) -> Result<Cow<'_, [u8]>, Self::Error>;
}

/// The nodes of a tree of a fixed size, computed from its tiles. What a tile says is believed: whoever does not
/// trust the source verifies what comes out against a root.
#[derive(Clone, Debug)]
pub struct TileReader<S> {
    source: S,
    size: TreeSize,
}

impl<S: TileSource> TileReader<S> {
    /// Reads the tree of `size` leaves, asking for its tiles as wide as they are at that size.
    pub fn new(source: S, size: TreeSize) -> Self {
        Self { source, size }
    }
}

impl<S: TileSource> HashReader for TileReader<S> {
    type Error = S::Error;

    fn node(&self, level: u8, index: u64) -> Result<Hash, S::Error> {
        let tile = Tile::of_node(level, index, self.size)
            .ok_or(Error::InvalidTile("the node is not complete in a tree of this size"))?;
        Ok(tile.node(&self.source.tile(tile)?, level, index)?)
    }
}
