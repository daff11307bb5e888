use super::*;
use crate::ingest::otlp::logs;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};

fn export(log_records: Vec<LogRecord>) -> ExportLogsServiceRequest {
    let scope_logs = vec![ScopeLogs { log_records, ..ScopeLogs::default() }];
    let resource_logs = vec![ResourceLogs { resource: service("svc"), scope_logs, ..ResourceLogs::default() }];
    ExportLogsServiceRequest { resource_logs }
}

fn mapped(record: LogRecord) -> Result<Draft, Refused> {
    logs(&export(vec![record])).pop().expect("one record")
}

fn ids(records: Vec<LogRecord>) -> Vec<Option<String>> {
    logs(&export(records)).into_iter().map(|draft| draft.unwrap().id().map(|id| id.into_owned())).collect()
}

fn at(time_unix_nano: u64) -> LogRecord {
    LogRecord { time_unix_nano, body: Some(any(Kind::StringValue("hello".into()))), ..LogRecord::default() }
}

#[test]
fn a_plain_record_is_an_entry() {
    let record = LogRecord { severity_number: 17, trace_id: vec![1; 3], span_id: vec![2; 8], ..at(0) };
    let wanted = concat!(
        r#"{"actor":"svc","actor_type":"service","context":{"body":"hello","invalid_trace_id":"010101","#,
        r#""resource":{"service.name":"svc"},"severity":"ERROR","severity_number":17,"span_id":"0202020202020202"},"#,
        r#""entity_id":"svc","entity_type":"service","event_type":"log_recorded"}"#,
    );
    assert_eq!(text(mapped(record)), wanted);
}

#[test]
fn the_name_of_an_event_is_its_type() {
    let named = LogRecord { event_name: "payment_released".into(), ..at(TEN) };
    assert_eq!(mapped(named).unwrap().event_type(), "payment_released");
    let attribute = LogRecord { attributes: vec![string("event.name", "kyc_check")], ..at(TEN) };
    assert_eq!(mapped(attribute).unwrap().event_type(), "kyc_check");
    let attributes = vec![string("counterfoil.event_type", "sar_filed")];
    let both = text(mapped(LogRecord { event_name: "x".into(), attributes, ..at(TEN) }));
    assert!(both.contains(r#""event_name":"x""#) && both.contains(r#""event_type":"sar_filed""#), "{both}");
    let attributes = vec![string("gen_ai.request.model", "m"), string("gen_ai.output.messages", "hi")];
    let details = LogRecord { event_name: "gen_ai.client.inference.operation.details".into(), attributes, ..at(TEN) };
    let details = text(mapped(details));
    assert!(details.contains(r#""event_type":"model_inference""#), "{details}");
    assert!(details.contains(r#""new_value":{"messages":"hi"},"outcome":"success""#), "{details}");
}

#[test]
fn times_are_the_records_else_the_observers_else_the_ledgers() {
    let both = text(mapped(LogRecord { observed_time_unix_nano: TEN + 5, ..at(TEN) }));
    assert!(both.contains(r#""observed_time":"2026-11-24T10:00:00.000000005Z""#), "{both}");
    assert!(both.contains(r#""timestamp":"2026-11-24T10:00:00Z""#), "{both}");
    let observed = mapped(LogRecord { observed_time_unix_nano: TEN, ..at(0) }).unwrap();
    assert_eq!(observed.timestamp().unwrap().to_string(), "2026-11-24T10:00:00Z");
    assert_eq!(mapped(at(0)).unwrap().timestamp(), None);
    assert!(problem(mapped(at(u64::MAX))).starts_with("timeUnixNano: "));
}

#[test]
fn a_repeated_export_has_the_same_ids_and_equal_records_have_their_own() {
    let first = ids(vec![at(TEN), at(TEN), at(TEN + 1)]);
    assert_eq!(first, ids(vec![at(TEN), at(TEN), at(TEN + 1)]));
    assert!(first[0] != first[1] && first[1] != first[2] && first[0] != first[2], "{first:?}");
    assert_eq!(first[0].as_ref().map(String::len), Some(57));
    assert_eq!(ids(vec![at(0), at(0)]), [None, None]);
    let with_id = LogRecord { attributes: vec![string("counterfoil.id", "mine")], ..at(TEN) };
    assert_eq!(ids(vec![with_id]), [Some("mine".into())]);
}
