//! A JSON value in the making.

use counterfoil_entry::canonical::{canonicalise, write_string};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Display;

/// Members of a JSON object.
pub(super) type Object = BTreeMap<String, Value>;

/// A JSON value that keeps every number digit for digit, since numbers are held as their literals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    /// JSON as it will be written: a number, `true`, or a whole value that was canonicalised before.
    Literal(String),
    List(Vec<Value>),
    Object(Object),
}

impl Value {
    pub const NULL: &'static str = "null";

    pub fn null() -> Self {
        Self::Literal(Self::NULL.into())
    }

    pub fn integer(number: impl Into<i128>) -> Self {
        Self::Literal(number.into().to_string())
    }

    pub fn boolean(value: bool) -> Self {
        Self::Literal(value.to_string())
    }

    /// A double as its shortest literal; `NaN`, `Infinity` and `-Infinity` are texts, as in OTLP/JSON.
    pub fn double(number: f64) -> Self {
        match number {
            finite if finite.is_finite() => Self::Literal(format!("{finite:?}")),
            nan if nan.is_nan() => Self::Text("NaN".into()),
            infinite if infinite > 0.0 => Self::Text("Infinity".into()),
            _ => Self::Text("-Infinity".into()),
        }
    }

    /// What stands in for a value that is too large: the length and the digest of its canonical JSON.
    pub fn omitted(&self) -> Self {
        let mut json = Vec::new();
        self.write(&mut json);
        let mut canonical = Vec::with_capacity(json.len());
        if canonicalise(&json, &mut canonical).is_err() {
            canonical = json;
        }
        Self::omitted_bytes(&canonical)
    }

    /// [`Value::omitted`] for bytes that are not JSON.
    pub fn omitted_bytes(bytes: &[u8]) -> Self {
        let digest = Object::from([
            ("bytes".into(), Self::integer(bytes.len() as i64)),
            ("sha256".into(), Self::Text(hex::encode(Sha256::digest(bytes)))),
        ]);
        Self::Object(Object::from([("omitted".into(), Self::Object(digest))]))
    }

    /// The text of a text, number or boolean; `None` for everything else.
    pub fn scalar(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Literal(literal) if literal != Self::NULL && !literal.starts_with(['[', '{', '"']) => Some(literal),
            _ => None,
        }
    }

    /// Appends the JSON; canonical only as far as the literals are.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => write_string(text, out),
            Self::Literal(literal) => out.extend_from_slice(literal.as_bytes()),
            Self::List(values) => {
                out.push(b'[');
                for (index, value) in values.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    value.write(out);
                }
                out.push(b']');
            }
            Self::Object(members) => write_object(members.iter().map(|(name, value)| (name.as_str(), value)), out),
        }
    }

    /// Bytes that [`Value::write`] appends.
    pub fn length(&self) -> usize {
        match self {
            Self::Literal(literal) => literal.len(),
            _ => {
                let mut json = Vec::new();
                self.write(&mut json);
                json.len()
            }
        }
    }
}

impl<T: Display + ?Sized> From<&T> for Value {
    fn from(text: &T) -> Self {
        Self::Text(text.to_string())
    }
}

/// Appends an object of members that have different names.
pub(super) fn write_object<'v>(members: impl Iterator<Item = (&'v str, &'v Value)>, out: &mut Vec<u8>) {
    out.push(b'{');
    for (index, (name, value)) in members.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_string(name, out);
        out.push(b':');
        value.write(out);
    }
    out.push(b'}');
}
