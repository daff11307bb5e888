//! The table over the shipped segments: it grows, it is never half, and no writer loses what another committed. That engines
//! read it is shown by interop/lake.

use std::cmp::Ordering::{Equal, Greater, Less};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use counterfoil::{CreateOptions, ErrorKind, Ledger, OpenOptions, Snapshot};
use counterfoil_ship::{Bucket, Lake, LakeTable, Location, Settings, Shipper};
use serde_json::Value;
use tempfile::TempDir;

use crate::basics::{append, create};
use crate::foreign::put_at;
use crate::proxy::{self, Fate};
use crate::server::{BUCKET, Server, settings};

fn table() -> Location {
    format!("s3://{BUCKET}/lake").parse().unwrap()
}

fn ship(server: &Server, ledger: &Ledger) {
    Shipper::open(&server.location(), &server.settings(), None).unwrap().ship(&ledger.snapshot()).unwrap();
}

fn lake(server: &Server, settings: &Settings) -> Lake {
    Lake::open(&server.location(), &table(), settings).unwrap()
}

fn commit(server: &Server, snapshot: &Snapshot) -> counterfoil::Result<LakeTable> {
    lake(server, &server.settings()).commit(snapshot)
}

/// Appends at least so many segments of 256 entries.
fn seal(ledger: &Ledger, segments: usize) {
    for _ in 0..segments {
        append(ledger, 256);
        ledger.seal().unwrap();
    }
}

/// What a reader finds that follows the hint: the table's metadata, of which every part must be there.
fn read(server: &Server) -> Option<Value> {
    let file = |key: &str| server.file("../../lake").join(key);
    let hint = std::fs::read_to_string(file("metadata/version-hint.text")).ok()?;
    let metadata = std::fs::read(file(&format!("metadata/v{hint}.metadata.json"))).expect("the hint names a file");
    let metadata: Value = serde_json::from_slice(&metadata).expect("the metadata is JSON");
    for snapshot in metadata["snapshots"].as_array().unwrap() {
        let list = snapshot["manifest-list"].as_str().unwrap();
        for manifest in named(&file(local(list, "/lake/")), "manifest-", ".avro") {
            let manifest = named(&file(&format!("metadata/{manifest}")), "segments/", ".parquet");
            assert!(!manifest.is_empty(), "{list} names a manifest without files");
        }
    }
    Some(metadata)
}

fn local<'a>(address: &'a str, prefix: &str) -> &'a str {
    address.split_once(prefix).expect("an address of the table").1
}

/// The names in an Avro file that begin and end so.
fn named(file: &Path, begin: &str, end: &str) -> Vec<String> {
    let bytes = std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let name = |rest: &str| Some(format!("{begin}{}{end}", rest.split_once(end)?.0));
    text.split(begin).skip(1).filter_map(name).collect()
}

fn records(metadata: &Value) -> &str {
    let current = &metadata["current-snapshot-id"];
    let snapshots = metadata["snapshots"].as_array().unwrap();
    let snapshot = snapshots.iter().find(|snapshot| snapshot["snapshot-id"] == *current).unwrap();
    snapshot["summary"]["total-records"].as_str().unwrap()
}

#[test]
fn the_table_grows_with_what_was_sealed_and_shipped_and_with_nothing_else() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let ledger = create(&folder.path().join("ledger"));
    append(&ledger, 100);
    ship(&server, &ledger);
    let none = commit(&server, &ledger.snapshot()).unwrap();
    assert_eq!((none.metadata, none.entries), (None, 0), "a tail is no table");
    seal(&ledger, 2);
    let unshipped = commit(&server, &ledger.snapshot()).unwrap();
    assert_eq!(unshipped.entries, 0, "what is not in the copy is in no table");
    ship(&server, &ledger);
    append(&ledger, 10);
    let first = commit(&server, &ledger.snapshot()).unwrap();
    assert_eq!(
        (first.entries, first.added),
        (ledger.snapshot().sealed_size(), ledger.snapshot().segments().len() as u64)
    );
    assert_eq!(first.metadata.as_deref(), Some(format!("{}/metadata/v1.metadata.json", table()).as_str()));
    let again = commit(&server, &ledger.snapshot()).unwrap();
    assert_eq!((again.entries, again.added, again.metadata), (first.entries, 0, first.metadata), "nothing is new");
    // The copy alone is enough to go on.
    seal(&ledger, 1);
    ship(&server, &ledger);
    let copy = Bucket::open(&server.location(), &server.settings()).unwrap();
    let second = commit(&server, &copy.reader().unwrap().snapshot().unwrap()).unwrap();
    assert_eq!(second.entries, ledger.snapshot().sealed_size());
    let metadata = read(&server).expect("a table");
    assert_eq!(records(&metadata), second.entries.to_string());
    assert_eq!(metadata["properties"]["counterfoil.last-index"], (second.entries - 1).to_string());
    assert_eq!(metadata["snapshots"].as_array().unwrap().len(), 2);
}

