//! The same answers as evaluating every condition on every entry, however the entries are stored.

use counterfoil_entry::Timestamp;
use counterfoil_query::{Engine, Order};
use serde_json::{Value, json};

use crate::fixture::{Dice, Layout, Ledger, ask, engine};

/// What a condition says of an entry: true, false, or unknown as in SQL.
type Truth = Option<bool>;
type Condition = (&'static str, fn(u64, &Value) -> Truth);

fn text<'a>(entry: &'a Value, member: &str) -> Option<&'a str> {
    entry.get(member)?.as_str()
}

fn micros(entry: &Value) -> i64 {
    at(text(entry, "timestamp").expect("test entries say when"))
}

fn at(time: &str) -> i64 {
    Timestamp::parse(time).expect("a time").micros()
}

const DAY: i64 = 86_400_000_000;

fn since_new_year(entry: &Value) -> i64 {
    micros(entry) - at("2026-01-01T00:00:00Z")
}

fn not(truth: Truth) -> Truth {
    truth.map(|truth| !truth)
}

fn and(one: Truth, other: Truth) -> Truth {
    match (one, other) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

fn or(one: Truth, other: Truth) -> Truth {
    not(and(not(one), not(other)))
}

/// `value ->> key` of a JSON value: text without quotes; nothing for null, and nothing inside what is no container.
fn get<'a>(value: Option<&'a Value>, key: &str) -> Option<&'a Value> {
    value?.as_object()?.get(key)
}

