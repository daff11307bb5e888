//! Each way in which an entry can be wrong, and the message that a user sees.

use crate::samples::{FULL, SMALLEST};
use counterfoil_entry::{Draft, Fields, Timestamp, check_recorder};

/// The smallest entry with one more member.
fn with(member: &str) -> String {
    SMALLEST.replace('}', &format!(",{member}}}"))
}

#[track_caller]
fn assert_refused(json: &str, message: &str) {
    let error = Draft::parse(json.as_bytes()).expect_err(message);
    assert_eq!(error.to_string(), message, "{json}");
}

#[test]
fn wrong_members() {
    for (json, message) in [
        (with(r#""amount":5"#), "amount: an entry has no such member; put it into context"),
        (with(r#""reason":"a","reason":"b""#), "reason: stands twice in the same object; keep one of the two"),
        (
            with(r#""context":{"a":{"b":1,"c":2,"b":3}}"#),
            "context.a.b: stands twice in the same object; keep one of the two",
        ),
        (
            with(r#""context":{"a":[0,{"b":1,"b":1}]}"#),
            "context.a[1].b: stands twice in the same object; keep one of the two",
        ),
        (
            with(r#""recorded_at":"2026-11-24T13:16:00Z""#),
            "recorded_at: only the ledger sets this member; leave it out",
        ),
        (with(r#""recorder":"me""#), "recorder: only the ledger sets this member; leave it out"),
        (with(r#""salt":"AAAAAAAAAAAAAAAAAAAAAA==""#), "salt: only the ledger sets this member; leave it out"),
        (SMALLEST.replace("event_type", "id"), "event_type: missing; every entry needs it"),
        (SMALLEST.replace("actor", "id"), "actor: missing; every entry needs it"),
        (SMALLEST.replace("entity_id", "id"), "entity_id: missing; every entry needs it"),
        (with(r#""source":"erp""#), "source: needs sequence beside it; send both or neither"),
        (with(r#""sequence":1"#), "sequence: needs source beside it; send both or neither"),
        ("[]".into(), "entry: must be an object, not array"),
        ("\"x\"".into(), "entry: must be an object, not string"),
        ("{}".into(), "event_type: missing; every entry needs it"),
    ] {
        assert_refused(&json, message);
    }
}

#[test]
fn wrong_values() {
    let long = |count: usize| "x".repeat(count);
    for (json, message) in [
        (with(r#""reason":5"#), "reason: must be a string (or a $sealed object), not number"),
        (with(r#""context":[]"#), "context: must be an object, not array"),
        (with(r#""timestamp":1795526160"#), "timestamp: must be an RFC 3339 timestamp in a string, not number"),
        (with(r#""timestamp":"yesterday""#), "timestamp: is not an RFC 3339 timestamp such as 2026-11-24T13:16:00.25Z"),
        (
            with(r#""timestamp":"2026-06-30T23:59:60Z""#),
            "timestamp: has second 60; send a leap second as the second before it or after it",
        ),
        (with(r#""actor_type":"robot""#), "actor_type: \"robot\" is not one of user, service, ai_agent"),
        (with(r#""outcome":"ok""#), "outcome: \"ok\" is not one of success, failure, denied"),
        (with(r#""source":"s","sequence":"1""#), "sequence: must be an integer, not string"),
        (with(r#""source":"s","sequence":-1"#), "sequence: -1 is not an integer from 0 to 9223372036854775807"),
        (with(r#""source":"s","sequence":1.5"#), "sequence: 1.5 is not an integer from 0 to 9223372036854775807"),
        (
            with(r#""source":"s","sequence":9223372036854775808"#),
            "sequence: 9223372036854775808 is not an integer from 0 to 9223372036854775807",
        ),
        (with(r#""source":"","sequence":1"#), "source: 0 bytes; must be 1 to 256 bytes of UTF-8"),
        (with(r#""id":"""#), "id: 0 bytes; must be 1 to 64 bytes of UTF-8"),
        (with(&format!(r#""id":"{}""#, long(65))), "id: 65 bytes; must be 1 to 64 bytes of UTF-8"),
        (with(&format!(r#""id":"{}""#, "é".repeat(33))), "id: 66 bytes; must be 1 to 64 bytes of UTF-8"),
        (with(&format!(r#""trace_id":"{}""#, long(257))), "trace_id: 257 bytes; must be 0 to 256 bytes of UTF-8"),
        (SMALLEST.replace("invoice_approved", &long(129)), "event_type: 129 bytes; must be 1 to 128 bytes of UTF-8"),
        (SMALLEST.replace("bot-7", ""), "actor: 0 bytes; must be 1 to 256 bytes of UTF-8"),
        (SMALLEST.replace("bot-7", r"a\nb"), "actor: holds a control character; an identifier may not"),
        (SMALLEST.replace("INV-1", "a\u{7f}"), "entity_id: holds a control character; an identifier may not"),
        (with("\"trace_id\":\"a\u{85}\""), "trace_id: holds a control character; an identifier may not"),
        (with(r#""reason":"a\u0000b""#), "reason: byte 80: U+0000 is refused in every text"),
        (with(r#""context":{"\u0000":1}"#), "context: byte 81: U+0000 is refused in every text"),
        (
            SMALLEST.replace("invoice_approved", "ledger.sealed"),
            "event_type: names beginning with \"ledger.\" are the ledger's own; choose another",
        ),
    ] {
        assert_refused(&json, message);
    }
    assert!(Draft::parse(with(r#""reason":"two\nlines\u0001""#).as_bytes()).is_ok(), "a reason is no identifier");
    assert!(Draft::parse(with(r#""old_value":null,"trace_id":"""#).as_bytes()).is_ok());
    assert!(Draft::parse(SMALLEST.replace("bot-7", &long(256)).as_bytes()).is_ok());
}

#[test]
fn wrong_json_names_the_place() {
    let deep = format!(r#""context":{{"a":{}{}}}"#, "[".repeat(63), "]".repeat(63));
    for (json, message) in [
        (
            with(r#""context":{"rates":[1,{"usd":1e400}]}"#),
            "context.rates[1].usd: the number 1e400 is too large for a double; send it as a string",
        ),
        (with(r#""context":{"n":NaN}"#), "context.n: not JSON at byte 84: a value is expected here"),
        (
            with(r#""context":{"t":"\ud800"}"#),
            "context.t: byte 85: a lone surrogate is no character; send U+FFFD or drop it",
        ),
        (
            with(r#""context":{"a":1,}"#),
            "context: not JSON at byte 86: a member name in double quotes is expected here",
        ),
        (
            with(&deep),
            &format!(
                "context.a{}: nested deeper than 64 levels at byte 146; flatten the value or attach it as a file",
                "[0]".repeat(62)
            ),
        ),
        (SMALLEST.replace('}', ""), "not JSON at byte 68: the text ends too early"),
        (format!("{SMALLEST}x"), "not JSON at byte 69: something follows the value; send one value at a time"),
        (format!("{SMALLEST}{SMALLEST}"), "not JSON at byte 69: something follows the value; send one value at a time"),
        (String::new(), "not JSON at byte 0: the text ends too early"),
    ] {
        assert_refused(&json, message);
    }
    let error = Draft::parse(b"{\"actor\":\"\xff\"}").expect_err("not UTF-8");
    assert_eq!(error.to_string(), "actor: byte 10: not valid UTF-8; send text as UTF-8 and binary content as base64");
    assert_eq!(error.member(), Some("actor"));
}

#[test]
fn what_comes_from_outside_is_cut_before_it_stands_in_a_message() {
    let name = "n\\u001b".repeat(400);
    let error = Draft::parse(with(&format!(r#""{name}":1"#)).as_bytes()).expect_err("unknown");
    let message = error.to_string();
    assert!(message.len() < 600 && message.contains('…') && !message.contains('\u{1b}'), "{message}");
    let error = Draft::parse(&vec![b' '; 2_000_000]).expect_err("far too long");
    assert!(error.to_string().starts_with("entry: 2000000 bytes"), "{error}");
}

#[test]
fn wrong_signatures() {
    let other = |from: &str, to: &str| FULL.replace(from, to);
    let key_id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    let value = format!("{}==", "A".repeat(86));
    let shape = "signature: must have exactly the members algorithm, key_id, value";
    let key = "signature.key_id: must be the SHA-256 of the public key in 64 lowercase hex digits";
    let bytes = "signature.value: must be 64 bytes in canonical base64 (88 characters, padded)";
    for (json, message) in [
        (other("ed25519", "ed448"), "signature.algorithm: must be \"ed25519\""),
        (other(key_id, &key_id.to_uppercase()), key),
        (other(key_id, &key_id[1..]), key),
        (other(&value, &"A".repeat(86)), bytes),
        (other(&value, &format!("{}B==", "A".repeat(85))), bytes),
        (other(&value, &"A".repeat(88)), bytes),
        (other(&value, &format!("{}==", "_".repeat(86))), bytes),
        (other(r#""algorithm":"ed25519","#, ""), shape),
        (other(r#","value":"#, r#","text":"#), shape),
        (
            other(r#"=="}"#, r#"==","x":1}"#),
            "signature: must have exactly the members algorithm, key_id, value; drop x",
        ),
        (other("\"ed25519\"", "25519"), "signature.algorithm: must be a string"),
        (
            other(r#","timestamp":"2026-11-24T13:16:00.123456789Z""#, ""),
            "signature: a signed entry needs timestamp too, so that nobody can replay it",
        ),
        (
            other(r#""sequence":42,"#, "").replace(r#""source":"erp-1","#, ""),
            "signature: a signed entry needs source too, so that nobody can replay it",
        ),
    ] {
        assert_refused(&json, message);
    }
    assert!(Draft::parse(FULL.as_bytes()).is_ok());
}

#[test]
fn the_ledgers_own_entries() {
    let own = SMALLEST.replace("invoice_approved", "ledger.sealed");
    assert!(Draft::parse_own(own.as_bytes()).is_ok());
    for (json, message) in [
        (SMALLEST.to_owned(), "event_type: the ledger's own acts begin with \"ledger.\""),
        (
            own.replace('}', r#","source":"s","sequence":1}"#),
            "source: the ledger's own entries carry no source, sequence or signature",
        ),
        (own.replace('}', r#","recorder":"me"}"#), "recorder: only the ledger sets this member; leave it out"),
    ] {
        assert_eq!(Draft::parse_own(json.as_bytes()).expect_err(message).to_string(), message);
    }
}

#[test]
fn the_recorder_is_checked_before_it_is_written() {
    assert!(check_recorder("svc-ingest").is_ok());
    assert_eq!(
        check_recorder("").expect_err("empty").to_string(),
        "recorder: 0 bytes; must be 1 to 256 bytes of UTF-8"
    );
    assert_eq!(
        check_recorder("a\nb").expect_err("control").to_string(),
        "recorder: holds a control character; an identifier may not"
    );
}

#[test]
fn a_committed_entry_that_is_not_one() {
    let mut entry = Vec::new();
    Draft::parse(FULL.as_bytes()).unwrap().write_entry(
        Timestamp::from_micros(1_795_526_161_000_000),
        Some("svc"),
        &mut entry,
    );
    let entry = String::from_utf8(entry).unwrap();
    assert!(Fields::check(entry.as_bytes()).is_ok());
    let recorded_at = r#""recorded_at":"2026-11-24T13:16:01Z","#;
    for (json, message) in [
        (entry.replace("0.97", "0.970"), "not in canonical form: first difference at byte 69"),
        (entry.replace("{\"actor\"", "{ \"actor\""), "not in canonical form: first difference at byte 1"),
        (format!("{entry}\n"), &format!("not in canonical form: first difference at byte {}", entry.len())),
        (entry.replace("\"bot-7\"", r#""bot\u002d7""#), "not in canonical form: first difference at byte 13"),
        (
            entry.replace("00.123456789Z", "00.120Z"),
            &format!("not in canonical form: first difference at byte {}", entry.find("00.1234").unwrap() + 5),
        ),
        (entry.replace(recorded_at, ""), "recorded_at: missing; every entry needs it"),
        (
            entry.replace(recorded_at, r#""recorded_at":"2026-11-24T13:16:01.000000001Z","#),
            "recorded_at: has digits below a microsecond; the ledger records microseconds",
        ),
        (
            entry.replace("\"sequence\"", r#""salt":"AAAA","sequence""#),
            "salt: must be 16 bytes in canonical base64 (24 characters)",
        ),
        (
            entry.replace("invoice_approved", "ledger.sealed"),
            "source: the ledger's own entries carry no source, sequence or signature",
        ),
        (entry.replace("\"outcome\"", "\"outcomes\""), "outcomes: an entry has no such member; put it into context"),
        (SMALLEST.to_owned(), "recorded_at: missing; every entry needs it"),
    ] {
        assert_eq!(Fields::check(json.as_bytes()).expect_err(message).to_string(), message, "{json}");
    }
}
