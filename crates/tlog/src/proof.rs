//! Inclusion and consistency proofs of RFC 9162 sections 2.1.3 and 2.1.4, and of subtrees
//! (draft-ietf-plants-merkle-tree-certs, sections 4.3 and 4.4).
//!
//! All of them are one walk: from the root of the larger tree down to the stretch of leaves in question, keeping
//! the sibling at every fork. An inclusion proof is the walk to a stretch of one leaf.

use crate::tree::stretch_root;
use crate::{EMPTY_ROOT, Error, Hash, HashReader, LeafIndex, Subtree, TreeSize, node_hash};

/// The hashes that prove a leaf to be in the tree of `size` leaves, its own sibling first.
///
/// Errors: [`Error::LeafOutside`] when `index` is not below `size`; what the reader fails with.
pub fn inclusion_proof<R: HashReader + ?Sized>(
    reader: &R,
    index: LeafIndex,
    size: TreeSize,
) -> Result<Vec<Hash>, R::Error> {
    subtree_inclusion_proof(reader, index, size.into())
}

/// The hashes that prove a leaf to be in a subtree, its own sibling first.
///
/// Errors: [`Error::LeafOutside`]; what the reader fails with.
pub fn subtree_inclusion_proof<R: HashReader + ?Sized>(
    reader: &R,
    index: LeafIndex,
    subtree: Subtree,
) -> Result<Vec<Hash>, R::Error> {
    leaf_position(index, subtree)?;
    siblings(reader, (index.0, index.0 + 1), (subtree.begin().0, subtree.end().0))
}

/// The hashes that prove the tree of `from` leaves to be the beginning of the tree of `to` leaves.
/// Empty when the sizes are equal or `from` is 0.
///
/// Errors: [`Error::SizesReversed`] when `from` is above `to`; what the reader fails with.
pub fn consistency_proof<R: HashReader + ?Sized>(
    reader: &R,
    from: TreeSize,
    to: TreeSize,
) -> Result<Vec<Hash>, R::Error> {
    subtree_consistency_proof(reader, from.into(), to)
}

/// The hashes that prove a subtree to be part of the tree of `size` leaves.
///
/// Errors: [`Error::SizesReversed`] when the subtree ends beyond `size`; what the reader fails with.
pub fn subtree_consistency_proof<R: HashReader + ?Sized>(
    reader: &R,
    subtree: Subtree,
    size: TreeSize,
) -> Result<Vec<Hash>, R::Error> {
    check_order(subtree, size)?;
    match (subtree.begin().0, subtree.end().0) {
        (begin, end) if begin == end => Ok(Vec::new()),
        stretch => siblings(reader, stretch, (0, size.0)),
    }
}

/// Walks from the tree `outer` down to the stretch `inner`, collecting siblings, and returns them bottom-up. Where
/// a fork cuts `inner` in two, its left part is a node of the tree and the walk goes on to the right part, whose
/// hash the verifier does not know and gets first.
fn siblings<R: HashReader + ?Sized>(
    reader: &R,
    (mut begin, end): (u64, u64),
    (mut low, mut high): (u64, u64),
) -> Result<Vec<Hash>, R::Error> {
    let mut hashes = Vec::new();
    let mut cut = false;
    while (begin, end) != (low, high) {
        let middle = low + (1 << (high - low - 1).ilog2());
        if end <= middle {
            hashes.push(stretch_root(reader, middle, high)?);
            high = middle;
        } else {
            hashes.push(stretch_root(reader, low, middle)?);
            cut |= begin < middle;
            begin = begin.max(middle);
            low = middle;
        }
    }
    if cut {
        hashes.push(stretch_root(reader, low, high)?);
    }
    hashes.reverse();
    Ok(hashes)
}

/// The root that an inclusion proof leads to, for whoever learns the root elsewhere (RFC 9162 section 2.1.3.2).
///
/// Errors: [`Error::LeafOutside`], [`Error::ProofTooShort`], [`Error::ProofTooLong`].
pub fn inclusion_root(leaf: &Hash, index: LeafIndex, size: TreeSize, proof: &[Hash]) -> Result<Hash, Error> {
    subtree_inclusion_root(leaf, index, size.into(), proof)
}

/// Checks that `leaf` is leaf `index` of the tree with `size` leaves and this root (RFC 9162 section 2.1.3.2).
///
/// Errors: as [`inclusion_root`], and [`Error::RootMismatch`].
pub fn verify_inclusion(
    leaf: &Hash,
    index: LeafIndex,
    size: TreeSize,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), Error> {
    verify_subtree_inclusion(leaf, index, size.into(), proof, root)
}

