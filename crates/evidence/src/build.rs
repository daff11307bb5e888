//! Gathering what a bundle holds.

use std::collections::BTreeSet;

use counterfoil_entry::Fields;
use counterfoil_tlog::{Hash, Origin, VerifierKey};

use crate::{Bundle, KeyRing, ProvenEntry};

/// One state of a ledger, from which a bundle is made.
pub trait BundleSource {
    /// What reading may fail with.
    type Error;

    /// The ledger.
    fn origin(&self) -> &Origin;

    /// The key that signs its checkpoints.
    fn verifier_key(&self) -> &VerifierKey;

    /// The signed checkpoint of this state.
    fn checkpoint(&self) -> &str;

    /// The canonical bytes of an entry.
    fn entry(&self, index: u64) -> Result<Vec<u8>, Self::Error>;

    /// The inclusion proof of an entry under the checkpoint.
    fn proof(&self, index: u64) -> Result<Vec<Hash>, Self::Error>;

    /// The entries with this `entity_id`, ascending, each with its index.
    fn about(&self, entity_id: &str) -> Result<Vec<(u64, Vec<u8>)>, Self::Error>;
}

impl Bundle {
    /// The bundle of these entries, with the entries that registered or revoked the keys that signed them.
    ///
    /// `scope` says how they were chosen. The order of `indices`, and repeats in it, do not matter.
    ///
    /// Errors: those of the source.
    pub fn build<S: BundleSource>(source: &S, scope: &str, indices: &[u64]) -> Result<Bundle, S::Error> {
        let indices: BTreeSet<u64> = indices.iter().copied().collect();
        let mut signers = BTreeSet::new();
        let mut entries = Vec::with_capacity(indices.len());
        for index in indices {
            let canonical = source.entry(index)?;
            let signer = Fields::split(&canonical).ok().and_then(|fields| fields.signature);
            signers.extend(signer.map(|signature| signature.key_id.into_owned()));
            entries.push(proven(source, index, canonical)?);
        }
        let mut keys = Vec::new();
        for signer in signers {
            for (index, canonical) in source.about(&signer)? {
                if Fields::split(&canonical).is_ok_and(|fields| KeyRing::concerns(&fields)) {
                    keys.push(proven(source, index, canonical)?);
                }
            }
        }
        keys.sort_by_key(|entry| entry.index);
        Ok(Bundle {
            origin: source.origin().clone(),
            vkey: source.verifier_key().clone(),
            checkpoint: source.checkpoint().to_owned(),
            scope: scope.to_owned(),
            entries,
            keys,
        })
    }
}

/// An entry that is not UTF-8 is none; its leaf would not be that of its text, and verification says so.
fn proven<S: BundleSource>(source: &S, index: u64, canonical: Vec<u8>) -> Result<ProvenEntry, S::Error> {
    let canonical = String::from_utf8_lossy(&canonical).into_owned();
    Ok(ProvenEntry { index, canonical, proof: source.proof(index)? })
}
