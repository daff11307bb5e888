//! One entry at a time, from one caller and from 64; and the bare append with sync that is the limit.

use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

use counterfoil::{CreateOptions, Ledger, OpenOptions};
use counterfoil_entry::Draft;
use serde_json::{Value, json};

use crate::Arguments;
use crate::load::Load;

const SINGLES: u64 = 3_000;
const CALLERS: usize = 64;
const SHARED: u64 = 64_000;

/// Measures all three on the same disk, in turn.
pub fn run(arguments: &Arguments) -> Value {
    let folder = arguments.path("ledger");
    let mut load = Load::open(&arguments.path("load"), SINGLES + SHARED);
    let singles = load.batch(SINGLES).expect("lines");
    let shared = load.batch(SHARED).expect("lines");
    let mut bare = bare_appends(&folder.with_extension("bare"), singles.lines());
    let options = CreateOptions::new("bench.example/latency").expect("an origin");
    let ledger = Ledger::create(&folder, options, OpenOptions::default()).expect("a new ledger");
    let drafts = singles.lines().map(|line| Draft::parse(line).expect("valid"));
    let start = Instant::now();
    let mut one: Vec<Duration> = drafts
        .map(|draft| {
            let start = Instant::now();
            ledger.append(draft).expect("recorded");
            start.elapsed()
        })
        .collect();
    let one_rate = SINGLES as f64 / start.elapsed().as_secs_f64();
    let lines: Vec<&[u8]> = shared.lines().collect();
    let start = Instant::now();
    std::thread::scope(|scope| {
        for caller in lines.chunks(lines.len() / CALLERS) {
            let ledger = &ledger;
            scope.spawn(move || {
                for line in caller {
                    ledger.append(Draft::parse(line).expect("valid")).expect("recorded");
                }
            });
        }
    });
    let many_rate = SHARED as f64 / start.elapsed().as_secs_f64();
    ledger.close().expect("closed");
    json!({
        "bare_p50_us": percentile(&mut bare, 50), "bare_p99_us": percentile(&mut bare, 99),
        "one_p50_us": percentile(&mut one, 50), "one_p99_us": percentile(&mut one, 99),
        "one_caller_per_second": one_rate,
        "callers": CALLERS,
        "many_callers_per_second": many_rate,
    })
}

fn bare_appends<'a>(path: &std::path::Path, lines: impl Iterator<Item = &'a [u8]>) -> Vec<Duration> {
    let mut file = File::create(path).expect("a file");
    let times = lines
        .map(|line| {
            let start = Instant::now();
            file.write_all(line).and_then(|()| file.sync_data()).expect("written");
            start.elapsed()
        })
        .collect();
    std::fs::remove_file(path).expect("removed");
    times
}

/// A percentile in microseconds.
pub fn percentile(times: &mut [Duration], percent: usize) -> f64 {
    times.sort_unstable();
    times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e6
}
