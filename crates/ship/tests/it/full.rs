//! A server whose disk is full.

use std::fs::{self, File};
use std::io::Write;

use counterfoil::{ErrorKind, VerifyOptions};
use counterfoil_ship::{Bucket, Shipper};
use tempfile::TempDir;

use crate::basics::{append, create, findings};
use crate::server::Server;

/// Takes all the room that is left.
fn fill(server: &Server) {
    let mut filler = File::options().append(true).create(true).open(server.filler()).unwrap();
    for size in [64 << 10, 4 << 10, 1 << 10] {
        while filler.write_all(&vec![1; size]).is_ok() {}
    }
}

#[test]
fn a_full_store_costs_time_and_nothing_else() {
    let Some(server) = Server::small(12) else { return };
    let folder = TempDir::new().unwrap();
    let ledger = create(&folder.path().join("ledger"));
    append(&ledger, 100);
    let mut shipper = Shipper::open(&server.location(), &server.settings(), None).unwrap();
    let first = shipper.ship(&ledger.snapshot()).unwrap().size;
    fill(&server);
    for _ in 0..3 {
        append(&ledger, 300);
        ledger.seal().unwrap();
        let refused = shipper.ship(&ledger.snapshot()).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Unavailable, "{refused}");
        let mut fresh = Shipper::open(&server.location(), &server.settings(), None).unwrap();
        let refused = fresh.ship(&ledger.snapshot()).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Unavailable, "{refused}");
        // What was there before is there as it was.
        let copy = Bucket::open(&server.location(), &server.settings()).unwrap();
        let report = copy.verify(&VerifyOptions::default()).unwrap();
        assert_eq!((report.findings, report.size), (vec![], first));
    }
    fs::remove_file(server.filler()).unwrap();
    let done = shipper.ship(&ledger.snapshot()).unwrap();
    assert_eq!(done.size, ledger.snapshot().size());
    assert_eq!(findings(&server), [""; 0]);
}
