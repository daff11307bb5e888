//! A service that keeps a copy in a bucket: how far it is, what it answers for it, and what is left when either side dies.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::place::Place;
use crate::proxy::{self, Fate};
use crate::s3::{self, Server};
use crate::service::{Running, wait_for};

const TO: &str = "s3://audit/ledgers/one";

/// A place whose runs reach a server, with the ledger `audit`.
pub fn place(server: &Server) -> Place {
    let place = Place::with(s3::environment(&server.endpoint()));
    place.ok(&["init", "audit", "--origin", "bank.example/audit"]);
    place
}

fn shipped_whole(service: &Running, admin: &str) -> u64 {
    wait_for("everything to be shipped", || {
        let shipping = service.get(admin, "/api/v1/status").json()["shipping"].clone();
        (shipping["lag_entries"] == 0).then(|| shipping["shipped_size"].as_u64().unwrap())
    })
}

fn entry(id: &str) -> String {
    json!({"event_type": "x", "actor": "a", "entity_id": "e", "id": id}).to_string()
}

/// The index of every id in a ledger, each of which must be there once.
fn ids(place: &Place, ledger: &str) -> BTreeMap<String, u64> {
    let sql = "SELECT index, id FROM audit_log WHERE id IS NOT NULL";
    let rows = place.json(&["query", ledger, sql, "--format", "json", "--max-rows", "10000000"]);
    let mut found = BTreeMap::new();
    for row in rows.as_array().unwrap() {
        let id = row["id"].as_str().unwrap().to_owned();
        let twice = found.insert(id.clone(), row["index"].as_u64().unwrap());
        assert_eq!(twice, None, "{id} is there twice");
    }
    found
}

#[test]
fn a_store_that_is_gone_costs_a_growing_lag_and_no_append() {
    let Some(mut server) = Server::start() else { return };
    let service = Running::on(place(&server), &["--ship", TO]);
    let admin = service.token("admin");
    service.record(&admin, &entry("first"));
    let size = shipped_whole(&service, &admin);
    assert_eq!(service.metric(&admin, "counterfoil_shipped_size"), size as f64);
    assert_eq!(service.get(&admin, "/readyz").expect(200).text(), "ready\n");
    let said = service.place.ok(&["status", "audit"]);
    assert!(said.contains(&format!("shipped   {size} entries at {TO}; nothing is missing there")), "{said}");

    server.kill();
    let since = Instant::now();
    for number in 0..30 {
        service.record(&admin, &entry(&format!("while-gone-{number}")));
    }
    assert!(since.elapsed() < Duration::from_secs(10), "appends do not wait for the store");
    wait_for("the fault to show", || (service.metric(&admin, "counterfoil_ship_failures_total") > 0.0).then_some(()));
    assert!(service.metric(&admin, "counterfoil_ship_lag_entries") >= 30.0);
    let waited = service.metric(&admin, "counterfoil_ship_lag_seconds");
    wait_for("the lag to rise", || {
        (service.metric(&admin, "counterfoil_ship_lag_seconds") > waited + 0.5).then_some(())
    });
    let degraded = service.get(&admin, "/readyz").expect(200);
    assert!(degraded.text().starts_with("ready, degraded: shipping fails"), "{}", degraded.text());
    let told = service.place.json(&["status", "audit", "--json"])["shipping"].clone();
    assert!(told["fault"].is_string() && told["failures"].as_u64() > Some(0), "{told}");
    assert_eq!(told["stopped"], false);

    server.restart();
    shipped_whole(&service, &admin);
    assert_eq!(service.get(&admin, "/readyz").expect(200).text(), "ready\n");
    assert_eq!(service.metric(&admin, "counterfoil_ship_failing"), 0.0);
    service.post(&admin, "/api/v1/seal", "application/json", "").expect(200);
    let (place, code) = service.end();
    assert_eq!(code, Some(0));
    place.run(&["verify", TO]).expect(0);
    assert_eq!(ids(&place, TO), ids(&place, "audit"), "ending ships the rest");
}

#[test]
fn a_store_that_takes_connections_and_says_nothing_holds_up_nobody() {
    let endpoint = proxy::start(1, |_| Fate::Silent);
    let place = Place::with(s3::environment(&endpoint));
    place.ok(&["init", "audit", "--origin", "bank.example/audit"]);
    let service = Running::on(place, &["--ship", TO]);
    let admin = service.token("admin");
    for number in 0..5 {
        service.record(&admin, &entry(&format!("while-silent-{number}")));
        service.call("GET", "/healthz", &[], b"").expect(200);
    }
    service.post(&admin, "/api/v1/seal", "application/json", "").expect(200);
    let shipping = service.get(&admin, "/api/v1/status").expect(200).json()["shipping"].clone();
    assert!(shipping["lag_entries"].as_u64() >= Some(5) && shipping["last_shipped_at"].is_null(), "{shipping}");
    let count = "SELECT count(id) FROM audit_log";
    assert_eq!(service.query(&admin, count), json!([[5]]));
}

