//! Copies in Google Cloud Storage and Azure Blob Storage: what is shown of S3 holds there too.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use counterfoil::{ErrorKind, Layout, Ledger, OpenOptions, Reader, VerifyOptions};
use counterfoil_ship::{Bucket, Encryption, Keep, Lake, Lock, LockMode, Prune, Shipper, newest_checkpoint};
use tempfile::TempDir;

use crate::basics::{append, create};
use crate::cloud::Cloud;
use crate::large::attach;
use crate::proxy::{self, Fate};
use crate::restore::files;
use crate::shippers::copy_folder;

macro_rules! on_each {
    ($($name:ident),* $(,)?) => {
        mod gcs {
            $(#[test] fn $name() { if let Some(cloud) = crate::cloud::Cloud::gcs() { super::$name(&cloud) } })*
        }
        mod azure {
            $(#[test] fn $name() { if let Some(cloud) = crate::cloud::Cloud::azure() { super::$name(&cloud) } })*
        }
    };
}
pub(crate) use on_each;

on_each!(
    a_ledger_is_shipped_and_goes_on,
    what_is_asked_for_is_written_once_and_locked,
    a_store_that_keeps_nothing_is_refused_before_the_first_byte,
    what_stands_where_an_object_belongs_must_be_that_object,
    a_fork_is_refused,
    two_shippers_of_one_ledger_make_one_copy,
    what_was_changed_removed_or_put_on_top_is_found,
    a_lost_ledger_comes_back,
    a_long_file_goes_in_parts_and_is_made_again_when_it_is_cut,
    what_the_bucket_holds_is_pruned_and_comes_back,
    a_table_over_the_segments_grows,
);

pub fn lock() -> Lock {
    Lock::new(LockMode::Compliance, 3).unwrap()
}

fn shipper(cloud: &Cloud) -> Shipper {
    Shipper::open(&cloud.location(), &cloud.settings(), Some(lock())).unwrap()
}

fn copy(cloud: &Cloud) -> Bucket {
    Bucket::open(&cloud.location(), &cloud.settings()).unwrap()
}

pub fn findings(cloud: &Cloud) -> Vec<String> {
    let report = copy(cloud).verify(&VerifyOptions::default()).unwrap();
    report.findings.iter().map(ToString::to_string).collect()
}

pub const NOTHING: [&str; 0] = [];

/// A ledger of two segments and a tail, shipped.
fn shipped(cloud: &Cloud, path: &Path) -> Ledger {
    let ledger = create(path);
    append(&ledger, 300);
    append(&ledger, 300);
    ledger.seal().unwrap();
    append(&ledger, 7);
    shipper(cloud).ship(&ledger.snapshot()).unwrap();
    ledger
}

fn a_ledger_is_shipped_and_goes_on(cloud: &Cloud) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger");
    let ledger = create(&path);
    append(&ledger, 100);
    let mut first = shipper(cloud);
    let done = first.ship(&ledger.snapshot()).unwrap();
    assert_eq!((done.size, done.journal_objects), (101, 1));
    assert_eq!(first.ship(&ledger.snapshot()).unwrap().objects, 0, "nothing is new");
    append(&ledger, 600);
    ledger.seal().unwrap();
    append(&ledger, 7);
    let done = first.ship(&ledger.snapshot()).unwrap();
    assert_eq!(done.size, ledger.snapshot().size());
    assert!(done.segments >= 2, "{done:?}");
    // A new shipper finds where the last one ended.
    append(&ledger, 20);
    ledger.close().unwrap();
    let snapshot = Reader::open(&path).unwrap().snapshot().unwrap();
    let done = shipper(cloud).ship(&snapshot).unwrap();
    assert_eq!((done.segments, done.journal_objects, done.objects), (0, 1, 2));
    let report = copy(cloud).verify(&VerifyOptions::default()).unwrap();
    assert_eq!(report.findings, [], "{:?}", report.notices);
    assert_eq!((report.size, report.entries_checked), (done.size, done.size));
    let there = copy(cloud).reader().unwrap().snapshot().unwrap();
    assert_eq!(there.entry(done.size - 1).unwrap(), snapshot.entry(done.size - 1).unwrap());
    let newest =
        newest_checkpoint(&Layout::new(&path), &cloud.location(), &cloud.settings(), Duration::from_secs(30)).unwrap();
    assert_eq!(newest.as_deref(), Some(snapshot.checkpoint().as_bytes()));
}

fn what_is_asked_for_is_written_once_and_locked(cloud: &Cloud) {
    let folder = TempDir::new().unwrap();
    let ledger = create(&folder.path().join("ledger"));
    append(&ledger, 300);
    let held = Lock { legal_hold: true, ..lock() };
    let mut shipper = Shipper::open(&cloud.location(), &cloud.settings(), Some(held)).unwrap();
    cloud.seen();
    let done = shipper.ship(&ledger.snapshot()).unwrap();
    let writes: Vec<_> =
        cloud.seen().into_iter().filter(|request| matches!(&*request.method, "PUT" | "POST")).collect();
    assert_eq!(writes.len() as u64, done.objects);
    for write in &writes {
        let text = format!("{} {:?} {}", write.target, write.headers, String::from_utf8_lossy(&write.body));
        let asked = if cloud.location().to_string().starts_with("gs") {
            [
                "ifGenerationMatch=0",
                "\"mode\":\"Locked\"",
                "\"retainUntilTime\":\"20",
                "\"temporaryHold\":true",
                "\"crc32c\":",
            ]
        } else {
            let names = ["if-none-match", "x-ms-immutability-policy-mode", "x-ms-legal-hold", "content-md5"];
            assert!(names.iter().all(|name| write.header(name).is_some()), "{text}");
            ["\"*\"", "\"Locked\"", " GMT\"", "\"true\"", "BlockBlob"]
        };
        assert!(asked.iter().all(|asked| text.contains(asked)), "{text}");
    }
    let shorter = Lock { days: 2, ..lock() };
    let report = copy(cloud).check_locks(&ledger.snapshot(), Some(shorter)).unwrap();
    assert_eq!((report.faults, report.objects), (vec![], done.objects));
    assert!(report.locks.iter().all(|found| found.lock.starts_with("COMPLIANCE 20") && !found.version.is_empty()));
    // Longer than what was given is a fault of every object; one whose lock was left off is named.
    let longer = Lock { days: 4, ..lock() };
    assert_eq!(copy(cloud).check_locks(&ledger.snapshot(), Some(longer)).unwrap().faults.len() as u64, done.objects);
    let forgotten = format!("attachments/{}", "a".repeat(64));
    cloud.put(&forgotten, b"x");
    let faults = copy(cloud).check_locks(&ledger.snapshot(), Some(lock())).unwrap().faults;
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].key == forgotten && faults[0].message.contains("no lock"), "{faults:?}");
}

