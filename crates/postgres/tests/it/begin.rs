//! Taking the slot: nothing is recorded where it cannot be had, and a follower that ends half-way goes on.

use std::sync::atomic::{AtomicBool, Ordering};

use counterfoil::{Error, ErrorKind, Ledger, Receipt, Result, Snapshot};
use counterfoil_entry::Draft;
use counterfoil_postgres::{Connection, Dsn, Options, Patience, Trail, follow, install};

use crate::server::{Server, checked, follow_once, ledger, rows, try_follow_once, wait_for};

fn started(ledger: &Ledger) -> usize {
    let snapshot = ledger.snapshot();
    let is_start = |index| String::from_utf8_lossy(&snapshot.entry(index).unwrap()).contains("postgres.follow_started");
    (0..snapshot.size()).filter(|index| is_start(*index)).count()
}

#[test]
fn on_a_database_whose_slot_is_another_ones_nothing_is_recorded() {
    let Some(server) = Server::replicating() else { return };
    server.installed();
    server.record(1, 3);
    server.sql("postgres", "CREATE DATABASE other");
    let other = |user: &str| Dsn::parse(&format!("postgres://{user}@127.0.0.1:{}/other", server.port)).unwrap();
    install(&mut Connection::open(&other("postgres"), &Patience::default()).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(&folder.path().join("audit"));
    follow_once(&server.dsn("follower"), &ledger);
    let size = ledger.snapshot().size();
    let error = try_follow_once(&other("follower"), &ledger, Options::default()).expect_err("a slot of the other one");
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert!(error.message.contains("is of database \"postgres\"") && error.message.contains("--slot"), "{error}");
    assert_eq!(ledger.snapshot().size(), size);
    let own = Options { slot: "own".to_owned(), ..Options::default() };
    try_follow_once(&other("follower"), &ledger, own).unwrap();
    assert_eq!(started(&ledger), 2);
}

#[test]
fn without_room_for_slots_nothing_is_recorded_and_it_is_said_what_to_raise() {
    let Some(server) = Server::start("wal_level = logical\nmax_replication_slots = 1\nmax_wal_senders = 4") else {
        return;
    };
    server.installed();
    server.record(1, 3);
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(&folder.path().join("audit"));
    let size = ledger.snapshot().size();
    let error = try_follow_once(&server.dsn("follower"), &ledger, Options::default()).expect_err("no room");
    assert!(error.message.contains("raise max_replication_slots"), "{error}");
    assert_eq!(ledger.snapshot().size(), size, "nothing was recorded");
    let slots = || server.sql("postgres", "SELECT count(*) FROM pg_replication_slots");
    wait_for("nothing is left behind", || slots() == "0");
}

#[test]
fn a_slot_that_another_follower_is_taking_is_waited_for() {
    let Some(server) = Server::replicating() else { return };
    server.installed();
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(&folder.path().join("audit"));
    let size = ledger.snapshot().size();
    for name in ["counterfoil", "counterfoil_starting"] {
        let taking =
            format!("SELECT pg_create_logical_replication_slot('{name}', 'pgoutput', true); SELECT pg_sleep(3)");
        std::thread::scope(|scope| {
            scope.spawn(|| server.sql("postgres", &taking));
            let held = format!("SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{name}'");
            wait_for("it is being taken", || server.sql("postgres", &held) == "1");
            let error = try_follow_once(&server.dsn("follower"), &ledger, Options::default()).expect_err("it is taken");
            assert_eq!(error.kind, ErrorKind::Busy, "{error}");
        });
    }
    assert_eq!(ledger.snapshot().size(), size, "nothing was recorded");
    wait_for("it is free", || try_follow_once(&server.dsn("follower"), &ledger, Options::default()).is_ok());
}

/// A ledger that fails once, when it is told that following begins.
struct Failing<'a>(&'a Ledger, AtomicBool);

impl Trail for Failing<'_> {
    fn append(&self, drafts: Vec<Draft>) -> Result<Vec<Receipt>> {
        let begins = |draft: &Draft| String::from_utf8_lossy(draft.client_bytes()).contains("follow_started");
        if drafts.iter().any(begins) && !self.1.swap(true, Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::Poisoned, "it ends here"));
        }
        self.0.append_batch(drafts)
    }

    fn snapshot(&self) -> Result<Snapshot> {
        Ok(self.0.snapshot())
    }
}

#[test]
fn one_that_ended_after_it_took_the_slot_says_so_the_next_time() {
    for held in [0, 5] {
        let Some(server) = Server::replicating() else { return };
        server.installed();
        server.record(1, held);
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(&folder.path().join("audit"));
        let dsn = server.dsn("follower");
        let trail = Failing(&ledger, AtomicBool::new(false));
        let once = Options { once: true, ..Options::default() };
        let begin = || follow(&dsn, &trail, &once, &Patience::default(), &mut |_| ());
        begin().expect_err("the ledger failed");
        server.record(100, 2);
        assert_eq!(begin().unwrap().rows, 2);
        assert_eq!((rows(&ledger).len() as u64, started(&ledger)), (held + 2, 1));
        assert_eq!(checked(&dsn, &ledger).1, vec![]);
    }
}
