//! Kills, slow and hostile clients.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::place::LINES;
use crate::service::{Running, wait_for};

/// What is acknowledged while the service is killed must be there afterwards.
#[test]
fn a_killed_service_loses_nothing_that_it_acknowledged() {
    for round in 0..4 {
        let service = Running::start();
        let writer = service.token("writer");
        let acknowledged = Mutex::new(Vec::new());
        let place = std::thread::scope(|scope| {
            for client in 0..4 {
                let (acknowledged, service_address, writer) = (&acknowledged, service.address.clone(), writer.clone());
                scope.spawn(move || record_until_cut(client, &service_address, &writer, acknowledged));
            }
            wait_for("acknowledged entries", || (acknowledged.lock().unwrap().len() > 20 * (round + 1)).then_some(()));
            service.kill()
        });
        // Opening it for writing finishes what the kill left, as the next service would.
        place.ok(&["seal", "audit"]);
        place.run(&["verify", "audit"]).expect(0);
        let sql = "SELECT index, id FROM audit_log WHERE id IS NOT NULL";
        let rows = place.json(&["query", "audit", sql, "--format", "json", "--max-rows", "10000000"]);
        let found: std::collections::HashMap<String, u64> = rows
            .as_array()
            .unwrap()
            .iter()
            .map(|row| (row["id"].as_str().unwrap().to_owned(), row["index"].as_u64().unwrap()))
            .collect();
        for (id, index) in acknowledged.into_inner().unwrap() {
            assert_eq!(found.get(&id), Some(&index), "{id} was acknowledged");
        }
    }
}

/// One keep-alive connection that records entry after entry over one of the protocols.
fn record_until_cut(client: usize, address: &str, token: &str, acknowledged: &Mutex<Vec<(String, u64)>>) {
    let Ok(mut stream) = std::net::TcpStream::connect(address) else { return };
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    for number in 0.. {
        let id = format!("{client}-{number}");
        let body = json!({"event_type": "x", "actor": "a", "entity_id": "e", "id": id}).to_string();
        let request = format!(
            "POST /api/v1/entries HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        if stream.write_all(request.as_bytes()).is_err() {
            return;
        }
        let mut answer = Vec::new();
        let mut piece = [0; 4096];
        while !answer.ends_with(b"]}") {
            match stream.read(&mut piece) {
                Ok(0) | Err(_) => return,
                Ok(bytes) => answer.extend_from_slice(&piece[..bytes]),
            }
        }
        let text = String::from_utf8(answer).unwrap();
        let index = text.split("\"index\":").nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
        acknowledged.lock().unwrap().push((id, index));
    }
}

#[test]
fn requests_under_way_are_finished_before_it_ends() {
    let service = Running::start();
    let writer = service.token("writer");
    let body = LINES.as_bytes();
    let mut stream = service.connect();
    let head = format!(
        "POST /api/v1/entries HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {writer}\r\ncontent-type: application/x-ndjson\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&body[..100]).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    super::running::signal("TERM", service.pid());
    std::thread::sleep(Duration::from_millis(200));
    stream.write_all(&body[100..]).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    let (place, code) = service.end();
    assert_eq!(code, Some(0));
    assert_eq!(place.json(&["status", "audit", "--json"])["sources"], json!([]));
    place.run(&["verify", "audit"]).expect(0);
}

#[test]
fn bombs_and_oversized_bodies_are_refused() {
    let service = Running::start();
    let writer = service.token("writer");
    let bearer = format!("Bearer {writer}");
    service.place.write("zeros", vec![b' '; 200 << 20]);
    for (encoding, program) in [("gzip", "gzip"), ("zstd", "zstd")] {
        let packed =
            std::process::Command::new(program).args(["-c"]).arg(service.place.path("zeros")).output().unwrap();
        assert!(packed.stdout.len() < 1 << 20, "a small body that decodes to 200 MiB");
        for path in ["/api/v1/entries", "/v1/logs", "/api/v1/cloudevents", "/api/v1/query"] {
            let headers = [
                ("authorization", bearer.as_str()),
                ("content-type", "application/json"),
                ("content-encoding", encoding),
            ];
            let answer = service.call("POST", path, &headers, &packed.stdout);
            assert!([403, 413, 415].contains(&answer.status), "{path}: {} {}", answer.status, answer.text());
        }
    }
    let headers =
        [("authorization", bearer.as_str()), ("content-type", "application/json"), ("content-encoding", "gzip")];
    service.call("POST", "/api/v1/entries", &headers, b"not gzip at all").problem(400, "invalid", &[]);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let answer = service.post(&writer, "/api/v1/entries", "application/json", deep);
    assert!((400..500).contains(&answer.status), "{}", answer.text());
    service.get(&writer, "/api/v1/checkpoint").expect(200);
    let peak = service.peak_mib();
    assert!(peak < 600, "{peak} MiB");
}

#[test]
fn slow_and_idle_clients_do_not_hold_up_others() {
    let service = Running::start();
    let writer = service.token("writer");
    let mut idle = Vec::new();
    for number in 0..1_000 {
        let mut stream = service.connect();
        if number % 3 == 0 {
            stream.write_all(b"POST /api/v1/entries HTTP/1.1\r\nhost: x\r\n").unwrap();
        }
        idle.push(stream);
    }
    let since = Instant::now();
    service.record(&writer, LINES);
    assert!(since.elapsed() < Duration::from_secs(5));
    drop(idle);
    assert_eq!(service.end().1, Some(0));
}

#[test]
fn garbage_on_the_wire_harms_nobody() {
    let service = Running::start();
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"[..],
        b"\0\0\0\0",
        b"GET",
        b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
        b"\r\n\r\n",
    ] {
        let mut stream = service.connect();
        let _ = stream.write_all(garbage);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
    }
    let huge = "x".repeat(1 << 20);
    let answer = service.call("GET", "/healthz", &[("x-huge", &huge)], b"");
    assert_eq!(answer.status, 431);
    service.call("GET", "/healthz", &[], b"").expect(200);
}

