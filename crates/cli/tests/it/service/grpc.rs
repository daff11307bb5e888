//! OTLP over gRPC, as curl speaks it; real SDKs are in interop/.

use std::process::Command;

use crate::service::Running;

const TRACES: &str = "opentelemetry.proto.collector.trace.v1.TraceService/Export";

fn service() -> Running {
    Running::start_with(&["--otlp-grpc", "127.0.0.1:0"])
}

/// A field of a protobuf message with bytes of its own.
fn field(tag: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![tag << 3 | 2];
    let mut length = bytes.len();
    while length >= 0x80 {
        field.push(length as u8 | 0x80);
        length >>= 7;
    }
    field.push(length as u8);
    field.extend(bytes);
    field
}

/// An export whose one scope holds these spans.
fn export(spans: &[u8]) -> Vec<u8> {
    field(1, &field(2, spans))
}

/// A span that ended.
fn span() -> Vec<u8> {
    let time = |tag: u8| [&[tag << 3 | 1], &1_764_000_000_000_000_000_u64.to_le_bytes()[..]].concat();
    let parts = [field(1, &[7; 16]), field(2, &[8; 8]), field(5, b"chat"), time(7), time(8)];
    field(2, &parts.concat())
}

/// So many spans with nothing in them.
fn empty_spans(number: usize) -> Vec<u8> {
    export(&field(2, &[]).repeat(number))
}

/// Sends a message; the code and the message of the answer's status.
fn send(service: &Running, token: &str, method: &str, message: &[u8]) -> (u32, String) {
    try_send(service, token, method, message).expect("a status")
}

/// [`send`], or nothing when the answer came before the end of a long message, which curl takes for a broken stream.
fn try_send(service: &Running, token: &str, method: &str, message: &[u8]) -> Option<(u32, String)> {
    let head = [&[0][..], &u32::try_from(message.len()).unwrap().to_be_bytes()].concat();
    service.place.write("message", [&head[..], message].concat());
    let url = format!("http://{}/{method}", service.grpc.as_ref().unwrap());
    let output = Command::new("curl")
        .args(["-sv", "--http2-prior-knowledge", "--data-binary", "@message", "-o", "answer", &url])
        .args(["-H", "content-type: application/grpc", "-H", "te: trailers", "-H", "expect:"])
        .args(["-H", &format!("authorization: Bearer {token}")])
        .current_dir(service.place.path(""))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let header = |name: &str| {
        let value = told.lines().find_map(|line| line.trim_start_matches("< ").strip_prefix(name)?.strip_prefix(": "));
        value.map(|value| value.trim().to_owned())
    };
    Some((header("grpc-status")?.parse().unwrap(), header("grpc-message").unwrap_or_default().replace("%20", " ")))
}

#[test]
fn an_export_becomes_entries_once_the_sender_may_record() {
    let service = service();
    let (writer, reader) = (service.token("writer"), service.token("reader"));
    assert_eq!(send(&service, &writer, TRACES, &export(&span())), (0, String::new()));
    let count = "SELECT count(*) FROM audit_log WHERE trace_id = '07070707070707070707070707070707'";
    assert_eq!(service.query(&reader, count)[0][0], 1);
    assert_eq!(send(&service, "cf_wrong", TRACES, &export(&span())).0, 16);
    let (code, said) = send(&service, &reader, TRACES, &export(&span()));
    assert!(code == 7 && said.contains("may not record"), "{code} {said}");
    assert_eq!(send(&service, &writer, TRACES, &[0xff; 3]).0, 3);
    assert_eq!(send(&service, &writer, "no.such.Service/Call", &[]).0, 12);
    let denied = service.acts("ledger.access_denied");
    let told: Vec<_> =
        denied.iter().map(|one| (one["actor"].as_str().unwrap(), one["entity_id"].as_str().unwrap())).collect();
    let what = format!("POST /{TRACES}");
    assert_eq!(told, [("unknown", what.as_str()), ("reader", what.as_str())]);
}

#[test]
fn a_message_is_never_decoded_for_a_stranger_nor_beyond_its_limits() {
    let service = service();
    let writer = service.token("writer");
    assert_eq!(send(&service, &writer, TRACES, &export(&span())).0, 0);
    let before = service.peak_mib();
    let bomb = empty_spans(2_000_000);
    assert!(try_send(&service, "cf_wrong", TRACES, &bomb).is_none_or(|(code, _)| code == 16));
    let more = service.peak_mib() - before;
    assert!(more < 10, "{more} MiB for a stranger");
    let (code, said) = send(&service, &writer, TRACES, &bomb);
    assert!(code == 3 && said.contains("too large"), "{code} {said}");
    let answer = service.post(&writer, "/v1/traces", "application/x-protobuf", &bomb).expect(413);
    assert!(answer.body.windows(9).any(|part| part == b"too large"), "{:?}", answer.body);
    service.post(&writer, "/v1/traces", "application/x-protobuf", empty_spans(50_001)).expect(413);
    let empty = format!("{{\"resourceSpans\":[{{\"scopeSpans\":[{{\"spans\":[{}{{}}]}}]}}]}}", "{},".repeat(3_000_000));
    service.post(&writer, "/v1/traces", "application/json", empty).expect(413);
    let more = service.peak_mib() - before;
    assert!(more < 150, "{more} MiB more than before");
}
