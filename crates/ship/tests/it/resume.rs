//! A copy is verified on from where an earlier verification ended.

use std::sync::{Arc, Mutex};

use counterfoil::{Verified, VerifyOptions};
use counterfoil_evidence::Report;
use counterfoil_ship::{Bucket, Settings, Shipper};
use tempfile::TempDir;

use crate::basics::{append, create};
use crate::proxy::{self, Fate};
use crate::server::{Server, settings};

fn run(server: &Server, settings: &Settings, resume: Option<Verified>) -> (Report, Option<Verified>) {
    let reached = Mutex::new(None);
    let remember = |state: Verified| *reached.lock().unwrap() = Some(state);
    let copy = Bucket::open(&server.location(), settings).unwrap();
    let options = VerifyOptions { resume, remember: Some(&remember), ..VerifyOptions::default() };
    let report = copy.verify(&options).unwrap();
    drop(options);
    (report, reached.into_inner().unwrap())
}

#[test]
fn a_later_verification_of_a_copy_reads_what_is_new() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let ledger = create(&folder.path().join("ledger"));
    let mut shipper = Shipper::open(&server.location(), &server.settings(), None).unwrap();
    for _ in 0..6 {
        append(&ledger, 150);
        shipper.ship(&ledger.snapshot()).unwrap();
    }
    ledger.seal().unwrap();
    append(&ledger, 5);
    shipper.ship(&ledger.snapshot()).unwrap();
    let (first, state) = run(&server, &server.settings(), None);
    assert_eq!(first.findings, []);
    append(&ledger, 600);
    ledger.seal().unwrap();
    append(&ledger, 5);
    shipper.ship(&ledger.snapshot()).unwrap();
    let (whole, _) = run(&server, &server.settings(), None);
    let requests = Arc::new(Mutex::new(Vec::new()));
    let log = requests.clone();
    let endpoint = proxy::start(server.port(), move |request| {
        log.lock().unwrap().push(request.to_owned());
        Fate::Pass
    });
    let (report, newer) = run(&server, &settings(&endpoint), state.clone());
    assert_eq!(report.findings, []);
    assert_eq!((report.size, report.root), (whole.size, whole.root));
    let log = requests.lock().unwrap();
    let asked = |what: &str| log.iter().any(|request| request.starts_with("GET") && request.contains(what));
    assert!(!asked("segments/00000000000000000000.parquet") && !asked("segments/00000000000000000256.parquet"));
    assert!(asked("segments/00000000000000001024.parquet"), "{log:#?}");
    // Of an old journal object only the header, to see what counts now.
    let old = log.iter().filter(|request| request.contains("journal/00000000000000000151")).count();
    assert!(old <= 1, "{log:#?}");
    drop(log);
    assert!(newer.is_some_and(|newer| newer.size() > state.as_ref().unwrap().size()));
    // The newest journal object that was verified must be there as it was.
    let journal = server.keys("journal");
    let known = state.as_ref().unwrap().copy_mark().unwrap().journal;
    let known = journal.iter().find(|key| key.ends_with(&format!("{known:020}"))).unwrap();
    let mut bytes = std::fs::read(server.file(known)).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(server.file(known), bytes).unwrap();
    let (report, newer) = run(&server, &server.settings(), state);
    assert!(!report.findings.is_empty() && newer.is_none());
}

#[test]
fn what_is_shipped_while_a_copy_is_verified_is_no_finding() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let ledger = create(&folder.path().join("ledger"));
    let mut shipper = Shipper::open(&server.location(), &server.settings(), None).unwrap();
    append(&ledger, 150);
    let before = shipper.ship(&ledger.snapshot()).unwrap().size;
    let copy = Bucket::open(&server.location(), &server.settings()).unwrap();
    for count in [20, 400, 5] {
        append(&ledger, count);
        ledger.seal().unwrap();
        shipper.ship(&ledger.snapshot()).unwrap();
    }
    let report = copy.verify(&VerifyOptions::default()).unwrap();
    assert_eq!((report.findings, report.size), (vec![], before));
    assert_eq!(copy.check_locks(&ledger.snapshot(), None).unwrap().findings, []);
}