#[test]
fn a_query_ends_when_its_client_leaves() {
    let service = Running::start_with(&["--queries-at-once", "1", "--query-seconds", "20"]);
    let reader = service.token("reader");
    service.record(&service.token("writer"), &LINES.repeat(200));
    let cross = "SELECT count(*) FROM audit_log a, audit_log b, audit_log c, audit_log d";
    let mut stream = service.connect();
    let head = format!(
        "POST /api/v1/query HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {reader}\r\ncontent-type: application/sql\r\ncontent-length: {}\r\n\r\n{cross}",
        cross.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let busy = Arc::new(AtomicBool::new(false));
    wait_for("the only place to be taken", || {
        let answer = service.post(&reader, "/api/v1/query", "application/sql", "SELECT 1");
        busy.store(answer.status == 429, Ordering::Relaxed);
        if answer.status == 429 {
            assert_eq!(answer.header("retry-after"), Some("1"));
        }
        busy.load(Ordering::Relaxed).then_some(())
    });
    drop(stream);
    let since = Instant::now();
    wait_for("the place to be free", || {
        (service.post(&reader, "/api/v1/query", "application/sql", "SELECT 1").status == 200).then_some(())
    });
    assert!(since.elapsed() < Duration::from_secs(10), "the query went on without its client");
}

/// Asks with a statement and never reads the answer.
fn asks_and_does_not_read(service: &Running, reader: &str, sql: &str) -> std::net::TcpStream {
    let mut stream = service.connect();
    let head = format!(
        "POST /api/v1/query HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {reader}\r\naccept: text/csv\r\ncontent-type: application/sql\r\ncontent-length: {}\r\n\r\n{sql}",
        sql.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

#[test]
fn clients_that_do_not_read_hold_no_place_for_ever() {
    let service = Running::start_with(&["--queries-at-once", "2", "--query-seconds", "8"]);
    let reader = service.token("reader");
    let line = "{\"event_type\":\"kyc_check\",\"actor\":\"bob\",\"entity_id\":\"C-1\",\"reason\":\"a reason of some length\"}\n";
    service.record(&service.token("writer"), &line.repeat(1_000));
    let wide =
        "SELECT a.index AS i, b.index AS j, a.reason AS p, b.reason AS q FROM audit_log a, audit_log b LIMIT 900000";
    let streams = [asks_and_does_not_read(&service, &reader, wide), asks_and_does_not_read(&service, &reader, wide)];
    wait_for("both places to be taken", || {
        (service.get(&reader, "/api/v1/entries?actor=bob").status == 429).then_some(())
    });
    let since = Instant::now();
    wait_for("a place to be free", || (service.get(&reader, "/api/v1/entries?actor=bob").status == 200).then_some(()));
    assert!(since.elapsed() < Duration::from_secs(25), "free after {:?}", since.elapsed());
    for mut stream in streams {
        let mut answer = Vec::new();
        let _ = std::io::Read::read_to_end(&mut stream, &mut answer);
        assert!(!answer.ends_with(b"\r\n0\r\n\r\n"), "an answer that was broken off must not look whole");
    }
}
