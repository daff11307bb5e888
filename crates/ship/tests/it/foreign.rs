//! Somebody may put objects into the bucket and has no key of the ledger: he is found and stops nobody.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use counterfoil::{ErrorKind, Layout, Ledger, OpenOptions, VerifyOptions, verify};
use counterfoil_evidence::{FindingClass, FindingKind};
use counterfoil_ship::{Bucket, Location, Settings, Shipper, newest_checkpoint};
use tempfile::TempDir;

use crate::basics::{append, create};
use crate::proxy::{self, Fate};
use crate::server::{Server, settings};

const PATIENCE: Duration = Duration::from_secs(10);

fn put(server: &Server, key: &str, content: &[u8]) {
    put_at(server, &format!("/ledgers/one/{key}"), content);
}

/// Puts an object anywhere in the bucket, as somebody without the ledger's key may.
pub fn put_at(server: &Server, path: &str, content: &[u8]) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("content");
    fs::write(&file, content).unwrap();
    let content = format!("@{}", file.display());
    let checksum = "x-amz-checksum-sha256:";
    let (status, body) = server.curl(&["-X", "PUT", "-H", checksum, "--data-binary", &content], path);
    assert_eq!(status, 200, "{path}: {body}");
}

/// A copy of two segments and a tail.
fn shipped(server: &Server, path: &Path) -> Ledger {
    let ledger = create(path);
    let mut shipper = Shipper::open(&server.location(), &server.settings(), None).unwrap();
    for count in [100, 200, 250] {
        append(&ledger, count);
        shipper.ship(&ledger.snapshot()).unwrap();
    }
    ledger.seal().unwrap();
    for count in [1, 30] {
        append(&ledger, count);
        shipper.ship(&ledger.snapshot()).unwrap();
    }
    ledger
}

/// The copy holds the whole ledger, though somebody wrote there; how many findings say so.
fn holds_all(location: &Location, settings: &Settings, ledger: &Ledger) -> usize {
    let size = ledger.snapshot().size();
    let copy = Bucket::open(location, settings).unwrap();
    let report = copy.verify(&VerifyOptions::default()).unwrap();
    let foreign = |kind| kind == FindingKind::UnexpectedFile;
    assert!(report.findings.iter().all(|finding| foreign(finding.kind)), "{:#?}", report.findings);
    assert_eq!((report.size, report.class()), (size, Some(FindingClass::Tampered)));
    let snapshot = copy.reader().unwrap().snapshot().unwrap();
    assert_eq!(snapshot.entry(size - 1).unwrap(), ledger.snapshot().entry(size - 1).unwrap());
    let folder = TempDir::new().unwrap();
    let new = folder.path().join("new");
    let restored = copy.restore(&new, &VerifyOptions::default(), OpenOptions::default()).unwrap();
    assert_eq!(restored.entries, size);
    assert_eq!(verify(&new, &VerifyOptions::default()).unwrap().findings, []);
    report.findings.len()
}

#[test]
fn what_somebody_puts_at_the_newest_names_stops_nobody() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger");
    let ledger = shipped(&server, &path);
    let mut copy = Bucket::open(&server.location(), &server.settings()).unwrap();
    let (journal, checkpoints) = (server.keys("journal"), server.keys("checkpoints"));
    let newest = fs::read(server.file(checkpoints.last().unwrap())).unwrap();
    let object = fs::read(server.file(journal.last().unwrap())).unwrap();
    let from = u64::from_le_bytes(object[8..16].try_into().unwrap());
    // The ledger's own frames, said to begin somewhere else.
    let mut moved = object.clone();
    moved[8..16].copy_from_slice(&(from + 1).to_le_bytes());
    for folder in ["checkpoints", "journal"] {
        for name in ["04000000000000000000", "99999999999999999999", "00000000000000000007", "9", "zzz", "~"] {
            put(&server, &format!("{folder}/{name}"), b"somebody");
        }
    }
    put(&server, "checkpoints/03000000000000000000", &newest);
    put(&server, "journal/03000000000000000000", &object);
    put(&server, &format!("journal/{:020}", from + 1), &moved);
    assert_eq!(holds_all(&server.location(), &server.settings(), &ledger), 15);
    let note = newest_checkpoint(&Layout::new(&path), &server.location(), &server.settings(), PATIENCE).unwrap();
    assert_eq!(note.as_deref(), Some(newest.as_slice()));
    // Shipping goes on, for one that knows the place and one that does not; so does whoever reads.
    for known in [false, true] {
        append(&ledger, 20);
        let mut shipper = Shipper::open(&server.location(), &server.settings(), None).unwrap();
        if known {
            shipper = shipper.remembering(&Layout::new(&path).state(), &server.location());
        }
        let done = shipper.ship(&ledger.snapshot()).unwrap();
        assert_eq!((done.size, done.journal_objects, done.taken.len()), (ledger.snapshot().size(), 1, 0));
        assert!(copy.refresh().unwrap());
        assert_eq!(copy.reader().unwrap().snapshot().unwrap().size(), done.size);
    }
    assert_eq!(holds_all(&server.location(), &server.settings(), &ledger), 15);
}

