//! What is not answered, and what is said then.

use counterfoil::ErrorKind;
use counterfoil_query::Order;
use serde_json::json;

use crate::fixture::{Layout, Ledger, ask, ask_in_vain, engine};

fn ledger() -> Ledger {
    let entry =
        json!({"timestamp": "2026-03-01T00:00:00Z", "event_type": "kyc_check", "actor": "a", "entity_id": "C-1"});
    Ledger::new(&[entry], Layout::default())
}

#[test]
fn whatever_would_write_is_refused() {
    let (engine, ledger) = (engine(), ledger());
    for sql in [
        "INSERT INTO audit_log (actor) VALUES ('x')",
        "UPDATE audit_log SET actor = 'x'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
        "MERGE INTO audit_log USING audit_log b ON true WHEN MATCHED THEN DELETE",
        "CREATE TABLE t (a int)",
        "CREATE TABLE t AS SELECT * FROM audit_log",
        "CREATE VIEW v AS SELECT * FROM audit_log",
        "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION '/etc/passwd'",
        "CREATE FUNCTION f() RETURNS int LANGUAGE SQL AS 'select 1'",
        "SELECT * INTO t FROM audit_log",
        "DROP TABLE audit_log",
        "ALTER TABLE audit_log ADD COLUMN a int",
        "COPY audit_log TO '/tmp/out.parquet'",
        "COPY (SELECT * FROM audit_log) TO '/tmp/out.csv' STORED AS CSV",
        "COPY audit_log FROM '/tmp/in.csv'",
        "SET datafusion.execution.target_partitions = 1",
        "RESET datafusion.execution.target_partitions",
        "BEGIN",
        "PREPARE p AS SELECT 1",
        "EXECUTE p",
        "GRANT SELECT ON audit_log TO x",
        "VACUUM",
        "EXPLAIN INSERT INTO audit_log (actor) VALUES ('x')",
        "EXPLAIN ANALYZE COPY audit_log TO '/tmp/out.parquet'",
    ] {
        let error = ask_in_vain(&engine, &ledger, sql);
        assert_eq!(error.kind, ErrorKind::Invalid, "{sql}: {error}");
        assert!(error.message.contains("is refused: SQL only reads this ledger"), "{sql}: {error}");
    }
    let error = ask_in_vain(&engine, &ledger, "WITH x AS (DELETE FROM audit_log RETURNING *) SELECT * FROM x");
    assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
    assert_eq!(ask(&ledger, "SELECT count(*) FROM audit_log"), ["1"]);
}

#[test]
fn only_one_statement_is_taken() {
    let (engine, ledger) = (engine(), ledger());
    let error = ask_in_vain(&engine, &ledger, "SELECT 1; DROP TABLE audit_log");
    assert_eq!(error.to_string(), "one statement at a time: this query holds 2");
    assert_eq!(ask_in_vain(&engine, &ledger, " ; ").to_string(), "there is no statement in the query");
    assert_eq!(ask(&ledger, "SELECT 1;"), ["1"]);
}

#[test]
fn files_and_addresses_cannot_be_read() {
    let (engine, ledger) = (engine(), ledger());
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("secret.csv");
    std::fs::write(&file, "a,b\n1,2\n").expect("a file");
    let file = file.display();
    for from in [
        format!("'{file}'"),
        format!("\"{file}\""),
        format!("\"file://{file}\""),
        format!("read_csv('{file}')"),
        format!("read_parquet('{file}')"),
        "\"https://example.com/a.parquet\"".to_owned(),
    ] {
        let error = ask_in_vain(&engine, &ledger, &format!("SELECT * FROM {from}"));
        assert_eq!(error.kind, ErrorKind::Invalid, "{from}: {error}");
    }
    let error = ask_in_vain(&engine, &ledger, &format!("SELECT * FROM \"{file}\""));
    assert!(error.message.contains("the only table is audit_log"), "{error}");
}

#[test]
fn functions_that_blow_up_memory_are_not_there() {
    let (engine, ledger) = (engine(), ledger());
    for call in ["repeat('x', 2000000000)", "lpad('x', 2000000000)", "rpad('x', 2000000000, 'y')"] {
        let error = ask_in_vain(&engine, &ledger, &format!("SELECT {call}"));
        assert_eq!(error.kind, ErrorKind::Invalid, "{call}: {error}");
    }
}

