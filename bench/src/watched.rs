//! A ledger that rules watch, appended to over HTTP as fast as it goes: how far the rules fall behind, and when they have
//! caught up.

use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Arguments;
use crate::http::{Service, dealt};

/// How often the rules' place is asked for.
const SAMPLE: Duration = Duration::from_millis(250);
/// How long they may take to catch up.
const PATIENCE: Duration = Duration::from_secs(600);
/// Entries of one batch.
const BATCH: u64 = 1_000;

/// Batches of 1,000 over four connections to a service with the shipped rules: `entries`, `load`, `binary`, `ledger`.
pub fn run(arguments: &Arguments) -> Value {
    let (binary, ledger) = (arguments.path("binary"), arguments.path("ledger"));
    let rules = ledger.with_extension("rules");
    let written =
        Command::new(&binary).args(["rules", "init"]).arg(&rules).output().expect("the counterfoil binary runs");
    assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
    let service = Service::start_with(&binary, &ledger, &["--rules", rules.to_str().expect("a path in UTF-8")]);
    let (requests, entries) = dealt(&service, arguments);
    let acknowledged = AtomicU64::new(0);
    let since = Instant::now();
    let (appended, samples) = std::thread::scope(|scope| {
        let clients: Vec<_> = requests
            .iter()
            .map(|list| {
                let (service, acknowledged) = (&service, &acknowledged);
                scope.spawn(move || {
                    let mut connection = service.connect();
                    for request in list {
                        connection.exchange(request, "201");
                        acknowledged.fetch_add(BATCH, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        let sampler = scope.spawn(|| sample(&service, &acknowledged, entries, since));
        clients.into_iter().for_each(|client| client.join().expect("a client"));
        (since.elapsed(), sampler.join().expect("the sampler"))
    });
    let caught_up = samples.last().map_or(0.0, |sample| sample.seconds);
    json!({
        "entries": entries,
        "entries_per_second": entries as f64 / appended.as_secs_f64(),
        "most_behind": samples.iter().map(|sample| sample.behind).max(),
        "catch_up_seconds": (caught_up - appended.as_secs_f64()).max(0.0),
        "alerts": samples.last().map(|sample| sample.alerts),
        "behind": samples.iter().map(|sample| json!([sample.seconds, sample.behind])).collect::<Vec<_>>(),
    })
}

/// Where the rules are at a moment.
struct Sample {
    seconds: f64,
    /// Entries of the ledger, its own among them, that they have not seen.
    behind: u64,
    alerts: u64,
}

/// Looks until everything is acknowledged and the rules have seen every entry.
fn sample(service: &Service, acknowledged: &AtomicU64, entries: u64, since: Instant) -> Vec<Sample> {
    let mut connection = service.connect();
    let mut ask = |path: &str| {
        let mut body = Vec::new();
        connection.exchange_into(&service.request("GET", path, "", b""), "200", &mut body);
        body
    };
    let mut samples = Vec::new();
    loop {
        let is_over = acknowledged.load(Ordering::Relaxed) >= entries;
        let watch: Value = serde_json::from_slice(&ask("/api/v1/watch")).expect("JSON");
        let number = |field: &str| watch["rules"][field].as_u64().expect("a number");
        let behind = size(&ask("/tlog/checkpoint")).saturating_sub(number("cursor"));
        samples.push(Sample { seconds: since.elapsed().as_secs_f64(), behind, alerts: number("alerts") });
        if is_over && behind == 0 {
            return samples;
        }
        assert!(since.elapsed() < PATIENCE, "the rules are {behind} entries behind after {} s", PATIENCE.as_secs());
        std::thread::sleep(SAMPLE);
    }
}

/// The size that a checkpoint names in its second line.
fn size(checkpoint: &[u8]) -> u64 {
    let text = std::str::from_utf8(checkpoint).expect("a note");
    text.lines().nth(1).and_then(|line| line.parse().ok()).expect("a size")
}
