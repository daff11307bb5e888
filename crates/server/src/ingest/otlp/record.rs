//! What spans and log records have in common.

use super::attributes::Attributes;
use super::genai::{self, Activity};
use crate::ingest::assembly::Assembly;
use crate::ingest::fitting::Notes;
use crate::ingest::value::{Object, Value};
use counterfoil_entry::Timestamp;
use counterfoil_entry::canonical::canonicalise;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use sha2::{Digest, Sha256};

/// Members that an attribute `counterfoil.NAME` sets as they are.
const TEXTS: [&str; 9] =
    ["event_type", "actor", "actor_type", "on_behalf_of", "entity_id", "entity_type", "outcome", "id", "source"];
/// Those that the resource may set for all its records.
const OF_RESOURCE: [&str; 4] = ["actor", "actor_type", "on_behalf_of", "source"];
/// Attributes that may name an actor, in the resource too.
const AGENT: [&str; 2] = ["gen_ai.agent.name", "gen_ai.agent.id"];
const USER: [&str; 2] = ["enduser.id", "user.id"];
const SERVICE: &str = "service.name";
/// Most bytes of a resource and a scope in each of their entries: they come once, and the entries are many.
const ORIGIN_MAX: usize = 8192;
/// Most bytes of a reason that was derived.
const REASON_MAX: usize = 4096;
/// Most bytes of an identifier.
pub(super) const IDENTIFIER_MAX: usize = 256;
/// Most bytes of an event type.
pub(super) const EVENT_TYPE_MAX: usize = 128;
/// What stands in for a service that has no name, as in the resource conventions.
const UNKNOWN_SERVICE: &str = "unknown_service";

/// The resource and the scope of some records: the program that wrote them.
pub(super) struct Origin {
    /// The resource's attributes, those that name an actor made to fit.
    resource: Attributes,
    context: Object,
    notes: Notes,
    /// SHA-256 of all of it, for the identity of log records.
    pub digest: [u8; 32],
}

