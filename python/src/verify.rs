//! Verification: of a folder, of a service that is read from outside, of bundles and proofs.

use std::path::PathBuf;

use counterfoil::{ErrorKind, VerifyOptions};
use counterfoil_entry::{Fields, canonical};
use counterfoil_evidence::{Bundle, Finding, FindingKind, Report};
use counterfoil_tlog::{Checkpoint, CompactRange, LeafIndex, Origin, TlogProof, VerifierKey, bundle, leaf_hash};
use pyo3::prelude::*;

use crate::error::{exception, invalid, raised};

fn keys(texts: &[String]) -> PyResult<Vec<VerifierKey>> {
    texts
        .iter()
        .map(|text| text.trim().parse().map_err(|error| invalid(format!("the key {text:?}: {error}"))))
        .collect()
}

/// A report as a JSON object.
fn told(report: &Report) -> String {
    let findings: Vec<_> = report
        .findings
        .iter()
        .map(|one| {
            serde_json::json!({
                "kind": one.kind.name(), "class": one.kind.class().name(), "file": one.file, "offset": one.offset,
                "index": one.index, "message": one.message,
            })
        })
        .collect();
    serde_json::json!({
        "origin": report.origin, "tree_size": report.size, "root_hash": report.root.map(|root| root.to_string()),
        "entries_checked": report.entries_checked, "signatures_checked": report.signatures_checked,
        "anchored": report.anchored, "compared_against": report.compared_against, "notices": report.notices,
        "findings": findings,
    })
    .to_string()
}

/// Verifies the ledger in a folder; the report as JSON.
#[pyfunction]
#[pyo3(signature = (path, keys_given, checkpoint=None))]
pub fn verify_folder(
    py: Python<'_>,
    path: PathBuf,
    keys_given: Vec<String>,
    checkpoint: Option<Vec<u8>>,
) -> PyResult<String> {
    let options = VerifyOptions { checkpoint, keys: keys(&keys_given)?, ..VerifyOptions::default() };
    let report = py.detach(|| counterfoil::verify(path, &options)).map_err(|error| raised(&error))?;
    Ok(told(&report))
}

/// Verifies an evidence bundle offline; the report as JSON.
#[pyfunction]
pub fn verify_bundle(bytes: &[u8], keys_given: Vec<String>) -> PyResult<String> {
    let bundle = Bundle::parse(bytes).map_err(|error| invalid(format!("the bundle: {error}")))?;
    Ok(told(&bundle.verify(&keys(&keys_given)?)))
}

/// Checks that a proof leads from an entry to a checkpoint that the key signed. Index and size.
#[pyfunction]
pub fn check_proof(proof: &[u8], entry: &[u8], key: &str) -> PyResult<(u64, u64)> {
    let proof = TlogProof::parse(proof).map_err(|error| invalid(format!("the proof: {error}")))?;
    let mut bytes = Vec::with_capacity(entry.len());
    canonical::canonicalise(entry, &mut bytes).map_err(|error| invalid(format!("the entry: {error}")))?;
    let keys = keys(&[key.to_owned()])?;
    let opened = proof.verify(&leaf_hash(&bytes), &Origin::from(keys[0].name()), &keys);
    let opened = opened.map_err(|error| exception(ErrorKind::Tampered, &format!("the proof: {error}"), None))?;
    Ok((proof.index.0, opened.checkpoint.size.0))
}

/// The entries in an entry bundle (C2SP tlog-tiles).
#[pyfunction]
pub fn split_bundle(bytes: &[u8]) -> PyResult<Vec<Vec<u8>>> {
    let entries = bundle::entries(bytes).map_err(|error| {
        exception(ErrorKind::Damaged, &format!("the service's entry bundle cannot be read: {error}"), None)
    })?;
    Ok(entries.into_iter().map(<[u8]>::to_vec).collect())
}

/// A verification from outside: all entries that a service serves, hashed and compared with its signed checkpoint.
/// Nothing that the service says of itself is believed.
#[pyclass(module = "counterfoil._core")]
pub struct Walk {
    tree: CompactRange,
    report: Report,
    newest: Option<Checkpoint>,
    older: Option<Checkpoint>,
}

