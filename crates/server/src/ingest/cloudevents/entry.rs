//! From an event to an entry.

use super::content::{Data, Event};
use crate::ingest::assembly::Assembly;
use crate::ingest::fitting::shown;
use crate::ingest::value::{Object, Value};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use counterfoil_entry::canonical::read_string;
use counterfoil_entry::{Draft, OWN_PREFIX, Timestamp};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Context attributes of the specification that need no place among the extensions.
const CORE: [&str; 8] = ["datacontenttype", "dataschema", "id", "source", "specversion", "subject", "time", "type"];
/// Members of an entry that members of the data may set.
const FIELDS: [&str; 12] = [
    "actor",
    "actor_type",
    "entity_id",
    "entity_type",
    "event_type",
    "new_value",
    "old_value",
    "on_behalf_of",
    "outcome",
    "reason",
    "timestamp",
    "trace_id",
];
/// Most bytes of an entry's `id`.
const ID_MAX: usize = 64;
/// Digits of the digest that stands for a longer one.
const ID_DIGITS: usize = 48;
const EVENT_TYPE_MAX: usize = 128;
const IDENTIFIER_MAX: usize = 256;

/// The entry of one event.
///
/// # Errors
/// Why it is none, by the name of the attribute or member.
pub(super) fn draft(event: Event) -> Result<Draft, String> {
    let version = event.required("specversion")?;
    if version != "1.0" {
        return Err(format!("specversion: {} is not supported; send 1.0", shown(version)));
    }
    let (id, source, kind) = (event.required("id")?, event.required("source")?, event.required("type")?);
    event.text("datacontenttype")?;
    event.text("dataschema")?;
    let subject = event.text("subject")?;
    let time = event.text("time")?;
    if let Some(time) = time {
        Timestamp::parse(time).map_err(|error| error.to_string().replacen("timestamp", "time", 1))?;
    }
    let mut entry = Assembly::default();
    keep_data(&mut entry, event.data.as_ref());
    entry.set("id", Value::Text(identity(source, id)));
    match kind.starts_with(OWN_PREFIX) {
        true => entry.derive("event_type", &format!("cloudevents.{kind}"), EVENT_TYPE_MAX),
        false => entry.derive("event_type", kind, EVENT_TYPE_MAX),
    }
    derive_actor(&mut entry, &event, source);
    entry.derive("entity_id", subject.unwrap_or(source), IDENTIFIER_MAX);
    entry.derive("timestamp", time.unwrap_or_default(), IDENTIFIER_MAX);
    if let Some(Value::Text(parent)) = event.attributes.get("traceparent") {
        entry.derive("trace_id", trace_id(parent).unwrap_or_default(), IDENTIFIER_MAX);
    }
    keep_event(&mut entry, &event);
    entry.finish(|name| name == "data" || name == "data_base64")
}

/// The idempotency key: `SOURCE ID` where that fits, else `ce:` and a digest of the two.
fn identity(source: &str, id: &str) -> String {
    let plain = format!("{source} {id}");
    let is_plain = plain.len() <= ID_MAX && !source.contains(char::is_whitespace) && !plain.contains(char::is_control);
    if is_plain {
        return plain;
    }
    let digest = Sha256::new()
        .chain_update((source.len() as u64).to_be_bytes())
        .chain_update(source)
        .chain_update(id)
        .finalize();
    format!("ce:{}", &hex::encode(digest)[..ID_DIGITS])
}

/// Who acted: the extension `authid` (authcontext), else the source.
fn derive_actor(entry: &mut Assembly, event: &Event, source: &str) {
    if entry.has("actor") {
        return;
    }
    match event.attributes.get("authid") {
        Some(Value::Text(authid)) if !authid.is_empty() => {
            entry.derive("actor", authid, IDENTIFIER_MAX);
            let actor_type = match event.attributes.get("authtype").and_then(Value::scalar) {
                Some("app_user" | "user") => "user",
                Some("service_account" | "api_key" | "system") => "service",
                _ => "",
            };
            entry.derive("actor_type", actor_type, IDENTIFIER_MAX);
        }
        _ => entry.derive("actor", source, IDENTIFIER_MAX),
    }
}

