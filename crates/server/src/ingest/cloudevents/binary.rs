//! The binary mode of the HTTP protocol binding.

use super::content::{Data, Event};
use crate::ingest::fitting::shown;
use crate::ingest::value::{Object, Value};

const PREFIX: &str = "ce-";

/// Reads one event.
///
/// # Errors
/// An attribute that stands twice or is not UTF-8 once decoded, `ce-datacontenttype`, or data that is not what
/// the media type says.
pub(super) fn event<'h>(
    headers: impl Iterator<Item = (&'h str, &'h str)>,
    body: &[u8],
    content_type: Option<&str>,
) -> Result<Event, String> {
    let mut attributes = Object::new();
    for (header, value) in headers {
        let header = header.to_ascii_lowercase();
        let Some(name) = header.strip_prefix(PREFIX) else { continue };
        if name == "datacontenttype" {
            return Err("ce-datacontenttype: not allowed in binary mode; Content-Type says it".into());
        }
        let value = decode(value).map_err(|problem| format!("{}: {problem}", shown(&header)))?;
        if attributes.insert(name.to_owned(), Value::Text(value)).is_some() {
            return Err(format!("{}: the header stands twice; send it once", shown(&header)));
        }
    }
    let data = match body {
        [] => None,
        body => Some(Data::read(body, content_type)?),
    };
    if let Some(content_type) = content_type {
        attributes.insert("datacontenttype".into(), Value::from(content_type));
    }
    Ok(Event { attributes, data })
}

/// A header's value, as section 3.1.3.2 of the binding decodes it: quotes first, then one round of percent-decoding. A
/// percent sign without two hexadecimal digits stays, for senders that do not encode.
fn decode(header: &str) -> Result<String, &'static str> {
    let text = unquote(header.trim());
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match digits.and_then(|digits| hex::decode(digits).ok()) {
            Some(byte) => {
                decoded.extend_from_slice(&byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).map_err(|_| "not UTF-8 once percent-decoded")
}

/// The text of a quoted string (RFC 7230, section 3.2.6); any other text as it is.
fn unquote(text: &str) -> String {
    let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else { return text.to_owned() };
    let mut unquoted = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => unquoted.extend(characters.next()),
            other => unquoted.push(other),
        }
    }
    unquoted
}
