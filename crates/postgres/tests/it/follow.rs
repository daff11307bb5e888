//! Committed rows reach the ledger once each, in commit order, whatever ends in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use counterfoil::{ErrorKind, Ledger, OpenOptions, VerifyOptions};
use counterfoil_postgres::{Connection, Options, Patience, Source};

use crate::server::{Follower, Server, checked, follow_once, ledger, rows, try_follow_once, wait_for};

#[test]
fn rows_found_and_rows_streamed_are_in_the_ledger_once_and_the_check_is_clean() {
    let Some(server) = Server::replicating() else { return };
    server.installed();
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(&folder.path().join("audit"));
    server.record(1, 20);
    let dsn = server.dsn("follower");
    assert_eq!(follow_once(&dsn, &ledger).rows, 20, "what was there is taken over");
    server.record(21, 30);
    assert!(server.try_sql("app", "SELECT counterfoil.audit('gone', 'X'); SELECT 1/0").is_err());
    assert_eq!(follow_once(&dsn, &ledger).rows, 30);
    assert_eq!(follow_once(&dsn, &ledger).rows, 0, "nothing comes twice");
    assert_eq!(rows(&ledger).len(), 50);
    let (checked, findings) = checked(&dsn, &ledger);
    assert_eq!((checked.rows, findings), (50, vec![]));
}

#[test]
fn rows_stand_in_commit_order_and_a_long_transaction_is_split_and_kept_together() {
    let Some(server) = Server::replicating() else { return };
    server.installed();
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(&folder.path().join("audit"));
    let dsn = server.dsn("follower");
    follow_once(&dsn, &ledger);
    let slow = std::thread::scope(|scope| {
        let slow = scope.spawn(|| {
            let open = "BEGIN; SELECT counterfoil.audit('first_begun', 'A'); SELECT pg_sleep(1); \
                        SELECT count(counterfoil.audit('many', 'M-' || n)) FROM generate_series(1, 10000) n; COMMIT";
            server.sql("app", open)
        });
        std::thread::sleep(std::time::Duration::from_millis(400));
        server.sql("app", "SELECT counterfoil.audit('first_committed', 'B')");
        slow.join().unwrap()
    });
    assert!(slow.contains("10000"), "{slow}");
    assert_eq!(follow_once(&dsn, &ledger).rows, 10_002);
    let rows = rows(&ledger);
    assert!(rows[0].contains("first_committed") && rows[1].contains("first_begun") && rows[10_001].contains("M-10000"));
    assert_eq!(checked(&dsn, &ledger).1, vec![]);
}

#[test]
fn restarts_of_the_server_lose_and_double_nothing() {
    let Some(server) = Server::replicating() else { return };
    server.installed();
    let folder = tempfile::tempdir().unwrap();
    let ledger = Arc::new(ledger(&folder.path().join("audit")));
    let follower = Follower::start(server.dsn("follower"), &ledger, Options::default());
    for (round, mode) in ["fast", "immediate", "fast", "immediate"].iter().enumerate() {
        server.record(1 + 200 * round as u64, 200);
        server.down(mode);
        server.up();
    }
    server.record(801, 1);
    wait_for("the last row arrives", || rows(&ledger).iter().any(|row| row.contains("\"P-801\"")));
    follower.stop();
    assert_eq!(rows(&ledger).len(), 801);
    assert_eq!(checked(&server.dsn("follower"), &ledger).1, vec![]);
}

const CHILD: &str = "COUNTERFOIL_TEST_FOLLOWER";

/// The follower as a process of its own, for the test below.
#[test]
fn child() {
    let Ok(place) = std::env::var(CHILD) else { return };
    let (port, folder) = place.split_once(' ').unwrap();
    let dsn = counterfoil_postgres::Dsn::parse(&format!("postgres://follower@127.0.0.1:{port}/postgres")).unwrap();
    let ledger = Ledger::open(folder, OpenOptions::default()).unwrap();
    counterfoil_postgres::follow(&dsn, &ledger, &Options::default(), &Patience::default(), &mut |_| ()).unwrap();
}

/// So many times a follower is killed in the test below.
const KILLS: u64 = 20;

/// Numbers that a seed decides.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

