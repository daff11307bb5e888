//! Evidence bundles: out of a ledger's folder, or through the service that holds it.

use counterfoil::{ErrorKind, Snapshot};
use counterfoil_evidence::{Bundle, BundleSource, MAX_BUNDLE_BYTES, MAX_BUNDLE_ENTRIES};
use counterfoil_tlog::Hash;
use serde_json::json;

use crate::exit::Failure;
use crate::progress::{Progress, Unit};
use crate::remote::Call;
use crate::text::{Counted, entries};
use crate::view::View;

/// The bundle of the entries for which a condition holds, under the checkpoint of a size. The condition chooses none beyond it.
///
/// Errors: [`is_too_large`] when it has more bytes than a bundle may.
pub fn bundle(view: &View, condition: &str, indices: &[u64], size: u64) -> Result<Vec<u8>, Failure> {
    match view {
        View::Folder { snapshot, .. } => {
            let state = State { snapshot, size, checkpoint: view.checkpoint_at(size)? };
            build(state, condition, indices)
        }
        View::Service { service, .. } => {
            let choice = json!({"where": condition, "size": size});
            Ok(service.text_within(Call::post("/api/v1/bundles", &choice), MAX_BUNDLE_BYTES)?)
        }
    }
}

/// A ledger as it was when it had this many entries.
pub struct State<'a> {
    pub snapshot: &'a Snapshot,
    pub size: u64,
    pub checkpoint: String,
}

/// The bundle of these entries of a ledger in its folder.
pub fn build(state: State<'_>, scope: &str, indices: &[u64]) -> Result<Vec<u8>, Failure> {
    if indices.len() > MAX_BUNDLE_ENTRIES {
        return Err(too_large(&entries(indices.len() as u64)));
    }
    let source = Source { state, progress: Progress::new("proving", Unit::Entries, Some(indices.len() as u64)) };
    let bundle = Bundle::build(&source, scope, indices)?;
    drop(source);
    let text = bundle.format();
    match text.len() > MAX_BUNDLE_BYTES {
        true => Err(too_large(&Counted(text.len() as u64, "byte", "bytes"))),
        false => Ok(text.into_bytes()),
    }
}

/// Whether a bundle was refused for its size: nothing else about a condition of this program's own is invalid.
pub fn is_too_large(failure: &Failure) -> bool {
    matches!(failure, Failure::Told { kind: ErrorKind::Invalid, .. })
}

fn too_large(size: &dyn std::fmt::Display) -> Failure {
    let limits = (entries(MAX_BUNDLE_ENTRIES as u64), Counted(MAX_BUNDLE_BYTES as u64, "byte", "bytes"));
    Failure::invalid(format!("{size} are too many for one bundle: it holds at most {} and {}", limits.0, limits.1))
        .advise("Choose fewer entries, by time for example, and make several bundles.")
}

struct Source<'a> {
    state: State<'a>,
    progress: Progress,
}

impl BundleSource for Source<'_> {
    type Error = Failure;

    fn origin(&self) -> &counterfoil_tlog::Origin {
        self.state.snapshot.origin()
    }

    fn verifier_key(&self) -> &counterfoil_tlog::VerifierKey {
        self.state.snapshot.verifier_key()
    }

    fn checkpoint(&self) -> &str {
        &self.state.checkpoint
    }

    fn entry(&self, index: u64) -> Result<Vec<u8>, Failure> {
        Ok(self.state.snapshot.entry(index)?)
    }

    fn proof(&self, index: u64) -> Result<Vec<Hash>, Failure> {
        let proof = self.state.snapshot.prove_inclusion(index, self.state.size)?;
        self.progress.more(1);
        Ok(proof)
    }

    fn about(&self, entity_id: &str) -> Result<Vec<(u64, Vec<u8>)>, Failure> {
        let mut about = self.state.snapshot.history(entity_id)?;
        about.retain(|(index, _)| *index < self.state.size);
        Ok(about)
    }
}
