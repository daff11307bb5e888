//! String literals, and the scan that tells canonical values from others.

use crate::samples::{self, Choices, canonical, try_canonical};
use counterfoil_entry::{EntryError, ValueKind, canonical as json};
use proptest::prelude::*;

#[test]
fn escapes_are_written_in_their_one_form() {
    for (literal, written) in [
        (r#""\u0041\/\u00e9\u20AC\ud83d\uDE02""#, r#""A/é€😂""#),
        (r#""\u0022\u005c\u0008\u0009\u000a\u000C\u000d""#, r#""\"\\\b\t\n\f\r""#),
        (r#""\u001F\u007f\u0001""#, "\"\\u001f\u{7f}\\u0001\""),
        (r#""\u2028\u2029<>&'""#, "\"\u{2028}\u{2029}<>&'\""),
        (r#""a\\u0041""#, r#""a\\u0041""#),
    ] {
        assert_eq!(canonical(literal), written, "{literal}");
    }
}

#[test]
fn names_are_compared_after_their_escapes_are_resolved() {
    assert_eq!(canonical(r#"{"b":1,"\u0061":2}"#), r#"{"a":2,"b":1}"#);
    assert_eq!(canonical(r#"{"é":1,"\"":2,"\n":3,"!":4,"":5}"#), r#"{"":5,"\n":3,"!":4,"\"":2,"é":1}"#);
    for twice in [r#"{"a":1,"\u0061":2}"#, r#"{"\u0061":1,"b":2,"a":3}"#, r#"{"\n":1,"x":0,"\u000a":2}"#] {
        assert!(matches!(try_canonical(twice.as_bytes()), Err(EntryError::Duplicate { .. })), "{twice}");
    }
}

#[test]
fn what_no_text_may_hold_is_refused() {
    for (text, message) in [
        (&b"\"\\u0000\""[..], "byte 1: U+0000 is refused in every text"),
        (b"\"a\0b\"", "byte 2: U+0000 is refused in every text"),
        (b"\"a\tb\"", "not JSON at byte 2: a control character in a string must be escaped"),
        (br#""\udc00""#, "byte 1: a lone surrogate is no character; send U+FFFD or drop it"),
        (br#""\ud800\u0041""#, "byte 1: a lone surrogate is no character; send U+FFFD or drop it"),
        (br#""\ud800""#, "byte 1: a lone surrogate is no character; send U+FFFD or drop it"),
        (br#""\x41""#, "not JSON at byte 1: no such escape in JSON"),
        (br#""\u00g0""#, "not JSON at byte 1: \\u needs four hexadecimal digits"),
        (b"\"\xff\"", "byte 1: not valid UTF-8; send text as UTF-8 and binary content as base64"),
        (b"\"\xed\xa0\x80\"", "byte 1: not valid UTF-8; send text as UTF-8 and binary content as base64"),
        (b"\xef\xbb\xbf{}", "byte 0: begins with a byte order mark; send UTF-8 without one"),
    ] {
        let error = try_canonical(text).expect_err(message);
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn the_scan_names_the_kind() {
    for (text, kind) in [
        ("\"a\"", ValueKind::String),
        ("-7", ValueKind::Number),
        ("1e+21", ValueKind::Number),
        ("true", ValueKind::Boolean),
        ("null", ValueKind::Null),
        (r#"{"a":[1,"]}"]}"#, ValueKind::Object),
        ("[]", ValueKind::Array),
    ] {
        assert_eq!(json::check_value(text.as_bytes()), Ok(kind), "{text}");
    }
}

#[test]
fn the_scan_refuses_every_other_way_of_writing_and_every_splice() {
    for (text, at) in [
        (" 1", 0),
        ("1 ", 1),
        ("-0", 0),
        ("1.0", 1),
        ("1e2", 1),
        (r#"{"b":1,"a":2}"#, 2),
        (r#""\/""#, 1),
        (r#""\u000A""#, 2),
        ("[1, 2]", 3),
    ] {
        assert_eq!(json::check_value(text.as_bytes()), Err(EntryError::NotCanonical { at }), "{text}");
    }
    for text in [r#"{},"entity_id":"X""#, "1,2", "{}{}", "", "\"a\"\"b\"", "[1]]", "nulll", "01", "{\"a\":1,\"a\":1}"] {
        assert!(json::check_value(text.as_bytes()).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn literals_are_read_back(text in samples::text()) {
        let mut literal = Vec::new();
        json::write_string(&text, &mut literal);
        let literal = String::from_utf8(literal).unwrap();
        prop_assert_eq!(json::read_string(&literal), text.as_str());
        prop_assert_eq!(serde_json::from_str::<String>(&literal).unwrap(), text);
        prop_assert_eq!(json::check_value(literal.as_bytes()), Ok(ValueKind::String));
    }

    #[test]
    fn the_scan_accepts_exactly_the_canonical_form(value in samples::json(), seed: u64) {
        let mut written = String::new();
        samples::write(&value, &mut Choices(seed), &mut written);
        let canonical = canonical(&written);
        prop_assert!(json::check_value(canonical.as_bytes()).is_ok());
        prop_assert_eq!(json::check_value(written.as_bytes()).is_ok(), written == canonical);
    }
}
