//! Verification: of a folder, of a service that is read from outside, of bundles and proofs.

use std::path::PathBuf;

use counterfoil::{ErrorKind, VerifyOptions};
use counterfoil_entry::canonical;
use counterfoil_evidence::{Bundle, Crawl, Report};
use counterfoil_tlog::{Origin, TilePath, TlogProof, VerifierKey, bundle, leaf_hash};
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
#[pyclass(module = "counterfoil._core")]
pub struct Walk(Option<Crawl>);

impl Walk {
    fn crawl(&mut self) -> PyResult<&mut Crawl> {
        self.0.as_mut().ok_or_else(|| invalid("the verification was finished"))
    }
}

#[pymethods]
impl Walk {
    /// Starts with the service's checkpoint; `named` is the key that the service names, `given` are those that the
    /// caller trusts, `kept` a checkpoint that was kept elsewhere.
    #[new]
    #[pyo3(signature = (checkpoint, named, given, kept=None))]
    fn new(checkpoint: &[u8], named: &str, given: Vec<String>, kept: Option<Vec<u8>>) -> PyResult<Self> {
        let named = &keys(&[named.to_owned()])?[0];
        Ok(Self(Some(Crawl::new(checkpoint, named, &keys(&given)?, kept.as_deref()))))
    }

    /// The path of the entry bundle that comes next; none when there is nothing more to read.
    fn next(&mut self) -> PyResult<Option<String>> {
        Ok(self.crawl()?.next().map(|tile| format!("/tlog/{}", TilePath::Entries(tile))))
    }

    /// Takes in that bundle; false when it does not hold what it should.
    fn add(&mut self, bytes: &[u8]) -> PyResult<bool> {
        Ok(self.crawl()?.add(bytes))
    }

    /// Compares the root; the report as JSON.
    fn finish(&mut self) -> PyResult<String> {
        let crawl = self.0.take().ok_or_else(|| invalid("the verification was finished"))?;
        Ok(told(&crawl.finish()))
    }
}