fn a_store_that_keeps_nothing_is_refused_before_the_first_byte(cloud: &Cloud) {
    let refused = Shipper::open(&cloud.location(), &cloud.bare_settings(), Some(lock())).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Invalid);
    assert!(refused.message.contains("keeps nothing") && refused.message.contains(cloud.tool()), "{refused}");
    let refused = Shipper::open(&cloud.location(), &cloud.settings(), None).unwrap_err();
    assert!(refused.kind == ErrorKind::Invalid && refused.message.contains("--retain"), "{refused}");
    let encrypted = cloud.settings().with_encryption(&Encryption::S3);
    let refused = Shipper::open(&cloud.location(), &encrypted, Some(lock())).unwrap_err();
    assert!(refused.kind == ErrorKind::Invalid && refused.message.contains("--sse"), "{refused}");
    let nowhere = cloud.location().to_string().replace("//audit", "//nowhere").parse().unwrap();
    let refused = Shipper::open(&nowhere, &cloud.settings(), Some(lock())).unwrap_err();
    assert!(refused.kind == ErrorKind::NotFound && refused.message.contains("nowhere"), "{refused}");
    let unreachable = Shipper::open(&cloud.location(), &cloud.settings_at("http://127.0.0.1:9"), Some(lock()));
    assert_eq!(unreachable.unwrap_err().kind, ErrorKind::Unavailable);
}

fn what_stands_where_an_object_belongs_must_be_that_object(cloud: &Cloud) {
    let folder = TempDir::new().unwrap();
    let ledger = create(&folder.path().join("ledger"));
    append(&ledger, 600);
    ledger.seal().unwrap();
    cloud.put("ledger.toml", b"another ledger's");
    let refused = shipper(cloud).ship(&ledger.snapshot()).unwrap_err();
    assert!(refused.kind == ErrorKind::Tampered && refused.message.contains("ledger.toml"), "{refused}");
    cloud.remove("ledger.toml");
    // The very file is taken as shipped; where another one stands the object is put beside it.
    let (own, other) = ("segments/00000000000000000000.parquet", "segments/00000000000000000256.parquet");
    cloud.put(own, &fs::read(folder.path().join("ledger").join(own)).unwrap());
    cloud.put(other, b"somebody's");
    let done = shipper(cloud).ship(&ledger.snapshot()).unwrap();
    assert_eq!(done.taken, [other]);
    let found = findings(cloud);
    assert!(found.len() == 1 && found[0].contains("unexpected-file") && found[0].contains(other), "{found:?}");
    let entry = copy(cloud).reader().unwrap().snapshot().unwrap().entry(300).unwrap();
    assert_eq!(entry, ledger.snapshot().entry(300).unwrap());
}

