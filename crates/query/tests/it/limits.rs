//! A query ends when a limit is reached, says which, and its work ends too.

use std::time::{Duration, Instant};

use counterfoil::ErrorKind;
use counterfoil_query::{Engine, Limits};

use crate::answers::entries;
use crate::fixture::{Layout, Ledger, ask_in_vain};

fn limited(change: impl FnOnce(&mut Limits)) -> Engine {
    let mut limits = Limits::default();
    change(&mut limits);
    Engine::new(limits).expect("threads")
}

#[test]
fn the_row_limit_delivers_what_it_allows_then_an_error() {
    let ledger = Ledger::new(&entries(3_840, 5), Layout { segments: vec![2048], ..Layout::default() });
    let engine = limited(|limits| limits.rows = 10);
    let (mut rows, mut error) = (0, None);
    for batch in engine.query(&ledger, "SELECT index FROM audit_log").expect("an answer") {
        match batch {
            Ok(batch) => rows += batch.num_rows(),
            Err(last) => error = Some(last),
        }
    }
    let error = error.expect("an error at the end");
    assert_eq!((rows, error.kind), (10, ErrorKind::Unavailable));
    assert!(error.message.starts_with("row limit reached"), "{error}");
    let whole = engine.query(&ledger, "SELECT index FROM audit_log LIMIT 10").and_then(|answer| answer.collect());
    assert!(whole.is_ok(), "exactly as many rows as allowed");
}

#[test]
fn the_memory_limit_stops_a_sort() {
    let ledger = Ledger::new(&entries(20_000, 6), Layout { segments: vec![16_384], ..Layout::default() });
    let engine = limited(|limits| limits.memory_bytes = 200_000);
    let error = ask_in_vain(&engine, &ledger, "SELECT * FROM audit_log ORDER BY reason, context");
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
    assert!(error.message.starts_with("memory limit reached"), "{error}");
}

#[test]
fn the_time_limit_stops_a_computation() {
    let ledger = Ledger::new(&entries(3_840, 7), Layout { segments: vec![2048], ..Layout::default() });
    let engine = limited(|limits| limits.time = Duration::from_millis(300));
    let start = Instant::now();
    let sql = "SELECT count(*) FROM audit_log a, audit_log b, audit_log c \
               WHERE (a.index * b.index * c.index) % 1009 = 3";
    let error = ask_in_vain(&engine, &ledger, sql);
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
    assert!(error.message.starts_with("time limit reached"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(20), "it took {:?}", start.elapsed());
    // The threads are free again: a small query is answered within the same limit, sooner or later.
    let free = (0..60).any(|_| {
        let answer = engine.query(&ledger, "SELECT 1").and_then(|answer| answer.collect());
        answer.is_ok()
    });
    assert!(free, "the computation goes on after its end");
}

/// A tail that takes 20 seconds to read.
fn slow() -> Ledger {
    let layout = Layout { tail_pause: Duration::from_secs(2), ..Layout::default() };
    Ledger::new(&entries(81_920, 8), layout)
}

fn still(ledger: &Ledger) -> bool {
    let settled = (0..30).find(|_| {
        let before = ledger.tail_reads();
        std::thread::sleep(Duration::from_secs(3));
        ledger.tail_reads() == before
    });
    settled.is_some() && ledger.tail_reads() < 10
}

#[test]
fn reading_ends_with_the_time_limit() {
    let (ledger, engine) = (slow(), limited(|limits| limits.time = Duration::from_millis(500)));
    let error = ask_in_vain(&engine, &ledger, "SELECT count(*) FROM audit_log WHERE reason = 'late'");
    assert!(error.message.starts_with("time limit reached"), "{error}");
    assert!(still(&ledger), "{} chunks were read", ledger.tail_reads());
}

#[test]
fn reading_ends_when_the_answer_is_dropped() {
    let (ledger, engine) = (slow(), limited(|_| ()));
    let answer = engine.query(&ledger, "SELECT count(*) FROM audit_log WHERE reason = 'late'").expect("an answer");
    drop(answer);
    assert!(still(&ledger), "{} chunks were read", ledger.tail_reads());
}

/// Ticks of processor time that the query threads of this process have used.
fn query_ticks() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux").flatten();
    let used = tasks.filter_map(|task| {
        let stat = std::fs::read_to_string(task.path().join("stat")).ok()?;
        let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        name.starts_with("counterfoil-que")
            .then(|| fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap())
    });
    used.sum()
}