impl Origin {
    pub fn new(
        resource: Option<&Resource>,
        resource_schema: &str,
        scope: Option<&InstrumentationScope>,
        scope_schema: &str,
    ) -> Self {
        let mut kept = Assembly::default();
        let attributes = resource.map_or(&[][..], |resource| &resource.attributes);
        let mut attributes = Attributes::read(attributes, &mut kept.notes);
        kept.keep_object("resource", attributes.clone().into_object());
        for key in AGENT.iter().chain(&USER).chain([&SERVICE]) {
            attributes.shorten(key, IDENTIFIER_MAX, &mut kept.notes);
        }
        if let Some(resource) = resource {
            kept.keep_count("resource_dropped_attributes", resource.dropped_attributes_count);
            if !resource.entity_refs.is_empty() {
                let names = |keys: &[String]| Value::List(keys.iter().map(Value::from).collect());
                let entities = resource.entity_refs.iter().map(|entity| {
                    Value::Object(Object::from([
                        ("description_keys".into(), names(&entity.description_keys)),
                        ("id_keys".into(), names(&entity.id_keys)),
                        ("type".into(), Value::from(&entity.r#type)),
                    ]))
                });
                kept.keep("resource_entities", Value::List(entities.collect()));
            }
        }
        if let Some(scope) = scope {
            let mut members = Object::new();
            for (name, text) in [("name", &scope.name), ("version", &scope.version)] {
                if !text.is_empty() {
                    members.insert(name.into(), Value::Text(kept.notes.text(text)));
                }
            }
            let attributes = Attributes::read(&scope.attributes, &mut kept.notes).into_object();
            if !attributes.is_empty() {
                members.insert("attributes".into(), Value::Object(attributes));
            }
            kept.keep_object("scope", members);
            kept.keep_count("scope_dropped_attributes", scope.dropped_attributes_count);
        }
        kept.keep_text("schema_url", scope_schema);
        if resource_schema != scope_schema {
            kept.keep_text("resource_schema_url", resource_schema);
        }
        let mut json = Vec::new();
        kept.write_context(&mut json);
        let (context, notes) = kept.into_context(ORIGIN_MAX);
        Self { resource: attributes, digest: Sha256::digest(&json).into(), context, notes }
    }

    fn service(&self) -> &str {
        self.resource.scalar(SERVICE).unwrap_or(UNKNOWN_SERVICE)
    }

    /// Begins the entry of one record.
    pub fn begin(&self) -> Assembly {
        Assembly::beginning(self.context.clone(), self.notes.clone())
    }
}

/// Moves the attributes `counterfoil.…` to the members that they name.
///
/// # Errors
/// One that cannot be what it says.
pub(super) fn explicit(entry: &mut Assembly, attributes: &mut Attributes, origin: &Origin) -> Result<(), String> {
    for member in TEXTS {
        let key = format!("counterfoil.{member}");
        let own = attributes.take(&key);
        let of_resource = || OF_RESOURCE.contains(&member).then(|| origin.resource.get(&key)).flatten();
        let Some(value) = own.as_ref().or_else(of_resource) else { continue };
        match value.scalar() {
            Some(text) if text.len() <= IDENTIFIER_MAX => entry.set(member, Value::from(text)),
            Some(text) => return Err(format!("{key}: {} bytes; {IDENTIFIER_MAX} are allowed", text.len())),
            None => return Err(format!("{key}: must be a text, a number or a boolean")),
        }
    }
    for member in ["reason", "old_value", "new_value"] {
        if let Some(value) = attributes.take(&format!("counterfoil.{member}")) {
            entry.set(member, value);
        }
    }
    for (key, member) in [("counterfoil.old_value_json", "old_value"), ("counterfoil.new_value_json", "new_value")] {
        if let Some(value) = attributes.take(key) {
            let Value::Text(json) = value else { return Err(format!("{key}: must be a text that holds JSON")) };
            let mut canonical = Vec::new();
            canonicalise(json.as_bytes(), &mut canonical).map_err(|error| format!("{key}: {error}"))?;
            entry.set(member, Value::Literal(String::from_utf8_lossy(&canonical).into_owned()));
        }
    }
    if let Some(value) = attributes.take("counterfoil.sequence") {
        let digits = value.scalar().filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
        let number: u64 = digits
            .and_then(|digits| digits.parse().ok())
            .ok_or("counterfoil.sequence: must be an integer from 0 to 9223372036854775807")?;
        entry.set("sequence", Value::integer(number));
    }
    for (name, value) in attributes.take_prefixed("counterfoil.context.") {
        entry.keep_own(&name, value);
    }
    Ok(())
}

/// Sets `event_type` to a foreign name; one that is the ledger's own gets the prefix `otel.`.
pub(super) fn derive_event_type(entry: &mut Assembly, name: &str) {
    match name.starts_with(counterfoil_entry::OWN_PREFIX) {
        true => entry.derive("event_type", &format!("otel.{name}"), EVENT_TYPE_MAX),
        false => entry.derive("event_type", name, EVENT_TYPE_MAX),
    }
}

/// Who acted: the agent, else the user, else the service; the user is also for whom an agent acted.
pub(super) fn derive_actor(entry: &mut Assembly, attributes: &Attributes, origin: &Origin) {
    let find = |keys: &[&str]| attributes.first(keys).or_else(|| origin.resource.first(keys));
    let agent = find(&AGENT);
    let user = find(&USER);
    let (actor, actor_type) = match (agent, user) {
        (Some(agent), _) => (agent, "ai_agent"),
        (None, Some(user)) => (user, "user"),
        (None, None) => (origin.service(), "service"),
    };
    if !entry.has("actor") {
        entry.derive("actor", actor, IDENTIFIER_MAX);
        entry.derive("actor_type", actor_type, IDENTIFIER_MAX);
    }
    if entry.text("actor_type") == Some("ai_agent") {
        entry.derive("on_behalf_of", user.unwrap_or_default(), IDENTIFIER_MAX);
    }
}

/// What it happened to: the conversation, else the tool call, else the trace, else the service.
pub(super) fn derive_entity(entry: &mut Assembly, attributes: &Attributes, origin: &Origin, trace_id: &str) {
    let (entity, entity_type) =
        match (attributes.scalar("gen_ai.conversation.id"), attributes.scalar("gen_ai.tool.call.id")) {
            (Some(conversation), _) => (conversation, "conversation"),
            (None, Some(call)) => (call, "tool_call"),
            (None, None) if !trace_id.is_empty() => (trace_id, "trace"),
            (None, None) => (origin.service(), "service"),
        };
    if !entry.has("entity_id") {
        entry.derive("entity_id", entity, IDENTIFIER_MAX);
        entry.derive("entity_type", entity_type, IDENTIFIER_MAX);
    }
}

/// What only records of the GenAI conventions have: `new_value`, the catalog's members of `context`, and the facts.
pub(super) fn keep_genai(entry: &mut Assembly, attributes: &mut Attributes, activity: &Activity, failed: bool) {
    let facts = genai::facts(attributes);
    for (name, keys) in [("model_version", &genai::MODEL[..]), ("tool_name", &["gen_ai.tool.name"])] {
        if let Some(text) = attributes.first(keys).map(str::to_owned) {
            entry.keep_text(name, &text);
        }
    }
    if !entry.has("new_value") {
        match activity {
            Activity::Inference if !failed => entry.derive_value(genai::answer(attributes, &facts)),
            Activity::ToolCall => {
                if let Some(result) = genai::result(attributes) {
                    entry.derive_value(result);
                }
            }
            _ => {}
        }
    }
    entry.keep_object("gen_ai", facts);
}

/// Sets `reason` to a foreign text, unless it is there.
pub(super) fn derive_reason(entry: &mut Assembly, text: &str) {
    if !entry.has("reason") && !text.is_empty() {
        let text = entry.notes.text(text);
        let text = entry.notes.shortened("reason", text, REASON_MAX);
        entry.set("reason", Value::Text(text));
    }
}

/// Nanoseconds since 1970 as an instant.
///
/// # Errors
/// After the year 2261.
pub(super) fn instant(nanos: u64, name: &str) -> Result<Timestamp, String> {
    Timestamp::from_parts((nanos / 1000) as i64, (nanos % 1000) as u16)
        .map_err(|_| format!("{name}: {nanos} nanoseconds lie after the year 2261; send nanoseconds since 1970"))
}

/// Nanoseconds since 1970 as a member of `context`: RFC 3339, or the number where that has no such form.
pub(super) fn moment(nanos: u64) -> Value {
    instant(nanos, "").map_or_else(|_| Value::integer(nanos), |instant| Value::from(&instant))
}

/// A trace or span id in hexadecimal; `None` where it is not `length` bytes or all of them are zero.
pub(super) fn identity(bytes: &[u8], length: usize) -> Option<String> {
    (bytes.len() == length && bytes.iter().any(|&byte| byte != 0)).then(|| hex::encode(bytes))
}
