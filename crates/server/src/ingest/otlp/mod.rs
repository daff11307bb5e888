//! OpenTelemetry: one entry for each span and each log record of an OTLP export.

mod attributes;
mod decoding;
mod genai;
mod json_types;
mod log;
mod record;
mod span;
mod weight;

use super::Refused;
use counterfoil_entry::Draft;
pub use decoding::{decode_json_logs, decode_json_traces};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use record::Origin;
pub use weight::{LOGS, Shape, TRACES, json_weight, weight};

/// One entry, or the reason why there is none, for each span of an export, in the order of the request.
///
/// The `id` of an entry is `otlp:` and the ids of the trace and the span, so an export that is sent again makes the same
/// entries again. Positions count the spans of the whole request.
pub fn traces(request: &ExportTraceServiceRequest) -> Vec<Result<Draft, Refused>> {
    let mut drafts = Vec::new();
    for resource_spans in &request.resource_spans {
        for scope_spans in &resource_spans.scope_spans {
            let origin = Origin::new(
                resource_spans.resource.as_ref(),
                &resource_spans.schema_url,
                scope_spans.scope.as_ref(),
                &scope_spans.schema_url,
            );
            for span in &scope_spans.spans {
                let position = drafts.len();
                drafts.push(span::draft(span, &origin).map_err(|problem| Refused { position, problem }));
            }
        }
    }
    drafts
}

/// One entry, or the reason why there is none, for each log record of an export, in the order of the request.
///
/// A log record has no identity of its own: the `id` is made of the record's digest and of how many equal ones stand
/// before it in the request; a record without any time gets none. Positions count the records of the whole request.
pub fn logs(request: &ExportLogsServiceRequest) -> Vec<Result<Draft, Refused>> {
    let mut drafts = Vec::new();
    let mut repeats = log::Repeats::default();
    for resource_logs in &request.resource_logs {
        for scope_logs in &resource_logs.scope_logs {
            let origin = Origin::new(
                resource_logs.resource.as_ref(),
                &resource_logs.schema_url,
                scope_logs.scope.as_ref(),
                &scope_logs.schema_url,
            );
            for record in &scope_logs.log_records {
                let position = drafts.len();
                let draft = log::draft(record, &origin, &mut repeats);
                drafts.push(draft.map_err(|problem| Refused { position, problem }));
            }
        }
    }
    drafts
}
