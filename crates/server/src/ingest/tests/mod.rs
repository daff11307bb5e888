//! The mappings, against exact canonical JSON.

mod cloudevents;
mod decoding;
mod limits;
mod logs;
mod mutations;
mod samples;
mod spans;
mod weight;

use crate::ingest::Refused;
use counterfoil_entry::Draft;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Kind;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};

/// 2026-11-24T10:00:00Z in nanoseconds.
const TEN: u64 = 1_795_514_400_000_000_000;

fn text(draft: Result<Draft, Refused>) -> String {
    let draft = draft.expect("an entry");
    String::from_utf8(draft.client_bytes().to_vec()).expect("canonical bytes are UTF-8")
}

fn problem(draft: Result<Draft, Refused>) -> String {
    draft.expect_err("no entry").to_string()
}

fn any(kind: Kind) -> AnyValue {
    AnyValue { value: Some(kind) }
}

fn pair(key: &str, kind: Kind) -> KeyValue {
    KeyValue { key: key.into(), value: Some(any(kind)), ..KeyValue::default() }
}

fn string(key: &str, value: &str) -> KeyValue {
    pair(key, Kind::StringValue(value.into()))
}

/// A value inside so many lists.
fn nested(levels: usize) -> Kind {
    (0..levels).fold(Kind::BoolValue(true), |inner, _| Kind::ArrayValue(ArrayValue { values: vec![any(inner)] }))
}

fn service(name: &str) -> Option<Resource> {
    Some(Resource { attributes: vec![string("service.name", name)], ..Resource::default() })
}

/// A finished span of a known trace.
fn span(attributes: Vec<KeyValue>) -> Span {
    Span {
        trace_id: vec![0xAB; 16],
        span_id: vec![0xCD; 8],
        start_time_unix_nano: TEN,
        end_time_unix_nano: TEN + 1,
        attributes,
        ..Span::default()
    }
}

fn export(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { resource: service("svc"), scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }
}

/// What becomes of one span.
fn mapped(span: Span) -> Result<Draft, Refused> {
    crate::ingest::otlp::traces(&export(vec![span])).pop().expect("one span")
}
