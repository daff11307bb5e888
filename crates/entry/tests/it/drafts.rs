//! From a client's JSON to the entry that is hashed.

use crate::samples::{FULL, SMALLEST};
use counterfoil_entry::{ActorType, Draft, EntryError, Fields, MAX_ENTRY_BYTES, Outcome, Timestamp};

fn recorded_at() -> Timestamp {
    Timestamp::parse("2026-11-24T13:16:01.5Z").expect("a timestamp")
}

fn written(draft: &Draft, recorder: Option<&str>) -> String {
    let mut out = Vec::new();
    draft.write_entry(recorded_at(), recorder, &mut out);
    assert!(out.len() <= draft.canonical_len(recorder));
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn the_ledgers_members_go_where_they_belong() {
    let smallest = Draft::parse(SMALLEST.as_bytes()).expect("valid");
    assert_eq!(
        written(&smallest, Some("svc \"a\"")),
        concat!(
            r#"{"actor":"bot-7","entity_id":"INV-1","event_type":"invoice_approved","recorded_at":"2026-11-24T13:16:01.5Z","#,
            r#""recorder":"svc \"a\"","timestamp":"2026-11-24T13:16:01.5Z"}"#
        )
    );
    let full = Draft::parse(FULL.as_bytes()).expect("valid");
    let expected = FULL.replace(r#","sequence""#, r#","recorded_at":"2026-11-24T13:16:01.5Z","sequence""#);
    assert_eq!(written(&full, None), expected);
    let traced = SMALLEST.replace('}', r#","source":"s","sequence":0,"trace_id":"t"}"#);
    let traced = written(&Draft::parse(traced.as_bytes()).expect("valid"), None);
    assert!(
        traced.ends_with(concat!(
            r#""recorded_at":"2026-11-24T13:16:01.5Z","sequence":0,"source":"s","#,
            r#""timestamp":"2026-11-24T13:16:01.5Z","trace_id":"t"}"#
        )),
        "{traced}"
    );
}

#[test]
fn the_ledgers_clock_counts_whole_microseconds() {
    let draft = Draft::parse(SMALLEST.as_bytes()).expect("valid");
    let mut out = Vec::new();
    draft.write_entry(Timestamp::parse("2026-11-24T13:16:01.000001999Z").expect("valid"), None, &mut out);
    let fields = Fields::check(&out).expect("an entry");
    assert_eq!(fields.recorded_at.to_string(), "2026-11-24T13:16:01.000001Z");
    assert_eq!(fields.timestamp, fields.recorded_at);
}

#[test]
fn members_read_back_as_they_were_sent() {
    let draft = Draft::parse(FULL.as_bytes()).expect("valid");
    assert_eq!(draft.client_bytes(), FULL.as_bytes());
    assert_eq!(draft.event_type(), "invoice_approved");
    assert_eq!(draft.actor(), "bot-7");
    assert_eq!(draft.entity_id(), "INV-1");
    assert_eq!(draft.id().as_deref(), Some("req-1"));
    assert_eq!(draft.source(), Some(("erp-1".into(), 42)));
    assert_eq!(draft.timestamp().map(|instant| instant.to_string()).as_deref(), Some("2026-11-24T13:16:00.123456789Z"));
    assert_eq!(draft.signature().map(|signature| signature.value), Some([0; 64]));
    assert_eq!(draft.context(), Some(r#"{"confidence":0.97,"model_version":"m-1"}"#));
}

#[test]
fn a_timestamp_is_normalised_however_it_was_written() {
    for sent in [
        "2026-11-24T14:16:00.500+01:00",
        "2026-11-24t13:16:00.5z",
        r"\u0032026-11-24T13:16:00.5Z",
        "2026-11-24T13:16:00.5Z",
    ] {
        let json =
            format!(r#"{{"timestamp": "{sent}", "trace_id": "t", "actor": "a", "entity_id": "e", "event_type": "x"}}"#);
        let draft = Draft::parse(json.as_bytes()).expect(sent);
        let expected =
            r#"{"actor":"a","entity_id":"e","event_type":"x","timestamp":"2026-11-24T13:16:00.5Z","trace_id":"t"}"#;
        assert_eq!(String::from_utf8_lossy(draft.client_bytes()), expected, "{sent}");
    }
}

#[test]
fn a_repeat_has_the_same_content_digest() {
    let spaced = SMALLEST.replace(':', " : ").replace("bot", r"\u0062ot");
    let (one, other) = (Draft::parse(SMALLEST.as_bytes()).unwrap(), Draft::parse(spaced.as_bytes()).unwrap());
    assert_eq!(one.content_digest(), other.content_digest());
    let timed = SMALLEST.replace('}', r#","timestamp":"2026-11-24T13:16:00Z"}"#);
    let timed = Draft::parse(timed.as_bytes()).unwrap();
    assert_ne!(one.content_digest(), timed.content_digest());
    assert_eq!(one.content_digest_without_timestamp(), timed.content_digest_without_timestamp());
    assert_eq!(one.content_digest(), one.content_digest_without_timestamp());
}

#[test]
fn the_builder_writes_what_the_parser_reads() {
    let draft = Draft::builder("invoice_approved", "bot-7", "INV-1")
        .actor_type(ActorType::AiAgent)
        .on_behalf_of("ann")
        .entity_type("invoice")
        .old_value_json(r#"{ "status": "pending" }"#)
        .new_value("approved")
        .outcome(Outcome::Success)
        .reason("first")
        .reason("second")
        .context(serde_json::json!({"model_version": "m-1", "confidence": 0.97}))
        .trace_id("run-9")
        .id("req-1")
        .source("erp-1", 42)
        .timestamp(Timestamp::parse("2026-11-24T13:16:00Z").unwrap())
        .build()
        .expect("valid");
    assert_eq!(
        String::from_utf8_lossy(draft.client_bytes()),
        concat!(
            r#"{"actor":"bot-7","actor_type":"ai_agent","context":{"confidence":0.97,"model_version":"m-1"},"entity_id":"INV-1","#,
            r#""entity_type":"invoice","event_type":"invoice_approved","id":"req-1","new_value":"approved","old_value":{"status":"pending"},"#,
            r#""on_behalf_of":"ann","outcome":"success","reason":"second","sequence":42,"source":"erp-1","#,
            r#""timestamp":"2026-11-24T13:16:00Z","trace_id":"run-9"}"#
        )
    );
}

#[test]
fn the_builder_refuses_what_the_parser_refuses() {
    let spliced = Draft::builder("x", "a", "e").context_json(r#"{},"entity_id":"Y""#).build().expect_err("a splice");
    assert_eq!(
        spliced.to_string(),
        "context: not JSON at byte 2: something follows the value; send one value at a time"
    );
    let nested =
        Draft::builder("x", "a", "e").new_value_json(r#"{"rows":[{"n":1e400}]}"#).build().expect_err("too large");
    assert_eq!(
        nested.to_string(),
        "new_value.rows[0].n: the number 1e400 is too large for a double; send it as a string"
    );
    assert!(Draft::builder("ledger.sealed", "a", "e").build().is_err());
    assert!(Draft::builder("ledger.sealed", "a", "e").build_own().is_ok());
}

#[test]
fn a_draft_of_any_accepted_size_fits_with_all_that_the_ledger_adds() {
    let sized = |length: usize, with_timestamp: bool| {
        let timestamp = if with_timestamp { r#","timestamp":"2026-11-24T13:16:00.123456789Z""# } else { "" };
        let bare = format!(r#"{{"actor":"a","entity_id":"e","event_type":"x","reason":""{timestamp}}}"#);
        bare.replace(r#""reason":"""#, &format!(r#""reason":"{}""#, "r".repeat(length - bare.len())))
    };
    let recorder = "\"".repeat(256);
    for (limit, with_timestamp) in [(Draft::MAX_BYTES, true), (Draft::MAX_BYTES - 45, false)] {
        let draft = Draft::parse(sized(limit, with_timestamp).as_bytes()).expect("just fits");
        let entry = written(&draft, Some(&recorder));
        assert!(entry.len() + 34 <= MAX_ENTRY_BYTES, "{} bytes, and a salt may come", entry.len());
        Fields::check(entry.as_bytes()).expect("a valid entry");
        let error = Draft::parse(sized(limit + 1, with_timestamp).as_bytes()).expect_err("one byte too many");
        assert_eq!(error, EntryError::TooLarge { length: limit + 1, limit });
    }
}