#[test]
fn a_segment_that_stands_beside_its_key_is_in_the_table_and_what_has_its_key_is_not() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let ledger = create(&folder.path().join("ledger"));
    seal(&ledger, 1);
    ship(&server, &ledger);
    commit(&server, &ledger.snapshot()).unwrap();
    seal(&ledger, 2);
    let taken = ledger.snapshot().segments()[1].first();
    let key = format!("/ledgers/one/segments/{taken:020}.parquet");
    put_at(&server, &key, b"somebody");
    append(&ledger, 1);
    ship(&server, &ledger);
    // Whoever comes behind it is no more of the ledger's.
    put_at(&server, &format!("{key}-{}", "f".repeat(32)), b"somebody");
    let table = commit(&server, &ledger.snapshot()).unwrap();
    assert_eq!(table.entries, ledger.snapshot().sealed_size());
    assert_eq!(records(&read(&server).expect("a table")), table.entries.to_string());
    let beside = server.keys("segments").into_iter().filter(|key| key.contains("parquet-") && !key.ends_with("ffff"));
    let beside: Vec<String> = beside.collect();
    assert_eq!(beside.len(), 1, "{beside:?}");
    let manifests = std::fs::read_dir(server.file("../../lake/metadata")).unwrap();
    let texts =
        manifests.map(|file| String::from_utf8_lossy(&std::fs::read(file.unwrap().path()).unwrap()).into_owned());
    assert!(texts.into_iter().any(|text| text.contains(&format!("one/{}", beside[0]))), "the table names {beside:?}");
}

#[test]
fn a_commit_costs_the_same_however_long_the_ledger_is() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let mut options = CreateOptions::new("example.com/long").unwrap();
    options.segment_span = 256;
    let ledger = Ledger::create(folder.path().join("ledger"), options, OpenOptions::default()).unwrap();
    let manifests = |metadata: &Value| {
        let list = metadata["snapshots"].as_array().unwrap().last().unwrap()["manifest-list"].as_str().unwrap();
        let list = server.file("../../lake").join(local(list, "/lake/"));
        let manifests = named(&list, "manifest-", ".avro");
        let files =
            |name: &String| named(&server.file("../../lake/metadata").join(name), "segments/", ".parquet").len();
        let files = manifests.iter().map(files).collect::<Vec<_>>();
        (manifests, files)
    };
    let mut before: Vec<String> = Vec::new();
    for _ in 0..3 {
        for _ in 0..50 {
            append(&ledger, 256);
        }
        ledger.seal().unwrap();
        ship(&server, &ledger);
        let done = commit(&server, &ledger.snapshot()).unwrap();
        let (manifests, files) = manifests(&read(&server).unwrap());
        assert!(files.iter().all(|files| *files <= 128), "{files:?}");
        assert_eq!(files.iter().sum::<usize>(), ledger.snapshot().segments().len());
        assert_eq!(done.entries, ledger.snapshot().sealed_size());
        let full = before.len().saturating_sub(1);
        assert_eq!(manifests[..full], before[..full], "full manifests stay");
        before = manifests;
    }
    assert!(before.len() > 1, "more than one manifest is in use");
}

#[test]
fn a_commit_that_is_stopped_anywhere_leaves_the_old_table_and_is_taken_up_again() {
    for fate in [Fate::CutRequest, Fate::CutAnswer] {
        for step in 0.. {
            let Some(server) = Server::start() else { return };
            let folder = TempDir::new().unwrap();
            let ledger = create(&folder.path().join("ledger"));
            seal(&ledger, 1);
            ship(&server, &ledger);
            let old = commit(&server, &ledger.snapshot()).unwrap();
            seal(&ledger, 1);
            ship(&server, &ledger);
            // From one put on nothing gets through any more.
            let puts = AtomicUsize::new(0);
            let endpoint = proxy::start(server.port(), move |request| {
                let put = request.starts_with("PUT");
                match puts.fetch_add(usize::from(put), Ordering::SeqCst).cmp(&step) {
                    Less => Fate::Pass,
                    Equal if put => fate,
                    Equal => Fate::Pass,
                    Greater => Fate::CutRequest,
                }
            });
            let stopped = lake(&server, &settings(&endpoint)).commit(&ledger.snapshot());
            let metadata = read(&server).expect("the table is there at every step");
            let records = records(&metadata).parse::<u64>().unwrap();
            let new = ledger.snapshot().sealed_size();
            assert!(records == old.entries || records == new, "{fate:?} at put {step}: {records}");
            seal(&ledger, 1);
            ship(&server, &ledger);
            let next = commit(&server, &ledger.snapshot()).unwrap();
            assert_eq!(next.entries, ledger.snapshot().sealed_size(), "{fate:?} at put {step}");
            let metadata = read(&server).unwrap();
            assert_eq!(self::records(&metadata), next.entries.to_string(), "{fate:?} at put {step}");
            if stopped.is_ok() {
                assert!(step >= 3, "every step was tried: {step}");
                break;
            }
        }
    }
}

