//! A server that is silent without closing holds up nobody, and one that works is waited for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use counterfoil::ErrorKind;
use counterfoil_postgres::{CheckOptions, ColumnMap, Connection, Dsn, Options, Patience, Way, check, import};

use crate::server::{Follower, Proxy, Server, ledger, rows, wait_for};

/// A table of one row that takes so many seconds to read.
fn slow(server: &Server, name: &str, seconds: u32) {
    server.sql(
        "postgres",
        &format!(
            "CREATE VIEW {name} AS SELECT 'a' AS event_type, 'b' AS actor, 'c' AS entity_id, pg_sleep({seconds})::text AS slept"
        ),
    );
}

fn reads(server: &Server, view: &str) -> bool {
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%slept%{view}%' AND pid <> pg_backend_pid()"
    );
    server.sql("postgres", &sql) != "0"
}

/// Imports in a thread; the kind of its error.
fn importing(dsn: Dsn, view: &'static str, patience: Patience) -> std::thread::JoinHandle<ErrorKind> {
    std::thread::spawn(move || {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(&folder.path().join("audit"));
        let opened = Connection::open(&dsn, &patience);
        opened.and_then(|mut open| import(&mut open, view, &ColumnMap::default(), &ledger)).expect_err("it ends").kind
    })
}

#[test]
fn what_falls_silent_is_given_up_before_and_in_the_middle_of_a_long_answer() {
    let Some(server) = Server::start("") else { return };
    server.installed();
    slow(&server, "slow", 600);
    let proxy = Proxy::before(&server);
    let working = importing(proxy.dsn("postgres"), "slow", Patience::default());
    wait_for("the server works", || reads(&server, "slow"));
    proxy.fall_silent(true);
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(&folder.path().join("audit"));
    let dsn = proxy.dsn("follower");
    let error = check(&dsn, &ledger, &CheckOptions::default(), &Patience::default(), &mut |_| Ok(()));
    let error = error.expect_err("nobody answers");
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
    assert!(error.message.contains("has not answered for"), "{error}");
    wait_for("the long answer is given up", || working.is_finished());
    assert_eq!(working.join().unwrap(), ErrorKind::Unavailable);
}

#[test]
fn a_server_that_is_at_work_is_waited_for_and_told_of() {
    static TOLD: AtomicUsize = AtomicUsize::new(0);
    let Some(server) = Server::start("") else { return };
    slow(&server, "slow", 4);
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(&folder.path().join("audit"));
    let patience = Patience::telling(|what| {
        assert!(what.contains("at work"), "{what}");
        TOLD.fetch_add(1, Ordering::Relaxed);
    });
    // Both passes over the table take their time.
    let mut connection = Connection::open(&server.dsn("postgres"), &patience).unwrap();
    server.sql("postgres", "CREATE OR REPLACE VIEW slow AS SELECT 'a' AS event_type, 'b' AS actor, 'c' AS entity_id, pg_sleep(7)::text AS slept");
    assert_eq!(import(&mut connection, "slow", &ColumnMap::default(), &ledger).unwrap().rows, 1);
    assert!(TOLD.load(Ordering::Relaxed) >= 1);
}

#[test]
fn every_wait_ends_on_request_and_the_server_stops_working() {
    let Some(server) = Server::start("wal_level = replica") else { return };
    server.installed();
    slow(&server, "slow", 600);
    let proxy = Proxy::before(&server);
    let folder = tempfile::tempdir().unwrap();
    let ledger = Arc::new(ledger(&folder.path().join("audit")));
    server.record(1, 3);
    let follower = Follower::start(proxy.dsn("follower"), &ledger, Options::default());
    wait_for("it polls", || rows(&ledger).len() == 3);
    let patience = Patience::default();
    let working = importing(server.dsn("postgres"), "slow", patience.clone());
    wait_for("the server works", || reads(&server, "slow"));
    patience.end();
    assert_eq!(working.join().unwrap(), ErrorKind::Closed);
    wait_for("the server stopped", || !reads(&server, "slow"));
    proxy.fall_silent(true);
    std::thread::sleep(std::time::Duration::from_millis(600));
    assert_eq!(follower.stop().rows, 3, "a follower in the middle of a poll ends too");
}

#[test]
fn a_backend_that_stands_still_is_left_and_polling_goes_on_with_another() {
    let Some(server) = Server::start("wal_level = replica") else { return };
    server.installed();
    let folder = tempfile::tempdir().unwrap();
    let ledger = Arc::new(ledger(&folder.path().join("audit")));
    let options = Options { way: Some(Way::Polling), ..Options::default() };
    let follower = Follower::start(server.dsn("follower"), &ledger, options);
    server.record(1, 2);
    wait_for("it polls", || rows(&ledger).len() == 2);
    let pid = server.sql("postgres", "SELECT pid FROM pg_stat_activity WHERE usename = 'follower'");
    let kill = |signal: &str| std::process::Command::new("kill").args([signal, &pid]).status().unwrap();
    assert!(kill("-STOP").success());
    server.record(3, 2);
    let started = std::time::Instant::now();
    while rows(&ledger).len() < 4 && started.elapsed().as_secs() < 60 {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    kill("-CONT");
    follower.stop();
    assert_eq!(rows(&ledger).len(), 4);
}
