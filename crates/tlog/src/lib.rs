//! Transparency-log arithmetic and texts: RFC 6962 trees, C2SP tiles, notes, checkpoints, proofs and policies.
//!
//! Everything here is pure: bytes in, bytes or an [`Error`] out. No files, network, clock or random source.
//!
//! - Trees: [`leaf_hash`], [`CompactRange`] to grow one, [`HashReader`] with [`root`] to read one,
//!   [`inclusion_proof`], [`consistency_proof`] and their verifiers.
//! - Texts: [`Note`], [`Checkpoint`], [`cosignature`], [`TlogProof`], [`Policy`], [`witness`].
//! - Files: [`Tile`], [`TilePath`], [`bundle`].

pub mod bundle;
mod checkpoint;
pub mod cosignature;
mod encoding;
mod error;
mod hash;
mod key;
mod note;
mod origin;
mod pair;
mod policy;
mod position;
mod proof;
mod proof_text;
mod range;
mod signer;
mod tile;
mod tile_reader;
mod tree;
pub mod witness;

pub use checkpoint::{Checkpoint, OpenedCheckpoint};
pub use error::{Error, SignError};
pub use hash::{
    EMPTY_ROOT, Hash, LeafHasher, leaf_hash, leaf_hash_pair, leaf_hashes, node_hash, node_hashes, subtree_hash,
};
pub use key::{KeyId, KeyType, VerifierKey};
pub use note::{MAX_NOTE_BYTES, MAX_SIGNATURES, Note, OpenedNote, Signature, open};
pub use origin::{KeyName, Origin};
pub use policy::{Log, Policy, Witness};
pub use position::{LeafIndex, Subtree, TreeSize};
pub use proof::{
    consistency_proof, inclusion_proof, inclusion_root, subtree_consistency_proof, subtree_inclusion_proof,
    verify_consistency, verify_inclusion, verify_subtree_consistency, verify_subtree_inclusion,
};
pub use proof_text::TlogProof;
pub use range::CompactRange;
pub use signer::{NoteSigner, Signer};
pub use tile::{Tile, TilePath};
pub use tile_reader::{TileReader, TileSource};
pub use tree::{HashReader, cover, root, subtree_root};