/// Records acts one after another, through restarts of the server, until it is told to end.
fn write_until(server: &Server, writer: &str, end: &AtomicBool) {
    let mut number = 0;
    while !end.load(Ordering::Relaxed) {
        let acts = (number..number + 40).map(|number| format!("SELECT counterfoil.audit('act', '{writer}-{number}');"));
        // What a restart cut short was committed or not; the table knows.
        let script = acts.collect::<String>().replace(';', ";\n");
        let _ = server.run_script("app", writer, &script);
        number += 40;
    }
}

#[test]
fn a_follower_killed_at_any_moment_loses_and_doubles_nothing() {
    let Some(server) = Server::replicating() else { return };
    server.installed();
    server.record(1, 300);
    let seed = std::env::var("COUNTERFOIL_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| std::process::id().into());
    eprintln!("COUNTERFOIL_SEED={seed}");
    let mut dice = Dice(seed);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit");
    ledger(&path).close().unwrap();
    let end = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writers = ["A", "B"].map(|writer| scope.spawn(|| write_until(&server, writer, &end)));
        for kill in 0..KILLS {
            let mut follower = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "follow::child"])
                .env(CHILD, format!("{} {}", server.port, path.display()))
                .stdin(std::process::Stdio::null())
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .spawn()
                .unwrap();
            std::thread::sleep(std::time::Duration::from_millis(30 + dice.below(500)));
            if kill % 5 == 4 {
                server.down(["fast", "immediate"][dice.below(2) as usize]);
                server.up();
                std::thread::sleep(std::time::Duration::from_millis(dice.below(600)));
            }
            follower.kill().unwrap();
            follower.wait().unwrap();
        }
        end.store(true, Ordering::Relaxed);
        writers.into_iter().for_each(|writer| writer.join().unwrap());
    });
    let ledger = Ledger::open(&path, OpenOptions::default()).unwrap();
    let dsn = server.dsn("follower");
    follow_once(&dsn, &ledger);
    let moved = rows(&ledger);
    for writer in ["P", "A", "B"] {
        // One session commits in the order of its ids.
        let sql = format!("SELECT entity_id FROM counterfoil.audit_log WHERE entity_id LIKE '{writer}-%' ORDER BY id");
        let committed: Vec<_> = server.sql("postgres", &sql).lines().map(str::to_owned).collect();
        let entity = |row: &String| row.split("\"entity_id\":\"").nth(1)?.split('"').next().map(str::to_owned);
        let recorded = moved.iter().filter_map(entity).filter(|entity| entity.starts_with(writer));
        assert!(committed.len() >= 80, "{writer} wrote {}", committed.len());
        assert_eq!(recorded.collect::<Vec<_>>(), committed, "{writer}");
    }
    assert_eq!(checked(&dsn, &ledger).1, vec![]);
    let status = ledger.status().unwrap();
    assert!(status.sources.iter().all(|source| source.gaps.is_empty()), "the sequence has no gap");
    ledger.close().unwrap();
    let report = counterfoil::verify(&path, &VerifyOptions::default()).unwrap();
    assert!(report.findings.is_empty());
}

#[test]
fn a_slot_that_was_dropped_is_made_again_without_losing_rows() {
    let Some(server) = Server::replicating() else { return };
    server.installed();
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(&folder.path().join("audit"));
    let dsn = server.dsn("follower");
    server.record(1, 5);
    follow_once(&dsn, &ledger);
    server.sql("postgres", "SELECT pg_drop_replication_slot('counterfoil')");
    server.record(6, 5);
    assert_eq!(follow_once(&dsn, &ledger).rows, 5);
    assert_eq!(rows(&ledger).len(), 10);
}

#[test]
fn a_database_restored_to_an_earlier_time_is_refused_and_then_followed_anew() {
    let Some(server) = Server::replicating() else { return };
    server.installed();
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(&folder.path().join("audit"));
    let dsn = server.dsn("follower");
    follow_once(&dsn, &ledger);
    server.record(1, 3);
    server.down("fast");
    server.copy("data", "backup");
    server.up();
    server.record(4, 300);
    follow_once(&dsn, &ledger);
    server.down("fast");
    server.copy("backup", "data");
    server.up();
    let refused = try_follow_once(&dsn, &ledger, Options::default()).expect_err("the log goes back");
    assert_eq!(refused.kind, ErrorKind::Conflict, "{refused}");
    let lost = checked(&dsn, &ledger).1;
    assert_eq!(lost.len(), 300);
    server.sql("postgres", "SELECT pg_drop_replication_slot('counterfoil')");
    server.sql("postgres", "SELECT setval('counterfoil.audit_log_id_seq', 1000)");
    follow_once(&dsn, &ledger);
    server.record(400, 2);
    assert_eq!(follow_once(&dsn, &ledger).rows, 2, "rows after the restore are not passed over");
}

