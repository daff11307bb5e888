//! Several shippers, forks and ledgers that went back.

use std::path::Path;
use std::process::Command;

use counterfoil::{ErrorKind, Ledger, OpenOptions};
use counterfoil_ship::Shipper;
use tempfile::TempDir;

use crate::basics::{append, create, findings};
use crate::server::Server;

pub fn copy_folder(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

#[test]
fn two_shippers_of_one_ledger_make_one_copy() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let ledger = create(&folder.path().join("ledger"));
    let (location, settings) = (server.location(), server.settings());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut shipper = Shipper::open(&location, &settings, None).unwrap();
                for _ in 0..20 {
                    append(&ledger, 30);
                    if let Err(error) = shipper.ship(&ledger.snapshot()) {
                        // The other one was ahead of this snapshot: nothing is lost, the next round goes on.
                        assert_eq!(error.kind, ErrorKind::Busy, "{error}");
                    }
                }
            });
        }
    });
    let mut shipper = Shipper::open(&location, &settings, None).unwrap();
    // What is sealed beside the shippers counts with the next entry.
    ledger.seal().unwrap();
    append(&ledger, 1);
    let snapshot = ledger.snapshot();
    assert_eq!(shipper.ship(&snapshot).unwrap().size, snapshot.size());
    assert_eq!(findings(&server), Vec::<String>::new());
}

#[test]
fn a_fork_is_refused() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger");
    let ledger = create(&path);
    append(&ledger, 100);
    ledger.close().unwrap();
    let fork = folder.path().join("fork");
    copy_folder(&path, &fork);
    let ledger = Ledger::open(&path, OpenOptions::default()).unwrap();
    let other = Ledger::open(&fork, OpenOptions::default()).unwrap();
    let mut shipper = Shipper::open(&server.location(), &server.settings(), None).unwrap();
    let mut forked = Shipper::open(&server.location(), &server.settings(), None).unwrap();
    append(&ledger, 10);
    shipper.ship(&ledger.snapshot()).unwrap();
    append(&other, 20);
    let refused = forked.ship(&other.snapshot()).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Tampered, "{refused}");
    assert!(refused.message.contains("fork"), "{refused}");
    // Also for one that knew the copy before they parted, whichever way the fork went on.
    append(&ledger, 300);
    ledger.seal().unwrap();
    shipper.ship(&ledger.snapshot()).unwrap();
    append(&other, 700);
    other.seal().unwrap();
    assert_eq!(forked.ship(&other.snapshot()).unwrap_err().kind, ErrorKind::Tampered);
    assert_eq!(findings(&server), Vec::<String>::new());
}

#[test]
fn a_ledger_that_went_back_or_is_another_one_is_refused() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger");
    let ledger = create(&path);
    append(&ledger, 100);
    ledger.close().unwrap();
    let old = folder.path().join("old");
    copy_folder(&path, &old);
    let ledger = Ledger::open(&path, OpenOptions::default()).unwrap();
    append(&ledger, 100);
    let mut shipper = Shipper::open(&server.location(), &server.settings(), None).unwrap();
    shipper.ship(&ledger.snapshot()).unwrap();
    // Behind the copy and never ahead of it: not a shipper that is a moment late, once it has entries of its own.
    let older = Ledger::open(&old, OpenOptions::default()).unwrap();
    append(&older, 500);
    let mut shipper = Shipper::open(&server.location(), &server.settings(), None).unwrap();
    assert_eq!(shipper.ship(&older.snapshot()).unwrap_err().kind, ErrorKind::Tampered);
    let another = create(&folder.path().join("another"));
    let mut shipper = Shipper::open(&server.location(), &server.settings(), None).unwrap();
    assert_eq!(shipper.ship(&another.snapshot()).unwrap_err().kind, ErrorKind::Tampered);
}

#[test]
fn a_ledger_toml_that_is_another_one_is_refused() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let ledger = create(&folder.path().join("ledger"));
    assert_eq!(server.curl(&["-X", "PUT", "-d", "squatter"], "/ledgers/one/ledger.toml").0, 200);
    let mut shipper = Shipper::open(&server.location(), &server.settings(), None).unwrap();
    let refused = shipper.ship(&ledger.snapshot()).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Tampered, "{refused}");
}
