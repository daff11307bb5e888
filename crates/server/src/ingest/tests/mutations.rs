//! Damaged requests: whatever bytes come, the answer is entries or reasons, and every entry is valid.

use std::path::PathBuf;

use counterfoil_entry::Draft;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

use crate::ingest::{cloudevents, otlp};

/// Damaged copies of each sample.
const ROUNDS: u64 = 400;

fn sample(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/ingest");
    std::fs::read(folder.join(name)).expect("the sample is there")
}

/// A copy with a few bytes changed, left out, doubled or put in, the same for the same seed.
fn damaged(bytes: &[u8], seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below.max(1) as u64) as usize
    };
    let mut copy = bytes.to_vec();
    for _ in 0..=next(4) {
        let at = next(copy.len());
        match next(4) {
            0 => copy[at] = next(256) as u8,
            1 if copy.len() > 1 => drop(copy.remove(at)),
            2 => copy.insert(at, b"{}[]\",:0-9eE\\\0\xff"[next(15)]),
            _ => copy.truncate(at.max(1)),
        }
    }
    copy
}

fn check(drafts: impl IntoIterator<Item = Draft>) {
    for draft in drafts {
        Draft::parse(draft.client_bytes()).expect("a draft's own bytes are an entry");
    }
}

#[test]
fn no_damage_makes_a_mapping_panic_or_an_invalid_entry() {
    for name in [
        "python-sdk-traces.pb",
        "python-sdk-logs.pb",
        "otlp-spec-trace.json",
        "otlp-spec-logs.json",
        "js-sdk-traces.json",
    ] {
        let bytes = sample(name);
        for seed in 0..ROUNDS {
            let bytes = damaged(&bytes, seed);
            let traces = ExportTraceServiceRequest::decode(&bytes[..]).ok();
            let logs = ExportLogsServiceRequest::decode(&bytes[..]).ok();
            let traces = traces.into_iter().chain(otlp::decode_json_traces(&bytes).ok());
            let logs = logs.into_iter().chain(otlp::decode_json_logs(&bytes).ok());
            traces.for_each(|request| check(otlp::traces(&request).into_iter().flatten()));
            logs.for_each(|request| check(otlp::logs(&request).into_iter().flatten()));
        }
    }
}

#[test]
fn no_damage_makes_a_cloud_event_panic_or_an_invalid_entry() {
    let bytes = sample("cloudevent-structured.json");
    for seed in 0..ROUNDS * 5 {
        let bytes = damaged(&bytes, seed);
        check(cloudevents::structured(&bytes).ok());
        let several = [b"[", &bytes[..], b"]"].concat();
        check(cloudevents::split(&several).iter().flat_map(|events| cloudevents::batch(events)).flatten());
        let text = String::from_utf8_lossy(&bytes);
        let headers = [("ce-specversion", "1.0"), ("ce-id", &text), ("ce-source", &text), ("ce-type", &text)];
        check(cloudevents::binary(headers, &bytes, Some("application/json")).ok());
    }
}