fn as_text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// What the column holds: the text itself of a string, else JSON.
fn cell(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

const CONDITIONS: &[Condition] = &[
    ("event_type = 'manual_override'", |_, e| Some(text(e, "event_type")? == "manual_override")),
    ("reason IS NULL", |_, e| Some(text(e, "reason").is_none())),
    ("reason <> 'late'", |_, e| Some(text(e, "reason")? != "late")),
    ("NOT (outcome = 'success')", |_, e| Some(text(e, "outcome")? != "success")),
    ("outcome = 'success' OR reason = 'late'", |_, e| {
        or(text(e, "outcome").map(|o| o == "success"), text(e, "reason").map(|r| r == "late"))
    }),
    ("outcome = 'success' AND reason IS DISTINCT FROM 'late'", |_, e| {
        and(text(e, "outcome").map(|o| o == "success"), Some(text(e, "reason") != Some("late")))
    }),
    ("entity_id = 'INV-3'", |_, e| Some(text(e, "entity_id")? == "INV-3")),
    ("'INV-3' = entity_id AND actor = 'svc-1'", |_, e| {
        Some(text(e, "entity_id")? == "INV-3" && text(e, "actor")? == "svc-1")
    }),
    ("entity_id IN ('INV-1', 'INV-20', NULL)", |_, e| match matches!(text(e, "entity_id")?, "INV-1" | "INV-20") {
        true => Some(true),
        false => None,
    }),
    ("entity_id NOT IN ('INV-1', NULL)", |_, e| match text(e, "entity_id")? == "INV-1" {
        true => Some(false),
        false => None,
    }),
    ("entity_id = 'INV-3' OR entity_id = 'INV-4'", |_, e| Some(matches!(text(e, "entity_id")?, "INV-3" | "INV-4"))),
    ("entity_id = 'INV-3' OR actor = 'svc-1'", |_, e| {
        Some(text(e, "entity_id")? == "INV-3" || text(e, "actor")? == "svc-1")
    }),
    ("entity_id = 'INV-99999'", |_, _| Some(false)),
    ("id = 'id-777'", |_, e| text(e, "id").map(|id| id == "id-777")),
    ("trace_id IN ('run-3', 'run-4') AND event_type LIKE 'kyc%'", |_, e| {
        and(text(e, "trace_id").map(|t| t == "run-3" || t == "run-4"), Some(text(e, "event_type")?.starts_with("kyc")))
    }),
    ("actor LIKE 'svc-%' AND actor NOT LIKE '%2'", |_, e| {
        let actor = text(e, "actor")?;
        Some(actor.starts_with("svc-") && !actor.ends_with('2'))
    }),
    ("index BETWEEN 1000 AND 1300", |i, _| Some((1000..=1300).contains(&i))),
    ("index % 7 = 0", |i, _| Some(i % 7 == 0)),
    ("index > 100 AND index > 200 AND entity_id > 'INV-5'", |i, e| Some(i > 200 && text(e, "entity_id")? > "INV-5")),
    ("timestamp >= '2026-03-02T12:00:00+02:00'", |_, e| Some(micros(e) >= at("2026-03-02T10:00:00Z"))),
    ("timestamp < '2026-03-02'", |_, e| Some(micros(e) < at("2026-03-02T00:00:00Z"))),
    ("timestamp BETWEEN timestamp '2026-03-02 06:00:00' AND '2026-03-02T18:00:00.5Z'", |_, e| {
        Some((at("2026-03-02T06:00:00Z")..=at("2026-03-02T18:00:00.5Z")).contains(&micros(e)))
    }),
    ("timestamp > timestamp '2026-03-03 00:00:00' - interval '36 hours'", |_, e| {
        Some(micros(e) > at("2026-03-01T12:00:00Z"))
    }),
    ("timestamp AT TIME ZONE 'Europe/Berlin' >= timestamp '2026-03-02 01:00:00'", |_, e| {
        Some(micros(e) >= at("2026-03-02T00:00:00Z"))
    }),
    ("timestamp::date = date '2026-03-02'", |_, e| Some(text(e, "timestamp")?.starts_with("2026-03-02"))),
    ("recorded_at - timestamp = interval '1 second'", |_, _| Some(true)),
    ("timestamp - timestamp '2025-10-01 00:00:00' > interval '90 days' AND index % 2 = 0", |i, _| Some(i % 2 == 0)),
    ("timestamp - timestamp '2026-01-01 00:00:00' >= interval '2 months'", |_, e| Some(since_new_year(e) >= 60 * DAY)),
    ("interval '60 days 12 hours' < timestamp - timestamp '2026-01-01 00:00:00'", |_, e| {
        Some(since_new_year(e) > 60 * DAY + DAY / 2)
    }),
    ("timestamp - timestamp '2026-01-01 00:00:00' BETWEEN interval '60 days' AND interval '1448 hours'", |_, e| {
        Some((60 * DAY..=60 * DAY + DAY / 3).contains(&since_new_year(e)))
    }),
    ("sequence > 500 AND source = 'importer'", |_, e| {
        and(e.get("sequence").and_then(Value::as_u64).map(|s| s > 500), text(e, "source").map(|s| s == "importer"))
    }),
    ("context->>'model_version' = 'm-2'", |_, e| Some(as_text(get(e.get("context"), "model_version"))? == "m-2")),
    ("(context->>'confidence')::double precision > 0.5", |_, e| {
        Some(get(e.get("context"), "confidence")?.as_f64()? > 0.5)
    }),
    ("context->'input'->>'lines' = '3'", |_, e| Some(as_text(get(get(e.get("context"), "input"), "lines"))? == "3")),
    ("context ? 'input'", |_, e| e.get("context").map(|c| c.get("input").is_some())),
    ("json_get_int(context, 'input', 'lines') >= 2", |_, e| {
        Some(get(get(e.get("context"), "input"), "lines")?.as_i64()? >= 2)
    }),
    ("old_value->>'status' = 'open'", |_, e| Some(as_text(get(e.get("old_value"), "status"))? == "open")),
    ("old_value->>'status' IS NULL", |_, e| Some(as_text(get(e.get("old_value"), "status")).is_none())),
    ("new_value->>'amount' IS NOT NULL", |_, e| Some(as_text(get(e.get("new_value"), "amount")).is_some())),
    ("coalesce(new_value, '{}')->>'amount' = '12'", |_, e| Some(as_text(get(e.get("new_value"), "amount"))? == "12")),
    ("old_value->>0 = 'open'", |_, e| Some(as_text(e.get("old_value")?.as_array()?.first())? == "open")),
    ("old_value ? 'status'", |_, e| match e.get("old_value")? {
        Value::Object(object) => Some(object.contains_key("status")),
        Value::Array(_) => Some(false),
        _ => None,
    }),
    ("old_value_type = 'string' AND old_value = '{\"status\":\"open\"}'", |_, e| match e.get("old_value")? {
        Value::String(text) => Some(text == "{\"status\":\"open\"}"),
        _ => Some(false),
    }),
    ("old_value = 'null'", |_, e| Some(cell(e.get("old_value"))? == "null")),
    ("old_value IS NULL", |_, e| Some(e.get("old_value").is_none())),
    ("old_value IS DISTINCT FROM new_value", |_, e| Some(cell(e.get("old_value")) != cell(e.get("new_value")))),
];

/// Entries of three days with members left out at random and values of every JSON type.
pub fn entries(count: u64, seed: u64) -> Vec<Value> {
    let mut dice = Dice(seed);
    (0..count).map(|index| entry(index, count, &mut dice)).collect()
}

fn entry(index: u64, count: u64, dice: &mut Dice) -> Value {
    let start = at("2026-03-01T00:00:00Z");
    let happened = start + (index * 3 * 86_400_000_000 / count) as i64 - dice.below(600_000_000) as i64;
    let mut entry = json!({
        "timestamp": Timestamp::from_micros(happened).to_string(),
        "event_type": dice.pick(&["manual_override", "kyc_check", "kyc_review", "invoice_approved"]),
        "actor": format!("svc-{}", dice.below(8)),
        "entity_id": format!("INV-{}", dice.below(60)),
    });
    let mut maybe = |name: &str, value: Value, dice: &mut Dice| {
        if dice.below(3) > 0 {
            entry[name] = value;
        }
    };
    maybe("reason", dice.pick(&[json!("late"), json!("checked twice")]), dice);
    maybe("outcome", dice.pick(&[json!("success"), json!("denied")]), dice);
    maybe("trace_id", json!(format!("run-{}", dice.below(50))), dice);
    maybe("id", json!(format!("id-{index}")), dice);
    maybe("old_value", value(dice), dice);
    maybe("new_value", value(dice), dice);
    maybe("context", context(dice), dice);
    if dice.below(3) > 0 {
        entry["source"] = json!("importer");
        entry["sequence"] = json!(index);
    }
    entry
}

fn value(dice: &mut Dice) -> Value {
    dice.pick(&[
        json!(null),
        json!(true),
        json!(12),
        json!("open"),
        json!("{\"status\":\"open\"}"),
        json!("[\"open\"]"),
        json!("null"),
        json!({"status": "open", "amount": 12}),
        json!({"status": null}),
        json!({"amount": "12", "status": {"deep": 1}}),
        json!({}),
        json!(["open", 2]),
        json!([]),
    ])
}

fn context(dice: &mut Dice) -> Value {
    dice.pick(&[
        json!({}),
        json!({"model_version": "m-1", "confidence": 0.25}),
        json!({"model_version": "m-2", "confidence": 0.75, "input": {"lines": 3}}),
        json!({"model_version": null, "input": {"lines": 1, "name": "Żółć \"x\""}}),
        json!({"confidence": 1, "input": null}),
    ])
}

fn layouts() -> Vec<(&'static str, Layout)> {
    let segments = vec![2048, 1024];
    vec![
        ("tail only", Layout::default()),
        ("segments and tail", Layout { segments: segments.clone(), ..Layout::default() }),
        ("without index", Layout { segments: segments.clone(), index: false, ..Layout::default() }),
        ("segments only", Layout { segments: vec![2048, 1024, 768], ..Layout::default() }),
        ("checkpoint inside a segment", Layout { segments, size: Some(2500), ..Layout::default() }),
    ]
}

#[test]
fn conditions_hold_for_the_same_entries_however_they_are_stored() {
    let entries = entries(3_840, 1);
    let engine = engine();
    for (name, layout) in layouts() {
        let size = layout.size.unwrap_or(entries.len() as u64);
        let ledger = Ledger::new(&entries, layout);
        for (sql, condition) in CONDITIONS {
            let wanted: Vec<u64> = (0..size).filter(|&i| condition(i, &entries[i as usize]) == Some(true)).collect();
            assert_eq!(indices(&engine, &ledger, sql), wanted, "{sql} ({name})");
            let unknown: Vec<u64> = (0..size).filter(|&i| condition(i, &entries[i as usize]).is_none()).collect();
            assert_eq!(indices(&engine, &ledger, &format!("({sql}) IS NULL")), unknown, "NULL of {sql} ({name})");
        }
    }
}

fn indices(engine: &Engine, ledger: &Ledger, predicate: &str) -> Vec<u64> {
    let found = engine.select_indices(ledger, predicate, Order::Ascending);
    found.unwrap_or_else(|error| panic!("{predicate}: {error}"))
}

#[test]
fn every_condition_is_met_and_missed_by_some_entry() {
    let entries = entries(3_840, 1);
    for (sql, condition) in CONDITIONS {
        let truths: Vec<Truth> = entries.iter().enumerate().map(|(i, e)| condition(i as u64, e)).collect();
        let always = ["recorded_at - timestamp", "INV-99999", "NOT IN"].iter().any(|part| sql.contains(part));
        assert!(always || truths.contains(&Some(true)), "{sql} never holds");
        assert!(always || truths.iter().any(|truth| *truth != Some(true)), "{sql} always holds");
    }
}

#[test]
fn groups_and_counts_agree_with_counting() {
    let entries = entries(3_840, 2);
    let ledger = Ledger::new(&entries, Layout { segments: vec![2048, 1024], ..Layout::default() });
    let mut wanted = std::collections::BTreeMap::<(String, String), u64>::new();
    for entry in &entries {
        let model = as_text(get(entry.get("context"), "model_version")).unwrap_or("NULL".into());
        let day = text(entry, "timestamp").expect("a time")[..10].to_owned();
        *wanted.entry((model, day)).or_default() += 1;
    }
    let wanted: Vec<String> = wanted.iter().map(|((model, day), n)| format!("{model}|{day}|{n}")).collect();
    let mut found = ask(
        &ledger,
        "SELECT context->>'model_version' AS model, timestamp::date AS day, count(*) FROM audit_log GROUP BY 1, 2",
    );
    found.sort();
    assert_eq!(found, wanted);
    assert_eq!(ask(&ledger, "SELECT count(*) FROM audit_log"), ["3840"]);
    let sealed = Ledger::new(&entries, Layout { segments: vec![3840], ..Layout::default() });
    let first = text(&entries[0], "timestamp").expect("a time");
    assert_eq!(
        ask(
            &sealed,
            "SELECT count(*), min(index), max(index), min(timestamp) <= '{first}' FROM audit_log"
                .replace("{first}", first)
                .as_str()
        ),
        ["3840|0|3839|true"]
    );
}

#[test]
fn rows_come_in_order_and_limits_take_the_first() {
    let entries = entries(3_840, 3);
    let ledger = Ledger::new(&entries, Layout { segments: vec![2048, 1024], ..Layout::default() });
    let all: Vec<String> = (0..3_840).map(|i| i.to_string()).collect();
    assert_eq!(ask(&ledger, "SELECT index FROM audit_log"), all);
    assert_eq!(ask(&ledger, "SELECT index FROM audit_log LIMIT 3 OFFSET 2040"), ["2040", "2041", "2042"]);
    let late: Vec<u64> = (0..3840).filter(|&i| text(&entries[i as usize], "reason") == Some("late")).collect();
    let first: Vec<String> = late.iter().take(5).map(u64::to_string).collect();
    assert_eq!(ask(&ledger, "SELECT index AS i FROM audit_log a WHERE reason = 'late' LIMIT 5"), first);
    assert_eq!(ask(&ledger, "SELECT index FROM audit_log ORDER BY index DESC LIMIT 2"), ["3839", "3838"]);
    for (holds, truth) in [
        ("interval '1 day' = interval '24 hours' AND interval '1 month' = interval '30 days'", true),
        ("interval '1 day' IN (interval '1 hour', interval '1440 minutes')", true),
        ("interval '1 month' <> interval '720 hours' OR interval '31 days' < interval '1 month'", false),
        ("interval '1 year' BETWEEN interval '359 days' AND interval '8640 hours'", true),
    ] {
        let counted = ask(&ledger, &format!("SELECT count(*) FROM audit_log WHERE index < 5 AND ({holds})"));
        assert_eq!(counted, [if truth { "5" } else { "0" }], "{holds}");
    }
    // By their length: 30 days, 40 days, 41 days 16 hours.
    let spans =
        "CASE index % 3 WHEN 0 THEN interval '40 days' WHEN 1 THEN interval '1 month' ELSE interval '1000 hours' END";
    assert_eq!(ask(&ledger, &format!("SELECT index FROM audit_log ORDER BY {spans}, index LIMIT 1")), ["1"]);
    assert_eq!(ask(&ledger, &format!("SELECT index FROM audit_log ORDER BY {spans} DESC, index LIMIT 1")), ["2"]);
    let longest = "SELECT index FROM audit_log ORDER BY timestamp - timestamp '2026-01-01' DESC, index DESC LIMIT 1";
    assert_eq!(
        ask(&ledger, longest),
        ask(&ledger, "SELECT index FROM audit_log ORDER BY timestamp DESC, index DESC LIMIT 1")
    );
    let last = ask(&ledger, "SELECT entity_id FROM audit_log WHERE reason = 'late' ORDER BY timestamp DESC LIMIT 1");
    assert_eq!(last.len(), 1);
}

#[test]
fn the_tail_is_built_once_and_follows_growth() {
    let entries = entries(20_000, 4);
    let ledger = Ledger::new(&entries, Layout { size: Some(20_000), ..Layout::default() });
    let engine = engine();
    let count = |sql: &str| crate::fixture::lines(engine.query(&ledger, sql).expect("an answer"));
    assert_eq!(count("SELECT count(*) FROM audit_log WHERE index >= 0"), ["20000"]);
    let reads = ledger.tail_reads();
    assert_eq!(count("SELECT count(*) FROM audit_log WHERE index >= 5"), ["19995"]);
    assert_eq!(ledger.tail_reads(), reads, "the second query built the tail again");
}