/// The trace of a W3C `traceparent`.
fn trace_id(parent: &str) -> Option<&str> {
    let mut parts = parent.split('-');
    let (version, trace) = (parts.next()?, parts.next()?);
    let is_hex = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let fits = version.len() == 2 && version != "ff" && is_hex(version) && trace.len() == 32 && is_hex(trace);
    (fits && trace.bytes().any(|byte| byte != b'0')).then_some(trace)
}

/// Keeps the data: as members of the entry where it holds event fields, the rest as `context.data`.
fn keep_data(entry: &mut Assembly, data: Option<&Data>) {
    match data {
        None => {}
        Some(Data::Bytes(bytes)) => entry.keep("data_base64", Value::Text(BASE64.encode(bytes))),
        Some(Data::Text(text)) => entry.keep("data", Value::Text(text.clone())),
        Some(Data::Json(json)) => {
            let members: Option<BTreeMap<String, &RawValue>> = serde_json::from_str(json).ok();
            match members.filter(has_event_fields) {
                Some(members) => keep_event_fields(entry, members),
                None => entry.keep("data", Value::Literal(json.clone())),
            }
        }
    }
}

/// Data speaks of an entry when it names the actor or the event type as a text, or an old or new value.
fn has_event_fields(members: &BTreeMap<String, &RawValue>) -> bool {
    let is_text = |name: &str| members.get(name).is_some_and(|value| value.get().starts_with('"'));
    is_text("actor") || is_text("event_type") || members.contains_key("old_value") || members.contains_key("new_value")
}

fn keep_event_fields(entry: &mut Assembly, mut members: BTreeMap<String, &RawValue>) {
    let value = |json: &RawValue| match json.get() {
        text if text.starts_with('"') => Value::Text(read_string(text).into_owned()),
        other => Value::Literal(other.to_owned()),
    };
    for member in FIELDS {
        if let Some(json) = members.remove(member) {
            entry.set(member, value(json));
        }
    }
    let is_counter = |json: &&RawValue| json.get().bytes().all(|byte| byte.is_ascii_digit());
    if members.contains_key("source") && members.get("sequence").is_some_and(is_counter) {
        for member in ["source", "sequence"] {
            if let Some(json) = members.remove(member) {
                entry.set(member, value(json));
            }
        }
    }
    let context: Option<BTreeMap<String, &RawValue>> =
        members.get("context").and_then(|json| serde_json::from_str(json.get()).ok());
    if let Some(context) = context {
        for (name, json) in context {
            entry.keep_own(&name, value(json));
        }
        members.remove("context");
    }
    let rest = members.into_iter().map(|(name, json)| (name, value(json))).collect();
    entry.keep_object("data", rest);
}

/// Keeps the context attributes that no member carries unchanged, as `context.cloudevent`.
fn keep_event(entry: &mut Assembly, event: &Event) {
    let carried = [("type", "event_type"), ("subject", "entity_id"), ("time", "timestamp")];
    let mut kept = Object::new();
    let mut extensions = Object::new();
    for (name, value) in &event.attributes {
        let member = carried.iter().find(|(attribute, _)| attribute == name).map(|(_, member)| *member);
        let is_carried = member.is_some_and(|member| entry.text(member) == value.scalar());
        let value = match value {
            Value::Text(text) => Value::Text(entry.notes.text(text)),
            other => other.clone(),
        };
        match CORE.contains(&name.as_str()) {
            _ if is_carried || name == "specversion" => {}
            true => drop(kept.insert(name.clone(), value)),
            false => drop(extensions.insert(name.clone(), value)),
        }
    }
    if !extensions.is_empty() {
        kept.insert("extensions".into(), Value::Object(extensions));
    }
    entry.keep_object("cloudevent", kept);
}
