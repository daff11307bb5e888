//! OTLP and CloudEvents over HTTP; real SDKs are in interop/.

use serde_json::{Value, json};

use crate::service::Running;

fn last(service: &Running, token: &str) -> Value {
    service.get(token, "/api/v1/entries?limit=1").expect(200).json()["entries"][0]["entry"].clone()
}

fn spans() -> Value {
    json!({"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "credit-agent"}}]},
        "scopeSpans": [{"scope": {"name": "test"}, "spans": [{
            "traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174",
            "name": "chat gpt-4o", "kind": 3,
            "startTimeUnixNano": "1764000000000000000", "endTimeUnixNano": "1764000001000000000",
            "attributes": [
                {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
                {"key": "gen_ai.request.model", "value": {"stringValue": "gpt-4o"}},
                {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "321"}},
                {"key": "gen_ai.conversation.id", "value": {"stringValue": "conv-7"}},
            ],
        }]}],
    }]})
}

#[test]
fn a_genai_span_becomes_a_model_inference_once() {
    let service = Running::start();
    let admin = service.token("admin");
    for _ in 0..2 {
        let answer = service.post(&admin, "/v1/traces", "application/json", spans().to_string()).expect(200);
        assert!(answer.json().get("partialSuccess").is_none_or(Value::is_null), "{}", answer.text());
    }
    let entry = last(&service, &admin);
    assert_eq!(entry["event_type"], "model_inference");
    assert_eq!(entry["trace_id"], "5b8efff798038103d269b633813fc60c");
    assert_eq!(entry["recorder"], "admin");
    let count = service.query(&admin, "SELECT count(*) FROM audit_log WHERE event_type = 'model_inference'");
    assert_eq!(count[0][0], 1, "a repeated export is the same entry");
}

#[test]
fn otlp_errors_are_a_status_message() {
    let service = Running::start();
    let writer = service.token("writer");
    let answer = service.post(&writer, "/v1/traces", "application/json", "{").expect(400);
    assert_eq!(answer.json()["code"], 3);
    service.post(&writer, "/v1/logs", "application/x-protobuf", [0xff, 0xff, 0xff]).expect(400);
    service.post(&writer, "/v1/logs", "text/plain", "").expect(415);
    service.post(&writer, "/v1/logs", "application/x-protobuf", "").expect(200);
}

#[test]
fn cloud_events_come_in_three_ways() {
    let service = Running::start();
    let admin = service.token("admin");
    let event = json!({"specversion": "1.0", "id": "1", "source": "/erp", "type": "invoice_approved", "subject": "INV-7",
        "time": "2026-11-24T10:00:00Z", "data": {"amount": "12.00"}});
    let path = "/api/v1/cloudevents";
    service.post(&admin, path, "application/cloudevents+json", event.to_string()).expect(201);
    let one = last(&service, &admin);
    assert_eq!((&one["event_type"], &one["entity_id"]), (&json!("invoice_approved"), &json!("INV-7")));
    let again =
        service.post(&admin, path, "application/cloudevents-batch+json", json!([event]).to_string()).expect(201);
    let bearer = format!("Bearer {admin}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("ce-specversion", "1.0"),
        ("ce-id", "2"),
        ("ce-source", "/erp"),
        ("ce-type", "invoice_paid"),
        ("ce-subject", "INV-7"),
        ("content-type", "application/json"),
    ];
    let binary = service.call("POST", path, &headers, br#"{"amount":"12.00"}"#).expect(201).json();
    let place = |answer: &Value| answer["receipts"][0]["index"].as_u64().unwrap();
    assert_eq!(place(&binary), place(&again.json()) + 1, "the batch repeated the first event");
    assert_eq!(last(&service, &admin)["event_type"], "invoice_paid");
    service.post(&admin, path, "application/cloudevents+json", r#"{"specversion":"1.0"}"#).problem(
        422,
        "invalid",
        &["id"],
    );
    service.post(&admin, path, "application/json", "{}").problem(415, "invalid", &["cloudevents"]);
}