#[pymethods]
impl Walk {
    /// Starts with the service's checkpoint; `named` is the key that the service names, `given` are those that the
    /// caller trusts, `kept` a checkpoint that was kept elsewhere.
    #[new]
    #[pyo3(signature = (checkpoint, named, given, kept=None))]
    fn new(checkpoint: &[u8], named: &str, given: Vec<String>, kept: Option<Vec<u8>>) -> PyResult<Self> {
        let named = keys(&[named.to_owned()])?;
        let trusted = keys(&given)?;
        let mut report =
            Report { origin: named[0].name().to_string(), anchored: !trusted.is_empty(), ..Report::default() };
        let trusted = if trusted.is_empty() {
            report.compared_against.push("the key that the service itself names".to_owned());
            named
        } else {
            report.compared_against.push("the given key".to_owned());
            trusted
        };
        let newest = open(checkpoint, &trusted, "the service's checkpoint", &mut report);
        let older = kept.as_ref().and_then(|note| open(note, &trusted, "the given checkpoint", &mut report));
        if let (Some(newest), Some(older)) = (&newest, &older) {
            report.anchored = true;
            report.compared_against.push(format!("the given checkpoint of {} entries", older.size));
            if older.size > newest.size {
                let message =
                    format!("the given checkpoint covers {} entries, the service {}", older.size, newest.size);
                report.add(Finding::new(FindingKind::CheckpointAhead, message));
            }
        }
        Ok(Self { tree: CompactRange::new(LeafIndex(0)), report, newest, older })
    }

    /// How many entries the checkpoint covers; none when it has no good signature.
    #[getter]
    fn size(&self) -> Option<u64> {
        self.newest.as_ref().map(|checkpoint| checkpoint.size.0)
    }

    /// Takes in the next entry bundle of this many entries; false when it does not hold them.
    fn add(&mut self, bytes: &[u8], width: usize) -> bool {
        let entries = match bundle::entries(bytes) {
            Ok(entries) if entries.len() == width => entries,
            _ => {
                let message = format!("the bundle at entry {} does not hold {width} entries", self.tree.end());
                self.report.add(Finding::new(FindingKind::FileTruncated, message));
                return false;
            }
        };
        for entry in entries {
            let index = self.tree.end().0;
            if let Err(error) = Fields::check(entry) {
                self.report.add(Finding::new(FindingKind::EntryMalformed, error.to_string()).at_index(index));
            }
            self.tree.push(leaf_hash(entry));
            self.report.entries_checked += 1;
            let reached = self.older.as_ref().filter(|older| older.size == self.tree.end());
            if reached.is_some_and(|older| self.tree.root() != Some(older.root)) {
                let message = format!("the first {} entries are not those of the given checkpoint", index + 1);
                self.report.add(Finding::new(FindingKind::Fork, message));
            }
        }
        true
    }

    /// Compares the root; the report as JSON.
    fn finish(&mut self) -> String {
        self.report.root = self.tree.root();
        if let Some(newest) = &self.newest {
            self.report.size = newest.size.0;
            if self.tree.end() == newest.size && self.report.root != Some(newest.root) {
                let message = format!("the {} entries served do not have the root that was signed", newest.size);
                self.report.add(Finding::new(FindingKind::RootMismatch, message));
            }
        }
        told(&self.report)
    }
}

/// A checkpoint with a signature of a trusted key; a finding when it has none.
fn open(note: &[u8], keys: &[VerifierKey], what: &str, report: &mut Report) -> Option<Checkpoint> {
    let origin: Origin = report.origin.parse().ok()?;
    match Checkpoint::open(note, &origin, keys, &[]) {
        Ok(opened) => Some(opened.checkpoint),
        Err(error) => {
            let kind = match &error {
                counterfoil_tlog::Error::WrongOrigin { .. } => FindingKind::OriginMismatch,
                counterfoil_tlog::Error::MalformedCheckpoint(_) => FindingKind::CheckpointMalformed,
                _ => FindingKind::CheckpointSignature,
            };
            report.add(Finding::new(kind, format!("{what}: {error}")));
            None
        }
    }
}
