//! `verify`: never 0 for what was changed.

use std::fs;

use crate::place::{LINES, Place};

#[test]
fn an_honest_ledger_is_verified() {
    let place = Place::ledger();
    place.write("vkey", place.ok(&["key", "audit"]));
    place.write("checkpoint", place.ok(&["checkpoint", "audit"]));
    let said = place.ok(&["verify", "audit"]);
    assert!(said.starts_with("verified 6 entries of bank.example/audit: nothing wrong"), "{said}");
    assert!(said.contains("self-consistent, not anchored"), "{said}");
    let said = place.ok(&["verify", "audit", "--key", "vkey", "--checkpoint", "checkpoint"]);
    assert!(!said.contains("not anchored"), "{said}");
    let report = place.json(&["verify", "audit", "--key", "vkey", "--json"]);
    assert_eq!((&report["verified"], &report["anchored"], &report["size"]), (&true.into(), &true.into(), &6.into()));
    assert_eq!(report["findings"], serde_json::json!([]));
}

#[test]
fn an_anchor_can_be_required() {
    let place = Place::ledger();
    let ran = place.run(&["verify", "audit", "--require-anchor", "--json"]).expect(2);
    assert_eq!((&ran.value()["verified"], &ran.value()["anchored"]), (&false.into(), &false.into()));
    place.write("vkey", place.ok(&["key", "audit"]));
    place.ok(&["verify", "audit", "--require-anchor", "--key", "vkey"]);
}

#[test]
fn another_key_is_a_finding() {
    let place = Place::ledger();
    place.ok(&["init", "other", "--origin", "bank.example/audit"]);
    place.write("other.vkey", place.ok(&["key", "other"]));
    let ran = place.run(&["verify", "audit", "--key", "other.vkey", "--json"]).expect(11);
    assert_eq!(ran.value()["class"], "tampered");
    place.run(&["verify", "audit", "--key", "nonsense"]).refused(2, &["--key"]);
}

#[test]
fn a_changed_byte_is_found_and_named() {
    for file in ["ledger.toml", "checkpoint", "journal/00000000000000000000.journal"] {
        let place = Place::ledger();
        place.flip(&format!("audit/{file}"), 100);
        let ran = place.run(&["verify", "audit", "--json"]);
        assert!(ran.code == 10 || ran.code == 11, "{file}: {ran:?}");
    }
}

#[test]
fn a_changed_segment_is_found_and_queries_refuse_it() {
    let place = Place::ledger();
    let line = |number: u64| format!("{{\"event_type\":\"x\",\"actor\":\"a\",\"entity_id\":\"E-{number}\"}}\n");
    place.feed(&["append", "audit"], &(1..=300).map(line).collect::<String>()).expect(0);
    place.ok(&["seal", "audit"]);
    let segment = "segments/00000000000000000000.parquet";
    place.flip(&format!("audit/{segment}"), 500);
    let ran = place.run(&["verify", "audit"]).expect(11);
    assert!(ran.stdout.starts_with("TAMPERED bank.example/audit"), "{}", ran.stdout);
    assert!(ran.stdout.contains("block-mismatch") && ran.stdout.contains(segment), "{}", ran.stdout);
    place.run(&["query", "audit", "SELECT * FROM audit_log"]).refused(11, &["tampered", segment]);
    place.run(&["export", "audit", "--format", "jsonl"]).refused(11, &["tampered"]);
}

#[test]
fn a_rolled_back_ledger_is_found_by_its_checkpoint() {
    let place = Place::ledger();
    let copy = std::process::Command::new("cp").arg("-a").arg(place.path("audit")).arg(place.path("older")).status();
    assert!(copy.unwrap().success());
    place.feed(&["append", "audit"], &LINES.replace("a-1", "a-2")).expect(0);
    place.write("checkpoint", place.ok(&["checkpoint", "audit"]));
    place.ok(&["verify", "older"]);
    let ran = place.run(&["verify", "older", "--checkpoint", "checkpoint", "--json"]).expect(11);
    assert_eq!(ran.value()["findings"][0]["kind"], "checkpoint-ahead");
    place.feed(&["append", "older"], &LINES.replace("INV-1", "INV-2").replace("a-1", "a-3")).expect(0);
    place.feed(&["append", "older"], &LINES.replace("INV-1", "INV-2").replace("a-1", "a-4")).expect(0);
    let ran = place.run(&["verify", "older", "--checkpoint", "checkpoint", "--json"]).expect(11);
    let kind = ran.value()["findings"][0]["kind"].clone();
    assert!(kind == "fork" || kind == "root-mismatch", "{kind}");
}

#[test]
fn a_missing_file_is_found() {
    let place = Place::ledger();
    fs::remove_file(place.path("audit/journal/00000000000000000000.journal")).unwrap();
    let ran = place.run(&["verify", "audit"]);
    assert!(ran.code == 10 || ran.code == 11, "{ran:?}");
}

#[test]
fn an_unexpected_file_is_found() {
    let place = Place::ledger();
    place.write("audit/segments/notes.txt", "x");
    let ran = place.run(&["verify", "audit", "--json"]).expect(11);
    assert_eq!(ran.value()["findings"][0]["kind"], "unexpected-file");
    assert_eq!(ran.value()["findings"][0]["file"], "segments/notes.txt");
}

#[test]
fn a_key_of_another_ledger_is_a_mistake_and_no_alarm() {
    let place = Place::ledger();
    place.ok(&["init", "other", "--origin", "bank.example/other"]);
    let key = place.ok(&["key", "other"]);
    let said = "this key is of bank.example/other, the ledger is bank.example/audit";
    place.run(&["verify", "audit", "--key", key.trim()]).refused(2, &[said]);
    // One of two keys may be of another ledger.
    let own = place.ok(&["key", "audit"]);
    place.ok(&["verify", "audit", "--key", own.trim(), "--key", key.trim()]);
}

#[test]
fn a_key_that_does_not_fit_is_named_beside_the_one_that_would() {
    let place = Place::ledger();
    place.ok(&["init", "other", "--origin", "bank.example/audit"]);
    let (own, key) = (place.ok(&["key", "audit"]), place.ok(&["key", "other"]));
    let ran = place.run(&["verify", "audit", "--key", key.trim()]).expect(11);
    for part in [own.trim(), key.trim(), "or the given key is not this ledger's"] {
        assert!(ran.stdout.contains(part), "{part:?} is not in: {}", ran.stdout);
    }
}