#[test]
fn a_key_that_ends_in_space_is_another_key() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let ledger = shipped(&server, &folder.path().join("ledger"));
    let number = format!("{:020}", 0);
    let ends = ["ledger.toml%20", "ledger.toml%0D", &format!("journal/{number}%20"), &format!("journal/{number}%0D")];
    for key in ends {
        put(&server, key, b"somebody");
    }
    append(&ledger, 20);
    let mut shipper = Shipper::open(&server.location(), &server.settings(), None).unwrap();
    assert_eq!(shipper.ship(&ledger.snapshot()).unwrap().size, ledger.snapshot().size());
    assert_eq!(holds_all(&server.location(), &server.settings(), &ledger), ends.len());
}

#[test]
fn a_key_that_is_taken_before_its_object_comes_costs_nothing() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger");
    let ledger = shipped(&server, &path);
    let copy = Bucket::open(&server.location(), &server.settings()).unwrap();
    let object = fs::read(server.file(server.keys("journal").last().unwrap())).unwrap();
    for round in 1..=2 {
        let end = ledger.snapshot().size();
        append(&ledger, 20);
        // One who copies what was there, and one who does not even do that.
        put(&server, &format!("journal/{end:020}"), if round == 1 { b"somebody" } else { &object });
        put(&server, &format!("checkpoints/{:020}", end + 20), b"somebody");
        put(&server, &format!("journal/{end:020}-{:032}", 0), b"somebody");
        let mut shipper = Shipper::open(&server.location(), &server.settings(), None).unwrap();
        let done = shipper.ship(&ledger.snapshot()).unwrap();
        assert_eq!((done.size, done.taken.len()), (end + 20, 2), "{done:?}");
        let mut again = Shipper::open(&server.location(), &server.settings(), None).unwrap();
        assert_eq!(again.ship(&ledger.snapshot()).unwrap().objects, 0, "it is known that all is there");
        assert_eq!(holds_all(&server.location(), &server.settings(), &ledger), round * 3);
    }
    let mut copy = copy;
    assert!(copy.refresh().unwrap());
    assert_eq!(copy.reader().unwrap().snapshot().unwrap().size(), ledger.snapshot().size());
}

#[test]
fn a_segment_whose_key_is_taken_stands_beside_it() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let ledger = shipped(&server, &folder.path().join("ledger"));
    let mut copy = Bucket::open(&server.location(), &server.settings()).unwrap();
    let genuine = fs::read(server.file("segments/00000000000000000000.parquet")).unwrap();
    let marked = |digit: &str| format!("segments/00000000000000000512.parquet-{}", digit.repeat(32));
    put(&server, "segments/00000000000000000512.parquet", &genuine);
    put(&server, "segments/00000000000000000512.tiles", b"somebody");
    put(&server, &marked("0"), b"somebody");
    let mut shipper = Shipper::open(&server.location(), &server.settings(), None).unwrap();
    append(&ledger, 400);
    ledger.seal().unwrap();
    append(&ledger, 100);
    let snapshot = ledger.snapshot();
    let done = shipper.ship(&snapshot).unwrap();
    assert_eq!((done.size, done.taken.len()), (snapshot.size(), 2));
    // Now that the mark is known, others come too late.
    put(&server, &marked("f"), b"somebody");
    put(&server, "segments/00000000000000009216.parquet", b"somebody");
    append(&ledger, 5);
    shipper.ship(&ledger.snapshot()).unwrap();
    assert_eq!(holds_all(&server.location(), &server.settings(), &ledger), 4);
    assert!(copy.refresh().unwrap());
    // A key far ahead hides nothing of what comes later.
    append(&ledger, 600);
    ledger.seal().unwrap();
    append(&ledger, 5);
    shipper.ship(&ledger.snapshot()).unwrap();
    assert!(copy.refresh().unwrap());
    let reader = copy.reader().unwrap().snapshot().unwrap();
    for index in [0, 300, 600, 700, 1100, 1400, ledger.snapshot().size() - 1] {
        assert_eq!(reader.entry(index).unwrap(), ledger.snapshot().entry(index).unwrap(), "{index}");
    }
}

