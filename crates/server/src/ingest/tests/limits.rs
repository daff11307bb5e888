use super::*;
use crate::ingest::cloudevents;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use sha2::{Digest, Sha256};

/// What stands for a text that was left out.
fn omitted(text: &str) -> String {
    let json = format!("\"{text}\"");
    format!(r#"{{"omitted":{{"bytes":{},"sha256":"{}"}}}}"#, json.len(), hex::encode(Sha256::digest(&json)))
}

#[test]
fn prompts_go_before_anything_else() {
    let (prompt, answer, other) = ("p".repeat(50_000), "a".repeat(30_000), "o".repeat(30_000));
    let attributes = vec![
        string("gen_ai.operation.name", "chat"),
        string("gen_ai.input.messages", &prompt),
        string("gen_ai.output.messages", &answer),
        string("other", &other),
    ];
    let text = text(mapped(span(attributes)));
    assert!(text.contains(&format!(r#""gen_ai.input.messages":{}"#, omitted(&prompt))));
    assert!(text.contains(&format!(r#""messages":"{answer}""#)));
    assert!(text.contains(&other));
}

#[test]
fn what_is_not_content_goes_next_and_the_largest_first() {
    let (large, small) = ("l".repeat(60_000), "s".repeat(40_000));
    let attributes = vec![
        string("gen_ai.operation.name", "chat"),
        string("gen_ai.completion.0.content", &"c".repeat(1_000)),
        string("large", &large),
        string("small", &small),
    ];
    let text = text(mapped(span(attributes)));
    assert!(text.contains(&format!(r#""gen_ai.completion.0.content":{}"#, omitted(&"c".repeat(1_000)))));
    assert!(text.contains(&format!(r#""large":{}"#, omitted(&large))));
    assert!(text.contains(&small));
}

#[test]
fn a_hundred_thousand_attributes_and_events_become_digests() {
    let many: Vec<_> = (0..100_000).map(|index| string(&format!("key-{index}"), "v")).collect();
    let events = (0..100_000).map(|_| Event { name: "e".into(), ..Event::default() }).collect();
    let text = text(mapped(Span { events, ..span(many) }));
    assert!(text.contains(r#""attributes":{"omitted":{"bytes":"#), "{text}");
    assert!(text.contains(r#""events":{"omitted":{"bytes":1300001,"#), "{text}");
    assert!(text.len() < 2_000);
}

#[test]
fn what_the_client_named_is_never_shortened() {
    let problem = problem(mapped(span(vec![string("counterfoil.new_value", &"x".repeat(70_000))])));
    assert!(problem.starts_with("entry: "), "{problem}");
    let own = problem_of(r#""actor":"a","context":{"own":"#);
    assert!(own.starts_with("entry: "), "{own}");
}

fn problem_of(data: &str) -> String {
    let event = format!(
        r#"{{"specversion":"1.0","id":"1","source":"s","type":"t","data":{{{data}"{}"}}}}}}"#,
        "x".repeat(70_000)
    );
    problem(cloudevents::structured(event.as_bytes()))
}

#[test]
fn notes_and_identifiers_are_bounded() {
    let twice: Vec<_> = (0..1_000).flat_map(|index| vec![string(&format!("k{index}"), "v"); 2]).collect();
    let text_of_many = text(mapped(span(twice)));
    assert!(text_of_many.contains(r#"the last is kept","and 984 more"]"#), "{text_of_many}");
    let draft = mapped(span(vec![string("gen_ai.agent.name", &format!("é\n{}", "é".repeat(200)))])).unwrap();
    assert!(draft.actor().len() <= 256 && draft.actor().starts_with("é\u{FFFD}é"), "{}", draft.actor());
    assert_eq!(draft.actor().chars().rev().take_while(char::is_ascii_hexdigit).count(), 16);
    let failed = span(vec![string("error.type", &"e".repeat(10_000))]);
    assert!(text(mapped(failed)).contains("reason: cut from 10000 bytes"));
}

#[test]
fn a_large_resource_is_shortened_once_for_all_its_spans() {
    let mut request =
        export((1..=2_000_u64).map(|id| Span { span_id: id.to_be_bytes().into(), ..span(vec![]) }).collect());
    let resource = request.resource_spans[0].resource.as_mut().unwrap();
    resource.attributes = vec![string("service.name", &"n".repeat(1_000_000)), string("host", "h1")];
    resource.attributes.extend((0..50_000).map(|index| string(&format!("k{index}"), "v")));
    let drafts = crate::ingest::otlp::traces(&request);
    assert!(drafts.iter().flatten().all(|draft| draft.client_bytes().len() < 2_000 && draft.actor().len() == 256));
    let text = text(drafts.into_iter().next().unwrap());
    assert!(text.contains(r#""resource":{"omitted":{"bytes":"#), "{text}");
    assert!(text.contains("service.name: cut from 1000000 bytes"), "{text}");
}

#[test]
fn deep_values_are_cut_before_the_entry_is_too_deep() {
    let kept = text(mapped(span(vec![pair("deep", nested(48))])));
    assert!(kept.contains(&format!(r#""deep":{}true{}"#, "[".repeat(48), "]".repeat(48))), "{kept}");
    let cut = text(mapped(span(vec![pair("deep", nested(90))])));
    assert!(cut.contains(r#"[{"omitted":{"bytes":"#) && cut.contains("nested deeper than 48 levels"), "{cut}");
}

#[test]
fn large_data_of_an_event_becomes_a_digest() {
    let data = "d".repeat(100_000);
    let event = format!(r#"{{"specversion":"1.0","id":"1","source":"s","type":"t","data":"{data}"}}"#);
    let text = text(cloudevents::structured(event.as_bytes()));
    assert!(text.contains(&format!(r#""data":{}"#, omitted(&data))), "{text}");
}
