//! Compact ranges: the few hashes that stand for a stretch of leaves, enough to append to it.

use crate::tree::{cover, fold};
use crate::{Error, Hash, LeafIndex, Subtree, TreeSize, node_hash, subtree_hash};

/// The fewest complete nodes over the leaves from `begin` to `end`: at most 63 hashes when `begin` is 0.
///
/// A tree is grown by pushing leaf hashes to the range that begins at 0. Ranges that touch can be joined, so
/// stretches of leaves may be hashed apart from one another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompactRange {
    begin: u64,
    end: u64,
    hashes: Vec<Hash>,
}

impl CompactRange {
    /// The empty range at `begin`.
    pub fn new(begin: LeafIndex) -> Self {
        Self { begin: begin.0, end: begin.0, hashes: Vec::with_capacity(64) }
    }

    /// The range from `begin` to `end` with its hashes, left to right, as [`CompactRange::hashes`] gives them.
    ///
    /// Errors: [`Error::InvalidRange`] when `end` lies before `begin` or beyond [`TreeSize::MAX`], or when the
    /// number of hashes is not the one that such a range has.
    pub fn from_parts(begin: LeafIndex, end: TreeSize, hashes: Vec<Hash>) -> Result<Self, Error> {
        let needed = cover(begin.0, end.0).count();
        if begin.0 > end.0 || end > TreeSize::MAX || hashes.len() != needed {
            return Err(Error::InvalidRange { begin: begin.0, end: end.0, hashes: hashes.len() });
        }
        Ok(Self { begin: begin.0, end: end.0, hashes })
    }

    /// The first leaf.
    pub fn begin(&self) -> LeafIndex {
        LeafIndex(self.begin)
    }

    /// One past the last leaf: for a range that begins at 0, the size of the tree.
    pub fn end(&self) -> TreeSize {
        TreeSize(self.end)
    }

    /// The hashes of the nodes that [`cover`] names, left to right.
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// Appends a leaf, given its [`leaf_hash`](crate::leaf_hash). Costs one node hash on average, 63 at most.
    pub fn push(&mut self, leaf: Hash) {
        self.push_node(0, leaf, |_, _, _| ());
    }

    /// Appends a leaf and calls `visit(level, index, hash)` for every node it completes inside the range,
    /// the leaf itself first, then upwards.
    pub fn push_visiting(&mut self, leaf: Hash, visit: impl FnMut(u8, u64, &Hash)) {
        self.push_node(0, leaf, visit);
    }

    /// Appends many leaves in less time than [`CompactRange::push`] takes for each. `visit(level, index, hash)` is called
    /// for every node of level [`CompactRange::EXTEND_LEVEL`] and above that they complete inside the range.
    pub fn extend_visiting(&mut self, mut leaves: &[Hash], mut visit: impl FnMut(u8, u64, &Hash)) {
        while !leaves.is_empty() {
            let level = self.end.trailing_zeros().min(leaves.len().ilog2()).min(Self::EXTEND_LEVEL.into());
            let (chunk, rest) = leaves.split_at(1 << level);
            self.push_node(level as u8, subtree_hash(chunk), |level, index, hash| {
                if level >= Self::EXTEND_LEVEL {
                    visit(level, index, hash);
                }
            });
            leaves = rest;
        }
    }

    /// [`CompactRange::extend_visiting`] without a visit.
    pub fn extend(&mut self, leaves: &[Hash]) {
        self.extend_visiting(leaves, |_, _, _| ());
    }

    /// The lowest level that [`CompactRange::extend_visiting`] shows: nodes over 256 leaves.
    pub const EXTEND_LEVEL: u8 = 8;

    /// Appends the range that begins where this one ends; [`Error::InvalidRange`] if it begins elsewhere.
    pub fn append(&mut self, next: &CompactRange) -> Result<(), Error> {
        if next.begin != self.end {
            return Err(Error::InvalidRange { begin: next.begin, end: self.end, hashes: next.hashes.len() });
        }
        for ((level, _), hash) in cover(next.begin, next.end).zip(&next.hashes) {
            self.push_node(level, *hash, |_, _, _| ());
        }
        Ok(())
    }

    /// The root of the tree over the range; `None` when its leaves do not form a [`Subtree`].
    /// A range that begins at 0 always has one.
    pub fn root(&self) -> Option<Hash> {
        Subtree::new(self.begin(), self.end()).ok().map(|_| fold(&self.hashes))
    }

    /// Adds the complete node of `level` that begins at `end`, joining it with its left siblings.
    fn push_node(&mut self, mut level: u8, mut hash: Hash, mut visit: impl FnMut(u8, u64, &Hash)) {
        let mut index = self.end >> level;
        self.end += 1 << level;
        visit(level, index, &hash);
        while index & 1 == 1 && (index - 1) << level >= self.begin {
            let Some(left) = self.hashes.pop() else { break };
            hash = node_hash(&left, &hash);
            level += 1;
            index >>= 1;
            visit(level, index, &hash);
        }
        self.hashes.push(hash);
    }
}
