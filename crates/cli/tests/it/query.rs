//! `query`: SQL in, rows out.

use crate::place::Place;

#[test]
fn the_review_query_runs_as_written() {
    let place = Place::ledger();
    let sql =
        "SELECT * FROM audit_log WHERE event_type = 'manual_override' AND timestamp > now() - interval '24 hours';";
    place.ok(&["query", "audit", sql]);
    let recent = r#"{"event_type":"manual_override","actor":"zoe","entity_id":"INV-9"}"#;
    place.feed(&["append", "audit"], recent).expect(0);
    let rows = place.json(&["query", "audit", sql, "--format", "json"]);
    assert_eq!(rows.as_array().unwrap().last().unwrap()["actor"], "zoe");
}

const SQL: &str =
    "SELECT index, actor, context->>'model_version' AS model FROM audit_log WHERE actor_type = 'ai_agent'";

#[test]
fn a_table_is_aligned_and_counted() {
    let table = Place::ledger().ok(&["query", "audit", SQL]);
    let expected = "index  actor        model\n    3  kyc-model    kyc-3.2\n    4  invoice-bot  inv-2.11\n(2 rows)\n";
    assert_eq!(table, expected);
}

#[test]
fn rows_come_as_json_and_csv() {
    let place = Place::ledger();
    let rows = place.json(&["query", "audit", SQL, "--format", "json"]);
    let expected = serde_json::json!([
        {"index": 3, "actor": "kyc-model", "model": "kyc-3.2"},
        {"index": 4, "actor": "invoice-bot", "model": "inv-2.11"},
    ]);
    assert_eq!(rows, expected);
    let csv = place.ok(&["query", "audit", SQL, "--format", "csv"]);
    assert_eq!(csv, "index,actor,model\n3,kyc-model,kyc-3.2\n4,invoice-bot,inv-2.11\n");
    let none = "SELECT actor FROM audit_log WHERE actor = 'nobody'";
    assert_eq!(place.ok(&["query", "audit", none, "--format", "csv"]), "actor\n");
    assert_eq!(place.json(&["query", "audit", none, "--format", "json"]), serde_json::json!([]));
}

#[test]
fn rows_come_as_parquet() {
    let place = Place::ledger();
    let output = place.command(&["query", "audit", SQL, "--format", "parquet"]).output().unwrap();
    assert!(output.status.success());
    assert!(output.stdout.starts_with(b"PAR1") && output.stdout.ends_with(b"PAR1"));
}

#[test]
fn an_answer_cannot_steer_the_terminal() {
    let place = Place::ledger();
    let line = r#"{"event_type":"x","actor":"a","entity_id":"E","reason":"\u001b[2J\u202egone"}"#;
    place.feed(&["append", "audit"], line).expect(0);
    let table = place.ok(&["query", "audit", "SELECT reason FROM audit_log WHERE entity_id = 'E'"]);
    assert!(table.contains("\\u{1b}[2J\\u{202e}gone"), "{table}");
}

#[test]
fn wrong_sql_is_pointed_at() {
    let place = Place::ledger();
    place.run(&["query", "audit", "SELEC 1"]).refused(2, &["SELEC"]);
    place.run(&["query", "audit", "SELECT acter FROM audit_log"]).refused(2, &["acter", "actor"]);
    place.run(&["query", "audit", "SELECT * FROM entries"]).refused(2, &["audit_log"]);
}

#[test]
fn sql_only_reads() {
    let place = Place::ledger();
    for sql in [
        "DELETE FROM audit_log",
        "UPDATE audit_log SET actor = 'x'",
        "INSERT INTO audit_log (actor) VALUES ('x')",
        "DROP TABLE audit_log",
        "CREATE TABLE x AS SELECT 1",
        "COPY audit_log TO 'x.csv'",
    ] {
        place.run(&["query", "audit", sql]).refused(2, &["invalid"]);
    }
    assert_eq!(place.json(&["verify", "audit", "--json"])["verified"], true);
}

#[test]
fn limits_are_named_when_they_are_reached() {
    let place = Place::ledger();
    let ran = place.run(&["query", "audit", "SELECT index FROM audit_log", "--max-rows", "2", "--format", "csv"]);
    ran.refused(5, &["unavailable", "row limit"]);
}
