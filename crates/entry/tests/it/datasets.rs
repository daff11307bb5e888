//! Real data that breaks canonicalisers: 128-bit trace ids and nanosecond times as bare integers.

use crate::files::{folder, shared};
use crate::samples::try_canonical;
use counterfoil_entry::{Draft, Fields, Timestamp};

/// The digits of every integer beyond 2^53 in a JSON text, in order of value.
fn long_integers(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(quote) = rest.find('"').or(Some(rest.len())) {
        let numbers = rest[..quote].split(|c: char| !c.is_ascii_digit()).filter(|digits| digits.len() > 16);
        found.extend(numbers.map(str::to_owned));
        let Some(inside) = rest.get(quote + 1..) else { break };
        let mut end = 0;
        while inside.as_bytes()[end] != b'"' {
            end += if inside.as_bytes()[end] == b'\\' { 2 } else { 1 };
        }
        rest = &inside[end + 1..];
    }
    found.sort();
    found
}

#[test]
fn trace_ids_of_128_bits_survive_digit_for_digit() {
    let Some(traces) = shared("datasets/otel-genai-any-agent") else { return };
    let mut checked = 0;
    for (name, text) in folder(&traces).into_iter().filter(|(name, _)| name.ends_with(".json")) {
        let canonical = try_canonical(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let original = String::from_utf8(text).expect("UTF-8");
        let kept = long_integers(&canonical);
        assert_eq!(kept, long_integers(&original), "{name}");
        assert!(kept.iter().any(|digits| digits.len() > 36), "{name} has 128-bit trace ids");
        checked += kept.len();

        let json = format!(r#"{{"event_type":"tool_call","actor":"agent","entity_id":"{name}","context":{original}}}"#);
        let draft = Draft::parse(json.as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut entry = Vec::new();
        draft.write_entry(Timestamp::from_micros(0), None, &mut entry);
        assert_eq!(Fields::check(&entry).expect("valid").context, Some(canonical.as_str()), "{name}");
    }
    assert!(checked > 150, "{checked} long integers");
}
