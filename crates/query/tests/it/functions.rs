//! A function makes no more than a query may, however little it is made of, and ends in time.

use std::time::{Duration, Instant};

use counterfoil::ErrorKind;
use counterfoil_query::{Engine, Limits};
use serde_json::json;

use crate::answers::entries;
use crate::fixture::{Layout, Ledger, ask_in_vain, engine, lines};

/// Entries with a reason of 20,000 letters.
fn ledger() -> Ledger {
    let entry = |number: u64| {
        json!({"timestamp": "2026-03-01T00:00:00Z", "event_type": "kyc_check", "actor": "a", "entity_id": format!("C-{number}"),
            "reason": "a".repeat(20_000)})
    };
    Ledger::new(&(0..600).map(entry).collect::<Vec<_>>(), Layout { segments: vec![512], ..Layout::default() })
}

fn limited(memory_bytes: usize, time: Duration) -> Engine {
    Engine::new(Limits { memory_bytes, time, ..Limits::default() }).expect("threads")
}

fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmHWM")).expect("a peak");
    line.split_whitespace().nth(1).expect("a number").parse::<u64>().expect("a number") / 1024
}

#[test]
fn much_out_of_little_is_refused() {
    let (ledger, engine) = (ledger(), limited(64 << 20, Duration::from_secs(30)));
    let many = "a".repeat(1000);
    let nested = format!("replace(replace(replace('{many}', 'a', '{many}'), 'a', '{many}'), 'a', '{many}')");
    let doubled = (0..16).fold("SELECT reason AS s FROM audit_log".to_owned(), |inner, level| {
        format!("SELECT s || s AS s FROM ({inner}) AS t{level}")
    });
    let before = peak_mib();
    for sql in [
        format!("SELECT length({nested}) FROM audit_log LIMIT 1"),
        format!("SELECT sum(length(replace(reason, 'a', '{many}'))) FROM audit_log"),
        format!("SELECT sum(length(regexp_replace(reason, 'a', '{many}', 'g'))) FROM audit_log"),
        format!("SELECT sum(length(s)) FROM ({doubled}) AS t"),
        format!(
            "SELECT sum(length(concat_ws('{many}{many}', reason, reason, reason, reason, reason, reason, reason, reason))) \
                 FROM (SELECT concat(reason, reason, reason, reason, reason, reason) AS reason FROM audit_log) AS t"
        ),
        format!("SELECT array_to_string(string_to_array(reason, NULL), '{many}') FROM audit_log"),
        "SELECT string_agg(reason, '') OVER (ORDER BY index) FROM audit_log".to_owned(),
        "SELECT first_value(reason) OVER () FROM audit_log".to_owned(),
        format!("SELECT {} FROM audit_log", vec![format!("'{}'", many.repeat(8)); 20].join(", ")),
        "SELECT arrow_cast(1, 'Int8')".to_owned(),
    ] {
        let shown: String = sql.chars().take(60).collect();
        let error = ask_in_vain(&engine, &ledger, &sql);
        assert!(matches!(error.kind, ErrorKind::Unavailable | ErrorKind::Invalid), "{shown}: {error}");
    }
    assert!(peak_mib() - before < 1_024, "{} MiB before, {} MiB after", before, peak_mib());
}

#[test]
fn what_is_usual_is_answered() {
    let (ledger, engine) = (ledger(), engine());
    let one = |sql: &str| lines(engine.query(&ledger, sql).unwrap_or_else(|error| panic!("{sql}: {error}"))).join("|");
    let of = |expression: &str| one(&format!("SELECT {expression} FROM audit_log WHERE index = 3"));
    for (expression, wanted) in [
        ("replace(entity_id, 'C-', 'customer ')", "customer 3"),
        ("regexp_replace(entity_id, '^C-([0-9]+)$', 'no. \\1')", "no. 3"),
        ("actor || ' on ' || entity_id", "a on C-3"),
        ("actor || outcome", ""),
        ("upper(left(reason, 3))", "AAA"),
        ("concat_ws('-', actor, outcome, entity_id)", "a-C-3"),
        ("array_to_string(string_to_array(entity_id, '-'), '+')", "C+3"),
        ("length(reason || reason)", "40000"),
        ("CASE WHEN actor = 'a' THEN 'yes' || '!' ELSE reason END", "yes!"),
    ] {
        assert!(of(expression).ends_with(wanted), "{expression}: {}", of(expression));
    }
    assert!(
        one("SELECT last_value(actor || entity_id) OVER (ORDER BY index) FROM audit_log LIMIT 1").ends_with("aC-0")
    );
    assert!(one("SELECT sum(length(upper(reason))) FROM audit_log").ends_with(&(600 * 20_000).to_string()));
    assert!(one("SELECT length(string_agg(entity_id, ',')) FROM audit_log WHERE index < 3").ends_with("11"));
}

#[test]
fn functions_of_nothing_or_of_constants_are_no_large_constants() {
    let ledger = Ledger::new(&entries(20_000, 4), Layout { segments: vec![16_384], ..Layout::default() });
    for (sql, wanted) in [
        ("SELECT count(random()) FROM audit_log", "20000"),
        ("SELECT count(uuid()) FROM audit_log", "20000"),
        ("SELECT count(*) FROM audit_log WHERE to_char(now(), 'YYYY') <> 'never'", "20000"),
        ("SELECT max(length(concat('a', 'b'))) FROM audit_log", "2"),
    ] {
        let answered = engine().query(&ledger, sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(lines(answered), [wanted], "{sql}");
    }
}

/// Contexts near the size limit, as those with prompts have: a batch of them is a third of the memory of a query.
#[test]
fn what_takes_a_part_of_a_large_text_is_answered() {
    let entry = |number: u64| {
        json!({"timestamp": "2026-03-01T00:00:00Z", "event_type": "model_inference", "actor": "a", "entity_id": format!("C-{number}"),
            "context": {"model_version": "m-1", "prompt": "p".repeat(40_000)}})
    };
    let ledger =
        Ledger::new(&(0..600).map(entry).collect::<Vec<_>>(), Layout { segments: vec![512], ..Layout::default() });
    let engine = limited(64 << 20, Duration::from_secs(120));
    for sql in [
        "SELECT count(*) FROM audit_log WHERE context->>'model_version' = 'm-1'",
        "SELECT count(*) FROM audit_log WHERE left(context, 1) = '{'",
    ] {
        let answered = engine.query(&ledger, sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(lines(answered), ["600"], "{sql}");
    }
}

#[test]
fn a_long_step_ends_in_time_and_does_not_hold_up_the_clock() {
    let (ledger, engine) = (ledger(), limited(1 << 30, Duration::from_secs(2)));
    let terms: Vec<String> = (0..100).map(|n| format!("length(encode(sha512(s || '{n}'), 'hex'))")).collect();
    let slow = format!(
        "SELECT max({}) FROM (SELECT concat(reason, reason, reason) AS s FROM audit_log) AS t",
        terms.join(" + ")
    );
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let error = ask_in_vain(&engine, &ledger, &slow);
                assert!(error.message.starts_with("time limit reached"), "{error}");
                assert!(start.elapsed() < Duration::from_secs(8), "it took {:?}", start.elapsed());
            });
        }
    });
    let free = (0..60).any(|_| engine.query(&ledger, "SELECT 1").and_then(|answer| answer.collect()).is_ok());
    assert!(free && start.elapsed() < Duration::from_secs(20), "free after {:?}", start.elapsed());
}