/// A cross join makes so many rows out of each batch that its stream may not come back for hours.
#[test]
fn a_cross_join_ends_with_the_time_limit_and_its_work_too() {
    let ledger = Ledger::new(&entries(20_000, 9), Layout { segments: vec![16_384], ..Layout::default() });
    let engine = limited(|limits| limits.time = Duration::from_secs(1));
    for sql in [
        "SELECT count(*) FROM audit_log a, audit_log b, audit_log c, audit_log d",
        "SELECT max(a.index + b.index) FROM audit_log a JOIN audit_log b ON a.index < b.index OR a.actor > b.actor",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
    ] {
        let start = Instant::now();
        let error = ask_in_vain(&engine, &ledger, sql);
        assert!(error.message.contains("limit reached"), "{sql}: {error}");
        assert!(start.elapsed() < Duration::from_secs(10), "{sql} took {:?}", start.elapsed());
    }
    let idle = (0..20).any(|_| {
        let before = query_ticks();
        std::thread::sleep(Duration::from_secs(1));
        query_ticks().saturating_sub(before) < 20
    });
    assert!(idle, "a query goes on after its end");
}

/// Planning cannot be stopped half-way, so what is large to plan is refused before.
#[test]
fn what_is_small_to_write_and_large_to_plan_is_refused_at_once() {
    let (ledger, engine) = (Ledger::new(&entries(10, 3), Layout::default()), limited(|_| ()));
    let columns = |most: usize| (0..most).map(|n| format!("index + {n}")).collect::<Vec<_>>().join(", ");
    let doubling = (1..12).fold("WITH t0 AS (SELECT 1 AS x FROM audit_log)".to_owned(), |sql, n| {
        format!("{sql}, t{n} AS (SELECT a.x FROM t{} a, t{} b)", n - 1, n - 1)
    });
    let joined: String = (0..150).map(|n| format!(" JOIN audit_log b{n} ON a.index = b{n}.index")).collect();
    for (sql, wanted) in [
        (format!("SELECT count(*) FROM audit_log GROUP BY CUBE({})", columns(24)), "grouping sets"),
        (
            format!("SELECT count(*) FROM audit_log GROUP BY CUBE({0}), ROLLUP({0}), CUBE({0})", columns(5)),
            "grouping sets",
        ),
        (format!("SELECT count(*) FROM audit_log a{joined}"), "151 tables"),
        (format!("SELECT 1 FROM audit_log{}", ", audit_log".repeat(900)), "901 tables"),
        (format!("SELECT index{} FROM audit_log", "+index".repeat(1_900)), "operators"),
        (format!("{doubling} SELECT count(*) FROM t11"), "1000 steps"),
        (format!("EXPLAIN SELECT count(*) FROM audit_log GROUP BY CUBE({})", columns(24)), "grouping sets"),
    ] {
        let start = Instant::now();
        let error = ask_in_vain(&engine, &ledger, &sql);
        let shown: String = sql.chars().take(60).collect();
        assert!(error.kind == ErrorKind::Invalid && error.message.contains(wanted), "{shown}: {error}");
        assert!(start.elapsed() < Duration::from_secs(5), "{shown} took {:?}", start.elapsed());
    }
    for sql in [
        format!("SELECT count(*) FROM audit_log GROUP BY CUBE({})", columns(8)),
        format!("SELECT index{} FROM audit_log", "+index".repeat(450)),
    ] {
        engine
            .query(&ledger, &sql)
            .and_then(|answer| answer.collect())
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}
