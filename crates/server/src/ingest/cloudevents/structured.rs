//! The JSON event format.

use super::content::{Data, Event, json};
use crate::ingest::fitting::shown;
use crate::ingest::value::{Object, Value};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use counterfoil_entry::canonical::read_string;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Reads one event.
///
/// # Errors
/// Not a JSON object, an attribute that is a list or an object, or both `data` and `data_base64`.
pub(super) fn event(body: &[u8]) -> Result<Event, String> {
    let canonical = json(body)?;
    let members: BTreeMap<String, &RawValue> =
        serde_json::from_str(&canonical).map_err(|_| "an event must be a JSON object".to_owned())?;
    let mut attributes = Object::new();
    let (mut data, mut encoded) = (None, None);
    for (name, value) in members {
        match (name.as_str(), value.get()) {
            ("data", json) => data = Some(json),
            (_, "null") => {}
            ("data_base64", json) => encoded = Some(json),
            (_, json) => {
                attributes.insert(name.clone(), attribute(&name, json)?);
            }
        }
    }
    let mut event = Event { attributes, data: None };
    event.data = match (data, encoded) {
        (Some(_), Some(_)) => return Err("data and data_base64 stand side by side; send one of them".into()),
        (Some(json), None) => Some(Data::Json(json.to_owned())),
        (None, Some(literal)) => {
            let bytes = literal.starts_with('"').then(|| BASE64.decode(read_string(literal).as_ref()).ok()).flatten();
            let bytes = bytes.ok_or("data_base64: must be a text in base64")?;
            let media_type = event.text("datacontenttype")?.unwrap_or("application/octet-stream");
            Some(Data::read(&bytes, Some(media_type))?)
        }
        (None, None) => None,
    };
    Ok(event)
}

fn attribute(name: &str, json: &str) -> Result<Value, String> {
    match json.as_bytes()[0] {
        b'"' => Ok(Value::Text(read_string(json).into_owned())),
        b'{' | b'[' => Err(format!("{}: an attribute must be a text, an integer or a boolean", shown(name))),
        _ => Ok(Value::Literal(json.to_owned())),
    }
}
