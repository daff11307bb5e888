//! Entries and random JSON for the tests.

use counterfoil_entry::canonical;
use proptest::prelude::*;

/// A JSON value that can be written in many ways.
#[derive(Debug, Clone)]
pub enum Json {
    Literal(&'static str),
    Integer(String),
    Decimal(f64),
    Text(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// The smallest entry.
pub const SMALLEST: &str = r#"{"actor":"bot-7","entity_id":"INV-1","event_type":"invoice_approved"}"#;

/// Every member that a client may set, in canonical order.
pub const FULL: &str = concat!(
    r#"{"actor":"bot-7","actor_type":"ai_agent","context":{"confidence":0.97,"model_version":"m-1"},"#,
    r#""entity_id":"INV-1","entity_type":"invoice","event_type":"invoice_approved","id":"req-1","new_value":"approved","#,
    r#""old_value":{"status":"pending"},"on_behalf_of":"ann","outcome":"success","reason":"matched \"3-way\"\nok","#,
    r#""sequence":42,"signature":{"algorithm":"ed25519","key_id":"#,
    r#""0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","value":"#,
    r#""AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="},"#,
    r#""source":"erp-1","timestamp":"2026-11-24T13:16:00.123456789Z","trace_id":"run-9"}"#,
);

pub fn canonical(json: &str) -> String {
    try_canonical(json.as_bytes()).unwrap_or_else(|error| panic!("{json}: {error}"))
}

pub fn try_canonical(json: &[u8]) -> Result<String, counterfoil_entry::EntryError> {
    let mut out = Vec::new();
    canonical::canonicalise(json, &mut out)?;
    Ok(String::from_utf8(out).expect("canonical bytes are UTF-8"))
}

/// Texts in which every class of character that matters turns up: escapes, U+E000..U+FFFF beside
/// supplementary characters (whose UTF-16 order differs from their UTF-8 order), long plain stretches.
pub fn text() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        6 => proptest::char::range('a', 'f'),
        1 => proptest::sample::select(vec!['{', '}', '[', ']', ',', ':']),
        1 => proptest::sample::select(vec!['"', '\\', '/', '\n', '\u{1}', '\u{1f}', '\u{7f}', '$', ' ', 'é', '\u{2028}']),
        1 => proptest::sample::select(vec!['\u{d7ff}', '\u{e000}', '\u{fb33}', '\u{ffff}', '\u{10000}', '😂', '\u{10ffff}']),
    ];
    proptest::collection::vec(character, 0..24).prop_map(|characters| characters.into_iter().collect())
}

pub fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        proptest::sample::select(vec!["null", "true", "false"]).prop_map(Json::Literal),
        "-?(0|[1-9][0-9]{0,40})".prop_map(Json::Integer),
        any::<f64>().prop_filter("finite", |double| double.is_finite()).prop_map(Json::Decimal),
        (0_u32..100_000).prop_map(|cents| Json::Decimal(f64::from(cents) / 100.0)),
        text().prop_map(Json::Text),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Json::Array),
            members(inner).prop_map(Json::Object),
        ]
    })
}

pub fn object() -> impl Strategy<Value = Json> {
    members(json()).prop_map(Json::Object)
}

fn members(value: impl Strategy<Value = Json>) -> impl Strategy<Value = Vec<(String, Json)>> {
    proptest::collection::btree_map(text(), value, 0..6).prop_map(|members| members.into_iter().collect())
}

/// A source of choices that is the same for the same seed.
pub struct Choices(pub u64);

impl Choices {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

/// Writes a value in some way: members in any order, any white space, any escapes, other number forms.
pub fn write(json: &Json, choices: &mut Choices, out: &mut String) {
    space(choices, out);
    match json {
        Json::Literal(word) => out.push_str(word),
        Json::Integer(digits) => out.push_str(digits),
        Json::Decimal(double) => out.push_str(&match choices.below(3) {
            0 => format!("{double:e}"),
            1 => format!("{double:.16e}"),
            _ => format!("{double:E}"),
        }),
        Json::Text(text) => write_text(text, choices, out),
        Json::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                write(item, choices, out);
            }
            space(choices, out);
            out.push(']');
        }
        Json::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            for last in (1..members.len()).rev() {
                members.swap(last, choices.below(last + 1));
            }
            out.push('{');
            for (index, (name, value)) in members.into_iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                space(choices, out);
                write_text(name, choices, out);
                space(choices, out);
                out.push(':');
                write(value, choices, out);
            }
            space(choices, out);
            out.push('}');
        }
    }
    space(choices, out);
}

fn space(choices: &mut Choices, out: &mut String) {
    out.push_str(["", "", "", " ", "\n", "\t \r\n"][choices.below(6)]);
}

fn write_text(text: &str, choices: &mut Choices, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        let must = matches!(character, '"' | '\\' | '\0'..='\u{1f}');
        if must || choices.below(4) == 0 {
            for unit in character.encode_utf16(&mut [0; 2]) {
                out.push_str(&if choices.below(2) == 0 { format!("\\u{unit:04x}") } else { format!("\\u{unit:04X}") });
            }
        } else {
            out.push(character);
        }
    }
    out.push('"');
}
