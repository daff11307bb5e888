//! Shipping, going on, verifying.

use std::path::Path;

use counterfoil::{CreateOptions, ErrorKind, Ledger, OpenOptions, Reader, VerifyOptions};
use counterfoil_entry::Draft;
use counterfoil_evidence::{Finding, FindingKind};
use counterfoil_ship::{Bucket, Lock, LockMode, Shipper};
use tempfile::TempDir;

use crate::server::{BUCKET, Server};

pub fn create(path: &Path) -> Ledger {
    let mut options = CreateOptions::new("example.com/payments").expect("an origin");
    options.segment_span = 256;
    Ledger::create(path, options, OpenOptions::default()).expect("a ledger")
}

/// Opens a ledger that was just closed: a child that another test starts holds its lock until its own program begins.
pub fn reopen(path: &Path) -> Ledger {
    let start = std::time::Instant::now();
    loop {
        match Ledger::open(path, OpenOptions::default()) {
            Err(error) if error.kind == ErrorKind::Busy && start.elapsed().as_secs() < 30 => std::thread::yield_now(),
            opened => return opened.expect("a ledger"),
        }
    }
}

pub fn append(ledger: &Ledger, count: usize) {
    let draft = |number| Draft::builder("invoice_approved", "bot", &format!("INV-{number}")).build().expect("a draft");
    ledger.append_batch((0..count).map(draft).collect()).expect("appended");
}

pub fn findings(server: &Server) -> Vec<String> {
    let copy = Bucket::open(&server.location(), &server.settings()).expect("a copy");
    let report = copy.verify(&VerifyOptions::default()).expect("verified");
    report.findings.iter().map(ToString::to_string).collect()
}

#[test]
fn a_ledger_is_shipped_and_goes_on() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger");
    let ledger = create(&path);
    append(&ledger, 100);
    let mut shipper = Shipper::open(&server.location(), &server.settings(), None).unwrap();
    let first = shipper.ship(&ledger.snapshot()).unwrap();
    assert_eq!((first.size, first.journal_objects), (101, 1));
    assert_eq!(shipper.ship(&ledger.snapshot()).unwrap().objects, 0, "nothing is new");
    append(&ledger, 300);
    append(&ledger, 300);
    ledger.seal().unwrap();
    append(&ledger, 7);
    let second = shipper.ship(&ledger.snapshot()).unwrap();
    assert_eq!(second.size, ledger.snapshot().size());
    assert!(second.segments >= 2, "{second:?}");
    // A new shipper finds where the last one ended.
    append(&ledger, 20);
    ledger.close().unwrap();
    let mut other = Shipper::open(&server.location(), &server.settings(), None).unwrap();
    let third = other.ship(&Reader::open(&path).unwrap().snapshot().unwrap()).unwrap();
    assert_eq!((third.segments, third.journal_objects, third.objects), (0, 1, 2));
    let copy = Bucket::open(&server.location(), &server.settings()).unwrap();
    let report = copy.verify(&VerifyOptions::default()).unwrap();
    assert_eq!(report.findings, [], "{:?}", report.notices);
    assert_eq!((report.size, report.entries_checked), (third.size, third.size));
    let snapshot = copy.reader().unwrap().snapshot().unwrap();
    let last = snapshot.entry(third.size - 1).unwrap();
    assert_eq!(last, Reader::open(&path).unwrap().snapshot().unwrap().entry(third.size - 1).unwrap());
}

#[test]
fn what_was_shipped_cannot_be_deleted_or_replaced() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let ledger = create(&folder.path().join("ledger"));
    append(&ledger, 300);
    ledger.seal().unwrap();
    let mut shipper = Shipper::open(&server.location(), &server.settings(), None).unwrap();
    shipper.ship(&ledger.snapshot()).unwrap();
    let copy = Bucket::open(&server.location(), &server.settings()).unwrap();
    let report = copy.check_locks(&ledger.snapshot(), None).unwrap();
    assert_eq!(report.faults, []);
    let signer = Reader::open(folder.path().join("ledger")).unwrap().signer().unwrap();
    let note = report.attestation(&server.location(), &signer).unwrap();
    assert!(note.contains("ledger.toml ") && note.contains(" COMPLIANCE 20") && note.contains("\n\n— "), "{note}");
    assert!(report.objects >= 6, "{report:?}");
    let (_, listed) = server.curl(&["-X", "GET"], "?versions=");
    let mut refused = 0;
    for version in listed.split("<Version>").skip(1) {
        let text =
            |name: &str| version.split(&format!("<{name}>")).nth(1).unwrap().split('<').next().unwrap().to_owned();
        let path = format!("/{}?versionId={}", text("Key"), text("VersionId"));
        let (status, body) = server.curl(&["-X", "DELETE", "-H", "x-amz-bypass-governance-retention: true"], &path);
        assert_eq!(status, 403, "{path}: {body}");
        refused += 1;
    }
    assert_eq!(refused, report.objects);
    // Overwriting makes a newer version, which changes nothing of what is read, and is found.
    let key = "checkpoints/00000000000000000303";
    let there = server.keys("checkpoints");
    assert_eq!(there.len(), 1, "{there:?}");
    let path = format!("/ledgers/one/{}", there[0]);
    assert_eq!(server.curl(&["-X", "PUT", "-d", "forged"], &path).0, 200, "{key}");
    let found = findings(&server);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("newer version"), "{found:?}");
    assert_eq!(server.curl(&["-X", "DELETE"], "/ledgers/one/ledger.toml").0, 204);
    let found = findings(&server);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().any(|finding| finding.contains("delete marker")), "{found:?}");
}

