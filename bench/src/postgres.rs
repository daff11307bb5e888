//! An audit table in PostgreSQL: how fast rows are moved and checked, against how fast the table takes them.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use counterfoil::{CreateOptions, Ledger, OpenOptions};
use counterfoil_postgres::{CheckOptions, Connection, Dsn, Followed, Options, Patience, Way, check, follow, install};
use serde_json::{Value, json};

use crate::{Arguments, machine};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const SESSIONS: u64 = 8;

/// Moves `rows` of an empty database, `dsn`, into ledgers in `ledger=FOLDER`.
pub fn run(arguments: &Arguments) -> Value {
    let dsn = arguments.path("dsn").display().to_string();
    measure(&dsn, &arguments.path("ledger"), arguments.number("rows", 40_000)).expect("the database serves")
}

fn measure(dsn: &str, folder: &Path, rows: u64) -> Result<Value> {
    let dsn = Dsn::parse(dsn)?;
    install(&mut Connection::open(&dsn, &Patience::default())?)?;
    std::fs::create_dir_all(folder)?;
    let open = |name: &str| -> Result<Ledger> {
        Ok(Ledger::create(folder.join(name), CreateOptions::new("bench.example/a")?, OpenOptions::default())?)
    };
    let ledger = Arc::new(open("followed")?);
    let once = Options { once: true, ..Options::default() };
    catch_up(&dsn, &ledger, &once)?;
    let insert_singles = insert(&dsn, rows, 1)?;
    let follow_singles = catch_up(&dsn, &ledger, &once)?;
    let insert_hundreds = insert(&dsn, rows, 100)?;
    let follow_hundreds = catch_up(&dsn, &ledger, &once)?;
    let (insert_followed, lag) = live(&dsn, &ledger, rows)?;
    let checking = Instant::now();
    let checked = check(&dsn, &*ledger, &CheckOptions::default(), &Patience::default(), &mut |finding| {
        eprintln!("{finding:?}");
        Ok(())
    })?;
    let check_rate = checked.rows as f64 / checking.elapsed().as_secs_f64();
    let polling = Options { way: Some(Way::Polling), ..once };
    let poll_rate = catch_up(&dsn, &open("polled")?, &polling)?;
    Ok(json!({
        "rows": checked.rows,
        "sessions": SESSIONS,
        "insert_one_a_commit_per_s": insert_singles.round(),
        "insert_100_a_commit_per_s": insert_hundreds.round(),
        "follow_one_a_commit_per_s": follow_singles.round(),
        "follow_100_a_commit_per_s": follow_hundreds.round(),
        "follow_over_insert": follow_singles / insert_singles,
        "insert_while_followed_per_s": insert_followed.round(),
        "lag_ms_after_last_commit": lag,
        "poll_per_s": poll_rate.round(),
        "check_per_s": check_rate.round(),
        "findings": checked.findings.values().sum::<u64>(),
        "peak_bytes": machine::peak_resident_bytes(),
    }))
}

/// Moves what is there; rows a second.
fn catch_up(dsn: &Dsn, ledger: &Ledger, options: &Options) -> Result<f64> {
    let began = Instant::now();
    let Followed { rows, .. } = follow(dsn, ledger, options, &Patience::default(), &mut |_| ())?;
    Ok(rows as f64 / began.elapsed().as_secs_f64())
}

/// Inserts with some sessions at once; rows a second.
fn insert(dsn: &Dsn, rows: u64, each_commit: u64) -> Result<f64> {
    let began = Instant::now();
    let sql = format!(
        "SELECT count(counterfoil.audit('payment_approved', 'PAY-' || n, 'invoice-bot-7', '{{\"status\": \"pending\"}}', \
         '{{\"status\": \"approved\", \"amount\": 1042.50}}', '{{\"model_version\": \"invoice-match-2.11.0\", \"confidence\": 0.97}}', \
         'ai_agent')) FROM generate_series(1, {each_commit}) n"
    );
    std::thread::scope(|scope| {
        let sessions = (0..SESSIONS).map(|_| {
            scope.spawn(|| -> Result<()> {
                let mut connection = Connection::open(dsn, &Patience::default())?;
                (0..rows / SESSIONS / each_commit).try_for_each(|_| Ok(connection.execute(&sql)?))
            })
        });
        let sessions: Vec<_> = sessions.collect();
        sessions.into_iter().try_for_each(|session| session.join().expect("no panic"))
    })?;
    Ok(rows as f64 / began.elapsed().as_secs_f64())
}

/// Inserts while a follower is at work: rows a second, and how long after the last commit the last row is in the ledger.
fn live(dsn: &Dsn, ledger: &Arc<Ledger>, rows: u64) -> Result<(f64, u128)> {
    let patience = Patience::default();
    let (stopped, followed, to) = (patience.clone(), dsn.clone(), ledger.clone());
    let follower = std::thread::spawn(move || follow(&followed, &*to, &Options::default(), &stopped, &mut |_| ()));
    let size = ledger.snapshot().size();
    let rate = insert(dsn, rows, 1)?;
    let inserted = Instant::now();
    let whole = size + rows / SESSIONS * SESSIONS;
    while ledger.snapshot().size() < whole && inserted.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(1));
    }
    let lag = inserted.elapsed().as_millis();
    patience.end();
    follower.join().expect("no panic")?;
    Ok((rate, lag))
}
