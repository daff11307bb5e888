//! `init` and `append`: recording.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use crate::place::{FIRST, LINES, Place};

#[test]
fn a_ledger_is_created_and_takes_entries() {
    let place = Place::new();
    let created = place.ok(&["init", "audit", "--origin", "bank.example/audit"]);
    assert!(created.contains("created the ledger bank.example/audit in audit"), "{created}");
    let appended = place.feed(&["append", "audit"], LINES).expect(0);
    assert_eq!(appended.stdout, "recorded 4 entries, 2 to 5; the ledger holds 6 entries\n");
    place.write("more.jsonl", LINES.replace("\"id\":\"a-1\"", "\"id\":\"a-2\""));
    let appended = place.run(&["append", "audit", "more.jsonl", "--json"]).expect(0).value();
    assert_eq!((appended["recorded"].as_u64(), appended["repeated"].as_u64()), (Some(4), Some(0)));
}

#[test]
fn init_can_answer_in_json() {
    let created = Place::new().json(&["init", "audit", "--origin", "bank.example/audit", "--json"]);
    assert_eq!(created["origin"], "bank.example/audit");
    assert!(created["key"].as_str().unwrap().starts_with("bank.example/audit+"));
}

#[test]
fn receipts_come_a_line_each() {
    let place = Place::new();
    place.ok(&["init", "audit", "--origin", "bank.example/audit"]);
    let ran = place.feed(&["append", "audit", "-", "--receipts"], LINES).expect(0);
    let receipts = ran.lines();
    let indices: Vec<_> = receipts.iter().map(|receipt| receipt["index"].as_u64().unwrap()).collect();
    assert_eq!(indices, [FIRST, FIRST + 1, FIRST + 2, FIRST + 3]);
    for receipt in &receipts {
        assert_eq!(receipt.as_object().unwrap().len(), 4);
        assert_eq!(receipt["leaf_hash"].as_str().unwrap().len(), 64);
        assert!(receipt["tree_size"].as_u64() > receipt["index"].as_u64());
        assert!(receipt["recorded_at"].as_str().unwrap().ends_with('Z'));
        let entry = place.json(&["entry", "audit", &receipt["index"].to_string(), "--json"]);
        assert_eq!(entry["leaf_hash"], receipt["leaf_hash"]);
    }
    assert!(ran.stderr.contains("recorded 4 entries"), "{}", ran.stderr);
}

#[test]
fn a_repeat_gets_its_first_receipt() {
    let place = Place::ledger();
    let line = LINES.lines().nth(2).unwrap();
    let again = place.feed(&["append", "audit", "--receipts"], line).expect(0);
    assert_eq!(again.lines()[0]["index"], FIRST + 2);
    assert!(again.stderr.contains("recorded nothing new; 1 entry was there already"), "{}", again.stderr);
}

#[test]
fn the_same_id_with_other_content_is_a_conflict() {
    let place = Place::ledger();
    let line = LINES.lines().nth(2).unwrap().replace("approved\"}", "paid\"}");
    let alone = place.feed(&["append", "audit"], &line);
    alone.refused(3, &["conflict: standard input, line 1: ", "a-1", "Nothing was recorded.", "append from line 1 on"]);
    let other = r#"{"event_type":"x","actor":"a","entity_id":"E"}"#;
    place.write("more.jsonl", format!("\n{other}\n\n{other}\n{line}\n{other}\n"));
    let ran = place
        .run(&["append", "audit", "more.jsonl"])
        .refused(3, &["conflict: more.jsonl, line 5: ", "the batch that begins with line 2", "append from line 2 on"]);
    assert!(!ran.stderr.contains("of the batch: "), "{}", ran.stderr);
}

#[test]
fn an_object_over_several_lines_is_explained() {
    let place = Place::ledger();
    place.feed(&["append", "audit"], "{\n  \"event_type\": \"x\"\n}\n").refused(2, &["line 1: ", "jq -c ."]);
}

