//! Log records.

use super::attributes::{self, Attributes};
use super::genai::{self, Activity};
use super::record::{self, Origin};
use crate::ingest::assembly::Assembly;
use crate::ingest::value::Value;
use counterfoil_entry::Draft;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, SeverityNumber};
use prost::Message;
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// The event that carries a whole inference.
const INFERENCE_DETAILS: &str = "gen_ai.client.inference.operation.details";
/// Digits of a record's digest in its id.
const ID_DIGITS: usize = 48;

/// How often each record has stood in a request so far.
#[derive(Default)]
pub(super) struct Repeats(HashMap<[u8; 32], u64>);

impl Repeats {
    /// The id of a record: its digest, and of how many equal ones stand before it.
    fn id(&mut self, record: &LogRecord, origin: &Origin) -> String {
        let content = Sha256::new_with_prefix(origin.digest).chain_update(record.encode_to_vec());
        let count = self.0.entry(content.clone().finalize().into()).or_default();
        let digest = content.chain_update(count.to_be_bytes()).finalize();
        *count += 1;
        format!("otlp:log:{}", &hex::encode(digest)[..ID_DIGITS])
    }
}

/// The entry of one log record.
///
/// # Errors
/// Why it is none.
pub(super) fn draft(record: &LogRecord, origin: &Origin, repeats: &mut Repeats) -> Result<Draft, String> {
    let mut entry = origin.begin();
    let mut attributes = Attributes::read(&record.attributes, &mut entry.notes);
    record::explicit(&mut entry, &mut attributes, origin)?;
    let name = match record.event_name.as_str() {
        "" => attributes.scalar("event.name").unwrap_or_default().to_owned(),
        name => name.to_owned(),
    };
    let activity = if name == INFERENCE_DETAILS { Activity::Inference } else { Activity::None };
    let failed = derive_outcome(&mut entry, &attributes, &activity);
    let event_type = activity.event_type(failed).unwrap_or(name.clone());
    record::derive_event_type(&mut entry, if event_type.is_empty() { "log_recorded" } else { &event_type });
    if entry.text("event_type") != Some(&name) && !record.event_name.is_empty() {
        entry.keep_text("event_name", &record.event_name);
    }
    record::derive_actor(&mut entry, &attributes, origin);
    let trace_id = record::identity(&record.trace_id, 16).unwrap_or_default();
    record::derive_entity(&mut entry, &attributes, origin, &trace_id);
    entry.derive("trace_id", &trace_id, record::IDENTIFIER_MAX);
    record::keep_genai(&mut entry, &mut attributes, &activity, failed);
    keep_times(&mut entry, record)?;
    if entry.has("timestamp") && !entry.has("id") {
        entry.set("id", Value::Text(repeats.id(record, origin)));
    }
    keep_rest(&mut entry, record, attributes);
    entry.finish(genai::is_bulky)
}

/// Whether the record tells of a failure; `outcome` and `reason` say so.
fn derive_outcome(entry: &mut Assembly, attributes: &Attributes, activity: &Activity) -> bool {
    let error_type = attributes.scalar("error.type");
    if let Some(error_type) = error_type {
        entry.derive("outcome", "failure", record::IDENTIFIER_MAX);
        record::derive_reason(entry, attributes.scalar("exception.message").unwrap_or(error_type));
    } else if *activity != Activity::None {
        entry.derive("outcome", "success", record::IDENTIFIER_MAX);
    }
    error_type.is_some()
}

fn keep_times(entry: &mut Assembly, record: &LogRecord) -> Result<(), String> {
    let (time, observed) = (record.time_unix_nano, record.observed_time_unix_nano);
    match (time, observed) {
        (0, 0) => {}
        (0, observed) => {
            entry.set("timestamp", Value::from(&record::instant(observed, "observedTimeUnixNano")?));
        }
        (time, observed) => {
            entry.set("timestamp", Value::from(&record::instant(time, "timeUnixNano")?));
            if observed != 0 && observed != time {
                entry.keep("observed_time", record::moment(observed));
            }
        }
    }
    Ok(())
}

fn keep_rest(entry: &mut Assembly, record: &LogRecord, attributes: Attributes) {
    if !record.severity_text.is_empty() {
        entry.keep_text("severity", &record.severity_text);
    } else if let Ok(severity) = SeverityNumber::try_from(record.severity_number)
        && severity != SeverityNumber::Unspecified
    {
        entry.keep("severity", Value::from(severity.as_str_name().trim_start_matches("SEVERITY_NUMBER_")));
    }
    if record.severity_number != 0 {
        entry.keep("severity_number", Value::integer(record.severity_number));
    }
    if record.body.is_some() {
        let body = attributes::value(record.body.as_ref(), &mut entry.notes);
        entry.keep("body", body);
    }
    if !record.span_id.is_empty() {
        entry.keep("span_id", Value::Text(hex::encode(&record.span_id)));
    }
    if !record.trace_id.is_empty() && !entry.has("trace_id") {
        entry.keep("invalid_trace_id", Value::Text(hex::encode(&record.trace_id)));
    }
    entry.keep_count("flags", record.flags);
    entry.keep_object("attributes", attributes.into_object());
    entry.keep_count("dropped_attributes", record.dropped_attributes_count);
}
