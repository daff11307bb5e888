//! JSON operators: what they yield, and where they see nothing.

use counterfoil::ErrorKind;
use serde_json::{Value, json};

use crate::fixture::{Layout, Ledger, ask, ask_in_vain, engine};

fn ledger(old_values: &[Value]) -> Ledger {
    let entry = |value: &Value| {
        json!({
            "timestamp": "2026-03-01T00:00:00Z", "event_type": "limit_changed", "actor": "a", "entity_id": "C-1",
            "old_value": value, "context": {"model_version": "m-1", "limits": {"eur": 1200.5}, "tags": ["a", "b"]}
        })
    };
    let entries: Vec<Value> = old_values.iter().map(entry).collect();
    Ledger::new(&entries, Layout::default())
}

#[test]
fn operators_work_in_select_where_and_group_by() {
    let ledger = ledger(&[json!({"risk": 3}), json!({"risk": 4})]);
    assert_eq!(
        ask(&ledger, "SELECT context->>'model_version', count(*) FROM audit_log WHERE context ? 'tags' GROUP BY 1"),
        ["m-1|2"]
    );
    assert_eq!(ask(&ledger, "SELECT context->'limits'->>'eur' FROM audit_log LIMIT 1"), ["1200.5"]);
    assert_eq!(ask(&ledger, "SELECT context->'tags'->>1 FROM audit_log LIMIT 1"), ["b"]);
    assert_eq!(ask(&ledger, "SELECT (old_value->>'risk')::bigint + 1 FROM audit_log"), ["4", "5"]);
    assert_eq!(ask(&ledger, "SELECT index FROM audit_log WHERE json_get_int(old_value, 'risk') > 3"), ["1"]);
}

#[test]
fn what_an_arrow_yields_prints_as_json() {
    let ledger = ledger(&[json!({"a": "text", "b": [1, {"c": null}], "d": 2.5, "e": true, "f": null})]);
    assert_eq!(
        ask(
            &ledger,
            "SELECT old_value->'a' AS a, old_value->'b', old_value->'d', old_value->'e', old_value->'f', old_value->'x' FROM audit_log"
        ),
        [r#""text"|[1,{"c":null}]|2.5|true|NULL|NULL"#]
    );
}

#[test]
fn a_string_that_looks_like_an_object_is_none() {
    let ledger = ledger(&[json!({"a": 1}), json!("{\"a\":1}"), json!("[1]"), json!([1]), json!(1), json!(null)]);
    assert_eq!(ask(&ledger, "SELECT index FROM audit_log WHERE old_value->>'a' = '1'"), ["0"]);
    assert_eq!(ask(&ledger, "SELECT old_value->>0 FROM audit_log"), ["NULL", "NULL", "NULL", "1", "NULL", "NULL"]);
    assert_eq!(
        ask(&ledger, "SELECT json_length(old_value) FROM audit_log"),
        ["1", "NULL", "NULL", "1", "NULL", "NULL"]
    );
}

#[test]
fn the_guard_reaches_into_subqueries_joins_and_expressions() {
    let ledger = ledger(&[json!({"a": "x"}), json!("{\"a\":\"x\"}")]);
    let found = ["0"];
    for sql in [
        "SELECT index FROM (SELECT * FROM audit_log) t WHERE t.old_value->>'a' = 'x'",
        "WITH t AS (SELECT index, old_value AS v, old_value_type FROM audit_log) SELECT index FROM t WHERE v->>'a' = 'x'",
        "SELECT a.index FROM audit_log a JOIN audit_log b ON a.index = b.index WHERE b.old_value->>'a' = 'x'",
        "SELECT index FROM audit_log WHERE coalesce(old_value, '{}')->>'a' = 'x'",
        "SELECT index FROM audit_log a WHERE EXISTS (SELECT 1 FROM audit_log b WHERE b.index = a.index AND b.old_value->>'a' = 'x')",
        "SELECT index FROM audit_log WHERE json_as_text(json_get(old_value, 'a')) = 'x' OR old_value->'a'->>'b' = 'y' OR old_value->>'a' = 'x'",
    ] {
        assert_eq!(ask(&ledger, sql), found, "{sql}");
    }
    let error = ask_in_vain(&engine(), &ledger, "SELECT v->>'a' FROM (SELECT old_value AS v FROM audit_log) t");
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(error.message.contains("need to see old_value_type beside it"), "{error}");
}
