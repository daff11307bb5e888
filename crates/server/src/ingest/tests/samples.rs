//! Bodies that real SDKs and the specification's authors wrote. What becomes of each stands beside it as
//! `….entries.jsonl`, one canonical line an entry.

use super::*;
use crate::ingest::{cloudevents, otlp};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message;
use serde_json::Value;

macro_rules! sample {
    ($name:literal) => {
        include_bytes!(concat!("../../../../../testdata/ingest/", $name)).as_slice()
    };
}

#[track_caller]
fn assert_entries(drafts: Vec<Result<Draft, Refused>>, wanted: &[u8]) {
    let lines: String = drafts.into_iter().map(|draft| text(draft) + "\n").collect();
    assert_eq!(lines, String::from_utf8_lossy(wanted));
}

#[test]
fn the_python_sdk() {
    let traces = ExportTraceServiceRequest::decode(sample!("python-sdk-traces.pb")).unwrap();
    assert_entries(otlp::traces(&traces), sample!("python-sdk-traces.entries.jsonl"));
    let logs = ExportLogsServiceRequest::decode(sample!("python-sdk-logs.pb")).unwrap();
    assert_entries(otlp::logs(&logs), sample!("python-sdk-logs.entries.jsonl"));
}

#[test]
fn the_javascript_sdk() {
    let traces = otlp::decode_json_traces(sample!("js-sdk-traces.json")).unwrap();
    assert_entries(otlp::traces(&traces), sample!("js-sdk-traces.entries.jsonl"));
    let logs = otlp::decode_json_logs(sample!("js-sdk-logs.json")).unwrap();
    assert_entries(otlp::logs(&logs), sample!("js-sdk-logs.entries.jsonl"));
}

#[test]
fn the_examples_of_the_specification() {
    let traces = otlp::decode_json_traces(sample!("otlp-spec-trace.json")).unwrap();
    assert_entries(otlp::traces(&traces), sample!("otlp-spec-trace.entries.jsonl"));
    let logs = otlp::decode_json_logs(sample!("otlp-spec-logs.json")).unwrap();
    assert_entries(otlp::logs(&logs), sample!("otlp-spec-logs.entries.jsonl"));
}

#[test]
fn both_encodings_give_the_same_entries() {
    let json = otlp::decode_json_traces(sample!("otlp-spec-trace.json")).unwrap();
    let binary = ExportTraceServiceRequest::decode(json.encode_to_vec().as_slice()).unwrap();
    assert_eq!(json, binary);
    let json = otlp::decode_json_logs(sample!("otlp-spec-logs.json")).unwrap();
    assert_eq!(otlp::logs(&json), otlp::logs(&ExportLogsServiceRequest::decode(&json.encode_to_vec()[..]).unwrap()));
}

#[test]
fn an_event_is_the_same_entry_in_both_modes() {
    let wanted = sample!("cloudevent.entries.jsonl");
    assert_entries(vec![cloudevents::structured(sample!("cloudevent-structured.json"))], wanted);
    let request: Value = serde_json::from_slice(sample!("cloudevent-binary.json")).unwrap();
    let headers: Vec<_> = request["headers"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (&**name, value.as_str().unwrap()))
        .collect();
    let body = request["body"].as_str().unwrap();
    let draft = cloudevents::binary(headers, body.as_bytes(), Some("application/json"));
    assert_entries(vec![draft], wanted);
}