#[test]
fn two_writers_lose_nothing_and_double_nothing() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let ledger = create(&folder.path().join("ledger"));
    for round in 0..4 {
        seal(&ledger, 1);
        ship(&server, &ledger);
        let half = ledger.snapshot();
        seal(&ledger, 1);
        ship(&server, &ledger);
        let whole = ledger.snapshot();
        std::thread::scope(|scope| {
            for snapshot in [&half, &whole, &half, &whole] {
                let server = &server;
                // The one that has less may find that the table is ahead of it.
                scope.spawn(move || match commit(server, snapshot) {
                    Ok(done) => assert!(done.entries >= snapshot.sealed_size(), "{done:?}"),
                    Err(error) => assert_eq!(error.kind, ErrorKind::Busy, "{error}"),
                });
            }
        });
        let metadata = read(&server).expect("a table");
        assert_eq!(records(&metadata), whole.sealed_size().to_string(), "round {round}");
        let version = std::fs::read_to_string(server.file("../../lake/metadata/version-hint.text")).unwrap();
        let next = version.parse::<u64>().unwrap() + 1;
        let next = format!("../../lake/metadata/v{next}.metadata.json");
        assert!(!server.file(&next).exists(), "the hint names the newest");
    }
}

#[test]
fn a_fork_another_copy_another_program_and_a_place_inside_the_copy_are_refused() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let ledger = create(&folder.path().join("ledger"));
    seal(&ledger, 1);
    ship(&server, &ledger);
    commit(&server, &ledger.snapshot()).unwrap();
    let fork = create(&folder.path().join("fork"));
    append(&fork, 300);
    assert_eq!(commit(&server, &fork.snapshot()).unwrap_err().kind, ErrorKind::Tampered);
    let elsewhere: Location = format!("s3://{BUCKET}/ledgers/two").parse().unwrap();
    let other = Lake::open(&elsewhere, &table(), &server.settings()).unwrap();
    assert_eq!(other.commit(&ledger.snapshot()).unwrap_err().kind, ErrorKind::Conflict);
    for inside in ["ledgers/one", "ledgers/one/lake", "ledgers"] {
        let inside: Location = format!("s3://{BUCKET}/{inside}").parse().unwrap();
        let refused = Lake::open(&server.location(), &inside, &server.settings()).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Invalid, "{inside}");
    }
    let beside: Location = format!("s3://{BUCKET}/ledgers/one-lake").parse().unwrap();
    Lake::open(&server.location(), &beside, &server.settings()).unwrap();
    // Another program adds a column in a version of its own.
    let metadata = read(&server).unwrap().to_string().replace("\"salt\"", "\"sweet\"");
    let path = "/lake/metadata/v2.metadata.json";
    assert_eq!(server.curl(&["-X", "PUT", "-d", &metadata], path).0, 200);
    assert_eq!(commit(&server, &ledger.snapshot()).unwrap_err().kind, ErrorKind::Conflict);
}

#[test]
fn a_damaged_part_of_the_table_is_named_and_nothing_is_committed_on_it() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let ledger = create(&folder.path().join("ledger"));
    seal(&ledger, 1);
    ship(&server, &ledger);
    commit(&server, &ledger.snapshot()).unwrap();
    seal(&ledger, 1);
    ship(&server, &ledger);
    let metadata = server.file("../../lake/metadata");
    for kind in ["list-", "manifest-"] {
        let names = std::fs::read_dir(&metadata).unwrap().map(|entry| entry.unwrap().path());
        let file =
            names.into_iter().find(|path| path.file_name().unwrap().to_string_lossy().starts_with(kind)).unwrap();
        let whole = std::fs::read(&file).unwrap();
        let cut = whole.len() / 9;
        for length in (0..whole.len()).step_by(cut) {
            std::fs::write(&file, &whole[..length]).unwrap();
            let error = commit(&server, &ledger.snapshot()).unwrap_err();
            assert!(matches!(error.kind, ErrorKind::Damaged | ErrorKind::Conflict), "{kind} of {length}: {error}");
        }
        std::fs::write(&file, whole).unwrap();
    }
    assert_eq!(commit(&server, &ledger.snapshot()).unwrap().entries, ledger.snapshot().sealed_size());
}
