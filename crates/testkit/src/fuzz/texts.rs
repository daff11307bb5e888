//! The texts of C2SP: what parses is written back as it was, and strangers' bytes give errors.

use counterfoil::Verified;
use counterfoil_tlog::{Checkpoint, LeafIndex, Note, Origin, Policy, TlogProof, TreeSize, VerifierKey, leaf_hash};

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or("")
}

/// Signed notes and verifier keys.
pub fn note(bytes: &[u8]) {
    if let Ok(note) = Note::parse(bytes) {
        let again = Note::parse(note.to_string().as_bytes()).expect("a note that was written can be read");
        assert_eq!(again.to_string(), note.to_string());
    }
    if let Ok(key) = text(bytes).parse::<VerifierKey>() {
        assert_eq!(key.to_string().parse::<VerifierKey>().as_ref(), Ok(&key));
    }
}

/// Checkpoints.
pub fn checkpoint(bytes: &[u8]) {
    if let Ok(checkpoint) = text(bytes).parse::<Checkpoint>() {
        assert_eq!(checkpoint.to_string().as_bytes(), bytes, "a checkpoint has one text");
    }
    let origin = Origin::new("example.com/fuzz").expect("an origin");
    let _ = Checkpoint::open(bytes, &origin, &[], &[]);
}

/// Inclusion proofs as texts.
pub fn proof(bytes: &[u8]) {
    if let Ok(proof) = TlogProof::parse(bytes) {
        let again = TlogProof::parse(proof.to_string().as_bytes()).expect("a proof that was written can be read");
        assert_eq!(again.to_string(), proof.to_string());
        let root = leaf_hash(b"root");
        let (index, size) = (proof.index, TreeSize(proof.index.0.saturating_add(1)));
        let _ = counterfoil_tlog::verify_inclusion(&root, LeafIndex(index.0), size, &proof.hashes, &root);
    }
}

/// Policies.
pub fn policy(bytes: &[u8]) {
    let _ = Policy::parse(bytes);
}

/// What a verification remembers, for one that goes on.
pub fn verified(bytes: &[u8]) {
    if let Ok(state) = Verified::parse(bytes) {
        let again = Verified::parse(state.to_text().as_bytes());
        assert_eq!(again.expect("a state that was written can be read"), state);
        let _ = state.copy_mark();
    }
}
