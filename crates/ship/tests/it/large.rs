//! Files that are longer than what is put in one request.

use std::fs;

use counterfoil::{ErrorKind, VerifyOptions};
use counterfoil_ship::{Bucket, Shipper};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::basics::{append, create, findings};
use crate::proxy::{self, Fate};
use crate::server::{BUCKET, Server, settings};

const PART_BYTES: u64 = 5 << 20;

/// Bytes that do not compress, as an attachment of a ledger; its name.
pub fn attach(ledger: &std::path::Path, length: usize) -> String {
    let mut state = 1_u64;
    let content: Vec<u8> = (0..length)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        })
        .collect();
    let name = hex::encode(Sha256::digest(&content));
    fs::write(ledger.join("attachments").join(&name), content).unwrap();
    name
}

#[test]
fn a_long_file_goes_in_parts_under_the_same_lock() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger");
    let ledger = create(&path);
    append(&ledger, 10);
    let name = attach(&path, 12 << 20);
    let shipper = Shipper::open(&server.location(), &server.settings(), None).unwrap();
    shipper.in_parts_of(PART_BYTES).unwrap().ship(&ledger.snapshot()).unwrap();
    let key = format!("attachments/{name}");
    assert_eq!(fs::read(server.file(&key)).unwrap(), fs::read(path.join(&key)).unwrap());
    let copy = Bucket::open(&server.location(), &server.settings()).unwrap();
    assert_eq!(copy.check_locks(&ledger.snapshot(), None).unwrap().faults, []);
    assert_eq!(copy.verify(&VerifyOptions::default()).unwrap().findings, []);
    assert_eq!(server.curl(&["-X", "GET"], "?uploads=").1.matches("<Upload>").count(), 0, "no upload is left");
    let small = Shipper::open(&server.location(), &server.settings(), None).unwrap().in_parts_of(1 << 20);
    assert_eq!(small.unwrap_err().kind, ErrorKind::Invalid);
}

#[test]
fn an_upload_that_is_cut_anywhere_is_made_again() {
    let Some(server) = Server::start() else { return };
    for (at, fate) in [(1, Fate::CutRequest), (2, Fate::CutRequest), (3, Fate::CutAnswer), (5, Fate::CutAnswer)] {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("ledger");
        let ledger = create(&path);
        append(&ledger, 10);
        let name = attach(&path, (11 << 20) + at);
        let place = format!("s3://{BUCKET}/large-{at}").parse().unwrap();
        let seen = std::sync::atomic::AtomicUsize::new(0);
        // All tries of one step fail: the shipper gives up, as if it had been stopped there.
        let endpoint = proxy::start(server.port(), move |request| {
            let step = usize::from(request.contains("uploads")) + usize::from(request.contains("uploadId"));
            let seen = seen.fetch_add(step, std::sync::atomic::Ordering::SeqCst) + step;
            if step > 0 && seen >= at { fate } else { Fate::Pass }
        });
        let shipper = Shipper::open(&place, &settings(&endpoint), None).unwrap();
        let stopped = shipper.in_parts_of(PART_BYTES).unwrap().ship(&ledger.snapshot());
        let mut next = Shipper::open(&place, &server.settings(), None).unwrap().in_parts_of(PART_BYTES).unwrap();
        next.ship(&ledger.snapshot()).unwrap();
        let copy = Bucket::open(&place, &server.settings()).unwrap();
        assert_eq!(copy.verify(&VerifyOptions::default()).unwrap().findings, [], "{at}: {stopped:?}");
        let (_, listed) = server.curl(&["-X", "GET"], "?versions=");
        assert_eq!(listed.matches(&name).count(), 1, "one version of {name}: {listed}");
    }
}

#[test]
fn more_objects_than_a_store_lists_at_once_are_each_read_once() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let ledger = create(&folder.path().join("ledger"));
    let mut shipper = Shipper::open(&server.location(), &server.settings(), None).unwrap();
    for _ in 0..1010 {
        append(&ledger, 1);
        shipper.ship(&ledger.snapshot()).unwrap();
    }
    assert_eq!(findings(&server), [""; 0]);
    let mut again = Shipper::open(&server.location(), &server.settings(), None).unwrap();
    assert_eq!(again.ship(&ledger.snapshot()).unwrap().objects, 0);
}
