//! The classic review query, and what answers look like.

use std::ops::ControlFlow;
use std::time::{SystemTime, UNIX_EPOCH};

use counterfoil_entry::Timestamp;
use futures::StreamExt;
use serde_json::json;

use crate::fixture::{Layout, Ledger, ask, engine, lines};

const REVIEW: &str =
    "SELECT * FROM audit_log WHERE event_type = 'manual_override' AND timestamp > now() - interval '24 hours';";

fn hours_ago(hours: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970").as_micros() as i64;
    Timestamp::from_micros(now - hours * 3_600_000_000).to_string()
}

fn ledger(segments: Vec<usize>) -> Ledger {
    let entry = |hours: i64, kind: &str, entity: &str| json!({"timestamp": hours_ago(hours), "event_type": kind, "actor": "j.doe", "entity_id": entity});
    let mut entries = Vec::new();
    for hours in (0..512).rev() {
        let kind = if hours % 5 == 3 { "manual_override" } else { "invoice_approved" };
        entries.push(entry(hours, kind, &format!("INV-{hours}")));
    }
    Ledger::new(&entries, Layout { segments, ..Layout::default() })
}

#[test]
fn the_classic_review_query_runs_as_written() {
    for segments in [vec![], vec![256], vec![256, 256]] {
        let answer = engine().query(&ledger(segments), REVIEW).expect("an answer");
        let columns = answer.schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
        assert_eq!(columns[..6], ["index", "timestamp", "recorded_at", "timestamp_nanos", "event_type", "actor"]);
        let entity = columns.iter().position(|name| name == "entity_id").expect("a column");
        let found: Vec<String> = lines(answer).iter().map(|line| line.split('|').nth(entity).unwrap().into()).collect();
        assert_eq!(found, ["INV-23", "INV-18", "INV-13", "INV-8", "INV-3"]);
    }
}

#[test]
fn timestamps_are_utc_microseconds_and_print_so() {
    let entry = json!({
        "timestamp": "2026-11-24T11:00:00.123456789+01:00", "event_type": "kyc_check", "actor": "a", "entity_id": "C-1"
    });
    let ledger = Ledger::new(&[entry], Layout::default());
    let batches = engine()
        .query(&ledger, "SELECT timestamp, timestamp_nanos, timestamp::date AS day FROM audit_log")
        .and_then(|answer| answer.collect())
        .expect("an answer");
    let mut writer = arrow::json::LineDelimitedWriter::new(Vec::new());
    writer.write_batches(&batches.iter().collect::<Vec<_>>()).expect("JSON");
    let text = String::from_utf8(writer.into_inner()).expect("text");
    assert_eq!(text.trim(), r#"{"timestamp":"2026-11-24T10:00:00.123456Z","timestamp_nanos":789,"day":"2026-11-24"}"#);
}

#[test]
fn answers_stream_on_any_executor() {
    let ledger = ledger(vec![256]);
    let engine = engine();
    let rows = futures::executor::block_on(async {
        let answer = engine.query_async(&ledger, "SELECT index FROM audit_log").await.expect("an answer");
        answer.map(|batch| batch.expect("a batch").num_rows()).fold(0, |sum, rows| async move { sum + rows }).await
    });
    assert_eq!(rows, 512);
}

#[test]
fn whole_entries_come_back_as_a_segment_would_hold_them() {
    let ledger = ledger(vec![256]);
    let answer = engine().rows(&ledger, Some("entity_id IN ('INV-400', 'INV-7')")).expect("an answer");
    assert_eq!(answer.schema(), counterfoil_segment::schema());
    let mut entries = Vec::new();
    for batch in answer {
        let faults = counterfoil_segment::rebuild(&batch.expect("a batch"), &mut |_, entry| {
            entries.push(String::from_utf8(entry.to_vec()).expect("text"));
            ControlFlow::Continue(())
        });
        assert_eq!(faults.expect("an entry's columns"), []);
    }
    assert_eq!(entries.len(), 2);
    assert!(entries[0].starts_with(r#"{"actor":"j.doe","entity_id":"INV-400","event_type":"#), "{}", entries[0]);
    let all = engine().rows(&ledger, None).and_then(|answer| answer.collect()).expect("an answer");
    assert_eq!(all.iter().map(|batch| batch.num_rows()).sum::<usize>(), 512);
}

#[test]
fn explain_describe_and_show_tell_about_the_table() {
    let ledger = ledger(vec![256]);
    assert!(ask(&ledger, "EXPLAIN SELECT * FROM audit_log").iter().any(|line| line.contains("segments/")));
    assert!(ask(&ledger, "DESCRIBE audit_log").iter().any(|line| line.starts_with("event_type|Utf8")));
    assert!(ask(&ledger, "SHOW TABLES").iter().any(|line| line.contains("audit_log")));
}
