use super::*;
use crate::ingest::otlp::{decode_json_logs, decode_json_traces};

fn span_json(fields: &str) -> String {
    format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{fields}}}]}}]}}]}}"#)
}

fn decoded(fields: &str) -> Span {
    let request = decode_json_traces(span_json(fields).as_bytes()).unwrap();
    request.resource_spans[0].scope_spans[0].spans[0].clone()
}

fn refused(fields: &str) -> String {
    decode_json_traces(span_json(fields).as_bytes()).unwrap_err().to_string()
}

fn value(json: &str) -> Option<Kind> {
    let fields = format!(r#""attributes":[{{"key":"k","value":{json}}}]"#);
    decoded(&fields).attributes[0].value.clone().and_then(|any| any.value)
}

#[test]
fn ids_are_hexadecimal_in_either_case() {
    let span = decoded(r#""traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"eee19b7ec3c1b174","parentSpanId":"""#);
    assert_eq!(hex::encode(span.trace_id), "5b8efff798038103d269b633813fc60c");
    assert_eq!(hex::encode(span.span_id), "eee19b7ec3c1b174");
    assert!(span.parent_span_id.is_empty());
    assert!(refused(r#""traceId":"W47/95gDgQPSabYzgT/GDA==""#).contains("hexadecimal"));
    assert!(refused(r#""traceId":100927429609276267646756448943279827607"#).contains("invalid type"));
}

#[test]
fn integers_may_be_numbers_or_texts() {
    for time in ["18446744073709551615", "\"18446744073709551615\""] {
        assert_eq!(decoded(&format!(r#""endTimeUnixNano":{time}"#)).end_time_unix_nano, u64::MAX);
    }
    for int in ["-9223372036854775808", "\"-9223372036854775808\""] {
        assert_eq!(value(&format!(r#"{{"intValue":{int}}}"#)), Some(Kind::IntValue(i64::MIN)));
    }
    assert_eq!(value(r#"{"intValue":5.0}"#), Some(Kind::IntValue(5)));
    assert_eq!(decoded(r#""flags":"257","droppedLinksCount":2"#).flags, 257);
    for wrong in [r#""endTimeUnixNano":-1"#, r#""flags":4294967296"#, r#""endTimeUnixNano":"1e3x""#, r#""flags":1.5"#] {
        assert!(refused(wrong).contains("not an integer of the field's range"), "{}", refused(wrong));
    }
}

#[test]
fn enumerations_may_be_numbers_or_names() {
    assert_eq!(decoded(r#""kind":3"#).kind, 3);
    assert_eq!(decoded(r#""kind":"SPAN_KIND_CLIENT""#).kind, 3);
    assert_eq!(decoded(r#""status":{"code":"STATUS_CODE_ERROR"}"#).status.unwrap().code, 2);
    assert!(refused(r#""kind":"CLIENT""#).contains("no such enumeration value"));
    let log = br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"severityNumber":"SEVERITY_NUMBER_WARN"}]}]}]}"#;
    let request = decode_json_logs(log).unwrap();
    assert_eq!(request.resource_logs[0].scope_logs[0].log_records[0].severity_number, 13);
}

#[test]
fn every_kind_of_value_is_read() {
    assert_eq!(value(r#"{"stringValue":""}"#), Some(Kind::StringValue(String::new())));
    assert_eq!(value(r#"{"boolValue":false}"#), Some(Kind::BoolValue(false)));
    assert_eq!(value(r#"{"doubleValue":"-Infinity"}"#), Some(Kind::DoubleValue(f64::NEG_INFINITY)));
    assert_eq!(value(r#"{"doubleValue":"Infinity"}"#), Some(Kind::DoubleValue(f64::INFINITY)));
    assert_eq!(value(r#"{"doubleValue":"1.5e3"}"#), Some(Kind::DoubleValue(1500.0)));
    assert!(refused(r#""attributes":[{"key":"k","value":{"doubleValue":"infinity"}}]"#).contains("not a number"));
    assert!(matches!(value(r#"{"doubleValue":"NaN"}"#), Some(Kind::DoubleValue(number)) if number.is_nan()));
    assert_eq!(value(r#"{"doubleValue":3}"#), Some(Kind::DoubleValue(3.0)));
    assert_eq!(value(r#"{"bytesValue":"_w"}"#), Some(Kind::BytesValue(vec![255])));
    assert_eq!(value(r#"{"arrayValue":{}}"#), Some(Kind::ArrayValue(ArrayValue::default())));
    assert_eq!(value(r#"{"doubleValue":null}"#), None);
    assert_eq!(value(r#"{"someLaterValue":{"a":[1]}}"#), None);
    let problem = refused(r#""attributes":[{"key":"k","value":{"stringValue":"a","intValue":1}}]"#);
    assert!(problem.contains("two kinds"), "{problem}");
}

#[test]
fn unknown_fields_and_nulls_are_passed_over() {
    let span = decoded(r#""name":null,"attributes":null,"status":null,"later":{"x":[1,{"y":2}]},"kind":null"#);
    assert_eq!(span, Span::default());
    assert_eq!(decode_json_traces(b"{}").unwrap(), ExportTraceServiceRequest::default());
}

#[test]
fn what_is_no_export_is_refused() {
    let deep = format!(r#"{{"resourceSpans":{}"#, "[".repeat(100_000));
    for body in ["", "[]", "null", "{", "{}x", "\"x\"", r#"{"resourceSpans":{}}"#, r#"{"resourceSpans":[[]]}"#, &deep] {
        let problem = decode_json_traces(body.as_bytes()).unwrap_err().to_string();
        assert!(problem.starts_with("not OTLP/JSON: "), "{problem}");
    }
    assert!(refused(r#""name":"a","name":"b""#).contains("duplicate field `name`"));
    let snake = decode_json_traces(br#"{"resource_spans":[]}"#).unwrap_err().to_string();
    assert_eq!(snake, "resource_spans: OTLP/JSON writes names in camelCase; send resourceSpans");
    let snake = decode_json_logs(br#"{"resource_logs":[]}"#).unwrap_err().to_string();
    assert_eq!(snake, "resource_logs: OTLP/JSON writes names in camelCase; send resourceLogs");
}