fn a_fork_is_refused(cloud: &Cloud) {
    let folder = TempDir::new().unwrap();
    let (path, fork) = (folder.path().join("ledger"), folder.path().join("fork"));
    let ledger = create(&path);
    append(&ledger, 100);
    ledger.close().unwrap();
    copy_folder(&path, &fork);
    let ledger = Ledger::open(&path, OpenOptions::default()).unwrap();
    let other = Ledger::open(&fork, OpenOptions::default()).unwrap();
    let (mut own, mut forked) = (shipper(cloud), shipper(cloud));
    append(&ledger, 10);
    own.ship(&ledger.snapshot()).unwrap();
    append(&other, 20);
    let refused = forked.ship(&other.snapshot()).unwrap_err();
    assert!(refused.kind == ErrorKind::Tampered && refused.message.contains("fork"), "{refused}");
    append(&ledger, 300);
    ledger.seal().unwrap();
    own.ship(&ledger.snapshot()).unwrap();
    append(&other, 700);
    other.seal().unwrap();
    assert_eq!(forked.ship(&other.snapshot()).unwrap_err().kind, ErrorKind::Tampered);
    assert_eq!(findings(cloud), NOTHING);
}

fn two_shippers_of_one_ledger_make_one_copy(cloud: &Cloud) {
    let folder = TempDir::new().unwrap();
    let ledger = create(&folder.path().join("ledger"));
    std::thread::scope(|scope| {
        for mut shipper in [shipper(cloud), shipper(cloud)] {
            let ledger = &ledger;
            scope.spawn(move || {
                for _ in 0..10 {
                    append(ledger, 30);
                    if let Err(error) = shipper.ship(&ledger.snapshot()) {
                        assert_eq!(error.kind, ErrorKind::Busy, "{error}");
                    }
                }
            });
        }
    });
    // What is sealed beside the shippers counts with the next entry.
    ledger.seal().unwrap();
    append(&ledger, 1);
    let snapshot = ledger.snapshot();
    assert_eq!(shipper(cloud).ship(&snapshot).unwrap().size, snapshot.size());
    assert_eq!(findings(cloud), NOTHING);
}

fn what_was_changed_removed_or_put_on_top_is_found(cloud: &Cloud) {
    let folder = TempDir::new().unwrap();
    let ledger = shipped(cloud, &folder.path().join("ledger"));
    assert_eq!(findings(cloud), NOTHING);
    let key = "segments/00000000000000000000.parquet";
    let file = fs::read(folder.path().join("ledger").join(key)).unwrap();
    let mut changed = file.clone();
    changed[file.len() / 2] ^= 1;
    cloud.remove(key);
    let found = findings(cloud);
    assert!(found.iter().any(|finding| finding.contains("missing") || finding.contains(key)), "{found:?}");
    cloud.put(key, &changed);
    let found = findings(cloud);
    assert!(found.iter().any(|finding| finding.contains(key)), "{found:?}");
    cloud.remove(key);
    cloud.put(key, &file);
    assert_eq!(findings(cloud), NOTHING);
    // What is put on top changes nothing of what is read.
    cloud.put_on_top(key);
    let found = findings(cloud);
    assert!(found.len() == 1 && found[0].contains("newer version"), "{found:?}");
    let entry = copy(cloud).reader().unwrap().snapshot().unwrap().entry(5).unwrap();
    assert_eq!(entry, ledger.snapshot().entry(5).unwrap());
    cloud.delete("ledger.toml");
    let found = findings(cloud);
    assert!(found.len() == 2 && found.iter().any(|finding| finding.contains("delete marker")), "{found:?}");
}

