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
    let ran = ran.refused(5, &["unavailable", "row limit", "Narrow the query, or give --max-rows."]);
    assert!(!ran.stderr.contains("Retry"), "{}", ran.stderr);
    let ran = place.run(&["query", "audit", "SELECT index FROM audit_log ORDER BY actor", "--max-memory-mib", "0"]);
    ran.refused(5, &["memory limit", "--max-memory-mib"]);
}

#[test]
fn wrong_sql_is_answered_with_what_to_write() {
    let place = Place::ledger();
    for (sql, said) in [
        (
            "SELECT sum(new_value) FROM audit_log",
            "sum takes numbers; cast first, for example sum(new_value::double precision)",
        ),
        ("SELECT avg(context->'confidence') FROM audit_log", "avg((context->>'confidence')::double precision)"),
        ("SELECT sum(actor, index) FROM audit_log", "sum takes 1 argument, not 2"),
        ("SELECT context.model_version FROM audit_log", "write context->>'model_version'"),
        (
            r#"SELECT * FROM audit_log WHERE event_type = "manual_override""#,
            "texts stand in single quotes: 'manual_override'.",
        ),
        ("SELECT foo(actor) FROM audit_log", "there is no function foo"),
        ("SELECT actor + 1 FROM audit_log", "there is no text + bigint; cast first"),
        ("SELECT foo FROM audit_log", "there is no column foo. The columns here are index"),
        ("SELECT", "the statement ends too early"),
        (
            "SELECT * FROM audit_log WHERE timestamp > '24.11.2026'",
            "'24.11.2026' is no timestamp; timestamps are RFC 3339",
        ),
        ("SELECT * FROM information_schema.df_settings", "the only table is audit_log"),
    ] {
        let ran = place.run(&["query", "audit", sql]).refused(2, &[said]);
        let told = ran.stderr.to_lowercase();
        assert!(!told.contains("datafusion") && !told.contains("internal"), "{told}");
    }
    place.run(&["export", "audit", "--format", "jsonl", "--where", "actor ="]).refused(2, &["ends too early"]);
}

#[test]
fn there_is_one_table_to_show() {
    let place = Place::ledger();
    assert_eq!(place.ok(&["query", "audit", "SHOW TABLES", "--format", "csv"]), "table_name\naudit_log\n");
    assert!(place.ok(&["query", "audit", "SHOW COLUMNS FROM audit_log"]).contains("event_type"));
}

#[test]
fn a_plan_is_printed_line_by_line() {
    let plan = Place::ledger().ok(&["query", "audit", "EXPLAIN SELECT actor FROM audit_log WHERE index > 2"]);
    assert!(plan.starts_with("logical_plan\n  ") && !plan.contains("\\n"), "{plan}");
}

#[test]
fn columns_that_hold_nothing_are_left_out_of_a_whole_table() {
    let place = Place::ledger();
    let all = place.ok(&["query", "audit", "SELECT * FROM audit_log WHERE event_type = 'kyc_check'"]);
    assert!(!all.contains("trace_id") && all.contains("confidence"), "{all}");
    assert!(all.contains("(1 row; ") && all.contains(" columns without a value left out)"), "{all}");
    let chosen = place.ok(&["query", "audit", "SELECT trace_id FROM audit_log WHERE event_type = 'kyc_check'"]);
    assert!(chosen.starts_with("trace_id"), "{chosen}");
}

#[test]
fn a_full_disk_is_no_fault_of_the_format() {
    let place = Place::ledger();
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    for format in ["json", "csv", "parquet"] {
        let output = place.command(&["query", "audit", SQL, "--format", format]).stdout(full()).output().unwrap();
        assert_eq!(output.status.code(), Some(5), "{format}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
