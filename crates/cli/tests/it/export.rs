//! `export`: everything, or what matches, out of the ledger.

use crate::place::{FIRST, LINES, Place};

#[test]
fn lines_are_the_canonical_entries() {
    let place = Place::ledger();
    let exported = place.ok(&["export", "audit", "--format", "jsonl"]);
    let lines: Vec<&str> = exported.lines().collect();
    assert_eq!(lines.len(), 6);
    for (index, line) in lines.iter().enumerate() {
        assert_eq!(*line, place.ok(&["entry", "audit", &index.to_string(), "--canonical"]));
    }
}

#[test]
fn a_predicate_chooses() {
    let place = Place::ledger();
    let exported = place.ok(&["export", "audit", "--format", "jsonl", "--where", "entity_id = 'INV-1'"]);
    let actors: Vec<String> = exported
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["actor"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(actors, ["mail-gateway", "invoice-bot", "maria"]);
    let csv = place.ok(&["export", "audit", "--format", "csv", "--where", "actor = 'maria'"]);
    assert_eq!(csv.lines().count(), 2);
    assert!(csv.lines().next().unwrap().starts_with("index,"), "{csv}");
    let wrong = place.run(&["export", "audit", "--format", "csv", "--where", "1=1; DROP TABLE audit_log"]);
    wrong.refused(2, &["invalid"]);
    place.run(&["export", "audit", "--format", "jsonl", "--where", "nonsense ="]).refused(2, &["invalid"]);
}

#[test]
fn sealed_and_unsealed_entries_come_out_alike() {
    let place = Place::new();
    place.ok(&["init", "audit", "--origin", "bank.example/audit", "--segment-span", "256"]);
    let line = |number: u64| {
        format!("{{\"event_type\":\"x\",\"actor\":\"a\",\"entity_id\":\"E-{number}\",\"new_value\":{number}}}\n")
    };
    place.feed(&["append", "audit"], &(1..=600).map(line).collect::<String>()).expect(0);
    place.ok(&["seal", "audit"]);
    let status = place.json(&["status", "audit", "--json"]);
    assert!(status["segments"].as_u64() >= Some(2), "{status}");
    let exported = place.ok(&["export", "audit", "--format", "jsonl"]);
    assert_eq!(exported.lines().count() as u64, status["size"].as_u64().unwrap());
    let every_third =
        place.ok(&["export", "audit", "--format", "jsonl", "--where", "index % 3 = 0 AND event_type = 'x'"]);
    let expected: Vec<&str> = exported
        .lines()
        .enumerate()
        .filter(|(index, line)| index % 3 == 0 && line.contains("\"event_type\":\"x\""))
        .map(|(_, line)| line)
        .collect();
    assert_eq!(every_third.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn parquet_goes_into_a_file() {
    let place = Place::ledger();
    let output = place.command(&["export", "audit", "--format", "parquet"]).output().unwrap();
    assert!(output.stdout.starts_with(b"PAR1") && output.stdout.ends_with(b"PAR1"));
}

#[test]
fn an_export_can_be_recorded_again() {
    let place = Place::ledger();
    let first = place.ok(&["entry", "audit", &FIRST.to_string()]);
    assert!(first.contains("\"recorded_at\""), "{first}");
    place.feed(&["append", "audit"], &first.replace('\n', " ")).refused(2, &["recorded_at: only the ledger sets"]);
    assert_eq!(LINES.lines().count(), 4);
}
