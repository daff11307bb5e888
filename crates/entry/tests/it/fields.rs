//! Committed entries taken apart and put together again.

use crate::samples::{self, Choices, FULL, Json};
use counterfoil_entry::{Draft, Fields, Timestamp};
use proptest::prelude::*;

fn committed(draft: &Draft) -> Vec<u8> {
    let mut entry = Vec::new();
    draft.write_entry(Timestamp::from_micros(1_795_526_161_000_000), Some("svc"), &mut entry);
    entry
}

#[test]
fn every_member_is_found() {
    let entry = committed(&Draft::parse(FULL.as_bytes()).unwrap());
    let fields = Fields::split(&entry).expect("an entry");
    assert_eq!(fields.timestamp.to_string(), "2026-11-24T13:16:00.123456789Z");
    assert_eq!(fields.recorded_at.to_string(), "2026-11-24T13:16:01Z");
    assert_eq!((&*fields.event_type, &*fields.actor, &*fields.entity_id), ("invoice_approved", "bot-7", "INV-1"));
    assert_eq!(fields.actor_type.as_deref(), Some("ai_agent"));
    assert_eq!(fields.on_behalf_of.as_deref(), Some("ann"));
    assert_eq!(fields.entity_type.as_deref(), Some("invoice"));
    assert_eq!(fields.outcome.as_deref(), Some("success"));
    assert_eq!(fields.reason.as_deref(), Some("matched \"3-way\"\nok"));
    assert_eq!(fields.trace_id.as_deref(), Some("run-9"));
    assert_eq!(fields.id.as_deref(), Some("req-1"));
    assert_eq!(fields.source.as_deref(), Some("erp-1"));
    assert_eq!(fields.recorder.as_deref(), Some("svc"));
    assert_eq!(fields.sequence, Some(42));
    assert_eq!(fields.old_value, Some(r#"{"status":"pending"}"#));
    assert_eq!(fields.new_value, Some("\"approved\""));
    assert_eq!(fields.context, Some(r#"{"confidence":0.97,"model_version":"m-1"}"#));
    assert_eq!(fields.signature.as_ref().map(|signature| signature.value), Some([0; 64]));
    assert_eq!(fields.salt, None);
}

#[test]
fn a_salt_has_its_place() {
    let entry = committed(&Draft::parse(FULL.as_bytes()).unwrap());
    let mut fields = Fields::check(&entry).unwrap();
    fields.salt = Some(*b"0123456789abcdef");
    let mut salted = Vec::new();
    fields.write_canonical(&mut salted);
    let text = String::from_utf8_lossy(&salted);
    assert!(text.contains(r#""recorder":"svc","salt":"MDEyMzQ1Njc4OWFiY2RlZg==","sequence""#), "{text}");
    assert_eq!(Fields::check(&salted).as_ref(), Ok(&fields));
    assert_eq!(Fields::split(&salted).as_ref(), Ok(&fields));
}

#[test]
fn content_digests_agree_with_the_draft() {
    let draft = Draft::parse(FULL.as_bytes()).unwrap();
    let entry = committed(&draft);
    let fields = Fields::split(&entry).unwrap();
    assert_eq!(fields.content_digest(), draft.content_digest());
    assert_eq!(fields.content_digest_without_timestamp(), draft.content_digest_without_timestamp());
}

#[test]
fn splitting_damaged_bytes_is_an_error_and_never_a_panic() {
    let entry = committed(&Draft::parse(FULL.as_bytes()).unwrap());
    for end in 0..entry.len() {
        assert!(Fields::split(&entry[..end]).is_err(), "cut at {end}");
        assert!(Fields::check(&entry[..end]).is_err(), "cut at {end}");
    }
    for at in 0..entry.len() {
        for byte in [b'"', b'\\', b'{', b'}', b'[', b']', b',', b':', b'0', 0, 0xFF] {
            let mut damaged = entry.clone();
            damaged[at] = byte;
            let _ = Fields::split(&damaged);
            if let Ok(fields) = Fields::check(&damaged) {
                let mut again = Vec::new();
                fields.write_canonical(&mut again);
                assert_eq!(again, damaged, "what passes the check has one form");
            }
        }
    }
}

#[test]
fn members_out_of_order_are_not_split() {
    for (from, to) in [
        (r#""actor":"bot-7","actor_type":"ai_agent""#, r#""actor_type":"ai_agent","actor":"bot-7""#),
        (r#""actor":"bot-7","#, r#""actor":"bot-7","actor":"bot-7","#),
        (r#""actor":"bot-7","#, ""),
        (r#""outcome":"#, r#""outcomes":"#),
    ] {
        let entry = String::from_utf8(committed(&Draft::parse(FULL.as_bytes()).unwrap())).unwrap();
        assert!(entry.contains(from));
        assert!(Fields::split(entry.replace(from, to).as_bytes()).is_err(), "{to}");
    }
}

#[test]
fn brackets_quotes_and_escapes_within_texts_do_not_mislead_the_split() {
    for text in ["}", "{", "]]", "[{", "\"}", "\\", "\\\"", "}\"{", "\\\\\"}"] {
        for shift in 0..17 {
            let literal = serde_json::to_string(&format!("{}{text}", "x".repeat(shift))).unwrap();
            let context = format!(r#"{{"a":[{literal},{{"b":{literal}}}],"c":{literal}}}"#);
            let json = format!(
                r#"{{"actor":"a","context":{context},"entity_id":"e","event_type":"t","new_value":{literal}}}"#
            );
            let entry = committed(&Draft::parse(json.as_bytes()).unwrap());
            let fields = Fields::split(&entry).unwrap_or_else(|error| panic!("{json}: {error}"));
            assert_eq!(fields.context, Some(context.as_str()));
            assert_eq!(fields.new_value, Some(literal.as_str()));
        }
    }
}

/// An entry with any members, as a client might write it.
fn entry() -> impl Strategy<Value = Vec<(String, Json)>> {
    let identifier = "[a-zA-Z0-9 \"\\\\éß😂-]{1,20}".prop_map(Json::Text);
    let optional = |strategy: BoxedStrategy<Json>| proptest::option::of(strategy);
    let texts = proptest::collection::vec(identifier.clone(), 3);
    let identifiers = proptest::collection::vec(optional(identifier.boxed()), 5);
    let values =
        (optional(samples::json().boxed()), optional(samples::json().boxed()), optional(samples::object().boxed()));
    let reason = optional(samples::text().prop_map(Json::Text).boxed());
    let micros = proptest::option::of((-9_214_560_000_000_000_i64..9_214_646_400_000_000, 0_u16..1000));
    let sequence = 0..=i64::MAX as u64;
    (texts, identifiers, values, reason, micros, sequence).prop_map(
        |(texts, identifiers, values, reason, instant, sequence)| {
            let mut members = Vec::new();
            let mut put = |name: &str, value: Option<Json>| members.extend(value.map(|value| (name.to_owned(), value)));
            for (name, text) in ["event_type", "actor", "entity_id"].into_iter().zip(texts) {
                put(name, Some(text));
            }
            put("sequence", identifiers[4].as_ref().map(|_| Json::Integer(sequence.to_string())));
            for (name, text) in ["on_behalf_of", "entity_type", "trace_id", "id", "source"].into_iter().zip(identifiers)
            {
                put(name, text);
            }
            put("old_value", values.0);
            put("new_value", values.1);
            put("context", values.2);
            put("reason", reason);
            let instant = instant.map(|(micros, nanos)| Timestamp::from_parts(micros, nanos).unwrap().to_string());
            put("timestamp", instant.map(Json::Text));
            members
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(800))]

    #[test]
    fn any_accepted_entry_survives_the_way_through_its_fields(members in entry(), first: u64, second: u64) {
        let (mut one, mut other) = (String::new(), String::new());
        samples::write(&Json::Object(members.clone()), &mut Choices(first), &mut one);
        samples::write(&Json::Object(members), &mut Choices(second), &mut other);
        let draft = Draft::parse(one.as_bytes()).map_err(|error| TestCaseError::fail(format!("{one}: {error}")))?;
        prop_assert_eq!(&draft, &Draft::parse(other.as_bytes()).unwrap(), "order, space and escapes do not matter");
        prop_assert_eq!(&draft, &Draft::parse(draft.client_bytes()).unwrap());
        let form = samples::canonical(&one);
        prop_assert_eq!(draft.client_bytes(), form.as_bytes(), "the one canonical form");

        let entry = committed(&draft);
        let fields = Fields::check(&entry).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(&fields, &Fields::split(&entry).unwrap());
        let mut again = Vec::new();
        fields.write_canonical(&mut again);
        prop_assert_eq!(String::from_utf8(again).unwrap(), String::from_utf8(entry.clone()).unwrap());
        prop_assert_eq!(fields.content_digest_without_timestamp(), draft.content_digest_without_timestamp());
        if draft.timestamp().is_some() {
            prop_assert_eq!(fields.content_digest(), draft.content_digest());
        }
    }
}
