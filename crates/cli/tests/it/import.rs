//! `import`: foreign logs through maps.

use crate::place::{Place, shared};

const MAP: &str = r#"
description = "Approvals of a core banking system"
format = "csv"
event_type = { constant = "invoice_approved" }
actor = { from = "user" }
entity_id = { from = "invoice" }
source = { constant = "core" }
timestamp = { from = "time" }
"#;

const ROWS: &str = "time,user,invoice\n2026-11-24T09:00:00Z,maria,INV-1\n2026-11-24T09:05:00Z,,INV-2\n";

#[test]
fn a_refused_row_is_named_and_nothing_is_recorded() {
    let place = Place::ledger();
    place.write("core.toml", MAP);
    place.write("core.csv", ROWS);
    place
        .run(&["import", "audit", "core.csv", "--map", "core.toml"])
        .refused(2, &["core.csv: 1 of 2 rows cannot become entries", "row 2 (line 3): actor", "Nothing was recorded."]);
    assert_eq!(place.json(&["status", "audit", "--json"])["size"], 6);
}

#[test]
fn rows_become_entries_once() {
    let place = Place::ledger();
    place.write("core.toml", MAP);
    place.write("core.csv", ROWS.replace(",,", ",zoe,"));
    let said = place.ok(&["import", "audit", "core.csv", "--map", "core.toml"]);
    assert!(said.starts_with("read 2 rows; recorded 2 entries"), "{said}");
    let again = place.json(&["import", "audit", "core.csv", "--map", "core.toml", "--json"]);
    assert_eq!((&again["rows"], &again["recorded"], &again["repeated"]), (&2.into(), &0.into(), &2.into()));
    assert_eq!(place.json(&["history", "audit", "INV-2", "--json"])["entry"]["actor"], "zoe");
    place.write("core.csv", ROWS.replace(",,", ",eva,"));
    let changed = place.run(&["import", "audit", "core.csv", "--map", "core.toml"]);
    changed.refused(3, &["conflict: row 2 (line 3): sequence 2 of source \"core\""]);
}

#[test]
fn bad_maps_and_files_are_explained() {
    let place = Place::ledger();
    place.write("core.csv", ROWS);
    place.write("wrong.toml", MAP.replace("\"user\"", "\"operator\""));
    place.write("broken.toml", "format = ");
    let import = |file, map| place.run(&["import", "audit", file, "--map", map]);
    import("core.csv", "bpic").refused(7, &["bpic2012-loan", "cloudtrail"]);
    import("core.csv", "cloudtrial").refused(7, &["did you mean cloudtrail?"]);
    import("core.csv", "wrong.toml").refused(2, &["operator", "time, user, invoice"]);
    import("core.csv", "broken.toml").refused(2, &["broken.toml", "line 1"]);
    import("none.csv", "bpic2012-loan").refused(7, &["none.csv"]);
    import(".", "bpic2012-loan").refused(2, &["is a folder"]);
    let help = place.ok(&["import", "--help"]);
    assert!(help.contains("bpic2020-payments"), "{help}");
}

/// A file that is read twice cannot be a pipe: the second pass would find nothing.
#[test]
fn a_pipe_is_refused_before_it_is_read() {
    let place = Place::ledger();
    place.write("core.toml", MAP);
    place
        .feed(&["import", "audit", "-", "--map", "core.toml"], ROWS)
        .refused(2, &["cannot be a pipe", "to a file first"]);
    place.feed(&["import", "audit", "/dev/stdin", "--map", "core.toml"], ROWS).refused(2, &["cannot be a pipe"]);
    assert_eq!(place.json(&["status", "audit", "--json"])["size"], 6);
}

#[test]
fn a_file_of_another_format_is_told_from_its_first_row() {
    let place = Place::ledger();
    place.write("core.csv", ROWS);
    place.write("semi.csv", ROWS.replace(',', ";"));
    place.write("lines.jsonl", "{\"user\":\"maria\"}\n{\"user\":\"zoe\"}\n");
    place.write("pretty.json", "{\n  \"user\": \"maria\"\n}\n");
    place.write("array.json", "[\n  {\"user\": \"maria\"}\n]\n");
    place.write("csv.toml", MAP);
    place.write("jsonl.toml", MAP.replace("\"csv\"", "\"jsonl\""));
    place.write("array.toml", MAP.replace("\"csv\"", "\"json-array\""));
    for (file, map, said) in [
        ("core.csv", "jsonl.toml", "this looks like CSV; the map says jsonl"),
        ("core.csv", "array.toml", "this looks like CSV; the map says json-array"),
        ("lines.jsonl", "array.toml", "this looks like JSON lines; the map says json-array"),
        ("lines.jsonl", "csv.toml", "this looks like JSON lines; the map says csv"),
        ("pretty.json", "jsonl.toml", "this looks like one JSON document over several lines; the map says jsonl"),
        ("pretty.json", "csv.toml", "the map says csv"),
        ("array.json", "jsonl.toml", "this looks like a JSON array; the map says jsonl"),
        ("semi.csv", "csv.toml", "delimiter = \";\""),
    ] {
        let ran = place.run(&["import", "audit", file, "--map", map]).refused(2, &[said]);
        assert!(ran.stderr.lines().count() < 4, "{}", ran.stderr);
    }
}

#[test]
fn a_real_payments_log_comes_in_whole() {
    let Some(shared) = shared("importing real logs") else { return };
    let place = Place::new();
    place.ok(&["init", "audit", "--origin", "bank.example/audit"]);
    let log = shared.join("datasets/bpic2020-payments/RequestForPayment.csv.gz");
    let summary = place.json(&["import", "audit", log.to_str().unwrap(), "--map", "bpic2020-payments", "--json"]);
    assert_eq!((&summary["rows"], &summary["recorded"]), (&36_072.into(), &36_072.into()));
    let counted = place.ok(&[
        "query",
        "audit",
        "SELECT count(*) AS n FROM audit_log WHERE event_type NOT LIKE 'ledger.%'",
        "--format",
        "csv",
    ]);
    assert_eq!(counted, "n\n36072\n");
    assert_eq!(place.json(&["verify", "audit", "--json"])["verified"], true);
}
