//! Appending in batches, durable, sealing included; and the plain writes that are its limit.

use std::fs::File;
use std::io::Write;
use std::sync::Mutex;
use std::time::Instant;

use counterfoil::{CreateOptions, Ledger, OpenOptions};
use counterfoil_entry::Draft;
use serde_json::{Value, json};

use crate::load::Load;
use crate::{Arguments, disk, machine};

const BATCH: u64 = 1_000;

/// Parses, checks, appends and seals the load from several callers.
pub fn ledger(arguments: &Arguments) -> Value {
    let count = arguments.number("n", 1_000_000);
    let callers = arguments.number("callers", 4);
    let folder = arguments.path("ledger");
    let options = CreateOptions::new("bench.example/append").expect("an origin");
    let ledger = Ledger::create(&folder, options, OpenOptions::default()).expect("a new ledger");
    let load = Load::open(&arguments.path("load"), count);
    let load = Mutex::new(if arguments.number("preload", 0) == 1 { load.preloaded() } else { load });
    let resident_before = machine::resident_bytes();
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..callers {
            scope.spawn(|| {
                while let Some(batch) = { load.lock().expect("no panic").batch(BATCH) } {
                    let drafts = batch.lines().map(|line| Draft::parse(line).expect("a valid entry")).collect();
                    ledger.append_batch(drafts).expect("recorded");
                }
            });
        }
    });
    let appended = start.elapsed();
    if arguments.number("seal", 1) == 1 {
        ledger.seal().expect("sealed");
    }
    ledger.close().expect("closed");
    let seconds = start.elapsed().as_secs_f64();
    let usage = disk::usage(&folder);
    json!({
        "entries": count,
        "callers": callers,
        "seconds": seconds,
        "seconds_until_last_receipt": appended.as_secs_f64(),
        "entries_per_second": count as f64 / seconds,
        "peak_resident_bytes": machine::peak_resident_bytes(),
        "resident_before_bytes": resident_before,
        "bytes_per_entry": usage.bytes as f64 / count as f64,
        "files": usage.files,
        "files_per_million": usage.files as f64 / (count as f64 / 1e6),
    })
}

/// Writes and syncs the same bytes in the same batches, on a growing file.
pub fn baseline(arguments: &Arguments) -> Value {
    let count = arguments.number("n", 1_000_000);
    let path = arguments.path("file");
    let mut load = Load::open(&arguments.path("load"), count);
    let mut file = File::create(&path).expect("a file");
    let mut seconds = 0.0;
    while let Some(batch) = load.batch(BATCH) {
        let start = Instant::now();
        file.write_all(batch.bytes()).and_then(|()| file.sync_data()).expect("written");
        seconds += start.elapsed().as_secs_f64();
    }
    std::fs::remove_file(&path).expect("removed");
    json!({ "entries": count, "seconds": seconds, "entries_per_second": count as f64 / seconds })
}