fn a_lost_ledger_comes_back(cloud: &Cloud) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger");
    let ledger = shipped(cloud, &path);
    let size = ledger.snapshot().size();
    let segments = files(&path, "segments");
    let entries: Vec<_> = (0..size).map(|index| ledger.snapshot().entry(index).unwrap()).collect();
    drop(ledger);
    fs::remove_dir_all(&path).unwrap();
    let restored = copy(cloud).restore(&path, &VerifyOptions::default(), OpenOptions::default()).unwrap();
    assert_eq!((restored.entries, restored.continued_as.as_str()), (size, "example.com/payments/2"));
    assert_eq!(files(&path, "segments"), segments, "byte for byte");
    let snapshot = Ledger::open(&path, OpenOptions::default()).unwrap().snapshot();
    let back: Vec<_> = (0..size).map(|index| snapshot.entry(index).unwrap()).collect();
    assert!(back == entries);
}

fn a_long_file_goes_in_parts_and_is_made_again_when_it_is_cut(cloud: &Cloud) {
    for (at, fate) in [(0, Fate::Pass), (2, Fate::CutRequest), (3, Fate::CutAnswer), (4, Fate::CutAnswer)] {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("ledger");
        let ledger = create(&path);
        append(&ledger, 10);
        let name = attach(&path, (11 << 20) + at);
        let place = cloud.place(&format!("large-{at}"));
        let seen = AtomicUsize::new(0);
        let endpoint = proxy::start(cloud.door(), move |request| {
            let is_part = request.contains("attachments") || request.contains("upload_id");
            match is_part && !request.starts_with("GET") && seen.fetch_add(1, Ordering::SeqCst) + 1 == at {
                true => fate,
                false => Fate::Pass,
            }
        });
        let settings = cloud.settings_at(&endpoint);
        let shipper = Shipper::open(&place, &settings, Some(lock())).unwrap().in_parts_of(5 << 20).unwrap();
        { shipper }.ship(&ledger.snapshot()).unwrap();
        let copy = Bucket::open(&place, &cloud.settings()).unwrap();
        assert_eq!(copy.check_locks(&ledger.snapshot(), Some(lock())).unwrap().faults, [], "{at}");
        assert_eq!(copy.verify(&VerifyOptions::default()).unwrap().findings, [], "{at}");
        let back = folder.path().join("back");
        copy.restore(&back, &VerifyOptions::default(), OpenOptions::default()).unwrap();
        let attached = |path: &Path| fs::read(path.join("attachments").join(&name)).unwrap();
        assert!(attached(&back) == attached(&path), "{at}");
    }
}

fn what_the_bucket_holds_is_pruned_and_comes_back(cloud: &Cloud) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger");
    let ledger = create(&path);
    for _ in 0..3 {
        crate::prune::append(&ledger, 200);
    }
    ledger.seal().unwrap();
    shipper(cloud).ship(&ledger.snapshot()).unwrap();
    let entries: Vec<_> = (0..ledger.snapshot().size()).map(|index| ledger.snapshot().entry(index).unwrap()).collect();
    ledger.close().unwrap();
    let snapshot = Reader::open(&path).unwrap().snapshot().unwrap();
    let mut prune = Prune { keep: Keep::Entries(0), lock: Some(lock()), locked_days: 2 };
    let found = copy(cloud).prunable(&snapshot, &prune).unwrap();
    assert!(found.segments >= 2 && found.locked_until.is_some(), "{found:?}");
    prune.locked_days = 4;
    let short = copy(cloud).prunable(&snapshot, &prune).unwrap_err();
    assert!(short.kind == ErrorKind::Conflict && short.message.contains("--locked-days"), "{short}");
    crate::prune::reach(&cloud.location(), cloud.settings());
    let ledger = Ledger::open(&path, OpenOptions::default()).unwrap();
    assert_eq!(ledger.prune(found.pruned, found.covered).unwrap().segments, found.segments);
    for (index, entry) in entries.iter().enumerate() {
        assert_eq!(ledger.snapshot().entry(index as u64).unwrap(), *entry);
    }
}

fn a_table_over_the_segments_grows(cloud: &Cloud) {
    let folder = TempDir::new().unwrap();
    let ledger = shipped(cloud, &folder.path().join("ledger"));
    let lake = Lake::open(&cloud.location(), &cloud.place("lake"), &cloud.settings()).unwrap();
    let table = lake.commit(&ledger.snapshot()).unwrap();
    assert!(table.added >= 2 && table.entries >= 512, "{table:?}");
    append(&ledger, 600);
    ledger.seal().unwrap();
    shipper(cloud).ship(&ledger.snapshot()).unwrap();
    let grown = lake.commit(&ledger.snapshot()).unwrap();
    assert!(grown.added >= 2 && grown.entries > table.entries, "{grown:?}");
    assert_eq!(lake.commit(&ledger.snapshot()).unwrap().added, 0);
}