/// Checks that `leaf` is leaf `index` in the subtree with this hash.
///
/// Errors: as [`verify_inclusion`].
pub fn verify_subtree_inclusion(
    leaf: &Hash,
    index: LeafIndex,
    subtree: Subtree,
    proof: &[Hash],
    subtree_hash: &Hash,
) -> Result<(), Error> {
    match subtree_inclusion_root(leaf, index, subtree, proof)? {
        found if found == *subtree_hash => Ok(()),
        _ => Err(Error::RootMismatch),
    }
}

fn subtree_inclusion_root(leaf: &Hash, index: LeafIndex, subtree: Subtree, proof: &[Hash]) -> Result<Hash, Error> {
    let (mut node, mut last) = leaf_position(index, subtree)?;
    let mut hash = *leaf;
    for sibling in proof {
        if last == 0 {
            return Err(Error::ProofTooLong);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            let lone_levels = node.trailing_zeros();
            node >>= lone_levels;
            last >>= lone_levels;
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last == 0 { Ok(hash) } else { Err(Error::ProofTooShort) }
}

/// Checks that the tree of `from` leaves with root `from_root` is the beginning of the tree of `to` leaves with root
/// `to_root` (RFC 9162 section 2.1.4.2). Every tree begins with the empty one: `from` 0 needs an empty proof and
/// [`EMPTY_ROOT`].
///
/// Errors: [`Error::SizesReversed`], [`Error::ProofTooShort`], [`Error::ProofTooLong`], [`Error::OldRootMismatch`],
/// [`Error::RootMismatch`].
pub fn verify_consistency(
    from: TreeSize,
    to: TreeSize,
    proof: &[Hash],
    from_root: &Hash,
    to_root: &Hash,
) -> Result<(), Error> {
    if to.0 == 0 && *to_root != EMPTY_ROOT {
        return Err(Error::RootMismatch);
    }
    verify_subtree_consistency(from.into(), to, proof, from_root, to_root)
}

/// Checks that the subtree with hash `subtree_hash` is part of the tree of `size` leaves with this root
/// (draft-ietf-plants-merkle-tree-certs, section 4.4.3).
///
/// Errors: as [`verify_consistency`].
pub fn verify_subtree_consistency(
    subtree: Subtree,
    size: TreeSize,
    proof: &[Hash],
    subtree_hash: &Hash,
    root: &Hash,
) -> Result<(), Error> {
    check_order(subtree, size)?;
    let (mut first, end) = (subtree.begin().0, subtree.end().0);
    if first == end {
        return match proof {
            [] if *subtree_hash == EMPTY_ROOT => Ok(()),
            [] => Err(Error::OldRootMismatch),
            _ => Err(Error::ProofTooLong),
        };
    }
    let (mut node, mut last) = (end - 1, size.0 - 1);
    while first != node && (node == last || node & 1 == 1) {
        (first, node, last) = (first >> 1, node >> 1, last >> 1);
    }
    let (seed, path) = match proof {
        _ if first == node => (subtree_hash, proof),
        [seed, path @ ..] => (seed, path),
        [] => return Err(Error::ProofTooShort),
    };
    let (mut old, mut new) = (*seed, *seed);
    for sibling in path {
        if last == 0 {
            return Err(Error::ProofTooLong);
        }
        if node & 1 == 1 || node == last {
            if first < node {
                old = node_hash(sibling, &old);
            }
            new = node_hash(sibling, &new);
            let lone_levels = node.trailing_zeros();
            (first, node, last) = (first >> lone_levels, node >> lone_levels, last >> lone_levels);
        } else {
            new = node_hash(&new, sibling);
        }
        (first, node, last) = (first >> 1, node >> 1, last >> 1);
    }
    match () {
        () if last != 0 => Err(Error::ProofTooShort),
        () if old != *subtree_hash => Err(Error::OldRootMismatch),
        () if new != *root => Err(Error::RootMismatch),
        () => Ok(()),
    }
}

/// The leaf's position within the subtree and that of the subtree's last leaf.
fn leaf_position(index: LeafIndex, subtree: Subtree) -> Result<(u64, u64), Error> {
    let (begin, end) = (subtree.begin().0, subtree.end().0);
    match index.0.checked_sub(begin) {
        Some(position) if index.0 < end => Ok((position, end - begin - 1)),
        _ => Err(Error::LeafOutside { index: index.0, begin, end }),
    }
}

fn check_order(subtree: Subtree, size: TreeSize) -> Result<(), Error> {
    match subtree.end() {
        end if end <= size => Ok(()),
        end => Err(Error::SizesReversed { from: end.0, to: size.0 }),
    }
}