#[test]
fn what_only_looks_like_a_copy_keeps_nobody_from_a_place() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let ledger = create(&folder.path().join("ledger"));
    append(&ledger, 20);
    // A name, and what a ledger might say of itself, with nothing that it signed.
    put_at(&server, "/ledger.toml", b"somebody");
    put_at(&server, "/ledgers/ledger.toml", &ledger.snapshot().config_file().unwrap());
    put_at(&server, "/ledgers/one/below/ledger.toml", b"somebody");
    put_at(&server, "/ledgers/one/below/checkpoints/00000000000000000009", b"somebody");
    let mut shipper = Shipper::open(&server.location(), &server.settings(), None).unwrap();
    let done = shipper.ship(&ledger.snapshot()).unwrap();
    assert_eq!((done.size, done.pretences.len()), (ledger.snapshot().size(), 3), "{done:?}");
    assert!(done.pretences.iter().any(|told| told.starts_with("s3://audit/ledger.toml")), "{done:?}");
    assert_eq!(shipper.ship(&ledger.snapshot()).unwrap().pretences, [""; 0], "it is told once");
    let drill = server.location().of_drill("today").unwrap();
    Shipper::open_for_drill(&drill, &server.settings(), None).unwrap().ship(&ledger.snapshot()).unwrap();
    // A ledger's own folder is no place for its copy.
    let inside = format!("file://{}/copy", folder.path().join("ledger").display()).parse().unwrap();
    let refused = Shipper::open(&inside, &Settings::default(), None).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Conflict, "{refused}");
}

#[test]
fn a_start_asks_little_however_much_somebody_put_there() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger");
    let ledger = shipped(&server, &path);
    let state = Layout::new(&path).state();
    append(&ledger, 5);
    let open =
        |settings| Shipper::open(&server.location(), &settings, None).unwrap().remembering(&state, &server.location());
    open(server.settings()).ship(&ledger.snapshot()).unwrap();
    for number in 0..25 {
        put(&server, &format!("checkpoints/{:020}", 1_000_000 + number), b"somebody");
        put(&server, &format!("journal/{:020}", 1_000_000 + number), b"somebody");
    }
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let endpoint = proxy::start(server.port(), move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        Fate::Pass
    });
    append(&ledger, 5);
    let done = open(settings(&endpoint)).ship(&ledger.snapshot()).unwrap();
    assert_eq!(done.size, ledger.snapshot().size());
    assert!(asked.load(Ordering::SeqCst) < 20, "{asked:?} requests, and more than twice as many objects");
    // Who remembers an end that is not there reads the chain anew.
    let file = fs::read_dir(&state).unwrap().map(|file| file.unwrap().path());
    let file = file.into_iter().find(|file| file.to_string_lossy().contains("copy-")).unwrap();
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("\"digest\":\"", "\"digest\":\"0")).unwrap();
    append(&ledger, 5);
    let done = open(settings(&endpoint)).ship(&ledger.snapshot()).unwrap();
    assert_eq!((done.size, done.journal_objects), (ledger.snapshot().size(), 1));
}

#[test]
fn thousands_of_foreign_objects_hide_nothing() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger");
    let place = folder.path().join("copy");
    let location: Location = format!("file://{}", place.display()).parse().unwrap();
    let ledger = create(&path);
    append(&ledger, 300);
    let shipper = Shipper::open(&location, &Settings::default(), None).unwrap();
    let mut shipper = shipper.remembering(&Layout::new(&path).state(), &location);
    shipper.ship(&ledger.snapshot()).unwrap();
    append(&ledger, 300);
    ledger.seal().unwrap();
    append(&ledger, 9);
    shipper.ship(&ledger.snapshot()).unwrap();
    for number in 1..=3000 {
        fs::write(place.join(format!("checkpoints/{:020}", 10_000 + number)), "somebody").unwrap();
        fs::write(place.join(format!("journal/{:020}", 10_000 + number)), "somebody").unwrap();
        fs::write(place.join(format!("segments/{:020}.tiles", 512 * (number + 1000))), "somebody").unwrap();
    }
    let findings = holds_all(&location, &Settings::default(), &ledger);
    assert_eq!(findings, 1001, "a thousand, and how many more");
    let before = newest_checkpoint(&Layout::new(&path), &location, &Settings::default(), PATIENCE).unwrap();
    assert_eq!(before.as_deref(), Some(ledger.checkpoint().as_bytes()));
    append(&ledger, 9);
    let mut shipper = Shipper::open(&location, &Settings::default(), None).unwrap();
    assert_eq!(shipper.ship(&ledger.snapshot()).unwrap().size, ledger.snapshot().size());
    // A folder that went back is known all the same.
    let stranger = folder.path().join("stranger");
    let other = create(&stranger);
    append(&other, 5);
    let refused = Shipper::open(&location, &Settings::default(), None).unwrap().ship(&other.snapshot()).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Tampered);
}