#[test]
fn one_entry_is_named_by_its_index() {
    let appended = Place::ledger().feed(&["append", "audit"], r#"{"event_type":"x","actor":"a","entity_id":"E"}"#);
    assert!(appended.stdout.starts_with("recorded 1 entry, index 7; "), "{}", appended.stdout);
}

#[test]
fn blank_lines_and_windows_lines_are_taken() {
    let place = Place::new();
    place.ok(&["init", "audit", "--origin", "bank.example/audit"]);
    let input = format!("\n{}\r\n\r\n", LINES.trim_end().replace('\n', "\r\n\r\n"));
    let ran = place.feed(&["append", "audit"], &input).expect(0);
    assert!(ran.stdout.starts_with("recorded 4 entries"), "{}", ran.stdout);
    assert_eq!(place.feed(&["append", "audit"], "").expect(0).stdout.split(';').next(), Some("recorded nothing new"));
}

/// What `append`'s help promises of a refused line.
#[test]
fn one_bad_line_in_100_000_leaves_what_the_help_says() {
    let place = Place::new();
    place.ok(&["init", "audit", "--origin", "bank.example/audit"]);
    let line = |number: u64| match number {
        50_500 => "{\"event_type\":\"x\",\"actor\":\"a\",\"entity_id\":\"E\",}\n".to_owned(),
        _ => format!("{{\"event_type\":\"x\",\"actor\":\"a\",\"entity_id\":\"E-{number}\"}}\n"),
    };
    place.write("events.jsonl", (1..=100_000).map(line).collect::<String>());
    let refused = place.run(&["append", "audit", "events.jsonl"]).refused(
        2,
        &[
            "events.jsonl, line 50,500: ",
            "50,000 entries were recorded, up to line 50,000.",
            "Nothing of the batch that begins with line 50,001 was recorded",
            "append from line 50,001 on",
        ],
    );
    assert_eq!(refused.stdout, "");
    let status = place.json(&["status", "audit", "--json"]);
    assert_eq!(status["size"], FIRST + 50_000);
    let last = place.json(&["entry", "audit", &(FIRST + 49_999).to_string()]);
    assert_eq!(last["entity_id"], "E-50000");

    let help = place.ok(&["append", "--help"]);
    assert!(help.contains("WHAT A REFUSED LINE LEAVES"), "{help}");
    place.write("rest.jsonl", (50_001..=100_000).filter(|number| *number != 50_500).map(line).collect::<String>());
    place.ok(&["append", "audit", "rest.jsonl"]);
    assert_eq!(place.json(&["verify", "audit", "--json"])["verified"], true);
}

#[test]
fn a_live_source_is_recorded_as_it_comes() {
    let place = Place::new();
    place.ok(&["init", "audit", "--origin", "bank.example/audit"]);
    let mut command = place.command(&["append", "audit", "--receipts"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut receipts = BufReader::new(child.stdout.take().unwrap()).lines();
    for (number, line) in LINES.lines().enumerate() {
        writeln!(input, "{line}").unwrap();
        let receipt: serde_json::Value = serde_json::from_str(&receipts.next().unwrap().unwrap()).unwrap();
        assert_eq!(receipt["index"], FIRST + number as u64, "the receipt comes before the input ends");
    }
    drop(input);
    assert!(child.wait().unwrap().success());
}

#[test]
fn strict_asks_the_catalog() {
    let place = Place::ledger();
    let lacking = r#"{"event_type":"manual_override","actor":"maria","entity_id":"INV-1"}"#;
    place.feed(&["append", "audit"], lacking).expect(0);
    place.feed(&["append", "audit", "--strict"], lacking).refused(2, &["line 1", "manual_override"]);
    let unknown = r#"{"event_type":"manual_overide","actor":"maria","entity_id":"INV-1"}"#;
    place.feed(&["append", "audit", "--strict"], unknown).refused(2, &["did you mean \"manual_override\"?"]);
}

#[test]
fn a_reader_of_receipts_that_leaves_is_told_what_stands() {
    let place = Place::new();
    place.ok(&["init", "audit", "--origin", "bank.example/audit"]);
    let line = |number: u64| format!("{{\"event_type\":\"x\",\"actor\":\"a\",\"entity_id\":\"E-{number}\"}}\n");
    place.write("events.jsonl", (1..=50_000).map(line).collect::<String>());
    let mut command = place.command(&["append", "audit", "events.jsonl", "--receipts"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(said.contains("nobody reads the receipts") && said.contains("entries were recorded, up to line"), "{said}");
}
