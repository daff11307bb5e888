//! The roots that a ledger had, one after the other in ascending order: what older checkpoints are held against.

use counterfoil::{Error, ErrorKind, Result, Snapshot};
use counterfoil_tlog::{CompactRange, Hash, HashReader, LeafIndex, TreeSize};

/// The roots of a snapshot's earlier sizes. Of the tail, leaf after leaf is added to what was there before.
#[derive(Debug)]
pub struct Roots {
    snapshot: Snapshot,
    tail: Option<CompactRange>,
}

impl Roots {
    /// Those of a snapshot.
    pub fn of(snapshot: Snapshot) -> Self {
        Self { snapshot, tail: None }
    }

    /// The root of the first `size` entries; sizes ascend. `Tampered` where the stored hashes do not lead to the newest root.
    pub fn at(&mut self, size: u64) -> Result<Hash> {
        if size <= self.snapshot.sealed_size() {
            return self.snapshot.root_at(size);
        }
        let mut tree = match self.tail.take() {
            Some(tree) if tree.end().0 <= size => tree,
            _ => sealed_tree(&self.snapshot)?,
        };
        for index in tree.end().0..size {
            tree.push(self.snapshot.leaf_hash(index)?);
        }
        let root = tree.root();
        self.tail = Some(tree);
        root.ok_or_else(|| Error::new(ErrorKind::Internal, "a tree that begins at 0 has a root"))
    }
}

/// The tree over the entries in segments, as the roots of its complete subtrees.
fn sealed_tree(snapshot: &Snapshot) -> Result<CompactRange> {
    let sealed = snapshot.sealed_size();
    let (mut hashes, mut at) = (Vec::new(), 0);
    for level in (0..62).rev().filter(|level| sealed >> level & 1 == 1) {
        hashes.push(snapshot.node(level, at >> level)?);
        at += 1 << level;
    }
    Ok(CompactRange::from_parts(LeafIndex(0), TreeSize(sealed), hashes)?)
}
