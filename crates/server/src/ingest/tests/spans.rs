use super::*;
use crate::ingest::otlp::traces;
use counterfoil_entry::catalog;
use opentelemetry_proto::tonic::common::v1::KeyValueList;
use opentelemetry_proto::tonic::trace::v1::Status;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

const TRACE: &str = "abababababababababababababababab";

fn entry(context: &str, members: &str) -> String {
    format!(
        r#"{{"actor":"svc","actor_type":"service","context":{{{context}"duration_ns":1,"resource":{{"service.name":"svc"}},"span_id":"cdcdcdcdcdcdcdcd","start":"2026-11-24T10:00:00Z"}},"entity_id":"{TRACE}","entity_type":"trace","event_type":"span_ended","id":"otlp:{TRACE}:cdcdcdcdcdcdcdcd",{members}"timestamp":"2026-11-24T10:00:00.000000001Z","trace_id":"{TRACE}"}}"#
    )
}

fn status(code: StatusCode, message: &str) -> Option<Status> {
    Some(Status { message: message.into(), code: code as i32 })
}

#[test]
fn a_plain_span_is_an_entry() {
    assert_eq!(text(mapped(span(vec![]))), entry("", ""));
    let ok = Span { status: status(StatusCode::Ok, ""), ..span(vec![]) };
    assert_eq!(text(mapped(ok)), entry("", r#""outcome":"success","#));
    let failed = Span { status: status(StatusCode::Error, "no route"), ..span(vec![]) };
    assert_eq!(text(mapped(failed)), entry("", r#""outcome":"failure","reason":"no route","#));
    let typed = text(mapped(span(vec![string("error.type", "timeout")])));
    assert_eq!(typed, entry(r#""attributes":{"error.type":"timeout"},"#, r#""outcome":"failure","reason":"timeout","#));
}

#[test]
fn values_keep_what_they_say() {
    let list = KeyValueList { values: vec![string("x", "1"), string("x", "2")] };
    let attributes = vec![
        pair("big", Kind::IntValue(i64::MIN)),
        pair("nan", Kind::DoubleValue(f64::NAN)),
        pair("inf", Kind::DoubleValue(f64::NEG_INFINITY)),
        pair("whole", Kind::DoubleValue(3.0)),
        pair("huge", Kind::DoubleValue(1e300)),
        pair("tiny", Kind::DoubleValue(5e-324)),
        pair("near", Kind::DoubleValue(0.1 + 0.2)),
        pair("raw", Kind::BytesValue(vec![0, 255])),
        pair("map", Kind::KvlistValue(list)),
        string("zero", "a\0b"),
        KeyValue { key: "none".into(), ..KeyValue::default() },
    ];
    let wanted = concat!(
        r#""attributes":{"big":-9223372036854775808,"huge":1e+300,"inf":"-Infinity","map":{"x":"2"},"nan":"NaN","#,
        r#""near":0.30000000000000004,"none":null,"raw":"AP8=","tiny":5e-324,"whole":3,"zero":"a␀b"},"#,
    );
    let notes =
        r#""mapping_notes":["attribute x stood twice; the last is kept","a text held U+0000, written as U+2400"],"#;
    let text = text(mapped(span(attributes)));
    assert!(text.contains(wanted), "{text}");
    assert!(text.contains(notes), "{text}");
}

#[test]
fn attributes_of_ours_set_the_members() {
    let attributes = vec![
        string("counterfoil.event_type", "manual_override"),
        string("counterfoil.actor", "mlopez"),
        string("counterfoil.actor_type", "user"),
        string("counterfoil.on_behalf_of", "ap-team"),
        string("counterfoil.entity_id", "INV-1"),
        string("counterfoil.entity_type", "invoice"),
        pair("counterfoil.old_value", Kind::DoubleValue(1.5)),
        string("counterfoil.new_value_json", r#"{"b": 340282366920938463463374607431768211456, "a": 1.0}"#),
        string("counterfoil.outcome", "denied"),
        string("counterfoil.reason", "limit"),
        string("counterfoil.id", "k-1"),
        string("counterfoil.source", "erp"),
        string("counterfoil.sequence", "9223372036854775807"),
        string("counterfoil.context.ticket", "T-9"),
        string("counterfoil.unheard_of", "stays"),
    ];
    let wanted = concat!(
        r#"{"actor":"mlopez","actor_type":"user","context":{"attributes":{"counterfoil.unheard_of":"stays"},"duration_ns":1,"#,
        r#""resource":{"service.name":"svc"},"span_id":"cdcdcdcdcdcdcdcd","start":"2026-11-24T10:00:00Z","ticket":"T-9"},"#,
        r#""entity_id":"INV-1","entity_type":"invoice","event_type":"manual_override","id":"k-1","#,
        r#""new_value":{"a":1,"b":340282366920938463463374607431768211456},"old_value":1.5,"on_behalf_of":"ap-team","#,
        r#""outcome":"denied","reason":"limit","sequence":9223372036854775807,"source":"erp","#,
        r#""timestamp":"2026-11-24T10:00:00.000000001Z","trace_id":"abababababababababababababababab"}"#,
    );
    assert_eq!(text(mapped(span(attributes))), wanted);
}

#[test]
fn an_attribute_of_ours_that_is_wrong_refuses_the_span() {
    let cases = [
        (string("counterfoil.actor_type", "robot"), "actor_type: "),
        (string("counterfoil.event_type", "ledger.created"), "event_type: names beginning with \"ledger.\""),
        (string("counterfoil.source", "erp"), "source: needs sequence beside it"),
        (string("counterfoil.sequence", "-1"), "counterfoil.sequence: must be an integer"),
        (string("counterfoil.new_value_json", "{"), "counterfoil.new_value_json: not JSON"),
        (pair("counterfoil.actor", nested(1)), "counterfoil.actor: must be a text"),
        (string("counterfoil.context.resource", "x"), "context.resource: the mapping writes this member itself"),
        (string("counterfoil.id", &"x".repeat(65)), "id: 65 bytes"),
        (string("counterfoil.actor", &"x".repeat(257)), "counterfoil.actor: 257 bytes; 256 are allowed"),
    ];
    for (attribute, wanted) in cases {
        let problem = problem(mapped(span(vec![attribute])));
        assert!(problem.starts_with(wanted), "{problem}");
    }
}

#[test]
fn the_resource_may_name_who_acts_for_all_its_spans() {
    let mut request = export(vec![span(vec![]), span(vec![string("counterfoil.actor", "mlopez")])]);
    let resource = request.resource_spans[0].resource.as_mut().unwrap();
    resource.attributes.extend([string("counterfoil.actor", "bot-7"), string("counterfoil.actor_type", "ai_agent")]);
    resource.attributes.extend([string("enduser.id", "ana"), string("counterfoil.entity_id", "not for a resource")]);
    let drafts: Vec<_> = traces(&request).into_iter().map(text).collect();
    assert!(drafts[0].starts_with(r#"{"actor":"bot-7","actor_type":"ai_agent","#), "{}", drafts[0]);
    assert!(drafts[0].contains(r#""on_behalf_of":"ana""#) && drafts[0].contains(&format!(r#""entity_id":"{TRACE}""#)));
    assert!(drafts[1].starts_with(r#"{"actor":"mlopez","actor_type":"ai_agent","#), "{}", drafts[1]);
}

#[test]
fn old_and_new_names_give_the_same_facts() {
    let new = vec![
        string("gen_ai.operation.name", "text_completion"),
        string("gen_ai.provider.name", "openai"),
        string("gen_ai.request.model", "gpt-4"),
        pair("gen_ai.usage.input_tokens", Kind::IntValue(12)),
        pair("gen_ai.usage.output_tokens", Kind::IntValue(5)),
        string("gen_ai.output.messages", "[]"),
    ];
    let old = vec![
        string("gen_ai.system", "openai"),
        string("gen_ai.request.model", "gpt-4"),
        pair("gen_ai.usage.prompt_tokens", Kind::IntValue(12)),
        pair("gen_ai.usage.completion_tokens", Kind::IntValue(5)),
        string("gen_ai.completion", "[]"),
    ];
    for attributes in [new, old] {
        let draft = mapped(span(attributes));
        catalog::check(draft.as_ref().unwrap()).unwrap();
        let text = text(draft);
        for part in [
            r#""event_type":"model_inference""#,
            r#""model_version":"gpt-4""#,
            r#""new_value":{"messages":"[]","output_tokens":5},"outcome":"success""#,
            r#""gen_ai":{"input_tokens":12,"#,
            r#""provider":"openai","request_model":"gpt-4"}"#,
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}

#[test]
fn operations_become_event_types() {
    let cases = [
        ("chat", "model_inference"),
        ("generate_content", "model_inference"),
        ("embeddings", "model_inference"),
        ("call_llm", "model_inference"),
        ("execute_tool", "tool_call"),
        ("invoke_agent", "gen_ai.invoke_agent"),
        ("create_agent", "gen_ai.create_agent"),
        ("brand_new", "gen_ai.brand_new"),
    ];
    for (operation, wanted) in cases {
        let draft = mapped(span(vec![string("gen_ai.operation.name", operation)])).unwrap();
        assert_eq!(draft.event_type(), wanted);
    }
    let failed = span(vec![string("gen_ai.operation.name", "chat")]);
    let failed = mapped(Span { status: status(StatusCode::Error, "overloaded"), ..failed }).unwrap();
    assert_eq!(failed.event_type(), "inference_failed");
    let named = vec![string("gen_ai.operation.name", "chat"), string("event.name", "payment_scored")];
    assert_eq!(mapped(span(named)).unwrap().event_type(), "payment_scored");
    assert_eq!(mapped(span(vec![string("event.name", "ledger.x")])).unwrap().event_type(), "otel.ledger.x");
}

#[test]
fn a_tool_call_has_what_the_catalog_asks() {
    let attributes = vec![
        string("gen_ai.operation.name", "execute_tool"),
        string("gen_ai.tool.name", "get_invoice"),
        string("gen_ai.tool.call.id", "call_1"),
        string("gen_ai.tool.call.result", "INV-1: 12.50"),
        string("gen_ai.agent.id", "asst_7"),
        string("user.id", "mlopez"),
    ];
    let draft = mapped(span(attributes));
    catalog::check(draft.as_ref().unwrap()).unwrap();
    let text = text(draft);
    for part in [
        r#"{"actor":"asst_7","actor_type":"ai_agent","#,
        r#""tool_name":"get_invoice"}"#,
        r#""entity_id":"call_1","entity_type":"tool_call","event_type":"tool_call""#,
        r#""new_value":"INV-1: 12.50","on_behalf_of":"mlopez","outcome":"success""#,
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("gen_ai.tool.call.result"), "{text}");
}

#[test]
fn events_and_links_are_kept() {
    let exception = Event {
        time_unix_nano: TEN,
        name: "exception".into(),
        attributes: vec![string("exception.message", "boom")],
        dropped_attributes_count: 2,
    };
    let link =
        Link { trace_id: vec![1; 16], span_id: vec![2; 8], trace_state: "a=b".into(), flags: 1, ..Link::default() };
    let failed = Span {
        events: vec![exception],
        links: vec![link],
        status: status(StatusCode::Error, ""),
        dropped_events_count: 3,
        ..span(vec![])
    };
    let text = text(mapped(failed));
    for part in [
        r#""dropped_events":3,"#,
        r#""events":[{"attributes":{"exception.message":"boom"},"dropped_attributes":2,"name":"exception","time":"2026-11-24T10:00:00Z"}]"#,
        r#""links":[{"flags":1,"span_id":"0202020202020202","trace_id":"01010101010101010101010101010101","trace_state":"a=b"}]"#,
        r#""outcome":"failure","reason":"boom""#,
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn a_span_without_valid_ids_or_times_is_refused_at_its_position() {
    let spans = vec![
        span(vec![]),
        Span { trace_id: vec![1; 8], ..span(vec![]) },
        Span { span_id: vec![0; 8], ..span(vec![]) },
        Span { end_time_unix_nano: u64::MAX, ..span(vec![]) },
        Span { start_time_unix_nano: u64::MAX, span_id: vec![1; 8], ..span(vec![]) },
    ];
    let results = traces(&export(spans));
    let refused: Vec<_> = results.iter().filter_map(|result| result.as_ref().err()).collect();
    assert_eq!(refused.iter().map(|refused| refused.position).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(refused[0].problem, "traceId: 8 bytes; must be 16, not all zero");
    assert_eq!(refused[1].problem, "spanId: 8 bytes; must be 8, not all zero");
    assert!(refused[2].problem.starts_with("endTimeUnixNano: 18446744073709551615 nanoseconds lie after"));
    let last = text(results.into_iter().next_back().unwrap());
    assert!(last.contains(r#""duration_ns":-16651229673709551614,"#), "{last}");
    assert!(last.contains(r#""start":18446744073709551615"#), "{last}");
}
