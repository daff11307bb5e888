//! Opening a ledger for writing.

use std::time::{Duration, Instant};

use counterfoil::{Ledger, OpenOptions};
use serde_json::{Value, json};

use crate::latency::percentile;
use crate::{Arguments, machine};

const ROUNDS: usize = 9;

/// Opens and closes a ledger some times; the time until it accepts entries.
pub fn run(arguments: &Arguments) -> Value {
    let folder = arguments.path("ledger");
    let cold = machine::drop_file_cache();
    let first = open(&folder);
    let mut times: Vec<Duration> = (0..ROUNDS).map(|_| open(&folder)).collect();
    json!({
        "first_ms": first.as_secs_f64() * 1e3,
        "first_was_cold": cold,
        "p50_ms": percentile(&mut times, 50) / 1e3,
    })
}

fn open(folder: &std::path::Path) -> Duration {
    let start = Instant::now();
    let ledger = Ledger::open(folder, OpenOptions::default()).expect("it opens");
    let time = start.elapsed();
    ledger.close().expect("it closes");
    time
}
