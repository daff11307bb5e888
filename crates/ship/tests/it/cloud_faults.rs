//! Stores in Google Cloud Storage and Azure Blob Storage that refuse, stop and go away: what is shown of S3 holds there too.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use counterfoil::{ErrorKind, Layout, VerifyOptions};
use counterfoil_ship::{Bucket, Follower, Lag, Pace, Route, Shipper, newest_checkpoint};
use tempfile::TempDir;

use crate::basics::{append, create};
use crate::cloud::Cloud;
use crate::clouds::{NOTHING, findings, lock, on_each};
use crate::proxy::{self, Fate};

on_each!(
    every_request_may_be_told_to_slow_down,
    a_shipper_that_is_stopped_at_any_step_is_taken_up_again,
    a_store_that_is_gone_costs_a_lag_that_recovers,
);

fn every_request_may_be_told_to_slow_down(cloud: &Cloud) {
    let endpoint = proxy::slowing_down(cloud.door());
    let folder = TempDir::new().unwrap();
    let ledger = create(&folder.path().join("ledger"));
    append(&ledger, 300);
    ledger.seal().unwrap();
    append(&ledger, 5);
    let slow = cloud.settings_at(&endpoint);
    let done = Shipper::open(&cloud.location(), &slow, Some(lock())).unwrap().ship(&ledger.snapshot()).unwrap();
    let copy = Bucket::open(&cloud.location(), &slow).unwrap();
    let report = copy.verify(&VerifyOptions::default()).unwrap();
    assert_eq!((report.findings, report.size), (vec![], done.size));
    assert_eq!(findings(cloud), NOTHING);
}

fn a_shipper_that_is_stopped_at_any_step_is_taken_up_again(cloud: &Cloud) {
    for fate in [Fate::CutRequest, Fate::CutAnswer] {
        for step in 0..usize::MAX {
            let folder = TempDir::new().unwrap();
            let layout = Layout::new(folder.path().join("ledger"));
            let ledger = create(layout.root());
            let place = cloud.place(&format!("stopped-{fate:?}-{step}"));
            let (puts, dead) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let (seen, is_dead) = (puts.clone(), dead.clone());
            // From one put on nothing gets through any more: as if the machine had stopped there.
            let endpoint = proxy::start(cloud.door(), move |request| {
                if is_dead.load(Ordering::SeqCst) > 0 {
                    return Fate::CutRequest;
                }
                let is_put = request.starts_with("PUT") || request.starts_with("POST");
                if is_put && seen.fetch_add(1, Ordering::SeqCst) == step {
                    is_dead.store(1, Ordering::SeqCst);
                    return fate;
                }
                Fate::Pass
            });
            append(&ledger, 300);
            ledger.seal().unwrap();
            append(&ledger, 5);
            let stopped = Shipper::open(&place, &cloud.settings_at(&endpoint), Some(lock())).unwrap();
            let first = { stopped }.ship(&ledger.snapshot());
            if first.is_ok() {
                assert!(step > 4, "every put was stopped once");
                break;
            }
            // What a reader finds then is a whole ledger, or none yet.
            match Bucket::open(&place, &cloud.settings()) {
                Ok(copy) => {
                    let newest =
                        newest_checkpoint(&layout, &place, &cloud.settings(), Duration::from_secs(30)).unwrap();
                    let report = copy.verify(&VerifyOptions::default()).unwrap();
                    assert!(newest.is_none() || report.findings.is_empty(), "{fate:?} {step}: {:?}", report.findings);
                }
                Err(error) => assert_eq!(error.kind, ErrorKind::NotFound, "{error}"),
            }
            let done =
                Shipper::open(&place, &cloud.settings(), Some(lock())).unwrap().ship(&ledger.snapshot()).unwrap();
            assert_eq!(done.size, ledger.snapshot().size());
            let copy = Bucket::open(&place, &cloud.settings()).unwrap();
            assert_eq!(copy.verify(&VerifyOptions::default()).unwrap().findings, [], "{fate:?} {step}");
        }
    }
}

fn a_store_that_is_gone_costs_a_lag_that_recovers(cloud: &Cloud) {
    let folder = TempDir::new().unwrap();
    let ledger = Arc::new(create(&folder.path().join("ledger")));
    let route = Route {
        to: cloud.location(),
        settings: cloud.settings(),
        lock: Some(lock()),
        pace: Pace { time: Duration::from_millis(100), bytes: 1 << 20 },
        known: 0,
        state: folder.path().to_owned(),
        warn: |_| {},
    };
    let source = ledger.clone();
    let follower = Follower::start(route, move || Ok(source.snapshot()), Box::new(|_| {})).unwrap();
    let until = |what: &str, holds: &dyn Fn(&Lag) -> bool| {
        let start = Instant::now();
        while !holds(&follower.lag()) {
            assert!(start.elapsed() < Duration::from_secs(30), "{what}: {:?}", follower.lag());
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    append(&ledger, 50);
    let before = ledger.snapshot().size();
    until("the copy follows", &|lag| lag.shipped == before);
    cloud.set_open(false);
    append(&ledger, 200);
    until("the store is missed", &|lag| lag.failures > 0);
    append(&ledger, 50);
    assert_eq!(follower.lag().shipped, before);
    cloud.set_open(true);
    until("the copy has caught up", &|lag| lag.shipped == ledger.snapshot().size() && lag.fault.is_none());
    drop(follower);
    assert_eq!(findings(cloud), NOTHING);
}
