//! Inclusion proofs out of a ledger that nobody has read yet.

use std::time::{Duration, Instant};

use counterfoil::Reader;
use serde_json::{Value, json};

use crate::latency::percentile;
use crate::{Arguments, machine};

const PROOFS: u64 = 200;

/// Proves entries all over the ledger, each for the first time.
pub fn run(arguments: &Arguments) -> Value {
    let cold = machine::drop_file_cache();
    let snapshot = Reader::open(arguments.path("ledger")).and_then(|reader| reader.snapshot()).expect("it opens");
    let size = snapshot.size();
    let indices = (0..PROOFS).map(|step| step.wrapping_mul(0x9e37_79b9_7f4a_7c15) % size);
    let mut times: Vec<Duration> = indices
        .map(|index| {
            let start = Instant::now();
            snapshot.prove_inclusion(index, size).expect("a proof that holds");
            start.elapsed()
        })
        .collect();
    json!({
        "size": size,
        "file_cache_was_empty": cold,
        "p50_ms": percentile(&mut times, 50) / 1e3,
        "p99_ms": percentile(&mut times, 99) / 1e3,
    })
}
