//! The Python script agrees, knowing nothing of our code.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use counterfoil_evidence::Bundle;

use crate::sample::{Sample, ledger_key};

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop/verify_bundle.py")
}

fn verify(bundle: &Bundle, vkey: &str) -> Option<Output> {
    if Command::new("python3").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "python3 is needed: install it");
        eprintln!("left out: the Python script (no python3)");
        return None;
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bundle.format()).unwrap();
    Some(Command::new("python3").arg(script()).arg(file.path()).arg(vkey).output().unwrap())
}

#[test]
fn python_verifies_an_honest_bundle() {
    let sample = Sample::new();
    let Some(output) = verify(&sample.bundle(), &sample.vkey().to_string()) else { return };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("verified 3 entries of bank.example/audit under a checkpoint of 6"), "{said}");
}

#[test]
fn python_refuses_dishonest_ones() {
    let sample = Sample::new();
    let refused = |bundle: &Bundle, reason: &str| {
        let Some(output) = verify(bundle, &sample.vkey().to_string()) else { return };
        assert!(!output.status.success(), "{reason}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(reason), "{said}");
    };
    let mut changed = sample.bundle();
    changed.entries[2].canonical = changed.entries[2].canonical.replace("maria", "mario");
    refused(&changed, "entry 5 is not in the ledger");
    let mut outside = sample.bundle();
    outside.entries[2].index = 6;
    refused(&outside, "entry 6 is outside the checkpoint");
    let mut twice = sample.bundle();
    twice.entries.insert(0, twice.entries[0].clone());
    refused(&twice, "twice or out of order");
    let mut resigned = sample.bundle();
    resigned.checkpoint = sample.checkpoint_by(&ledger_key(2));
    refused(&resigned, "no signature by this key");
}
