//! Stores that answer old lists, and stores that tell everybody to slow down.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use counterfoil::{ErrorKind, Ledger, OpenOptions, VerifyOptions};
use counterfoil_evidence::FindingKind;
use counterfoil_ship::{Bucket, Shipper};
use tempfile::TempDir;

use crate::basics::{append, create, findings};
use crate::proxy::{self, Fate};
use crate::server::{Server, settings};

#[test]
fn old_lists_neither_double_nor_fork_nor_hide_what_somebody_knows_of() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger");
    let ledger = create(&path);
    append(&ledger, 50);
    let old = Arc::new(AtomicBool::new(false));
    let is_old = old.clone();
    let endpoint = proxy::start(server.port(), move |request| match request.contains("versions") {
        true if is_old.load(Ordering::SeqCst) => Fate::Stale,
        _ => Fate::Pass,
    });
    let through = || Shipper::open(&server.location(), &settings(&endpoint), None).unwrap();
    through().ship(&ledger.snapshot()).unwrap();
    ledger.close().unwrap();
    let fork = folder.path().join("fork");
    let copied = std::process::Command::new("cp").arg("-r").arg(&path).arg(&fork).status().unwrap();
    assert!(copied.success());
    // The lists as they are now are what shippers and readers will be told from here on.
    Bucket::open(&server.location(), &settings(&endpoint)).unwrap();
    let ledger = Ledger::open(&path, OpenOptions::default()).unwrap();
    through().ship(&ledger.snapshot()).unwrap();
    append(&ledger, 600);
    ledger.seal().unwrap();
    Shipper::open(&server.location(), &server.settings(), None).unwrap().ship(&ledger.snapshot()).unwrap();
    old.store(true, Ordering::SeqCst);
    append(&ledger, 10);
    let done = through().ship(&ledger.snapshot()).unwrap();
    assert_eq!(done.size, ledger.snapshot().size());
    assert_eq!(findings(&server), [""; 0]);
    let forked = Ledger::open(&fork, OpenOptions::default()).unwrap();
    append(&forked, 800);
    let refused = through().ship(&forked.snapshot()).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Tampered, "{refused}");
    assert_eq!(findings(&server), [""; 0]);
    // Who reads through old lists sees an old ledger that is whole; a checkpoint that was kept shows what is missing.
    let copy = Bucket::open(&server.location(), &settings(&endpoint)).unwrap();
    let report = copy.verify(&VerifyOptions::default()).unwrap();
    assert!(report.findings.is_empty() && report.size < done.size, "{report:?}");
    let kept = Some(ledger.checkpoint().as_bytes().to_vec());
    let report = copy.verify(&VerifyOptions { checkpoint: kept, ..VerifyOptions::default() }).unwrap();
    assert!(report.findings.iter().any(|finding| finding.kind == FindingKind::CheckpointAhead), "{report:?}");
}

#[test]
fn every_request_may_be_told_to_slow_down() {
    let Some(server) = Server::start() else { return };
    let endpoint = proxy::slowing_down(server.port());
    let folder = TempDir::new().unwrap();
    let ledger = create(&folder.path().join("ledger"));
    append(&ledger, 300);
    ledger.seal().unwrap();
    append(&ledger, 5);
    let slow = settings(&endpoint);
    let done = Shipper::open(&server.location(), &slow, None).unwrap().ship(&ledger.snapshot()).unwrap();
    let copy = Bucket::open(&server.location(), &slow).unwrap();
    assert_eq!(copy.check_locks(&ledger.snapshot(), None).unwrap().faults, []);
    let report = copy.verify(&VerifyOptions::default()).unwrap();
    assert_eq!((report.findings, report.size), (vec![], done.size));
    let new = folder.path().join("new");
    let restored = copy.restore(&new, &VerifyOptions::default(), OpenOptions::default()).unwrap();
    assert_eq!(restored.entries, done.size);
    assert_eq!(findings(&server), [""; 0]);
}
