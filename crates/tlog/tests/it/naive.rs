//! The tree written down as the standards define it, with nothing shared with the crate but the type of a hash.

use counterfoil_tlog::{Error, Hash, HashReader};
use sha2::{Digest, Sha256};

pub fn sha256(bytes: &[u8]) -> Hash {
    Hash(Sha256::digest(bytes).into())
}

pub fn leaf(entry: &[u8]) -> Hash {
    sha256(&[&[0], entry].concat())
}

pub fn node(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], left.0.as_slice(), right.0.as_slice()].concat())
}

/// The largest power of two below `n`.
fn split(n: usize) -> usize {
    n.next_power_of_two() / 2
}

/// MTH of RFC 9162 section 2.1.1, over leaf hashes.
pub fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => sha256(&[]),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node(&root(left), &root(right))
        }
    }
}

/// PATH of RFC 9162 section 2.1.3.1.
pub fn path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let k = split(leaves.len());
    let (left, right) = leaves.split_at(k);
    let (mut proof, sibling) =
        if index < k { (path(index, left), root(right)) } else { (path(index - k, right), root(left)) };
    proof.push(sibling);
    proof
}

/// SUBTREE_PROOF of draft-ietf-plants-merkle-tree-certs section 4.4.1; with `start` 0, PROOF of RFC 9162 2.1.4.1.
pub fn subtree_proof(start: usize, end: usize, leaves: &[Hash]) -> Vec<Hash> {
    if start == end { Vec::new() } else { subproof(start, end, leaves, true) }
}

fn subproof(start: usize, end: usize, leaves: &[Hash], known: bool) -> Vec<Hash> {
    if (start, end) == (0, leaves.len()) {
        return if known { Vec::new() } else { vec![root(leaves)] };
    }
    let k = split(leaves.len());
    let (left, right) = leaves.split_at(k);
    let (mut proof, sibling) = if end <= k {
        (subproof(start, end, left, known), root(right))
    } else if k <= start {
        (subproof(start - k, end - k, right, known), root(left))
    } else {
        (subproof(0, end - k, right, false), root(left))
    };
    proof.push(sibling);
    proof
}

/// Whether the leaves [start, end) form a subtree, by the words of section 4.1.
pub fn is_subtree(start: usize, end: usize) -> bool {
    start <= end && start.is_multiple_of((end - start).next_power_of_two())
}

/// The complete nodes over some leaves, kept by level, as a source for the crate's readers.
pub struct Nodes(Vec<Vec<Hash>>);

impl Nodes {
    pub fn over(leaves: &[Hash]) -> Self {
        let mut levels = vec![leaves.to_vec()];
        while levels[levels.len() - 1].len() > 1 {
            let below = &levels[levels.len() - 1];
            levels.push(below.chunks_exact(2).map(|pair| node(&pair[0], &pair[1])).collect());
        }
        Self(levels)
    }

    pub fn get(&self, level: u8, index: u64) -> Option<&Hash> {
        self.0.get(usize::from(level))?.get(index as usize)
    }
}

/// What the reading functions fail with when the source cannot fail.
#[derive(Debug, PartialEq)]
pub struct Refused(pub Error);

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl HashReader for Nodes {
    type Error = Refused;

    fn node(&self, level: u8, index: u64) -> Result<Hash, Refused> {
        Ok(*self.get(level, index).unwrap_or_else(|| panic!("node {level}/{index} is not complete")))
    }
}

/// `n` different leaf hashes.
pub fn leaves(n: usize) -> Vec<Hash> {
    (0..n).map(|i| leaf(&(i as u64).to_be_bytes())).collect()
}