#[test]
fn a_bucket_that_keeps_nothing_is_refused_before_the_first_byte() {
    let Some(server) = Server::bare() else { return };
    server.make_bucket(false);
    let refused = Shipper::open(&server.location(), &server.settings(), None).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Invalid);
    assert!(refused.message.contains("aws s3api") && refused.message.contains(BUCKET), "{refused}");
}

#[test]
fn a_bucket_without_a_default_needs_a_retention_for_each_object() {
    let Some(server) = Server::bare() else { return };
    server.make_bucket(true);
    let folder = TempDir::new().unwrap();
    let ledger = create(&folder.path().join("ledger"));
    append(&ledger, 10);
    let refused = Shipper::open(&server.location(), &server.settings(), None).unwrap_err();
    assert!(refused.message.contains("--retain"), "{refused}");
    let lock = Lock { legal_hold: true, ..Lock::new(LockMode::Compliance, 3).unwrap() };
    let mut shipper = Shipper::open(&server.location(), &server.settings(), Some(lock)).unwrap();
    shipper.ship(&ledger.snapshot()).unwrap();
    let copy = Bucket::open(&server.location(), &server.settings()).unwrap();
    assert_eq!(copy.check_locks(&ledger.snapshot(), Some(lock)).unwrap().faults, []);
    // Longer than what was given is a fault of every object; one whose lock was left off is named.
    let longer = Lock { days: 4, ..lock };
    assert_eq!(copy.check_locks(&ledger.snapshot(), Some(longer)).unwrap().faults.len(), 3);
    let forgotten = "a".repeat(64);
    server.curl(&["-X", "PUT", "-d", "x"], &format!("/ledgers/one/attachments/{forgotten}"));
    let copy = Bucket::open(&server.location(), &server.settings()).unwrap();
    let faults = copy.check_locks(&ledger.snapshot(), Some(lock)).unwrap().faults;
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].key.contains(&forgotten) && faults[0].message.contains("no lock"), "{faults:?}");
}

#[test]
fn a_retention_below_the_default_is_refused() {
    let Some(server) = Server::start() else { return };
    for (days, mode) in [(1, LockMode::Governance), (2, LockMode::Governance)] {
        let lock = Lock::new(mode, days).unwrap();
        let refused = Shipper::open(&server.location(), &server.settings(), Some(lock)).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Invalid, "{refused}");
        assert!(refused.message.contains("COMPLIANCE:1") && refused.message.contains("GOVERNANCE"), "{refused}");
    }
    server.default_retention_of("COMPLIANCE", 3);
    let lock = Lock::new(LockMode::Compliance, 2).unwrap();
    let refused = Shipper::open(&server.location(), &server.settings(), Some(lock)).unwrap_err();
    assert!(refused.message.contains("COMPLIANCE:3") && refused.message.contains("COMPLIANCE:2"), "{refused}");
}

#[test]
fn who_names_no_retention_does_not_get_less_than_what_is_there() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let ledger = create(&folder.path().join("ledger"));
    let ship = |lock: Option<Lock>| {
        append(&ledger, 5);
        let shipper = Shipper::open(&server.location(), &server.settings(), lock).unwrap();
        shipper.under_no_less().ship(&ledger.snapshot())
    };
    ship(None).unwrap();
    ship(None).unwrap();
    let longer = Lock { legal_hold: true, ..Lock::new(LockMode::Compliance, 3).unwrap() };
    ship(Some(longer)).unwrap();
    let before = server.keys("journal");
    let refused = ship(None).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Invalid);
    assert!(refused.message.contains("say --retain compliance:3 --legal-hold"), "{refused}");
    assert_eq!(server.keys("journal"), before, "nothing was put");
    ship(Some(longer)).unwrap();
    server.default_retention_of("COMPLIANCE", 4);
    let refused = ship(None).unwrap_err();
    assert!(refused.message.contains("--legal-hold"), "a hold is no matter of days: {refused}");
    ship(Some(Lock::new(LockMode::Compliance, 4).unwrap())).unwrap_err();
    let copy = Bucket::open(&server.location(), &server.settings()).unwrap();
    let short = copy.check_locks(&ledger.snapshot(), Some(longer)).unwrap().faults;
    assert!(short.iter().all(|fault| !fault.key.contains(&before[2])), "{short:?}");
}