#[test]
fn shipped_segments_are_recorded_once_and_quiet_ledgers_ship_nothing() {
    let Some(server) = Server::start() else { return };
    let service = Running::on(place(&server), &["--ship", TO, "--ship-retain", "compliance:2"]);
    let admin = service.token("admin");
    let lines: String = (0..600).map(|number| entry(&format!("s-{number}")) + "\n").collect();
    service.record(&admin, &lines);
    service.post(&admin, "/api/v1/seal", "application/json", "").expect(200);
    let shipped = "SELECT context FROM audit_log WHERE event_type = 'ledger.shipped'";
    let context = wait_for("the entry about the shipment", || service.query(&admin, shipped).get(0).cloned());
    let context: Value = serde_json::from_str(context[0].as_str().unwrap()).unwrap();
    assert_eq!((&context["to"], &context["segments"]), (&json!(TO), &json!(1)));
    shipped_whole_but_own(&service, &admin);
    let objects = server.keys("journal").len() + server.keys("checkpoints").len();
    std::thread::sleep(Duration::from_secs(7));
    assert_eq!(server.keys("journal").len() + server.keys("checkpoints").len(), objects, "the ledger feeds itself");
    service.place.run(&["ship", "audit", TO, "--check", "--retain", "compliance:2"]).expect(0);
}

/// Everything but the ledger's word that it was shipped, which alone is no reason to ship.
fn shipped_whole_but_own(service: &Running, admin: &str) {
    wait_for("everything to be shipped", || {
        let shipping = service.get(admin, "/api/v1/status").json()["shipping"].clone();
        (shipping["lag_entries"].as_u64() <= Some(1)).then_some(())
    });
}

/// Connections that record entry after entry until the service dies; what was acknowledged, with its index.
fn record_until_killed(service: Running, query: &'static str, enough: usize) -> (Place, BTreeMap<String, u64>) {
    let acknowledged = Mutex::new(BTreeMap::new());
    let writer = service.token("writer");
    let place = std::thread::scope(|scope| {
        for client in 0..6 {
            let (acknowledged, address, writer) = (&acknowledged, service.address.clone(), writer.clone());
            scope.spawn(move || record_on_and_on(client, &address, query, &writer, acknowledged));
        }
        wait_for("acknowledged entries", || (acknowledged.lock().unwrap().len() > enough).then_some(()));
        service.kill()
    });
    (place, acknowledged.into_inner().unwrap())
}

