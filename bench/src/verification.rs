//! Verifying everything, and hashing the same leaves in memory, which is the limit.

use std::time::Instant;

use counterfoil::{VerifyOptions, verify};
use counterfoil_tlog::leaf_hash;
use serde_json::{Value, json};

use crate::Arguments;
use crate::load::Load;

/// Verifies a ledger.
pub fn run(arguments: &Arguments) -> Value {
    let threads = arguments.number("threads", 1) as usize;
    let options = VerifyOptions { threads, ..VerifyOptions::default() };
    let start = Instant::now();
    let report = verify(arguments.path("ledger"), &options).expect("verify runs");
    let seconds = start.elapsed().as_secs_f64();
    assert!(report.is_clean(), "{:?}", report.findings);
    json!({
        "threads": threads,
        "entries": report.entries_checked,
        "seconds": seconds,
        "entries_per_second": report.entries_checked as f64 / seconds,
    })
}

/// Hashes leaves of the load's size on one core.
pub fn baseline(arguments: &Arguments) -> Value {
    let count = arguments.number("n", 1_000_000);
    let mut load = Load::open(&arguments.path("load"), count);
    let batch = load.batch(count).expect("lines");
    let recorded_at = [b'r'; 44];
    let lines: Vec<Vec<u8>> = batch.lines().map(|line| [line, &recorded_at].concat()).collect();
    let start = Instant::now();
    let mut mixed = 0_u8;
    for line in &lines {
        mixed ^= leaf_hash(line).0[0];
    }
    let seconds = start.elapsed().as_secs_f64();
    json!({ "entries": count, "seconds": seconds, "entries_per_second": count as f64 / seconds, "mixed": mixed })
}
