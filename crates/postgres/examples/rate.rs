//! How fast rows are moved against how fast the table takes them: `rate DSN ROWS` on an empty database, as superuser.
//! Prints one JSON object. The ledger is made in a temporary folder.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use counterfoil::{CreateOptions, Ledger, OpenOptions};
use counterfoil_postgres::{CheckOptions, Connection, Dsn, Options, Way, check, follow, install};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const SESSIONS: u64 = 8;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, dsn, rows] = &arguments[..] else { return Err("usage: rate DSN ROWS".into()) };
    let (dsn, rows) = (Dsn::parse(dsn)?, rows.parse::<u64>()?);
    install(&mut Connection::open(&dsn)?)?;
    let folder = tempfile::tempdir()?;
    let open = |name: &str| -> Result<Ledger> {
        Ok(Ledger::create(folder.path().join(name), CreateOptions::new("bench.example/a")?, OpenOptions::default())?)
    };
    let ledger = Arc::new(open("ledger")?);
    let once = Options { once: true, ..Options::default() };
    let never = AtomicBool::new(false);
    follow(&dsn, &*ledger, &once, &never, &mut |_| ())?;

    let one_commit_each = insert(&dsn, rows, 1)?;
    let catch_up = Instant::now();
    let moved = follow(&dsn, &*ledger, &once, &never, &mut |_| ())?.rows;
    let backlog_small = moved as f64 / catch_up.elapsed().as_secs_f64();

    let commits_of_100 = insert(&dsn, rows, 100)?;
    let catch_up = Instant::now();
    let moved = follow(&dsn, &*ledger, &once, &never, &mut |_| ())?.rows;
    let backlog_large = moved as f64 / catch_up.elapsed().as_secs_f64();

    let (live_insert, lag) = live(&dsn, &ledger, rows)?;
    let checking = Instant::now();
    let checked = check(&dsn, &*ledger, &CheckOptions::default(), &mut |finding| {
        eprintln!("{finding:?}");
        Ok(())
    })?;
    let check_rate = checked.rows as f64 / checking.elapsed().as_secs_f64();

    let polled = open("polled")?;
    let polling = Options { way: Some(Way::Polling), ..once };
    let began = Instant::now();
    let moved = follow(&dsn, &polled, &polling, &never, &mut |_| ())?.rows;
    let polling_rate = moved as f64 / began.elapsed().as_secs_f64();
    println!(
        "{{\"rows\": {rows}, \"sessions\": {SESSIONS}, \"insert_rows_per_s_one_a_commit\": {one_commit_each:.0}, \
         \"insert_rows_per_s_100_a_commit\": {commits_of_100:.0}, \"follow_rows_per_s_one_a_commit\": {backlog_small:.0}, \
         \"follow_rows_per_s_100_a_commit\": {backlog_large:.0}, \"insert_rows_per_s_while_followed\": {live_insert:.0}, \
         \"lag_ms_after_last_commit\": {lag}, \"poll_rows_per_s\": {polling_rate:.0}, \
         \"check_rows_per_s\": {check_rate:.0}, \"findings\": {}}}",
        checked.findings.values().sum::<u64>()
    );
    Ok(())
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
                let mut connection = Connection::open(dsn)?;
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
    let stop = Arc::new(AtomicBool::new(false));
    let (stopped, followed, to) = (stop.clone(), dsn.clone(), ledger.clone());
    let follower = std::thread::spawn(move || follow(&followed, &*to, &Options::default(), &stopped, &mut |_| ()));
    let size = ledger.snapshot().size();
    let rate = insert(dsn, rows, 1)?;
    let inserted = Instant::now();
    let whole = size + rows / SESSIONS * SESSIONS;
    while ledger.snapshot().size() < whole && inserted.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(1));
    }
    let lag = inserted.elapsed().as_millis();
    stop.store(true, Ordering::Relaxed);
    follower.join().expect("no panic")?;
    Ok((rate, lag))
}
