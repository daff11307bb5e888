//! Spans.

use super::attributes::Attributes;
use super::genai::{self, Activity};
use super::record::{self, Origin};
use crate::ingest::assembly::Assembly;
use crate::ingest::value::{Object, Value};
use counterfoil_entry::Draft;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

/// The entry of one span.
///
/// # Errors
/// Why it is none.
pub(super) fn draft(span: &Span, origin: &Origin) -> Result<Draft, String> {
    let trace_id = record::identity(&span.trace_id, 16)
        .ok_or_else(|| format!("traceId: {} bytes; must be 16, not all zero", span.trace_id.len()))?;
    let span_id = record::identity(&span.span_id, 8)
        .ok_or_else(|| format!("spanId: {} bytes; must be 8, not all zero", span.span_id.len()))?;
    let mut entry = origin.begin();
    let mut attributes = Attributes::read(&span.attributes, &mut entry.notes);
    record::explicit(&mut entry, &mut attributes, origin)?;
    let activity = Activity::of(&attributes);
    let failed = derive_outcome(&mut entry, span, &attributes, &activity);
    let named = attributes.scalar("event.name").map(str::to_owned);
    let event_type = named.or_else(|| activity.event_type(failed)).unwrap_or_else(|| "span_ended".into());
    record::derive_event_type(&mut entry, &event_type);
    record::derive_actor(&mut entry, &attributes, origin);
    record::derive_entity(&mut entry, &attributes, origin, &trace_id);
    entry.derive("trace_id", &trace_id, record::IDENTIFIER_MAX);
    entry.derive("id", &format!("otlp:{trace_id}:{span_id}"), record::IDENTIFIER_MAX);
    record::keep_genai(&mut entry, &mut attributes, &activity, failed);
    keep_times(&mut entry, span)?;
    entry.keep("span_id", Value::Text(span_id));
    keep_rest(&mut entry, span, attributes);
    entry.finish(genai::is_bulky)
}

/// Whether the span failed; `outcome` and `reason` say so.
fn derive_outcome(entry: &mut Assembly, span: &Span, attributes: &Attributes, activity: &Activity) -> bool {
    let status = span.status.as_ref();
    let code = status.map_or(StatusCode::Unset, |status| status.code());
    let error_type = attributes.scalar("error.type");
    let failed = code == StatusCode::Error || code == StatusCode::Unset && error_type.is_some();
    if failed {
        entry.derive("outcome", "failure", record::IDENTIFIER_MAX);
        let message = status.map(|status| status.message.clone()).filter(|message| !message.is_empty());
        let exception = || exception_message(&span.events, entry);
        let reason = message.or_else(exception).or_else(|| error_type.map(str::to_owned));
        record::derive_reason(entry, &reason.unwrap_or_default());
    } else if code == StatusCode::Ok || *activity != Activity::None {
        entry.derive("outcome", "success", record::IDENTIFIER_MAX);
    }
    failed
}

/// What the last recorded exception says.
fn exception_message(events: &[Event], entry: &Assembly) -> Option<String> {
    let exception = events.iter().rev().find(|event| event.name == "exception")?;
    let attributes = Attributes::read(&exception.attributes, &mut entry.notes.clone());
    attributes.first(&["exception.message", "exception.type"]).map(str::to_owned)
}

fn keep_times(entry: &mut Assembly, span: &Span) -> Result<(), String> {
    let (start, end) = (span.start_time_unix_nano, span.end_time_unix_nano);
    match (start, end) {
        (0, 0) => {}
        (start, 0) => entry.set("timestamp", Value::from(&record::instant(start, "startTimeUnixNano")?)),
        (_, end) => entry.set("timestamp", Value::from(&record::instant(end, "endTimeUnixNano")?)),
    }
    if start != 0 && end != 0 {
        entry.keep("start", record::moment(start));
        entry.keep("duration_ns", Value::integer(i128::from(end) - i128::from(start)));
    }
    Ok(())
}

fn keep_rest(entry: &mut Assembly, span: &Span, attributes: Attributes) {
    entry.keep_text("name", &span.name);
    match span.kind {
        0 => {}
        1..=5 => {
            let kinds = ["internal", "server", "client", "producer", "consumer"];
            entry.keep("kind", Value::from(kinds[span.kind as usize - 1]));
        }
        other => entry.keep("kind", Value::integer(other)),
    }
    if !span.parent_span_id.is_empty() {
        entry.keep("parent_span_id", Value::Text(hex::encode(&span.parent_span_id)));
    }
    entry.keep_text("trace_state", &span.trace_state);
    entry.keep_count("flags", span.flags);
    entry.keep_object("attributes", attributes.into_object());
    entry.keep_count("dropped_attributes", span.dropped_attributes_count);
    entry.keep_count("dropped_events", span.dropped_events_count);
    entry.keep_count("dropped_links", span.dropped_links_count);
    if !span.events.is_empty() {
        let events = span.events.iter().map(|one| event(one, entry)).collect();
        entry.keep("events", Value::List(events));
    }
    if !span.links.is_empty() {
        let links = span.links.iter().map(|one| link(one, entry)).collect();
        entry.keep("links", Value::List(links));
    }
}

fn event(event: &Event, entry: &mut Assembly) -> Value {
    let mut members = Object::from([("name".into(), Value::Text(entry.notes.text(&event.name)))]);
    if event.time_unix_nano != 0 {
        members.insert("time".into(), record::moment(event.time_unix_nano));
    }
    let attributes = Attributes::read(&event.attributes, &mut entry.notes).into_object();
    if !attributes.is_empty() {
        members.insert("attributes".into(), Value::Object(attributes));
    }
    if event.dropped_attributes_count > 0 {
        members.insert("dropped_attributes".into(), Value::integer(event.dropped_attributes_count));
    }
    Value::Object(members)
}

fn link(link: &Link, entry: &mut Assembly) -> Value {
    let mut members = Object::from([
        ("span_id".into(), Value::Text(hex::encode(&link.span_id))),
        ("trace_id".into(), Value::Text(hex::encode(&link.trace_id))),
    ]);
    if !link.trace_state.is_empty() {
        members.insert("trace_state".into(), Value::Text(entry.notes.text(&link.trace_state)));
    }
    let attributes = Attributes::read(&link.attributes, &mut entry.notes).into_object();
    if !attributes.is_empty() {
        members.insert("attributes".into(), Value::Object(attributes));
    }
    for (name, count) in [("dropped_attributes", link.dropped_attributes_count), ("flags", link.flags)] {
        if count > 0 {
            members.insert(name.into(), Value::integer(count));
        }
    }
    Value::Object(members)
}
