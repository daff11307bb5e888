//! Bundles: one byte form, and every way to change one is a finding.

use counterfoil_evidence::{Bundle, BundleError, Finding, FindingKind};
use counterfoil_tlog::{Origin, VerifierKey};

use crate::sample::{ORIGIN, REGISTERED, SIGNED, Sample, client_key, committed, draft, ledger_key, own, registration};
use counterfoil_entry::signature;
use counterfoil_tlog::Signer;

fn kinds(bundle: &Bundle, trusted: &[VerifierKey]) -> Vec<(FindingKind, Option<u64>)> {
    let findings = bundle.verify(trusted).findings;
    findings.iter().map(|Finding { kind, index, .. }| (*kind, *index)).collect()
}

fn kinds_of(bundle: &Bundle) -> Vec<(FindingKind, Option<u64>)> {
    kinds(bundle, &[ledger_key(1).verifier_key().clone()])
}

#[test]
fn an_honest_bundle_verifies() {
    let sample = Sample::new();
    let report = sample.bundle().verify(&[sample.vkey()]);
    assert_eq!(report.findings, []);
    assert!(report.anchored);
    assert_eq!((report.size, report.entries_checked, report.signatures_checked), (6, 3, 1));
    assert_eq!(report.origin, ORIGIN);
}

#[test]
fn without_a_trusted_key_it_is_not_anchored() {
    let report = Sample::new().bundle().verify(&[]);
    assert!(report.is_clean());
    assert!(!report.anchored);
    assert!(report.compared_against[0].contains("nobody vouches for"));
}

#[test]
fn the_same_bundle_has_the_same_bytes() {
    let bundle = Sample::new().bundle();
    let text = bundle.format();
    assert_eq!(Bundle::parse(text.as_bytes()).unwrap(), bundle);
    assert_eq!(Sample::new().bundle().format(), text);
    let empty = Bundle { entries: Vec::new(), keys: Vec::new(), ..bundle };
    assert_eq!(Bundle::parse(empty.format().as_bytes()).unwrap(), empty);
}

#[test]
fn other_layouts_members_and_versions_are_refused() {
    let text = Sample::new().bundle().format();
    let refusal = |text: &str| Bundle::parse(text.as_bytes()).unwrap_err();
    assert!(matches!(refusal(&text.replacen('\n', "\n ", 1)), BundleError::NotCanonical(2)));
    assert!(matches!(refusal(&text.replacen("/v1", "/v2", 1)), BundleError::Format(_)));
    assert!(matches!(refusal(&text.replacen("\"scope\"", "\"scopes\"", 1)), BundleError::Json(_)));
    assert!(matches!(
        refusal(&text.replacen(",\n\"scope\"", ",\n\"scope\":\"\",\n\"scope\"", 1)),
        BundleError::Json(_)
    ));
    assert!(matches!(refusal(&text.replacen("\"proof\":[\"", "\"proof\":[\"A", 1)), BundleError::Member { .. }));
    assert!(matches!(refusal(&text.replacen("\"vkey\":\"bank", "\"vkey\":\"bunk", 1)), BundleError::Member { .. }));
    assert!(matches!(refusal("[]"), BundleError::Json(_)));
    assert!(matches!(refusal(&text[..text.len() - 3]), BundleError::Json(_)));
    assert!(matches!(refusal(&format!("{text}\n")), BundleError::NotCanonical(_)));
}

/// Only `scope` is the maker's word; the documentation says so.
#[test]
fn a_changed_byte_anywhere_else_is_found() {
    let sample = Sample::new();
    let text = sample.bundle().format().into_bytes();
    let scope = text.windows(9).position(|bytes| bytes == b"\"scope\":\"").unwrap() + 9;
    let scope_end = scope + sample.bundle().scope.len();
    for at in (0..text.len()).filter(|at| !(scope..scope_end).contains(at)) {
        for flip in [0x01, 0x20] {
            let mut changed = text.clone();
            changed[at] ^= flip;
            let found = match Bundle::parse(&changed) {
                Err(_) => true,
                Ok(bundle) => !bundle.verify(&[sample.vkey()]).is_clean(),
            };
            assert!(
                found,
                "byte {at} ^ {flip:#x}: {:?}",
                String::from_utf8_lossy(&changed[at.saturating_sub(20)..at + 10])
            );
        }
    }
}

#[test]
fn an_index_twice_or_out_of_order_is_found() {
    let sample = Sample::new();
    let mut twice = sample.bundle();
    twice.entries.insert(1, twice.entries[0].clone());
    assert_eq!(kinds_of(&twice), [(FindingKind::DuplicateEntry, Some(3))]);
    let mut swapped = sample.bundle();
    swapped.entries.swap(0, 1);
    assert_eq!(kinds_of(&swapped), [(FindingKind::DuplicateEntry, Some(3))]);
}

#[test]
fn an_entry_outside_the_checkpoint_is_found() {
    let mut bundle = Sample::new().bundle();
    bundle.entries[2].index = 6;
    assert_eq!(kinds_of(&bundle), [(FindingKind::OutsideCheckpoint, Some(6))]);
}

