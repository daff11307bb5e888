//! Attributes: OTLP's key-value lists as JSON.

use crate::ingest::fitting::{Notes, shown};
use crate::ingest::value::{Object, Value};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Kind;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use prost::Message;

/// Deepest nesting of lists and objects in one attribute: an entry may have 64 levels in all.
const MAX_DEPTH: usize = 48;

/// The attributes of one record, resource, scope, event or link.
#[derive(Debug, Default, Clone)]
pub(super) struct Attributes(Object);

impl Attributes {
    /// Reads a list in which a key may stand twice: the last one counts, and a note is made.
    pub fn read(list: &[KeyValue], notes: &mut Notes) -> Self {
        Self(object(list, 0, notes))
    }

    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// The text of a text, number or boolean that is not empty.
    pub fn scalar(&self, key: &str) -> Option<&str> {
        self.get(key)?.scalar().filter(|text| !text.is_empty())
    }

    /// The first of several keys that has such a text.
    pub fn first(&self, keys: &[&str]) -> Option<&str> {
        keys.iter().find_map(|key| self.scalar(key))
    }

    /// Makes a text fit into so many bytes.
    pub fn shorten(&mut self, key: &str, max: usize, notes: &mut Notes) {
        if let Some(Value::Text(text)) = self.0.get_mut(key) {
            *text = notes.shortened(key, std::mem::take(text), max);
        }
    }

    pub fn take(&mut self, key: &str) -> Option<Value> {
        self.0.remove(key)
    }

    /// Takes all keys that begin so; the names are what follows.
    pub fn take_prefixed(&mut self, prefix: &str) -> Object {
        let is_prefixed = |key: &String| key.starts_with(prefix) && key.len() > prefix.len();
        let keys: Vec<String> = self.0.keys().filter(|key| is_prefixed(key)).cloned().collect();
        keys.iter().filter_map(|key| Some((key[prefix.len()..].to_owned(), self.0.remove(key)?))).collect()
    }

    pub fn into_object(self) -> Object {
        self.0
    }
}

/// An attribute value or log body as JSON.
pub(super) fn value(any: Option<&AnyValue>, notes: &mut Notes) -> Value {
    nested(any, 0, notes)
}

fn nested(any: Option<&AnyValue>, depth: usize, notes: &mut Notes) -> Value {
    let Some(kind) = any.and_then(|any| any.value.as_ref()) else { return Value::null() };
    match kind {
        Kind::StringValue(text) => Value::Text(notes.text(text)),
        Kind::BoolValue(value) => Value::boolean(*value),
        Kind::IntValue(number) => Value::integer(*number),
        Kind::DoubleValue(number) => Value::double(*number),
        Kind::BytesValue(bytes) => Value::Text(BASE64.encode(bytes)),
        Kind::StringValueStrindex(index) => Value::integer(*index),
        Kind::ArrayValue(_) | Kind::KvlistValue(_) if depth == MAX_DEPTH => {
            notes.add(format!("nested deeper than {MAX_DEPTH} levels: the digest is of the protobuf bytes"));
            Value::omitted_bytes(&any.map(Message::encode_to_vec).unwrap_or_default())
        }
        Kind::ArrayValue(array) => {
            Value::List(array.values.iter().map(|value| nested(Some(value), depth + 1, notes)).collect())
        }
        Kind::KvlistValue(list) => Value::Object(object(&list.values, depth + 1, notes)),
    }
}

fn object(list: &[KeyValue], depth: usize, notes: &mut Notes) -> Object {
    let mut members = Object::new();
    for pair in list {
        let value = nested(pair.value.as_ref(), depth, notes);
        let key = notes.text(&pair.key);
        if members.insert(key, value).is_some() {
            notes.add(format!("attribute {} stood twice; the last is kept", shown(&pair.key)));
        }
    }
    members
}
