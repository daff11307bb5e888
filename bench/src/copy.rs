//! A copy in an object store: shipped, verified over the network, restored. The store is reached as the environment says.

use std::path::{Path, PathBuf};
use std::time::Instant;

use counterfoil::{OpenOptions, Reader, VerifyOptions};
use counterfoil_ship::{Bucket, Location, Settings, Shipper};
use object_store::aws::AmazonS3Builder;
use object_store::{ObjectStoreExt, WriteMultipart};
use serde_json::{Value, json};

use crate::Arguments;

/// The bytes of a part of the plain upload.
const PART_BYTES: usize = 8 << 20;
/// Parts that are on their way at a time.
const PARTS: usize = 4;

fn location(arguments: &Arguments) -> Location {
    let text = arguments.path("copy").display().to_string();
    text.parse().expect("the copy has a location")
}

/// Ships a ledger.
pub fn ship(arguments: &Arguments) -> Value {
    let snapshot = Reader::open(arguments.path("ledger")).and_then(|reader| reader.snapshot()).expect("a ledger");
    let settings = Settings::from_environment();
    let start = Instant::now();
    let mut shipper = Shipper::open(&location(arguments), &settings, None).expect("the bucket has Object Lock");
    let shipped = shipper.ship(&snapshot).expect("it ships");
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!(shipped.size, snapshot.size());
    figures(shipped.bytes, seconds, shipped.objects)
}

/// Puts the same segments there by multipart upload, one after the other, and nothing else.
pub fn upload(arguments: &Arguments) -> Value {
    let bucket = location(arguments);
    let Location::Bucket { bucket, .. } = bucket else { panic!("the copy is in S3") };
    let store = AmazonS3Builder::from_env().with_bucket_name(bucket).with_allow_http(true).build().expect("a store");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let files = files(&arguments.path("ledger").join("segments"));
    let start = Instant::now();
    let bytes = runtime.block_on(async {
        let mut bytes = 0;
        for file in &files {
            let content = std::fs::read(file).expect("a file");
            bytes += content.len() as u64;
            let name = file.file_name().expect("a name").to_string_lossy();
            let upload = store.put_multipart(&format!("plain/{name}").into()).await.expect("an upload");
            let mut upload = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
            for part in content.chunks(PART_BYTES) {
                upload.wait_for_capacity(PARTS).await.expect("a part arrives");
                upload.write(part);
            }
            upload.finish().await.expect("the upload is complete");
        }
        bytes
    });
    figures(bytes, start.elapsed().as_secs_f64(), files.len() as u64)
}

/// Verifies the copy over the network, and the ledger on disk.
pub fn verify(arguments: &Arguments) -> Value {
    let options = VerifyOptions::default();
    let start = Instant::now();
    let on_disk = counterfoil::verify(arguments.path("ledger"), &options).expect("verify runs");
    let disk_seconds = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let copy = Bucket::open(&location(arguments), &Settings::from_environment()).expect("a copy");
    let in_bucket = copy.verify(&options).expect("verify runs");
    let seconds = start.elapsed().as_secs_f64();
    assert!(on_disk.is_clean() && in_bucket.is_clean(), "{:?} {:?}", on_disk.findings, in_bucket.findings);
    json!({
        "seconds": seconds,
        "entries_per_second": in_bucket.entries_checked as f64 / seconds,
        "disk_entries_per_second": on_disk.entries_checked as f64 / disk_seconds,
    })
}

/// Restores the copy, which verifies it first.
pub fn restore(arguments: &Arguments) -> Value {
    let copy = Bucket::open(&location(arguments), &Settings::from_environment()).expect("a copy");
    let start = Instant::now();
    let restored = copy.restore(&arguments.path("to"), &VerifyOptions::default(), OpenOptions::default());
    let seconds = start.elapsed().as_secs_f64();
    let restored = restored.expect("it restores");
    json!({ "seconds": seconds, "seconds_per_million": seconds / (restored.entries as f64 / 1e6), "bytes": restored.bytes })
}

fn figures(bytes: u64, seconds: f64, objects: u64) -> Value {
    json!({ "bytes": bytes, "seconds": seconds, "objects": objects, "megabytes_per_second": bytes as f64 / 1e6 / seconds })
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("segments").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}
