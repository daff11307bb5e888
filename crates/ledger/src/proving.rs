//! What a snapshot proves: roots, inclusion and consistency, and the tree's hashes behind them.

use counterfoil_tlog::{
    Checkpoint, Hash, HashReader, LeafIndex, Signer, Tile, TlogProof, TreeSize, node_hash, subtree_hash,
};

use crate::error::{Error, ErrorKind, Result};
use crate::snapshot::Snapshot;

impl Snapshot {
    /// The leaf hash of an entry.
    pub fn leaf_hash(&self, index: u64) -> Result<Hash> {
        self.check_index(index)?;
        self.node(0, index)
    }

    /// The tree's root when it had `size` entries; `Tampered` when the stored hashes do not lead from it to the signed root.
    pub fn root_at(&self, size: u64) -> Result<Hash> {
        self.check_size(size)?;
        if size == self.head.size {
            return Ok(self.head.root);
        }
        let (old, new) = (TreeSize(size), TreeSize(self.head.size));
        let root = counterfoil_tlog::root(self, old)?;
        let proof = counterfoil_tlog::consistency_proof(self, old, new)?;
        let holds = counterfoil_tlog::verify_consistency(old, new, &proof, &root, &self.head.root);
        holds.map_err(|error| {
            Error::tampered(format!("the stored hashes of the first {size} entries do not lead to the signed root"))
                .because(error)
        })?;
        Ok(root)
    }

    /// The inclusion proof of an entry in the tree of `size` entries (RFC 6962, 2.1.1).
    pub fn prove_inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>> {
        self.check_size(size)?;
        let (index, size) = (LeafIndex(index), TreeSize(size));
        let proof = counterfoil_tlog::inclusion_proof(self, index, size)?;
        let root = self.root_at(size.0)?;
        let leaf = self.node(0, index.0)?;
        let holds = counterfoil_tlog::verify_inclusion(&leaf, index, size, &proof, &root);
        holds
            .map_err(|error| Error::tampered(format!("the stored hashes do not prove entry {index}")).because(error))?;
        Ok(proof)
    }

    /// The proof that the tree of `to` entries extends the one of `from` (RFC 6962, 2.1.2).
    pub fn prove_consistency(&self, from: u64, to: u64) -> Result<Vec<Hash>> {
        self.check_size(to)?;
        let (old, new) = (TreeSize(from), TreeSize(to));
        let proof = counterfoil_tlog::consistency_proof(self, old, new)?;
        let holds = counterfoil_tlog::verify_consistency(old, new, &proof, &self.root_at(from)?, &self.root_at(to)?);
        holds.map_err(|error| {
            Error::tampered(format!("the stored hashes do not prove that {to} entries extend {from}")).because(error)
        })?;
        Ok(proof)
    }

    /// The C2SP tlog-proof text of an entry under the snapshot's checkpoint.
    pub fn proof_text(&self, index: u64) -> Result<String> {
        self.proof_text_under(index, self.head.size, self.checkpoint())
    }

    /// The C2SP tlog-proof text of an entry under a checkpoint of an earlier size.
    pub fn proof_text_under(&self, index: u64, size: u64, checkpoint: &str) -> Result<String> {
        self.check_index(index)?;
        let proof = TlogProof {
            extra: None,
            index: LeafIndex(index),
            hashes: self.prove_inclusion(index, size)?,
            checkpoint: checkpoint.to_owned(),
        };
        Ok(proof.to_string())
    }

    /// A checkpoint of an earlier size, signed now. It says nothing that the newest one does not already bind.
    pub fn checkpoint_at(&self, size: u64, signer: &dyn Signer) -> Result<String> {
        if signer.verifier_key() != self.verifier_key() {
            return Err(Error::new(ErrorKind::Denied, "this is not the key that signs the ledger's checkpoints"));
        }
        let checkpoint = Checkpoint::new(self.origin().clone(), TreeSize(size), self.root_at(size)?);
        Ok(checkpoint.sign(signer)?.to_string())
    }

    /// The hashes of a tile (C2SP tlog-tiles), as many as it is wide. `NotFound` when the tree has not that many.
    pub fn tile(&self, tile: Tile) -> Result<Vec<Hash>> {
        let complete = |size: u64| size.checked_shr(8 * u32::from(tile.level())).unwrap_or(0);
        let first = tile.index().checked_mul(256);
        let end = first.and_then(|first| first.checked_add(u64::from(tile.width())));
        let (Some(first), Some(end)) = (first, end.filter(|end| *end <= complete(self.size()))) else {
            return Err(Error::not_found(format!("the ledger has {} entries and not this tile", self.size())));
        };
        let sealed_end = complete(self.sealed_size()).clamp(first, end);
        let mut hashes = match sealed_end - first {
            0 => Vec::new(),
            sealed => self.tile_hashes(tile.level(), first, sealed)?,
        };
        for index in sealed_end..end {
            hashes.push(self.node(8 * tile.level(), index)?);
        }
        Ok(hashes)
    }

    /// Hashes of a tile level out of the segments.
    fn tile_hashes(&self, level: u8, start: u64, count: u64) -> Result<Vec<Hash>> {
        let mut hashes = Vec::with_capacity(count as usize);
        let mut at = start;
        while at < start + count {
            let last_leaf = ((at + 1) << (8 * level)) - 1;
            let position = self.head.segments.partition_point(|segment| segment.end() <= last_leaf);
            let segment = &self.head.segments[position];
            let complete = segment.end() >> (8 * level);
            let end = complete.min(start + count);
            hashes.extend(segment.tiles(&self.folder)?.hashes(level, at, end - at)?);
            at = end;
        }
        Ok(hashes)
    }

    fn check_size(&self, size: u64) -> Result<()> {
        if size <= self.head.size {
            return Ok(());
        }
        Err(Error::not_found(format!("there is no size {size}: the ledger has {} entries", self.head.size)))
    }
}

impl HashReader for Snapshot {
    type Error = Error;

    fn node(&self, level: u8, index: u64) -> Result<Hash> {
        let end = (index + 1) << level;
        if end > self.head.size {
            return Err(Error::not_found(format!("there is no node {index} of level {level} in the tree")));
        }
        if let Some(hash) = self.head.journals.iter().rev().find_map(|journal| journal.node(level, index)) {
            return Ok(hash);
        }
        if end > self.head.sealed_size() {
            if level == 0 {
                return Err(Error::damaged(format!("no journal file holds entry {index}")));
            }
            let (left, right) = (self.node(level - 1, 2 * index)?, self.node(level - 1, 2 * index + 1)?);
            return Ok(node_hash(&left, &right));
        }
        let within = level % 8;
        let hashes = self.tile_hashes(level / 8, index << within, 1 << within)?;
        Ok(subtree_hash(&hashes))
    }
}
