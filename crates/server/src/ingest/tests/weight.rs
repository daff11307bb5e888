//! What an export will take in memory.

use super::*;
use crate::ingest::otlp::{LOGS, TRACES, json_weight, weight};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{EntityRef, InstrumentationScope, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use prost::Message;

/// How often each list of an export is filled.
const MANY: usize = 1_000;

fn nothing() -> Vec<KeyValue> {
    vec![KeyValue::default(); MANY]
}

#[test]
fn every_list_of_an_export_counts_by_what_it_takes() {
    let lists = || Kind::ArrayValue(ArrayValue { values: vec![AnyValue::default(); MANY] });
    let pairs = Kind::KvlistValue(KeyValueList { values: nothing() });
    let event = Event { attributes: nothing(), ..Event::default() };
    let link = Link { attributes: nothing(), ..Link::default() };
    let named = EntityRef { id_keys: vec![String::new(); MANY], ..EntityRef::default() };
    let described = EntityRef { description_keys: vec![String::new(); MANY], ..EntityRef::default() };
    let resource = |resource: Resource| {
        let resource_spans = vec![ResourceSpans { resource: Some(resource), ..ResourceSpans::default() }];
        ExportTraceServiceRequest { resource_spans }
    };
    let scope = InstrumentationScope { attributes: nothing(), ..InstrumentationScope::default() };
    let scoped = ScopeSpans { scope: Some(scope), ..ScopeSpans::default() };
    let several = |scope_spans| ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }],
    };
    let pair = size_of::<KeyValue>();
    let exports = [
        (export(vec![Span::default(); MANY]), size_of::<Span>()),
        (export(vec![Span { attributes: nothing(), ..Span::default() }]), pair),
        (export(vec![Span { events: vec![Event::default(); MANY], ..Span::default() }]), size_of::<Event>()),
        (export(vec![Span { links: vec![Link::default(); MANY], ..Span::default() }]), size_of::<Link>()),
        (export(vec![Span { events: vec![event], ..Span::default() }]), pair),
        (export(vec![Span { links: vec![link], ..Span::default() }]), pair),
        (export(vec![span(vec![super::pair("a", lists())])]), size_of::<AnyValue>()),
        (export(vec![span(vec![super::pair("a", pairs)])]), pair),
        (several(vec![ScopeSpans::default(); MANY]), size_of::<ScopeSpans>()),
        (several(vec![scoped]), pair),
        (resource(Resource { attributes: nothing(), ..Resource::default() }), pair),
        (
            resource(Resource { entity_refs: vec![EntityRef::default(); MANY], ..Resource::default() }),
            size_of::<EntityRef>(),
        ),
        (resource(Resource { entity_refs: vec![named], ..Resource::default() }), size_of::<String>()),
        (resource(Resource { entity_refs: vec![described], ..Resource::default() }), size_of::<String>()),
        (
            ExportTraceServiceRequest { resource_spans: vec![ResourceSpans::default(); MANY] },
            size_of::<ResourceSpans>(),
        ),
    ];
    for (export, each) in exports {
        let weight = weight(&export.encode_to_vec(), &TRACES);
        assert!(weight >= MANY * each && weight < 3 * MANY * each, "{weight} for {MANY} of {each}");
    }
    let logs = |log_records| {
        let scope_logs = vec![ScopeLogs { log_records, ..ScopeLogs::default() }];
        ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }] }
    };
    let exports = [
        (logs(vec![LogRecord::default(); MANY]), size_of::<LogRecord>()),
        (logs(vec![LogRecord { attributes: nothing(), ..LogRecord::default() }]), pair),
        (logs(vec![LogRecord { body: Some(any(lists())), ..LogRecord::default() }]), size_of::<AnyValue>()),
        (ExportLogsServiceRequest { resource_logs: vec![ResourceLogs::default(); MANY] }, size_of::<ResourceLogs>()),
    ];
    for (export, each) in exports {
        let weight = weight(&export.encode_to_vec(), &LOGS);
        assert!(weight >= MANY * each && weight < 3 * MANY * each, "{weight} for {MANY} of {each}");
    }
}

#[test]
fn what_is_broken_counts_up_to_there() {
    let good = export(vec![Span::default(); MANY]).encode_to_vec();
    let whole = weight(&good, &TRACES);
    let two = [&good[..], &good].concat();
    assert!(weight(&two[..two.len() - 1], &TRACES) >= whole);
    for broken in [&[0xff; 20][..], &[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f], &[0x0a], b""] {
        assert_eq!(weight(broken, &TRACES), 0);
    }
    let deep = (0..10_000)
        .fold(Vec::new(), |inner, _| ArrayValue { values: vec![any(Kind::BytesValue(inner))] }.encode_to_vec());
    assert!(weight(&deep, &TRACES) < 1 << 20);
}

#[test]
fn objects_of_json_count_and_braces_in_texts_do_not() {
    let one = json_weight(b"{}");
    assert!(one > 0);
    assert_eq!(json_weight(br#"[{"a":{}},{}]"#), 3 * one);
    assert_eq!(json_weight(br#"{"a{":"{\"{\\","b":"\\"}"#), one);
    assert_eq!(json_weight(br#"["{"#), 0);
}
