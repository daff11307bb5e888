//! The worked example in docs/formats/bundle.md is exactly what the code makes.

use counterfoil_evidence::{Bundle, FindingKind};
use counterfoil_tlog::{LeafIndex, TreeSize, inclusion_root, leaf_hash};

use crate::sample::Sample;

const PAGE: &str = include_str!("../../../../docs/formats/bundle.md");

/// The content of the page's only block of this language.
fn block(language: &str) -> &'static str {
    let (_, rest) = PAGE.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0
}

#[test]
fn the_example_is_the_samples_bundle() {
    let sample = Sample::new();
    assert_eq!(block("json"), sample.bundle().format());
    assert!(PAGE.contains(&sample.vkey().to_string()));
    let bundle = Bundle::parse(block("json").as_bytes()).unwrap();
    assert!(bundle.verify(&[sample.vkey()]).is_clean());
}

#[test]
fn the_steps_of_the_example_hold() {
    let bundle = Sample::new().bundle();
    let entry = &bundle.entries[0];
    let leaf = leaf_hash(entry.canonical.as_bytes());
    let root = inclusion_root(&leaf, LeafIndex(entry.index), TreeSize(6), &entry.proof).unwrap();
    assert!(PAGE.contains(&format!("leaf  {leaf}")), "leaf  {leaf}");
    assert!(PAGE.contains(&format!("root  {root}")), "root  {root}");
}

#[test]
fn the_findings_of_a_bundle_are_all_named() {
    use FindingKind::*;
    let kinds = [
        CheckpointMalformed,
        CheckpointSignature,
        KeyMismatch,
        OriginMismatch,
        OutsideCheckpoint,
        ProofInvalid,
        EntryMalformed,
        EntryNotCanonical,
        DuplicateEntry,
        UnexpectedEntry,
        RecordedAtBackwards,
        SequenceRepeat,
        EntrySignature,
        KeyUnregistered,
        BundleMalformed,
    ];
    for kind in kinds {
        assert!(PAGE.contains(&format!("`{kind}`")), "{kind}");
    }
}
