//! What a copy of as many entries as the loan log has costs. `cargo test -p counterfoil-ship figures -- --ignored --nocapture`

use std::time::Instant;

use counterfoil::{CreateOptions, Ledger, OpenOptions, VerifyOptions, verify};
use counterfoil_entry::Draft;
use counterfoil_ship::{Bucket, Shipper};
use tempfile::TempDir;

use crate::basics::{append, create};
use crate::server::Server;

const ENTRIES: usize = 262_200;

#[test]
#[ignore = "it measures, and asserts only that all is well"]
fn figures() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger");
    let options = CreateOptions::new("example.com/loans").unwrap();
    let ledger = Ledger::create(&path, options, OpenOptions::default()).unwrap();
    for batch in 0..ENTRIES.div_ceil(1_000) {
        let draft = |number: usize| {
            let context = format!(r#"{{"model_version":"m-{}","confidence":0.{number}}}"#, number % 7);
            let draft =
                Draft::builder("loan_decision", &format!("officer-{}", number % 40), &format!("L-{}", number / 9));
            draft.context_json(&context).build().unwrap()
        };
        let end = ENTRIES.min((batch + 1) * 1_000);
        ledger.append_batch((batch * 1_000..end).map(draft).collect()).unwrap();
    }
    ledger.seal().unwrap();
    let mut shipper = Shipper::open(&server.location(), &server.settings(), None).unwrap();
    let start = Instant::now();
    let shipped = shipper.ship(&ledger.snapshot()).unwrap();
    let shipping = start.elapsed();
    let size = ledger.snapshot().size();
    ledger.close().unwrap();
    let start = Instant::now();
    let plain: u64 = ["parquet", "tiles", "index"]
        .into_iter()
        .map(|ending| {
            let file = path.join(format!("segments/{:020}.{ending}", 0));
            let data = format!("@{}", file.display());
            let (status, body) = server.curl(&["-X", "PUT", "-T", &data[1..]], &format!("/plain/{ending}"));
            assert_eq!(status, 200, "{body}");
            std::fs::metadata(file).unwrap().len()
        })
        .sum();
    let plainly = start.elapsed();
    let start = Instant::now();
    let report = verify(&path, &VerifyOptions::default()).unwrap();
    let on_disk = start.elapsed();
    assert!(report.is_clean());
    let start = Instant::now();
    let bucket = Bucket::open(&server.location(), &server.settings()).unwrap();
    let report = bucket.verify(&VerifyOptions::default()).unwrap();
    let in_bucket = start.elapsed();
    assert_eq!((report.findings, report.size), (vec![], size));
    let start = Instant::now();
    let restored =
        bucket.restore(&folder.path().join("back"), &VerifyOptions::default(), OpenOptions::default()).unwrap();
    let restoring = start.elapsed();
    assert_eq!(restored.entries, size);
    println!("entries {size}, {} objects, {} bytes", shipped.objects, shipped.bytes);
    println!("ship {shipping:?}; plain PUT of {plain} bytes by curl {plainly:?}");
    println!("verify on disk {on_disk:?}, in the bucket {in_bucket:?}");
    println!("restore, verified first, {restoring:?}");
}

/// What this process had in memory at the most, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}

#[test]
#[ignore = "it measures: one ledger shipped in few and in many objects, `MANY` of them"]
fn memory_of_a_verification() {
    let many: usize = std::env::var("MANY").ok().and_then(|text| text.parse().ok()).unwrap_or(1000);
    let folder = TempDir::new().unwrap();
    let ledger = create(&folder.path().join("ledger"));
    let Some(server) = Server::start() else { return };
    let mut shipper = Shipper::open(&server.location(), &server.settings(), None).unwrap();
    for _ in 0..many {
        append(&ledger, 1);
        shipper.ship(&ledger.snapshot()).unwrap();
    }
    ledger.seal().unwrap();
    append(&ledger, 1);
    shipper.ship(&ledger.snapshot()).unwrap();
    let shipped = peak();
    let start = Instant::now();
    let copy = Bucket::open(&server.location(), &server.settings()).unwrap();
    let opened = (peak(), start.elapsed());
    assert_eq!(copy.verify(&VerifyOptions::default()).unwrap().findings, []);
    println!(
        "{many} objects of each: shipping {shipped} KiB, opened {opened:?}, verified {} KiB in {:?}",
        peak(),
        start.elapsed()
    );
}