#[test]
fn a_checkpoint_that_a_shipment_put_is_missed() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let ledger = create(&folder.path().join("ledger"));
    let mut shipper = Shipper::open(&server.location(), &server.settings(), None).unwrap();
    let mut sizes = Vec::new();
    for to in [server.location().to_string(), "s3://other/place".to_owned(), server.location().to_string()] {
        append(&ledger, 200);
        sizes.push(shipper.ship(&ledger.snapshot()).unwrap().size);
        // As a service records it.
        let context = format!("{{\"to\":\"{to}\",\"size\":{},\"segments\":1}}", sizes.last().unwrap());
        let origin = ledger.snapshot().origin().to_string();
        ledger.record_act(Draft::builder("ledger.shipped", "counterfoil", &origin).context_json(&context)).unwrap();
    }
    append(&ledger, 5);
    let state = folder.path().join("ledger/state");
    let shipper = Shipper::open(&server.location(), &server.settings(), None).unwrap();
    sizes.push(shipper.remembering(&state, &server.location()).ship(&ledger.snapshot()).unwrap().size);
    let check = || {
        let copy = Bucket::open(&server.location(), &server.settings()).unwrap().remembered_in(&state);
        let found = copy.check_locks(&ledger.snapshot(), None).unwrap().findings;
        found.iter().map(|finding| (finding.kind, finding.file.clone().unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(check(), []);
    for missed in [0, 1, 3] {
        std::fs::remove_file(server.file(&format!("checkpoints/{:020}", sizes[missed]))).unwrap();
    }
    // Nothing says that the second was shipped here; of the last only the folder knows.
    let missing = |size: u64| (FindingKind::MissingFile, format!("checkpoints/{size:020}"));
    assert_eq!(check(), [missing(sizes[0]), missing(sizes[3])]);
}

#[test]
fn a_copy_in_another_copy_or_around_one_is_refused() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let ledger = create(&folder.path().join("ledger"));
    let place = |prefix: &str| format!("s3://{BUCKET}/{prefix}").parse().unwrap();
    Shipper::open(&server.location(), &server.settings(), None).unwrap().ship(&ledger.snapshot()).unwrap();
    for (prefix, named) in [("ledgers/one/two", "ledgers/one"), ("ledgers", "ledgers/one"), ("", "ledgers/one")] {
        let refused = Shipper::open(&place(prefix), &server.settings(), None).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Conflict, "{prefix}: {refused}");
        assert!(refused.message.contains(&format!("s3://{BUCKET}/{named};")), "{prefix}: {refused}");
    }
    // Beside it, and where the copy is, all is well.
    for prefix in ["ledgers/one-more", "ledgers/one"] {
        Shipper::open(&place(prefix), &server.settings(), None).unwrap();
    }
}

#[test]
fn a_check_names_what_is_missing_what_is_foreign_and_the_lock_below_a_delete_marker() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let ledger = create(&folder.path().join("ledger"));
    let mut shipper = Shipper::open(&server.location(), &server.settings(), None).unwrap();
    for count in [100, 200, 250] {
        append(&ledger, count);
        shipper.ship(&ledger.snapshot()).unwrap();
    }
    ledger.seal().unwrap();
    append(&ledger, 5);
    shipper.ship(&ledger.snapshot()).unwrap();
    let check = || {
        let copy = Bucket::open(&server.location(), &server.settings()).unwrap();
        copy.check_locks(&ledger.snapshot(), None).unwrap()
    };
    assert_eq!((check().faults, check().findings), (vec![], vec![]));
    assert_eq!(server.curl(&["-X", "DELETE"], "/ledgers/one/segments/00000000000000000000.tiles").0, 204);
    let report = check();
    assert_eq!((report.faults, report.findings.len()), (vec![], 1), "{:?}", report.findings);
    assert_eq!(server.curl(&["-X", "PUT", "-d", "x"], "/ledgers/one/checkpoints/09000000000000000000").0, 200);
    assert_eq!(check().findings.len(), 2);
    let journal = server.keys("journal");
    for key in ["segments/00000000000000000256.index", &journal[1], &journal[3], "ledger.toml"] {
        let away = server.file("..").join("away");
        std::fs::rename(server.file(key), &away).unwrap();
        let copy = Bucket::open(&server.location(), &server.settings());
        let found = copy.and_then(|copy| copy.check_locks(&ledger.snapshot(), None)).map(|report| report.findings);
        std::fs::rename(&away, server.file(key)).unwrap();
        let tells = |finding: &Finding| finding.kind != FindingKind::UnexpectedFile;
        assert!(found.map_or(true, |found| found.iter().any(tells)), "{key} is missing and nobody noticed");
    }
}
