//! Positions in a tree: a leaf's index, a tree's size, and the stretches of leaves that form subtrees.

use std::fmt;

use crate::Error;

/// The position of a leaf, counted from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeafIndex(pub u64);

/// A number of leaves, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeSize(pub u64);

impl TreeSize {
    /// The greatest size that a text may carry, 2^63-1: peers keep sizes in signed integers.
    pub const MAX: TreeSize = TreeSize(i64::MAX as u64);
}

impl fmt::Display for LeafIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for TreeSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A valid subtree: the leaves from `begin` (included) to `end` (excluded), where `begin` is a multiple of the
/// smallest power of two that is at least `end - begin` (draft-ietf-plants-merkle-tree-certs, section 4.1).
///
/// A whole tree of `n` leaves is the subtree from 0 to `n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subtree {
    begin: u64,
    end: u64,
}

impl Subtree {
    /// Checks that the leaves from `begin` to `end` form a subtree; [`Error::InvalidSubtree`] if not.
    pub fn new(begin: LeafIndex, end: TreeSize) -> Result<Self, Error> {
        let (LeafIndex(begin), TreeSize(end)) = (begin, end);
        let aligned = end.checked_sub(begin).is_some_and(|len| match len.checked_next_power_of_two() {
            Some(power) => begin & (power - 1) == 0,
            None => begin == 0,
        });
        if aligned { Ok(Self { begin, end }) } else { Err(Error::InvalidSubtree { begin, end }) }
    }

    /// The first leaf.
    pub fn begin(self) -> LeafIndex {
        LeafIndex(self.begin)
    }

    /// One past the last leaf.
    pub fn end(self) -> TreeSize {
        TreeSize(self.end)
    }
}

impl From<TreeSize> for Subtree {
    fn from(size: TreeSize) -> Self {
        Self { begin: 0, end: size.0 }
    }
}

impl fmt::Display for Subtree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {})", self.begin, self.end)
    }
}
