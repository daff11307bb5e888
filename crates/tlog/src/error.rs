//! What this crate refuses, and why.

use crate::{KeyId, KeyName, Origin};

/// The reason for which a text, a proof, a key or a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Text or bytes that are not one hash.
    #[error("not a hash: it takes exactly 32 bytes, as padded base64 or 64 lowercase hex digits")]
    InvalidHash,
    /// An origin or key name that may not be used.
    #[error("the name is refused: {0}")]
    InvalidName(&'static str),

    /// A stretch of leaves that is not a subtree.
    #[error("the leaves [{begin}, {end}) do not form a subtree")]
    InvalidSubtree {
        /// First leaf.
        begin: u64,
        /// One past the last leaf.
        end: u64,
    },
    /// Parts that do not make a compact range, or a range that does not follow the one it is appended to.
    #[error("{hashes} hashes do not make, or do not continue, the compact range [{begin}, {end})")]
    InvalidRange {
        /// First leaf.
        begin: u64,
        /// One past the last leaf.
        end: u64,
        /// How many hashes there are.
        hashes: usize,
    },
    /// A leaf index outside the tree or subtree.
    #[error("leaf {index} is outside [{begin}, {end})")]
    LeafOutside {
        /// The index asked for.
        index: u64,
        /// First leaf of the tree or subtree.
        begin: u64,
        /// One past its last leaf.
        end: u64,
    },
    /// A consistency proof from a larger tree to a smaller one.
    #[error("a tree of {to} leaves cannot continue one of {from}")]
    SizesReversed {
        /// Size of the older tree, or end of the subtree.
        from: u64,
        /// Size of the newer tree.
        to: u64,
    },
    /// A proof that ends before the root.
    #[error("the proof has too few hashes")]
    ProofTooShort,
    /// A proof that goes on beyond the root.
    #[error("the proof has too many hashes")]
    ProofTooLong,
    /// A consistency proof that does not lead to the older root or to the subtree's hash.
    #[error("the proof does not lead to the older root")]
    OldRootMismatch,
    /// A proof that does not lead to the root.
    #[error("the proof does not lead to the root")]
    RootMismatch,

    /// A tile path, a tile position or tile bytes that cannot be.
    #[error("the tile is refused: {0}")]
    InvalidTile(&'static str),
    /// Bytes that are not an entry bundle.
    #[error("the entry bundle is refused: {0}")]
    InvalidBundle(&'static str),
    /// An entry that an entry bundle cannot hold.
    #[error("an entry of {0} bytes does not fit into an entry bundle: the limit is 65535")]
    EntryTooLong(usize),

    /// Bytes that are not a signed note, or a text that cannot become one.
    #[error("malformed note: {0}")]
    MalformedNote(&'static str),
    /// A key text or key bytes that are refused.
    #[error("the key is refused: {0}")]
    InvalidKey(&'static str),
    /// A key of a type that cannot do what was asked of it.
    #[error("a key of this type cannot be used here: {0}")]
    WrongKeyType(&'static str),
    /// A signature by a known key that does not hold.
    #[error("the signature by {name} (key {id}) is wrong")]
    InvalidSignature {
        /// The key's name.
        name: KeyName,
        /// The key's id.
        id: KeyId,
    },
    /// A note without a signature by any key in question.
    #[error("no signature by a trusted key")]
    NoTrustedSignature,
    /// The signer failed.
    #[error(transparent)]
    Sign(#[from] SignError),

    /// A note text that is not a checkpoint.
    #[error("malformed checkpoint: {0}")]
    MalformedCheckpoint(&'static str),
    /// A checkpoint of another log.
    #[error("the checkpoint is of {found}, not of {expected}")]
    WrongOrigin {
        /// The origin asked for.
        expected: Origin,
        /// The origin in the checkpoint.
        found: Origin,
    },
    /// A cosignature that may not be made or read.
    #[error("the cosignature is refused: {0}")]
    InvalidCosignature(&'static str),

    /// Bytes that are not a tlog-proof.
    #[error("malformed proof: {0}")]
    MalformedProof(&'static str),
    /// A policy text that is refused.
    #[error("policy line {line}: {reason}")]
    InvalidPolicy {
        /// Line number, from 1; one past the last line when something is missing.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A checkpoint of a log that the policy does not list.
    #[error("the policy does not list the log {0}")]
    UnknownLog(Origin),
    /// Too few cosignatures for the policy.
    #[error("the cosignatures do not make the quorum that the policy asks for")]
    QuorumNotMet,
    /// Bytes that are not a request to a witness, or not its answer.
    #[error("malformed witness message: {0}")]
    MalformedMessage(&'static str),
}

/// A signer that could not sign, in its own words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("signing failed: {0}")]
pub struct SignError(pub String);