#[test]
fn two_ledgers_follow_one_table_with_a_slot_each_and_not_with_one() {
    let Some(server) = Server::replicating() else { return };
    server.installed();
    let folder = tempfile::tempdir().unwrap();
    let first = Arc::new(ledger(&folder.path().join("first")));
    let second = ledger(&folder.path().join("second"));
    let dsn = server.dsn("follower");
    server.record(1, 3);
    let follower = Follower::start(dsn.clone(), &first, Options::default());
    let active = "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'counterfoil' AND active";
    wait_for("the first follows", || server.sql("postgres", active) == "1");
    wait_for("the slot is taken for good", || {
        // What holds its name until then may still be there for a moment.
        let same = try_follow_once(&dsn, &second, Options::default()).expect_err("the slot is taken");
        assert!(matches!(same.kind, ErrorKind::Conflict | ErrorKind::Busy), "{same}");
        same.kind == ErrorKind::Conflict
    });
    let own = Options { slot: "second".to_owned(), ..Options::default() };
    assert_eq!(try_follow_once(&dsn, &second, own).unwrap().rows, 3);
    follower.stop();
}

#[test]
fn without_the_table_or_the_server_the_error_says_so() {
    let Some(server) = Server::replicating() else { return };
    let mut connection = Connection::open(&server.dsn("postgres"), &Patience::default()).unwrap();
    let error = Source::of(&mut connection).expect_err("nothing is installed");
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert!(error.message.contains("counterfoil postgres install"), "{error}");
    let dsn = server.dsn("postgres");
    drop(connection);
    server.down("fast");
    assert_eq!(Connection::open(&dsn, &Patience::default()).expect_err("nobody is there").kind, ErrorKind::Unavailable);
}

/// Forwards to the server and cuts every connection once so many bytes came back through it. The port, and how many were cut.
fn cutting(server: u16, bytes: usize) -> (u16, Arc<std::sync::atomic::AtomicUsize>) {
    use std::io::{Read, Write};
    use std::net::{Shutdown, TcpListener, TcpStream};
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let cuts = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = cuts.clone();
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let Ok(behind) = TcpStream::connect(("127.0.0.1", server)) else { continue };
            let (mut from_client, mut to_server) = (client.try_clone().unwrap(), behind.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut from_client, &mut to_server));
            let (mut from_server, mut to_client, cuts) = (behind, client, counted.clone());
            std::thread::spawn(move || {
                let (mut buffer, mut left) = ([0; 4_000], bytes);
                while let Ok(read @ 1..) = from_server.read(&mut buffer) {
                    let read = read.min(left);
                    left -= read;
                    if to_client.write_all(&buffer[..read]).is_err() || left == 0 {
                        cuts.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        break;
                    }
                }
                let _ = (from_server.shutdown(Shutdown::Both), to_client.shutdown(Shutdown::Both));
            });
        }
    });
    (port, cuts)
}

#[test]
fn connections_cut_in_the_middle_of_a_row_lose_and_double_nothing() {
    let Some(server) = Server::replicating() else { return };
    server.installed();
    let folder = tempfile::tempdir().unwrap();
    let ledger = Arc::new(ledger(&folder.path().join("audit")));
    follow_once(&server.dsn("follower"), &ledger);
    server.record(1, 2_500);
    let (port, cuts) = cutting(server.port, 100_003);
    let through = counterfoil_postgres::Dsn::parse(&format!("postgres://follower@127.0.0.1:{port}/postgres")).unwrap();
    let follower = Follower::start(through, &ledger, Options::default());
    wait_for("all rows arrive", || rows(&ledger).len() >= 2_500);
    follower.stop();
    assert!(cuts.load(std::sync::atomic::Ordering::Relaxed) >= 5, "{cuts:?}");
    assert_eq!(rows(&ledger).len(), 2_500);
    assert_eq!(checked(&server.dsn("follower"), &ledger).1, vec![]);
}