#[test]
fn a_wrong_proof_is_found() {
    let sample = Sample::new();
    let mut short = sample.bundle();
    short.entries[0].proof.pop();
    assert_eq!(kinds_of(&short), [(FindingKind::ProofInvalid, Some(3))]);
    let mut long = sample.bundle();
    let hash = long.entries[0].proof[0];
    long.entries[0].proof.push(hash);
    assert_eq!(kinds_of(&long), [(FindingKind::ProofInvalid, Some(3))]);
    let mut moved = sample.bundle();
    moved.entries[0].index = 2;
    assert_eq!(kinds_of(&moved), [(FindingKind::ProofInvalid, Some(2))]);
    let mut key = sample.bundle();
    key.keys[0].proof.clear();
    assert_eq!(kinds_of(&key), [(FindingKind::ProofInvalid, Some(REGISTERED))]);
}

#[test]
fn a_changed_entry_is_found() {
    let mut bundle = Sample::new().bundle();
    bundle.entries[2].canonical = bundle.entries[2].canonical.replace("maria", "mario");
    assert_eq!(kinds_of(&bundle), [(FindingKind::ProofInvalid, Some(5))]);
    let mut spaced = Sample::new().bundle();
    spaced.entries[2].canonical = spaced.entries[2].canonical.replacen(',', ", ", 1);
    let expected = [(FindingKind::ProofInvalid, Some(5)), (FindingKind::EntryNotCanonical, Some(5))];
    assert_eq!(kinds_of(&spaced), expected);
}

#[test]
fn a_checkpoint_signed_with_another_key_is_found() {
    let sample = Sample::new();
    let mut resigned = sample.bundle();
    resigned.checkpoint = sample.checkpoint_by(&ledger_key(2));
    assert_eq!(kinds_of(&resigned), [(FindingKind::CheckpointSignature, None)]);
    resigned.vkey = ledger_key(2).verifier_key().clone();
    let expected = [(FindingKind::KeyMismatch, None), (FindingKind::CheckpointSignature, None)];
    assert_eq!(kinds_of(&resigned), expected);
    assert!(kinds(&resigned, &[]).is_empty(), "on its own word alone it agrees with itself");
}

#[test]
fn another_origin_or_no_checkpoint_is_found() {
    let sample = Sample::new();
    let mut renamed = sample.bundle();
    renamed.origin = Origin::new("bank.example/other").unwrap();
    let found = kinds_of(&renamed);
    assert!(found.contains(&(FindingKind::OriginMismatch, None)), "{found:?}");
    let mut none = sample.bundle();
    none.checkpoint = "bank.example/audit\n6\n".to_owned();
    assert_eq!(kinds_of(&none), [(FindingKind::CheckpointMalformed, None)]);
}

#[test]
fn a_signature_needs_a_registered_key() {
    let sample = Sample::new();
    let unregistered = Bundle { keys: Vec::new(), ..sample.bundle() };
    assert_eq!(kinds_of(&unregistered), [(FindingKind::KeyUnregistered, Some(SIGNED))]);
    let mut stray = sample.bundle();
    stray.keys[0] = sample.proven(2);
    let expected = [(FindingKind::UnexpectedEntry, Some(2)), (FindingKind::KeyUnregistered, Some(SIGNED))];
    assert_eq!(kinds_of(&stray), expected);
}

/// The ledger itself lets nothing of this in: here its writer is the liar, so tree and checkpoint are right.
#[test]
fn what_a_lying_writer_committed_is_found() {
    let found = |index: usize, entry: String| {
        let mut sample = Sample::new();
        sample.entries[index] = entry;
        kinds_of(&sample.bundle())
    };
    let late = committed(&draft(r#"{"event_type":"invoice_received","actor":"a","entity_id":"INV-7"}"#), 900);
    assert_eq!(found(3, late), [(FindingKind::RecordedAtBackwards, Some(4))]);

    let other_actor = committed(&registration(&client_key(7), &["someone-else"]), 1);
    assert_eq!(found(1, other_actor), [(FindingKind::KeyUnregistered, Some(SIGNED))]);

    let other_key = committed(&registration(&client_key(8), &["invoice-bot"]), 1);
    assert_eq!(found(1, other_key), [(FindingKind::KeyUnregistered, Some(SIGNED))]);

    let forged = Sample::new().entries[SIGNED as usize].replace("0.97", "0.98");
    assert_eq!(found(SIGNED as usize, forged), [(FindingKind::EntrySignature, Some(SIGNED))]);

    let repeat = draft(
        r#"{"event_type":"x","actor":"a","entity_id":"INV-7","timestamp":"2026-11-24T09:00:04Z","source":"invoice-bot","sequence":1}"#,
    );
    assert_eq!(found(5, committed(&repeat, 5)), [(FindingKind::SequenceRepeat, Some(5))]);
}

#[test]
fn a_revoked_key_signs_nothing_after() {
    let mut sample = Sample::new();
    let id = signature::key_id(&client_key(7).verifying_key());
    let revocation = format!(r#"{{"event_type":"ledger.key_revoked","actor":"counterfoil","entity_id":"{id}"}}"#);
    sample.entries[2] = committed(&own(&revocation), 2);
    let bundle = sample.bundle();
    assert_eq!(bundle.keys.len(), 2, "the revocation comes along");
    assert_eq!(kinds_of(&bundle), [(FindingKind::KeyUnregistered, Some(SIGNED))]);
}
