//! The three review queries.

use std::time::{Duration, Instant};

use arrow::array::AsArray;
use arrow::datatypes::TimestampMicrosecondType;
use counterfoil::{Reader, Snapshot};
use counterfoil_query::{Engine, Limits};
use serde_json::{Value, json};

use crate::Arguments;
use crate::latency::percentile;

const ROUNDS: usize = 7;

/// When the newest entry of the load happened: the "now" of the first query.
const NOW: &str = "SELECT max(timestamp) AS now FROM audit_log WHERE event_type NOT LIKE 'ledger.%'";

/// The queries, as `queries.py` puts them to DuckDB over the same files.
const QUERIES: [(&str, &str); 3] = [
    (
        "overrides",
        "SELECT * FROM audit_log WHERE event_type = 'manual_override' \
         AND timestamp > timestamp '{now}' - interval '24 hours'",
    ),
    ("history", "SELECT * FROM audit_log WHERE entity_id = 'INV-050000' ORDER BY index"),
    (
        "per_day",
        "SELECT event_type, date_trunc('day', timestamp) AS day, count(*) AS entries FROM audit_log \
         WHERE event_type NOT LIKE 'ledger.%' GROUP BY 1, 2 ORDER BY 1, 2",
    ),
];

/// Runs each query some times in one engine; rows, first and median time.
pub fn run(arguments: &Arguments) -> Value {
    let snapshot = Reader::open(arguments.path("ledger")).and_then(|reader| reader.snapshot()).expect("it opens");
    let engine = Engine::new(Limits::default()).expect("an engine");
    let now = now(&engine, &snapshot);
    let answers = QUERIES.iter().map(|(name, sql)| {
        let sql = sql.replace("{now}", &now);
        ((*name).to_owned(), measure(&engine, &snapshot, &sql))
    });
    let mut answers: serde_json::Map<String, Value> = answers.collect();
    let mut times: Vec<Duration> =
        (0..ROUNDS).map(|_| timed(|| snapshot.history("INV-050000").expect("it reads").len()).1).collect();
    answers.insert("history_call".into(), json!({ "p50_ms": percentile(&mut times, 50) / 1e3 }));
    Value::Object(answers)
}

fn now(engine: &Engine, snapshot: &Snapshot) -> String {
    let batches = engine.query(snapshot, NOW).and_then(|answer| answer.collect()).expect("it answers");
    let newest = batches[0].column(0).as_primitive::<TimestampMicrosecondType>().value(0);
    counterfoil_entry::Timestamp::from_micros(newest).to_string()
}

fn measure(engine: &Engine, snapshot: &Snapshot, sql: &str) -> Value {
    let ask = || -> usize {
        let answer = engine.query(snapshot, sql).expect("it is planned");
        answer.collect().expect("it answers").iter().map(|batch| batch.num_rows()).sum()
    };
    let (rows, first) = timed(ask);
    let mut times: Vec<Duration> = (0..ROUNDS).map(|_| timed(ask).1).collect();
    json!({ "rows": rows, "first_ms": first.as_secs_f64() * 1e3, "p50_ms": percentile(&mut times, 50) / 1e3 })
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let answer = work();
    (answer, start.elapsed())
}
