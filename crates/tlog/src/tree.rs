//! Reading a tree out of its complete nodes.

use crate::{EMPTY_ROOT, Error, Hash, Subtree, TreeSize, node_hash};

/// Where the hashes of complete subtrees are read from: tiles, memory, a file.
pub trait HashReader {
    /// What reading may fail with. Requests that make no sense (a leaf outside the tree) come as [`Error`].
    type Error: From<Error>;

    /// The hash of the complete subtree over the leaves from `index << level` to `(index + 1) << level`.
    /// Level 0 is the leaves.
    fn node(&self, level: u8, index: u64) -> Result<Hash, Self::Error>;
}

/// The fewest complete nodes `(level, index)` that cover the leaves from `begin` to `end`, left to right.
pub fn cover(begin: u64, end: u64) -> impl Iterator<Item = (u8, u64)> {
    let mut at = begin;
    std::iter::from_fn(move || {
        let rest = end.checked_sub(at).filter(|rest| *rest > 0)?;
        let level = at.trailing_zeros().min(rest.ilog2());
        let node = (level as u8, at >> level);
        at += 1 << level;
        Some(node)
    })
}

/// The root of a tree of `size` leaves; [`EMPTY_ROOT`] for size 0. Reads at most 64 nodes.
pub fn root<R: HashReader + ?Sized>(reader: &R, size: TreeSize) -> Result<Hash, R::Error> {
    subtree_root(reader, size.into())
}

/// The hash of a subtree as a tree of its own (draft-ietf-plants-merkle-tree-certs, section 4.1).
pub fn subtree_root<R: HashReader + ?Sized>(reader: &R, subtree: Subtree) -> Result<Hash, R::Error> {
    stretch_root(reader, subtree.begin().0, subtree.end().0)
}

/// The hash over leaves that are known to form a subtree.
pub(crate) fn stretch_root<R: HashReader + ?Sized>(reader: &R, begin: u64, end: u64) -> Result<Hash, R::Error> {
    let peaks = cover(begin, end).map(|(level, index)| reader.node(level, index)).collect::<Result<Vec<_>, _>>()?;
    Ok(fold(&peaks))
}

/// The hash above the complete nodes that cover a subtree.
pub(crate) fn fold(peaks: &[Hash]) -> Hash {
    peaks.iter().rev().copied().reduce(|right, left| node_hash(&left, &right)).unwrap_or(EMPTY_ROOT)
}
