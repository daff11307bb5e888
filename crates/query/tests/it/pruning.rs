//! Only a small share of the bytes is read where few rows are wanted.

use serde_json::{Value, json};

use crate::fixture::{Dice, Layout, Ledger, ask, engine, lines};

/// Four segments of a day each; entities return on every day.
fn entries() -> Vec<Value> {
    let mut dice = Dice(9);
    (0..65_536_u64)
        .map(|index| {
            let second = index * 4 * 86_400 / 65_536;
            let (day, second) = (1 + second / 86_400, second % 86_400);
            json!({
                "timestamp": format!(
                    "2026-03-0{day}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60
                ),
                "event_type": dice.pick(&["manual_override", "kyc_check", "invoice_approved"]),
                "actor": format!("svc-{}", dice.below(40)),
                "entity_id": format!("INV-{}", dice.below(8_000)),
                "trace_id": format!("run-{}", dice.below(30_000)),
                "reason": format!("checked {} of {}", dice.below(1 << 30), dice.below(1 << 30)),
                "context": {"run": dice.below(1 << 30), "input": format!("{:x}", dice.below(1 << 30))},
            })
        })
        .collect()
}

fn ledger(index: bool) -> Ledger {
    Ledger::new(&entries(), Layout { segments: vec![16_384; 4], index, ..Layout::default() })
}

/// The answer, and the share of the segments' bytes that it took once footers are known.
fn share(ledger: &Ledger, sql: &str) -> (Vec<String>, f64) {
    let engine = engine();
    lines(engine.query(ledger, "SELECT count(*) FROM audit_log").expect("an answer"));
    ledger.bytes();
    let answer = lines(engine.query(ledger, sql).expect("an answer"));
    let (total, read) = ledger.bytes();
    (answer, read as f64 / total as f64)
}

#[test]
fn one_entity_is_read_through_the_index() {
    let (found, with_index) = share(&ledger(true), "SELECT * FROM audit_log WHERE entity_id = 'INV-4711'");
    let (same, without) = share(&ledger(false), "SELECT * FROM audit_log WHERE entity_id = 'INV-4711'");
    assert_eq!(found, same);
    assert!((2..40).contains(&found.len()), "{} rows", found.len());
    let (none, absent) = share(&ledger(true), "SELECT * FROM audit_log WHERE entity_id = 'INV-9999'");
    assert!(none.is_empty());
    assert_eq!(absent, 0.0, "the index alone tells that an entity is not there");
    assert!(with_index < without, "{with_index:.2} with the index, {without:.2} without");
}

#[test]
fn one_day_is_read_from_its_segment_alone() {
    let sql = "SELECT * FROM audit_log WHERE event_type = 'manual_override' AND timestamp >= '2026-03-04'";
    let ledger = ledger(true);
    let (found, day) = share(&ledger, sql);
    assert!(found.len() > 4_000, "{} rows", found.len());
    assert!(day < 0.3, "{day:.2} of the bytes for one day of four");
    let hour =
        "SELECT count(reason) FROM audit_log WHERE timestamp BETWEEN '2026-03-02T10:00:00Z' AND '2026-03-02T11:00:00Z'";
    let (found, hour) = share(&ledger, hour);
    assert_eq!(found, ["683"]);
    assert!(hour < 0.15, "{hour:.2} of the bytes for one hour of four days");
}

#[test]
fn counting_all_reads_nothing_but_footers() {
    let (count, read) = share(&ledger(true), "SELECT count(*), max(timestamp) FROM audit_log");
    assert_eq!(count, ["65536|2026-03-04T23:59:54Z"]);
    assert_eq!(read, 0.0);
}

#[test]
fn the_index_and_the_filters_give_the_same_answers() {
    let (with, without) = (ledger(true), ledger(false));
    for condition in [
        "entity_id = 'INV-17'",
        "entity_id IN ('INV-17', 'INV-18', 'nothing') AND timestamp < '2026-03-03'",
        "trace_id = 'run-29'",
        "trace_id = 'run-29' AND entity_id = 'INV-17'",
        "actor = 'svc-7' AND entity_id = 'INV-17'",
        "actor = 'svc-7'",
        "entity_id = 'INV-17' OR trace_id = 'run-29'",
        "id = 'nothing'",
    ] {
        let sql = format!("SELECT index, reason FROM audit_log WHERE {condition}");
        assert_eq!(ask(&with, &sql), ask(&without, &sql), "{condition}");
    }
}