fn record_on_and_on(
    client: usize,
    address: &str,
    query: &str,
    token: &str,
    acknowledged: &Mutex<BTreeMap<String, u64>>,
) -> Option<()> {
    let mut stream = std::net::TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    for number in 0.. {
        let id = format!("{client}-{number}");
        let body = entry(&id);
        let request = format!(
            "POST /api/v1/entries{query} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = Vec::new();
        let mut piece = [0; 4096];
        while !answer.ends_with(b"]}") {
            let read = stream.read(&mut piece).ok().filter(|read| *read > 0)?;
            answer.extend_from_slice(&piece[..read]);
        }
        let text = String::from_utf8(answer).unwrap();
        let index = text.split("\"index\":").nth(1)?.split(',').next()?.parse().unwrap();
        acknowledged.lock().unwrap().insert(id, index);
    }
    Some(())
}

fn all_there(acknowledged: &BTreeMap<String, u64>, found: &BTreeMap<String, u64>) {
    for (id, index) in acknowledged {
        assert_eq!(found.get(id), Some(index), "{id} was acknowledged");
    }
}

#[test]
fn a_killed_service_loses_nothing_and_ships_everything_once() {
    let Some(server) = Server::start() else { return };
    let mut place = place(&server);
    let mut acknowledged = BTreeMap::new();
    for round in 0..3 {
        // The clients begin with the same ids each time: what is there already is answered with its first place.
        let service = Running::on(place, &["--ship", TO]);
        let (left, more) = record_until_killed(service, "", 200 * (round + 1));
        place = left;
        place.ok(&["seal", "audit"]);
        all_there(&more, &ids(&place, "audit"));
        acknowledged = more;
    }
    let service = Running::on(place, &["--ship", TO]);
    let admin = service.token("admin");
    shipped_whole_but_own(&service, &admin);
    let (place, _) = service.end();
    place.run(&["verify", TO]).expect(0);
    place.run(&["verify", "audit"]).expect(0);
    assert_eq!(ids(&place, TO), ids(&place, "audit"));
    all_there(&acknowledged, &ids(&place, TO));
}

#[test]
fn what_is_acknowledged_as_shipped_survives_the_loss_of_the_disk() {
    let Some(server) = Server::start() else { return };
    let service = Running::on(place(&server), &["--ship", TO]);
    let (place, acknowledged) = record_until_killed(service, "?ack=shipped", 300);
    std::fs::remove_dir_all(place.path("audit")).unwrap();
    place.ok(&["restore", TO, "back"]);
    place.run(&["verify", "back"]).expect(0);
    all_there(&acknowledged, &ids(&place, "back"));
    // Many requests share a shipment.
    assert!(server.keys("checkpoints").len() < acknowledged.len(), "{} acknowledged", acknowledged.len());
}

#[test]
fn the_service_can_acknowledge_nothing_before_it_is_shipped() {
    let Some(server) = Server::start() else { return };
    let service = Running::on(place(&server), &["--ship", TO, "--ack", "shipped"]);
    let writer = service.token("writer");
    let index = service.record(&writer, &entry("one"))[0]["index"].as_u64().unwrap();
    assert!(server.keys("checkpoints").last().unwrap() > &format!("checkpoints/{index:020}"), "{index}");
    service.post(&writer, "/api/v1/entries?ack=durable", "application/json", entry("two")).expect(201);
    service.post(&writer, "/api/v1/entries?ack=never", "application/json", entry("two")).problem(400, "invalid", &[]);
    let event =
        json!({"specversion": "1.0", "type": "x", "source": "s", "id": "3", "subject": "e", "data": {}}).to_string();
    let told = service.post(&writer, "/api/v1/cloudevents", "application/cloudevents+json", event).expect(201).json();
    let index = told["receipts"][0]["index"].as_u64().unwrap();
    assert!(server.keys("checkpoints").last().unwrap() > &format!("checkpoints/{index:020}"), "{index}");
}

#[test]
fn without_a_copy_nothing_is_acknowledged_as_shipped() {
    let service = Running::start();
    let writer = service.token("writer");
    let asked = service.post(&writer, "/api/v1/entries?ack=shipped", "application/json", entry("one"));
    asked.problem(404, "not-found", &["--ship"]);
    let told = service.place.run(&["serve", "audit", "--ack", "shipped"]);
    told.refused(2, &["--ship"]);
}

#[test]
fn whoever_waits_in_vain_learns_that_the_entry_is_there_and_holds_up_nobody() {
    let Some(mut server) = Server::start() else { return };
    let service = Running::on(place(&server), &["--ship", TO, "--appends-at-once", "20"]);
    let admin = service.token("admin");
    service.record(&admin, &entry("first"));
    shipped_whole(&service, &admin);
    server.kill();
    let threads = || std::fs::read_dir(format!("/proc/{}/task", service.pid())).unwrap().count();
    let before = threads();
    // More of them than places for appends: those who wait for the copy take none.
    let waiting: Vec<_> = (0..150)
        .map(|number| {
            wait_for("the others to wait", || {
                let arrived = service.metric(&admin, "counterfoil_ship_acks_waiting") + 10.0 > f64::from(number);
                (arrived && service.metric(&admin, "counterfoil_appends_waiting") < 10.0).then_some(())
            });
            let body = entry(&format!("waits-{number}"));
            let mut stream = service.connect();
            stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            let request = format!(
                "POST /api/v1/entries?ack=shipped HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {admin}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(request.as_bytes()).unwrap();
            stream
        })
        .collect();
    wait_for("all to wait", || (service.metric(&admin, "counterfoil_ship_acks_waiting") >= 150.0).then_some(()));
    assert!(threads() < before + 20, "{before} threads before, {} now", threads());
    service.record(&admin, &entry("in a hurry"));
    for mut stream in waiting {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        assert!(answer.contains("retry-after:") && answer.contains("durable and signed in the ledger"), "{answer}");
        assert!(answer.contains("with the same id"), "{answer}");
    }
    server.restart();
    let again = service.post(&admin, "/api/v1/entries?ack=shipped", "application/json", entry("waits-7")).expect(201);
    let rows = service.query(&admin, "SELECT index FROM audit_log WHERE id = 'waits-7'");
    assert_eq!(rows, json!([[again.json()["receipts"][0]["index"]]]));
}

#[test]
fn a_folder_that_does_not_extend_its_copy_signs_nothing() {
    let Some(mut server) = Server::start() else { return };
    let place = place(&server);
    place.feed(&["append", "audit"], &entry("old")).expect(0);
    let copy = |from: &str, to: &str| {
        let status = std::process::Command::new("cp").arg("-a").args([place.path(from), place.path(to)]).status();
        assert!(status.unwrap().success());
    };
    copy("audit", "old");
    copy("audit", "fork");
    place.feed(&["append", "audit"], &entry("new")).expect(0);
    place.ok(&["ship", "audit", TO]);
    for number in 0..5 {
        place.feed(&["append", "fork"], &entry(&format!("other-{number}"))).expect(0);
    }
    for (folder, said) in [("old", "rolled back"), ("fork", "is a fork")] {
        let before = std::fs::read(place.path(folder).join("checkpoint")).unwrap();
        let refused = place.run(&["serve", folder, "--listen", "127.0.0.1:0", "--ship", TO]);
        refused.refused(11, &[said, "Nothing was signed", &format!("counterfoil restore {TO} NEW")]);
        assert_eq!(std::fs::read(place.path(folder).join("checkpoint")).unwrap(), before);
        let shipped = place.run(&["ship", folder, TO]);
        assert!([4, 11].contains(&shipped.code), "{shipped:?}");
    }
    // A store that does not answer keeps nothing from starting, and what is a fork is refused when it is shipped.
    server.kill();
    let service = Running::on(place, &["--ship", TO]);
    assert!(service.log().contains("was not compared with its copy"), "{}", service.log());
}
