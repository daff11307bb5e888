//! An event as it was sent, in whichever mode, and its data.

use crate::ingest::value::{Object, Value};
use counterfoil_entry::canonical::canonicalise;

/// An event.
pub(super) struct Event {
    /// Its context attributes, extensions included: texts, integers and booleans.
    pub attributes: Object,
    pub data: Option<Data>,
}

impl Event {
    /// A context attribute that is a text.
    ///
    /// # Errors
    /// It is there and is empty or of another type.
    pub fn text(&self, name: &str) -> Result<Option<&str>, String> {
        match self.attributes.get(name) {
            None => Ok(None),
            Some(Value::Text(text)) if !text.is_empty() => Ok(Some(text)),
            Some(Value::Text(_)) => Err(format!("{name}: empty; leave it out or give it a value")),
            Some(_) => Err(format!("{name}: must be a text")),
        }
    }

    /// A context attribute that every event needs.
    ///
    /// # Errors
    /// As [`Event::text`], and when it is absent.
    pub fn required(&self, name: &str) -> Result<&str, String> {
        self.text(name)?.ok_or_else(|| format!("{name}: missing; every CloudEvent needs it"))
    }
}

/// The data of an event.
pub(super) enum Data {
    /// Canonical JSON.
    Json(String),
    Text(String),
    Bytes(Vec<u8>),
}

impl Data {
    /// Bytes as what their media type says: JSON, text, or else bytes. Without a media type, JSON if it is JSON.
    ///
    /// # Errors
    /// They are declared to be JSON and are not, or JSON that an entry cannot hold.
    pub fn read(bytes: &[u8], media_type: Option<&str>) -> Result<Self, String> {
        let essence = media_type.map(|text| text.split(';').next().unwrap_or("").trim().to_ascii_lowercase());
        let is_json = |name: &str| name.ends_with("/json") || name.ends_with("+json");
        let is_text = |name: &str| name.starts_with("text/") || name.ends_with("/xml") || name.ends_with("+xml");
        match essence.as_deref() {
            None | Some("") => Ok(json(bytes).map_or_else(|_| Self::of_text(bytes), Self::Json)),
            Some(name) if is_json(name) => json(bytes).map(Self::Json).map_err(|problem| format!("data: {problem}")),
            Some(name) if is_text(name) => Ok(Self::of_text(bytes)),
            Some(_) => Ok(Self::Bytes(bytes.to_vec())),
        }
    }

    /// Text where the bytes are UTF-8 that an entry can hold, else bytes.
    fn of_text(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => Self::Text(text.to_owned()),
            _ => Self::Bytes(bytes.to_vec()),
        }
    }
}

/// Canonical JSON.
///
/// # Errors
/// Why it is none.
pub(super) fn json(bytes: &[u8]) -> Result<String, String> {
    let mut canonical = Vec::new();
    canonicalise(bytes, &mut canonical).map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&canonical).into_owned())
}
