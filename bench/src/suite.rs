//! The whole suite: each step as a process of its own, then the table.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value, json};

use crate::{Arguments, machine};

/// One line of the table.
struct Row {
    what: &'static str,
    measured: f64,
    unit: &'static str,
    ratio: Option<f64>,
    target: &'static str,
    /// None where the figure has no target.
    met: Option<bool>,
}

/// Runs every step in `work=FOLDER` with loads of `small`, `middle` and `large` entries, and writes `out=FILE`.
pub fn run(arguments: &Arguments) {
    let work = arguments.path("work");
    let sizes = [
        arguments.number("small", 1_000_000),
        arguments.number("middle", 10_000_000),
        arguments.number("large", 20_000_000),
    ];
    let results = measure(arguments, &work, sizes);
    let rows = rows(&results);
    print_table(&results, &rows);
    if let Some(out) = arguments.optional_path("out") {
        let mut document = results;
        document.insert("table".into(), rows.iter().map(row_json).collect());
        let text = serde_json::to_string_pretty(&Value::Object(document)).expect("plain values are JSON");
        std::fs::write(&out, text + "\n").expect("the results can be written");
    }
}

fn measure(arguments: &Arguments, work: &Path, [small, middle, large]: [u64; 3]) -> Map<String, Value> {
    let mut results = Map::new();
    results.insert("machine".into(), machine::describe());
    let load = arguments.path("load");
    let load = format!("load={}", load.display());
    let mut step = |name: &str, step: &str, words: &[String]| {
        eprintln!("… {name}");
        results.insert(name.to_owned(), run_step(step, words));
    };
    let path = |name: &str| -> PathBuf { work.join(name) };
    let ledger = |name: &str| format!("ledger={}", path(name).display());
    let n = |count: u64| format!("n={count}");
    step("hash", "hash-baseline", &[load.clone(), n(small)]);
    step("write", "append-baseline", &[load.clone(), n(small), format!("file={}", path("plain").display())]);
    step("latency", "latency", &[load.clone(), ledger("latency")]);
    let preload = || "preload=1".to_owned();
    step("append_preloaded", "append", &[load.clone(), n(small), ledger("preloaded"), preload()]);
    step("append_small", "append", &[load.clone(), n(small), ledger("small")]);
    step("append_one_caller", "append", &[load.clone(), n(small), ledger("one-caller"), "callers=1".into()]);
    step("write_again", "append-baseline", &[load.clone(), n(small), format!("file={}", path("plain").display())]);
    step("append_middle", "append", &[load.clone(), n(middle), ledger("middle")]);
    step("append_large", "append", &[load.clone(), n(large), ledger("large")]);
    step("append_full_tail", "append", &[load.clone(), n(262_000), ledger("full-tail"), "seal=0".into()]);
    step("verify_one_thread", "verify", &[ledger("small"), "threads=1".into()]);
    step("verify_two_threads", "verify", &[ledger("small"), "threads=2".into()]);
    step("hash_again", "hash-baseline", &[load.clone(), n(small)]);
    step("open_small", "open", &[ledger("small")]);
    step("open_large", "open", &[ledger("large")]);
    step("open_full_tail", "open", &[ledger("full-tail")]);
    step("proof_large", "proof", &[ledger("large")]);
    step("queries_middle", "queries", &[ledger("middle")]);
    step("rules", "rules", &[load.clone(), n(small)]);
    if let Some(binary) = arguments.optional_path("binary") {
        let binary = format!("binary={}", binary.display());
        step(
            "http_batches",
            "http-batches",
            &[load.clone(), format!("entries={small}"), ledger("http"), binary.clone()],
        );
        let watched = [load.clone(), format!("entries={small}"), ledger("http-watched"), binary.clone()];
        step("http_watched", "http-watched", &watched);
        step("http_singles", "http-singles", &[ledger("http-singles"), binary.clone()]);
        step("http_contention", "http-contention", &[ledger("http"), binary]);
    }
    if let Some(copy) = arguments.optional_path("copy") {
        let copy = format!("copy={}", copy.display());
        step("upload", "upload-baseline", &[ledger("small"), copy.clone()]);
        step("ship", "ship", &[ledger("small"), copy.clone()]);
        step("copy_verify", "copy-verify", &[ledger("small"), copy.clone()]);
        step("restore", "restore", &[format!("to={}", path("restored").display()), copy]);
    }
    if let Some(python) = arguments.optional_path("python") {
        eprintln!("… duckdb_middle");
        let script = arguments.path("scripts").join("queries.py");
        let segments = path("middle").join("segments");
        results.insert("duckdb_middle".into(), output(Command::new(python).arg(script).arg(segments)));
    }
    results
}