#[test]
fn errors_point_at_their_place() {
    let (engine, ledger) = (engine(), ledger());
    let error = ask_in_vain(&engine, &ledger, "SELECT *\nFORM audit_log");
    assert!(error.message.starts_with("line 2, column 6: syntax error: "), "{error}");
    assert!(error.message.ends_with("\n  FORM audit_log\n       ^"), "{error}");
    let error = ask_in_vain(&engine, &ledger, "SELECT index, entityid FROM audit_log");
    assert!(
        error.message.starts_with("line 1, column 15: there is no column entityid; did you mean entity_id"),
        "{error}"
    );
    assert!(error.message.contains("The columns here are index, timestamp, recorded_at"), "{error}");
    let error = ask_in_vain(&engine, &ledger, "SELECT * FROM audit");
    assert!(error.message.contains("there is no table audit: the only table is audit_log"), "{error}");
    let error = ask_in_vain(&engine, &ledger, "SELECT nosuch(index) FROM audit_log");
    assert!(error.message.contains("nosuch"), "{error}");
    let error = ask_in_vain(&engine, &ledger, "SELECT 'unclosed FROM audit_log");
    assert!(error.message.contains("syntax error: Unterminated string literal"), "{error}");
    let error = ask_in_vain(&engine, &ledger, "SELECT * FROM audit_log WHERE timestamp > 'yesterday'");
    assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
    assert!(error.message.contains("yesterday"), "{error}");
}

#[test]
fn a_predicate_is_one_condition() {
    let (engine, ledger) = (engine(), ledger());
    assert_eq!(engine.select_indices(&ledger, "actor = 'a' -- all of a", Order::Ascending).expect("indices"), [0]);
    for predicate in [
        "actor = 'a' ORDER BY index LIMIT 0",
        "actor = 'a'; DROP TABLE audit_log",
        "actor = 'a') OR (true",
        "true UNION SELECT 1",
        "true GROUP BY index",
        "",
        "actor =",
        "SELECT 1",
        "index",
        "count(*) > 0",
    ] {
        let error = engine.select_indices(&ledger, predicate, Order::Ascending).expect_err(predicate);
        assert_eq!(error.kind, ErrorKind::Invalid, "{predicate}: {error}");
    }
    let error = engine.select_indices(&ledger, "actor = 'a' LIMIT 0", Order::Ascending).expect_err("a second clause");
    assert_eq!(
        error.message,
        "line 1, column 13: a predicate is one condition; it should end before LIMIT\n  actor = 'a' LIMIT 0\n              ^"
    );
}

#[test]
fn long_lists_are_fine_and_endless_conditions_are_not() {
    let (engine, ledger) = (engine(), ledger());
    let list: Vec<String> = (0..20_000).map(|i| format!("'C-{i}'")).collect();
    let sql = format!("SELECT count(*) FROM audit_log WHERE entity_id IN ({})", list.join(", "));
    assert_eq!(ask(&ledger, &sql), ["1"]);
    let chain = |length: usize| {
        let conditions: Vec<String> = (0..length).map(|i| format!("sequence + index <> {i}")).collect();
        format!("SELECT count(*) FROM audit_log WHERE {}", conditions.join(" OR "))
    };
    assert_eq!(ask(&ledger, &chain(300)), ["0"]);
    let error = ask_in_vain(&engine, &ledger, &chain(3_000));
    assert!(error.message.contains("operators and keywords, at most 1000 are taken"), "{error}");
}

/// As deep as a query may get, in every way it can: answered or refused, but nothing overflows.
#[test]
fn nothing_nests_deeper_than_the_planner_can_go() {
    let (engine, ledger) = (engine(), ledger());
    for (part, times) in [("1 + ", 990), ("index <> 7 OR ", 490), ("'a' || ", 990), ("true AND ", 490)] {
        let end = if part.contains("OR") || part.contains("AND") { "true" } else { "1" };
        let sql = format!("SELECT {}{end} FROM audit_log", part.repeat(times));
        assert_eq!(ask(&ledger, &sql).len(), 1, "{part}");
    }
    let casts = format!("SELECT index{} FROM audit_log", "::text::bigint".repeat(240));
    assert_eq!(ask(&ledger, &casts), ["0"]);
    let unions = format!("SELECT count(*) FROM (SELECT 1{})", " UNION ALL SELECT 1".repeat(200));
    assert_eq!(ask(&ledger, &unions), ["201"]);
    let joins: String = (0..30).map(|i| format!(" JOIN audit_log t{i} ON t{i}.index = t.index")).collect();
    assert_eq!(ask(&ledger, &format!("SELECT t.index FROM audit_log t{joins}")), ["0"]);

    let deep = format!("SELECT {}1{}", "(".repeat(450), ")".repeat(450));
    assert!(ask_in_vain(&engine, &ledger, &deep).message.contains("recursion"), "deep nesting");
    let negations = format!("SELECT {} true", "NOT ".repeat(1_500));
    assert_eq!(ask_in_vain(&engine, &ledger, &negations).kind, ErrorKind::Invalid);
    let long = format!("SELECT '{}'", "x".repeat(300_000));
    assert!(ask_in_vain(&engine, &ledger, &long).message.contains("bytes long"), "a long query");
}
