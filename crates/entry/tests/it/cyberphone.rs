//! The vectors of the author of RFC 8785, and the adversarial ones.

use crate::files::{folder, read, testdata};
use crate::samples::try_canonical;
use base64::Engine;
use serde_json::Value;

#[test]
fn every_input_gives_the_published_bytes() {
    let inputs = folder(&testdata("jcs-cyberphone/input"));
    assert_eq!(inputs.len(), 6);
    for (name, input) in inputs {
        let output = read(&testdata("jcs-cyberphone/output").join(&name));
        let canonical = try_canonical(&input).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(canonical.as_bytes(), output, "{name}");
    }
}

#[test]
fn a_name_in_the_supplementary_planes_sorts_before_u_e000() {
    let canonical = try_canonical("{\"\u{fb33}\":1,\"😂\":2,\"\u{e000}\":3}".as_bytes()).expect("valid");
    assert_eq!(canonical, "{\"😂\":2,\"\u{e000}\":3,\"\u{fb33}\":1}");
}

#[test]
fn every_adversarial_case_has_its_verdict() {
    let cases: Value = serde_json::from_slice(&read(&testdata("jcs-adversarial/cases.json"))).expect("JSON");
    let pairs = |list: &Value| -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        list.as_array().expect("a list").iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect()
    };
    let decoded = |text: &str| base64::engine::general_purpose::STANDARD.decode(text).expect("base64");
    for (id, input) in pairs(&cases["duplicate_members_b64"]["accept"]) {
        try_canonical(&decoded(&input)).unwrap_or_else(|error| panic!("{id}: {error}"));
    }
    for (id, input) in pairs(&cases["duplicate_members_b64"]["reject"]) {
        let error = try_canonical(&decoded(&input)).expect_err(&id);
        assert!(error.to_string().contains("stands twice"), "{id}: {error}");
    }
    for (id, input) in pairs(&cases["single_canonical_form"]) {
        let canonical = try_canonical(input.as_bytes()).unwrap_or_else(|error| panic!("{id}: {error}"));
        let value: Value = serde_json::from_str(&input).expect("JSON");
        assert_eq!(serde_json::from_str::<Value>(&canonical).expect("JSON"), value, "{id}");
    }
    for (id, input) in pairs(&cases["invalid_json"]) {
        try_canonical(input.as_bytes()).expect_err(&id);
    }
    let disagreed = pairs(&cases["implementations_disagree"]);
    assert_eq!(disagreed.len(), DISAGREED.len());
    for ((id, input), (expected_id, verdict)) in disagreed.iter().zip(DISAGREED) {
        assert_eq!(id, expected_id);
        let found = try_canonical(input.as_bytes()).map_err(|error| error.to_string());
        assert_eq!(found.as_deref().map_err(String::as_str), *verdict, "{id}");
    }
}

type Verdict = (&'static str, Result<&'static str, &'static str>);

/// What we answer where ten libraries disagree.
const DISAGREED: &[Verdict] = &[
    ("haz-int-above-2p53", Ok(r#"{"n":9007199254740993}"#)),
    ("haz-int-huge", Ok(r#"{"n":123456789012345678901234567890}"#)),
    ("haz-float-simple", Ok(r#"{"n":1.5}"#)),
    ("haz-float-tenth", Ok(r#"{"n":0.1}"#)),
    ("haz-neg-zero", Ok(r#"{"n":0}"#)),
    ("haz-exponent", Ok(r#"{"n":1000}"#)),
    ("haz-exp-overflow", Err("n: the number 1e400 is too large for a double; send it as a string")),
    ("haz-nan", Err("n: not JSON at byte 5: a value is expected here")),
    ("haz-infinity", Err("n: not JSON at byte 5: a value is expected here")),
    ("haz-duplicate-keys", Err("a: stands twice in the same object; keep one of the two")),
    ("haz-unicode-decomp", Ok("{\"k\":\"cafe\u{301}\"}")),
    ("haz-lone-surrogate", Err("k: byte 6: a lone surrogate is no character; send U+FFFD or drop it")),
    ("haz-leading-zero", Err("n: not JSON at byte 5: a number may not begin with 0; drop the zero or send a string")),
    ("haz-plus-number", Err("n: not JSON at byte 5: a value is expected here")),
    ("haz-hex-number", Err("n: not JSON at byte 6: a comma or the closing bracket is expected here")),
    ("haz-leading-dot", Err("n: not JSON at byte 5: a value is expected here")),
    ("haz-trailing-dot", Err("n: not JSON at byte 7: a digit is expected after the decimal point")),
    ("haz-float-trailing-zero", Ok(r#"{"n":1}"#)),
    ("haz-uppercase-exp", Ok(r#"{"n":100}"#)),
    ("haz-plus-exp", Ok(r#"{"n":1000}"#)),
];
