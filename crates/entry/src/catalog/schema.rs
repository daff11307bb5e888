//! JSON Schema 2020-12 of the entry and of each event type.

use super::EventType;
use crate::OWN_PREFIX;
use crate::member::{Member, Rule};
use serde_json::{Map, Value, json};

/// The JSON Schema (2020-12) of a client's entry, or of entries of one event type.
///
/// What a schema cannot say (canonical numbers, control characters, sizes in bytes, unique names) is left to
/// the parser: an entry that the parser accepts is valid here, not always the other way round.
pub fn json_schema(event: Option<&EventType>) -> Value {
    let own = event.is_some_and(EventType::is_own);
    let mut properties = Map::new();
    for member in Member::ALL.into_iter().filter(|member| !member.is_ledgers()) {
        properties.insert(member.name().into(), property(member));
    }
    let mut required = vec!["event_type", "actor", "entity_id"];
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:counterfoil:entry:v1",
        "title": "Counterfoil entry",
        "type": "object",
        "additionalProperties": false,
        "dependentRequired": {
            "source": ["sequence"],
            "sequence": ["source"],
            "signature": ["timestamp", "source", "sequence"],
        },
        "$defs": { "sealed": sealed() },
    });
    if let Some(event) = event {
        schema["$id"] = format!("urn:counterfoil:entry:v1:{}", event.name).into();
        schema["title"] = event.name.into();
        schema["description"] = event.description.into();
        properties["event_type"] = json!({ "const": event.name });
        if !event.context.is_empty() {
            properties["context"]["required"] = json!(event.context);
            required.push("context");
        }
        required.extend(event.members.iter().filter(|&&member| member != "context"));
    }
    if own {
        for member in ["source", "sequence", "signature"] {
            properties.remove(member);
        }
        schema["dependentRequired"] = json!({});
    }
    schema["properties"] = properties.into();
    schema["required"] = json!(required);
    schema
}

fn property(member: Member) -> Value {
    match member.rule() {
        Rule::Identifier { .. } if member == Member::EventType => {
            json!({ "type": "string", "minLength": 1, "maxLength": 128, "not": { "pattern": format!("^{}", OWN_PREFIX.replace('.', "\\.")) } })
        }
        Rule::Identifier { min, max } => json!({ "type": "string", "minLength": min, "maxLength": max }),
        Rule::OneOf(names) => json!({ "enum": names }),
        Rule::Reason => json!({ "anyOf": [{ "type": "string" }, { "$ref": "#/$defs/sealed" }] }),
        Rule::Value => json!(true),
        Rule::Object => json!({ "type": "object" }),
        Rule::Instant => json!({ "type": "string", "format": "date-time" }),
        Rule::Counter => json!({ "type": "integer", "minimum": 0, "maximum": i64::MAX }),
        Rule::Salt => json!({ "type": "string", "contentEncoding": "base64", "minLength": 24, "maxLength": 24 }),
        Rule::Signature => json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["algorithm", "key_id", "value"],
            "properties": {
                "algorithm": { "const": "ed25519" },
                "key_id": { "type": "string", "pattern": "^[0-9a-f]{64}$" },
                "value": { "type": "string", "contentEncoding": "base64", "minLength": 88, "maxLength": 88 },
            },
        }),
    }
}

fn sealed() -> Value {
    let base64 = json!({ "type": "string", "contentEncoding": "base64", "minLength": 4 });
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["$sealed"],
        "properties": {
            "$sealed": {
                "type": "object",
                "additionalProperties": false,
                "required": ["ciphertext", "key_id", "nonce"],
                "properties": {
                    "ciphertext": base64,
                    "key_id": { "type": "string", "minLength": 1, "maxLength": 256 },
                    "nonce": base64,
                },
            },
        },
    })
}
