//! The store fails, is slow, or goes away; the shipper is stopped at every step. Nothing is lost, doubled or forked.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use counterfoil::{Ledger, VerifyOptions};
use counterfoil_ship::{Bucket, Follower, Lag, Pace, Route, Shipper};
use tempfile::TempDir;

use crate::basics::{append, create, findings, reopen};
use crate::proxy::{self, Fate};
use crate::server::{Server, settings};

fn follow(ledger: &Arc<Ledger>, server: &Server, endpoint: &str) -> Follower {
    let (source, acting) = (ledger.clone(), ledger.clone());
    let route = Route {
        to: server.location(),
        settings: settings(endpoint),
        lock: None,
        pace: Pace { time: Duration::from_millis(300), bytes: 1 << 20 },
        known: 0,
        state: "/nowhere".into(),
        warn: |_| {},
    };
    let on_segments = move |_: &counterfoil_ship::Shipped| {
        let act = counterfoil_entry::Draft::builder("ledger.shipped", "counterfoil", "ledger");
        acting.record_act(act).expect("recorded");
    };
    Follower::start(route, move || Ok(source.snapshot()), Box::new(on_segments)).unwrap()
}

fn until(follower: &Follower, what: &str, holds: impl Fn(&Lag) -> bool) -> Lag {
    let start = Instant::now();
    loop {
        let lag = follower.lag();
        if holds(&lag) {
            return lag;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "{what}: {lag:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_shipper_that_is_stopped_at_any_step_is_taken_up_again() {
    let Some(_) = Server::bare() else { return };
    for fate in [Fate::CutRequest, Fate::CutAnswer] {
        for step in 0..usize::MAX {
            let server = Server::start().unwrap();
            let folder = TempDir::new().unwrap();
            let path = folder.path().join("ledger");
            let ledger = create(&path);
            let puts = Arc::new(AtomicUsize::new(0));
            let dead = Arc::new(AtomicBool::new(false));
            let (seen, is_dead) = (puts.clone(), dead.clone());
            // From one put on nothing gets through any more: as if the machine had stopped there.
            let endpoint = proxy::start(server.port(), move |request| {
                if is_dead.load(Ordering::SeqCst) {
                    return Fate::CutRequest;
                }
                if request.starts_with("PUT") && seen.fetch_add(1, Ordering::SeqCst) == step {
                    is_dead.store(true, Ordering::SeqCst);
                    return fate;
                }
                Fate::Pass
            });
            append(&ledger, 100);
            let mut shipper = Shipper::open(&server.location(), &settings(&endpoint), None).unwrap();
            let first = shipper.ship(&ledger.snapshot());
            append(&ledger, 500);
            ledger.seal().unwrap();
            append(&ledger, 20);
            let second = first.and_then(|_| shipper.ship(&ledger.snapshot()));
            // What a reader finds then is a whole ledger, or none yet.
            match Bucket::open(&server.location(), &server.settings()) {
                Ok(copy) => {
                    let report = copy.verify(&VerifyOptions::default()).unwrap();
                    let begun = server.keys("checkpoints").is_empty();
                    assert!(begun || report.findings.is_empty(), "{fate:?} at put {step}: {:?}", report.findings);
                }
                Err(error) => assert_eq!(error.kind, counterfoil::ErrorKind::NotFound, "{fate:?} at put {step}"),
            }
            // The ledger takes entries all the while, and opens after a stop.
            append(&ledger, 5);
            ledger.close().unwrap();
            let ledger = reopen(&path);
            append(&ledger, 5);
            let mut next = Shipper::open(&server.location(), &server.settings(), None).unwrap();
            let done = next.ship(&ledger.snapshot()).unwrap();
            assert_eq!(done.size, ledger.snapshot().size(), "{fate:?} at put {step}");
            let copy = Bucket::open(&server.location(), &server.settings()).unwrap();
            let report = copy.verify(&VerifyOptions::default()).unwrap();
            assert_eq!((report.findings, report.size), (vec![], done.size), "{fate:?} at put {step}");
            if second.is_ok() {
                assert!(step > 10, "every step was tried: {step}");
                break;
            }
        }
    }
}

#[test]
fn a_server_that_is_gone_costs_time_and_nothing_else() {
    let Some(mut server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let ledger = Arc::new(create(&folder.path().join("ledger")));
    let follower = follow(&ledger, &server, &server.endpoint());
    append(&ledger, 10);
    until(&follower, "the first entries are shipped", |lag| lag.shipped >= 11);
    server.kill();
    let start = Instant::now();
    append(&ledger, 700);
    ledger.seal().unwrap();
    assert!(start.elapsed() < Duration::from_secs(5), "appends do not wait for the store");
    let lag = until(&follower, "the fault shows", |lag| lag.failures > 0);
    assert!(lag.fault.is_some() && !lag.stopped && ledger.snapshot().size() > lag.shipped, "{lag:?}");
    append(&ledger, 10);
    server.restart();
    until(&follower, "it goes on", |lag| lag.failures == 0 && lag.shipped >= 721);
    // What the ledger says of shipping is no reason to ship.
    std::thread::sleep(Duration::from_secs(1));
    let act = counterfoil_entry::Draft::builder("ledger.verified", "counterfoil", "ledger");
    ledger.record_act(act).unwrap();
    let (size, objects) = (ledger.snapshot().size(), follower.lag().objects);
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!((ledger.snapshot().size(), follower.lag().objects), (size, objects), "the ledger feeds itself");
    append(&ledger, 3);
    let lag = follower.close();
    assert_eq!(lag.shipped, ledger.snapshot().size(), "closing ships the rest: {lag:?}");
    assert_eq!(findings(&server), Vec::<String>::new());
}

#[test]
fn a_store_that_refuses_throttles_dawdles_and_cuts_gets_everything_in_the_end() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let ledger = Arc::new(create(&folder.path().join("ledger")));
    let count = AtomicUsize::new(0);
    let endpoint = proxy::start(server.port(), move |_| match count.fetch_add(1, Ordering::SeqCst) % 11 {
        1 | 2 => Fate::Status(503),
        4 => Fate::Status(500),
        5 => Fate::Status(429),
        6 => Fate::CutRequest,
        8 => Fate::CutAnswer,
        9 => Fate::Late(Duration::from_millis(300)),
        _ => Fate::Pass,
    });
    let follower = follow(&ledger, &server, &endpoint);
    for _ in 0..12 {
        append(&ledger, 90);
        std::thread::sleep(Duration::from_millis(150));
    }
    until(&follower, "all is shipped", |lag| lag.shipped >= 1081 && lag.fault.is_none());
    drop(follower);
    assert_eq!(findings(&server), Vec::<String>::new());
}

#[test]
fn a_fork_stops_the_follower_and_nothing_else() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let another = create(&folder.path().join("another"));
    Shipper::open(&server.location(), &server.settings(), None).unwrap().ship(&another.snapshot()).unwrap();
    let ledger = Arc::new(create(&folder.path().join("ledger")));
    let follower = follow(&ledger, &server, &server.endpoint());
    append(&ledger, 10);
    let lag = until(&follower, "it stops", |lag| lag.stopped);
    assert!(lag.fault.is_some_and(|fault| fault.contains("another ledger")));
    append(&ledger, 10);
}

#[test]
fn a_store_that_says_nothing_is_a_fault_before_long() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let ledger = Arc::new(create(&folder.path().join("ledger")));
    append(&ledger, 10);
    let silent = Arc::new(AtomicBool::new(true));
    let is_silent = silent.clone();
    let endpoint = proxy::start(server.port(), move |_| match is_silent.load(Ordering::SeqCst) {
        true => Fate::Silent,
        false => Fate::Pass,
    });
    let follower = follow(&ledger, &server, &endpoint);
    let lag = until(&follower, "no fault", |lag| lag.fault.is_some());
    assert!(lag.fault.unwrap().contains("says nothing"));
    silent.store(false, Ordering::SeqCst);
    until(&follower, "it is not taken up again", |lag| lag.shipped == ledger.snapshot().size());
}

/// What a follower told of.
static WARNED: Mutex<Vec<String>> = Mutex::new(Vec::new());

#[test]
fn a_bucket_that_keeps_nothing_is_told_of_once_and_at_the_start() {
    let Some(server) = Server::bare() else { return };
    server.make_bucket(false);
    let folder = TempDir::new().unwrap();
    let ledger = Arc::new(create(&folder.path().join("ledger")));
    let source = ledger.clone();
    let route = Route {
        to: server.location(),
        settings: server.settings(),
        lock: None,
        pace: Pace::default(),
        // Nothing is to be shipped.
        known: ledger.snapshot().size(),
        state: "/nowhere".into(),
        warn: |fault| WARNED.lock().unwrap().push(fault.to_owned()),
    };
    let follower = Follower::start(route, move || Ok(source.snapshot()), Box::new(|_| {})).unwrap();
    let lag = until(&follower, "no fault", |lag| lag.failures > 0);
    assert!(lag.fault.unwrap().contains("keeps nothing from being deleted"));
    append(&ledger, 1);
    until(&follower, "it is not tried again", |lag| lag.failures > 2);
    let warned = WARNED.lock().unwrap();
    assert!(warned.len() == 1 && warned[0].contains("aws s3api"), "{warned:?}");
}
