//! What a segment's tiles take from the segments before it.

use counterfoil_tlog::Hash;

use crate::tiles::LevelHashes;

/// The right edge of the tile levels above the leaves: the hashes of the newest tile of each.
#[derive(Default)]
pub(super) struct Edge {
    levels: Vec<(u64, Vec<Hash>)>,
}

impl Edge {
    /// Hashes of a level; zeros where the edge does not reach, which no file agrees with.
    pub fn hashes(&self, level: u8, start: u64, count: u64) -> Vec<Hash> {
        let known = self.levels.get(usize::from(level) - 1);
        (start..start + count)
            .map(|index| {
                let hash = known.and_then(|(first, hashes)| hashes.get(index.checked_sub(*first)? as usize));
                hash.copied().unwrap_or(Hash([0; 32]))
            })
            .collect()
    }

    /// The hashes of each level, the lowest first, and where each begins.
    pub fn levels(&self) -> &[(u64, Vec<Hash>)] {
        &self.levels
    }

    /// The edge with these hashes.
    pub fn from_levels(levels: Vec<(u64, Vec<Hash>)>) -> Self {
        Self { levels }
    }

    pub fn take(&mut self, levels: &LevelHashes) {
        self.levels = levels.above_leaves();
    }
}
