//! A query sees exactly the entries below its snapshot's checkpoint, while a writer goes on and seals.

use std::sync::atomic::{AtomicBool, Ordering};

use counterfoil::{CreateOptions, Ledger, OpenOptions, Reader, Snapshot};
use counterfoil_entry::Draft;
use counterfoil_query::{Engine, Order};

use crate::fixture::{engine, lines};

const BATCH: u64 = 40;

fn drafts(batch: u64) -> Vec<Draft> {
    let draft = |place: u64| {
        Draft::builder("kyc_check", &format!("svc-{place}"), &format!("C-{}", batch % 7))
            .context_json(&format!("{{\"batch\":{batch}}}"))
            .build()
            .expect("a draft")
    };
    (0..BATCH).map(draft).collect()
}

/// One answer about one state: how many entries, that none is missing or doubled, and that batches are whole.
fn check(engine: &Engine, snapshot: &Snapshot) {
    let sql = "SELECT count(*), count(DISTINCT index), coalesce(max(index) + 1, 0), \
               count(*) FILTER (WHERE event_type = 'kyc_check') FROM audit_log WHERE entity_id >= ''";
    let answer = lines(engine.query(snapshot, sql).expect("an answer")).remove(0);
    let cells: Vec<u64> = answer.split('|').map(|cell| cell.parse().expect("a number")).collect();
    let size = snapshot.size();
    assert_eq!(cells[..3], [size, size, size]);
    assert_eq!(cells[3] % BATCH, 0, "a batch in part: {answer}");
}

#[test]
fn a_query_sees_one_checkpoint_while_a_writer_appends_and_seals() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger");
    let mut create = CreateOptions::new("example.com/query").expect("an origin");
    create.segment_span = 1_024;
    let ledger = Ledger::create(&path, create, OpenOptions::default()).expect("a ledger");
    let (engine, done) = (engine(), AtomicBool::new(false));
    let early = ledger.snapshot();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for batch in 0..150 {
                ledger.append_batch(drafts(batch)).expect("receipts");
            }
            done.store(true, Ordering::Release);
        });
        while !done.load(Ordering::Acquire) {
            check(&engine, &ledger.snapshot());
        }
    });
    check(&engine, &early);
    check(&engine, &ledger.snapshot());
    let last = ledger.snapshot();
    assert!(last.sealed_size() >= 1_024, "{} entries are sealed", last.sealed_size());
    let by_index = engine.select_indices(&last, "entity_id = 'C-3'", Order::Ascending).expect("indices");
    let history = last.history("C-3").expect("a history");
    assert_eq!(by_index, history.iter().map(|(index, _)| *index).collect::<Vec<_>>());
    ledger.close().expect("closed");
    let reader = Reader::open(&path).and_then(|reader| reader.snapshot()).expect("a snapshot");
    check(&engine, &reader);
}

#[test]
fn a_byte_changed_on_disk_is_reported_with_its_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger");
    let mut create = CreateOptions::new("example.com/query").expect("an origin");
    create.segment_span = 1_024;
    let ledger = Ledger::create(&path, create, OpenOptions::default()).expect("a ledger");
    for batch in 0..30 {
        ledger.append_batch(drafts(batch)).expect("receipts");
    }
    ledger.seal().expect("sealed");
    ledger.close().expect("closed");
    let file = path.join("segments").read_dir().expect("segments").map(|entry| entry.expect("a file").path());
    let file = file.filter(|file| file.extension().is_some_and(|kind| kind == "parquet")).min().expect("a segment");
    let mut bytes = std::fs::read(&file).expect("bytes");
    bytes[2_000] ^= 1;
    let mut permissions = std::fs::metadata(&file).expect("a file").permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o600);
    std::fs::set_permissions(&file, permissions).expect("writable");
    std::fs::write(&file, bytes).expect("written");
    let snapshot = Reader::open(&path).and_then(|reader| reader.snapshot()).expect("a snapshot");
    let error = engine().query(&snapshot, "SELECT * FROM audit_log").and_then(|a| a.collect()).expect_err("an alarm");
    assert_eq!(error.kind, counterfoil::ErrorKind::Tampered, "{error}");
    let name = file.file_name().and_then(|name| name.to_str()).expect("a name");
    assert!(error.message.contains(name), "{error} does not name {name}");
}