fn run_step(step: &str, words: &[String]) -> Value {
    let program = std::env::current_exe().expect("this program has a path");
    output(Command::new(program).arg(step).args(words))
}

fn output(command: &mut Command) -> Value {
    let output = command.output().expect("the step starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {errors}");
    serde_json::from_slice(&output.stdout).expect("a step prints JSON")
}

fn rows(results: &Map<String, Value>) -> Vec<Row> {
    let get =
        |step: &str, field: &str| results.get(step).and_then(|value| value.get(field)?.as_f64()).unwrap_or(f64::NAN);
    let rate = |step: &str| get(step, "entries_per_second");
    let write = rate("write").max(rate("write_again"));
    let hash = rate("hash").max(rate("hash_again"));
    let query = |name: &str, engine: &str| {
        results.get(engine).and_then(|value| value.get(name)?.get("p50_ms")?.as_f64()).unwrap_or(f64::NAN)
    };
    let at_least = |what, measured: f64, unit, ratio: f64, least: f64, target| Row {
        what,
        measured,
        unit,
        ratio: Some(ratio),
        target,
        met: Some(ratio >= least),
    };
    let at_most = |what, measured: f64, unit, ratio: Option<f64>, value: f64, most: f64, target| Row {
        what,
        measured,
        unit,
        ratio,
        target,
        met: Some(value <= most),
    };
    let reported = |what, measured: f64, unit, ratio, target| Row { what, measured, unit, ratio, target, met: None };
    let append = rate("append_small");
    let preloaded = rate("append_preloaded");
    let large = rate("append_large");
    let latency = get("latency", "one_p50_us");
    let one = get("latency", "one_caller_per_second");
    let many = get("latency", "many_callers_per_second");
    let verify = rate("verify_one_thread");
    let memory = (get("append_large", "peak_resident_bytes"), get("append_small", "peak_resident_bytes"));
    let open = (get("open_large", "p50_ms"), get("open_small", "p50_ms"));
    let mut rows = vec![
        at_least(
            "append, batches of 1,000, sealed (small)",
            preloaded,
            "entries/s",
            preloaded / write,
            0.25,
            "≥ 0.25 × write + sync",
        ),
        at_least(
            "append, batches of 1,000, sealed (large)",
            large,
            "entries/s",
            large / append,
            0.9,
            "flat: ≥ 0.9 × small",
        ),
        at_most(
            "append, one entry, one caller, p50",
            latency,
            "µs",
            Some(latency / get("latency", "bare_p50_us")),
            latency / get("latency", "bare_p50_us"),
            1.5,
            "≤ 1.5 × bare append + sync",
        ),
        at_least("append, one entry each, 64 callers", many, "entries/s", many / one, 20.0, "≥ 20 × one caller"),
        at_least("verify, one thread", verify, "entries/s", verify / hash, 0.45, "≥ 0.45 × SHA-256 of the leaves"),
        at_least(
            "verify, two threads",
            rate("verify_two_threads"),
            "entries/s",
            rate("verify_two_threads") / verify,
            1.8,
            "≥ 1.8 × one",
        ),
        at_least(
            "rules over entries, 60 or a few more, one core",
            rate("rules"),
            "entries/s",
            rate("rules") / 150_000.0,
            1.0,
            "≥ 150,000",
        ),
    ];
    let bytes = get("append_large", "bytes_per_entry");
    let files = get("append_large", "files_per_million");
    rows.extend([
        at_most("bytes on disk (large)", bytes, "bytes/entry", None, bytes, 85.0, "≤ 85"),
        at_most("files on disk (large)", files, "per million", None, files, 16.0, "≤ 16"),
        at_most(
            "open (large)",
            open.0,
            "ms",
            Some(open.0 / open.1),
            (open.0 / open.1 / 1.5).max(open.0 / 200.0),
            1.0,
            "≤ 1.5 × small, < 200 ms",
        ),
        at_most(
            "open, full tail",
            get("open_full_tail", "p50_ms"),
            "ms",
            None,
            get("open_full_tail", "p50_ms"),
            200.0,
            "< 200 ms",
        ),
        at_most(
            "inclusion proof, cold, p50 (large)",
            get("proof_large", "p50_ms"),
            "ms",
            None,
            get("proof_large", "p50_ms"),
            2.0,
            "< 2 ms",
        ),
        at_most(
            "peak memory while appending (large)",
            memory.0 / 1e6,
            "MB",
            Some(memory.0 / memory.1),
            (memory.0 / memory.1 / 1.2).max(memory.0 / 400e6),
            1.0,
            "≤ 1.2 × small, < 400 MB",
        ),
    ]);
    if results.contains_key("ship") {
        let (ship, upload) = (get("ship", "megabytes_per_second"), get("upload", "megabytes_per_second"));
        let (bucket, disk) = (rate("copy_verify"), get("copy_verify", "disk_entries_per_second"));
        let restore = get("restore", "seconds_per_million");
        rows.extend([
            reported("ship, sealed (small)", ship, "MB/s", Some(ship / upload), "× a plain multipart upload"),
            reported("verify over the network (small)", bucket, "entries/s", Some(bucket / disk), "× on disk"),
            reported("restore, verified first", restore, "s per million", None, ""),
        ]);
    }
    if results.contains_key("http_batches") {
        let deep = |step: &str, load: &str, field: &str| {
            results.get(step).and_then(|value| value.get(load)?.get(field)?.as_f64()).unwrap_or(f64::NAN)
        };
        let batches = rate("http_batches");
        let singles = deep("http_singles", "entries_64", "requests_per_second");
        let health = deep("http_singles", "health_64", "requests_per_second");
        let alone = deep("http_contention", "alone", "p99_us");
        let beside = deep("http_contention", "beside_readers_and_verification", "p99_us");
        rows.extend([
            at_least(
                "HTTP, batches of 1,000, 4 connections",
                batches,
                "entries/s",
                batches / append,
                0.4,
                "≥ 0.4 × embedded",
            ),
            reported(
                "HTTP, the same, rules watching",
                rate("http_watched"),
                "entries/s",
                Some(rate("http_watched") / batches),
                "× without rules",
            ),
            reported("the rules' longest lag behind it", get("http_watched", "most_behind"), "entries", None, ""),
            reported("until they have caught up", get("http_watched", "catch_up_seconds"), "s", None, ""),
            at_least(
                "HTTP, single entries, 64 connections",
                singles,
                "requests/s",
                singles / health,
                0.4,
                "≥ 0.4 × its health check",
            ),
            at_most(
                "HTTP, p99 beside readers and verification",
                beside,
                "µs",
                Some(beside / alone),
                beside / alone,
                3.0,
                "≤ 3 × alone",
            ),
        ]);
    }
    for (what, name, most, target) in [
        ("overrides of the last 24 h (middle)", "overrides", 1.0, "≤ DuckDB on the same segments"),
        ("one entity's history (middle)", "history", 0.1, "≤ 0.1 × DuckDB"),
        ("count per type per day (middle)", "per_day", 1.3, "≤ 1.3 × DuckDB"),
    ] {
        let (ours, duck) = (query(name, "queries_middle"), query(name, "duckdb_middle"));
        rows.push(at_most(what, ours, "ms", Some(ours / duck), ours / duck, most, target));
    }
    rows
}

fn row_json(row: &Row) -> Value {
    json!({ "what": row.what, "measured": row.measured, "unit": row.unit, "ratio": row.ratio, "target": row.target, "met": row.met })
}

fn print_table(results: &Map<String, Value>, rows: &[Row]) {
    println!("machine: {}", results["machine"]);
    println!("{:<44} {:>14} {:<12} {:>8}  {:<32} met", "what", "measured", "", "ratio", "target");
    for row in rows {
        let ratio = row.ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        let met = row.met.map_or("", |met| if met { "yes" } else { "NO" });
        println!("{:<44} {:>14.1} {:<12} {:>8}  {:<32} {met}", row.what, row.measured, row.unit, ratio, row.target);
    }
}
