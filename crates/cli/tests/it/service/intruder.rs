//! Somebody who has a token of little right, or may write beside the ledger, but has no key.

use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::place::{LINES, Place};
use crate::service::Running;

const ENTRY: &str = r#"{"event_type":"invoice_paid","actor":"a","entity_id":"INV-9"}"#;

/// Answers whatever is asked at a path as a service would that has recorded it.
fn answer_falsely(socket: &Path) {
    let receipt = json!({
        "index": 7, "leaf_hash": "ab".repeat(32), "tree_size": 8, "recorded_at": "2026-11-24T10:00:00.000000Z",
    });
    let body = json!({"receipts": [receipt], "token": "cf_intruder", "tree_size": 7}).to_string();
    let _ = std::fs::remove_file(socket);
    let listener = UnixListener::bind(socket).unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = write!(stream, "HTTP/1.1 201 Created\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        }
    });
}

#[test]
fn a_false_socket_swallows_nothing_while_no_service_runs() {
    let place = Place::new();
    place.ok(&["init", "audit", "--origin", "bank.example/audit"]);
    answer_falsely(&place.path("audit/state/service.sock"));
    place.feed(&["append", "audit", "--receipts"], ENTRY).expect(0);
    let token = place.ok(&["token", "create", "audit", "--role", "reader"]);
    assert!(token.starts_with("cf_") && !token.contains("intruder"), "{token}");
    let count = "SELECT count(*) AS n FROM audit_log WHERE entity_id = 'INV-9'";
    assert_eq!(place.json(&["query", "audit", count, "--format", "json"]), json!([{"n": 1}]));
}

#[test]
fn a_false_socket_beside_a_service_gives_no_receipt_that_is_believed() {
    let service = Running::start();
    let place = &service.place;
    place.feed(&["append", "audit", "--receipts"], LINES).expect(0);
    answer_falsely(&place.path("audit/state/service.sock"));
    let ran = place.feed(&["append", "audit", "--receipts"], ENTRY);
    assert_eq!(ran.stdout, "");
    ran.refused(11, &["receipt"]);
}

#[test]
fn links_in_the_state_folder_lead_to_no_other_file() {
    let place = Place::new();
    place.ok(&["init", "audit", "--origin", "bank.example/audit"]);
    let key = place.path("audit/keys/signing-key.pem");
    let before = std::fs::read(&key).unwrap();
    for name in ["tokens.lock", "tokens.json.new", "tokens.tmp", "service.json", "service.tmp"] {
        symlink("../keys/signing-key.pem", place.path("audit/state").join(name)).unwrap();
    }
    place.ok(&["token", "create", "audit", "--role", "reader"]);
    assert_eq!(std::fs::read(&key).unwrap(), before, "after a token");
    let place = Running::on(place, &[]).end().0;
    assert_eq!(std::fs::read(&key).unwrap(), before, "after a service");
    std::fs::remove_file(place.path("audit/state/tokens.json")).unwrap();
    symlink("../keys/signing-key.pem", place.path("audit/state/tokens.json")).unwrap();
    place.run(&["token", "create", "audit", "--role", "reader"]).refused(5, &["tokens.json"]);
    assert_eq!(std::fs::read(&key).unwrap(), before, "after a token in place of a link");
}

#[test]
fn a_pipe_in_place_of_the_tokens_hangs_nobody() {
    let service = Running::start();
    let reader = service.token("reader");
    let tokens = service.place.path("audit/state/tokens.json");
    std::fs::remove_file(&tokens).unwrap();
    assert!(Command::new("mkfifo").arg(&tokens).status().unwrap().success());
    service.get(&reader, "/api/v1/status").problem(500, "damaged", &["tokens cannot be read"]);
    service.call("GET", "/healthz", &[], b"").expect(200);
    service.place.run(&["token", "list", "audit"]).refused(10, &["no regular file"]);
    assert_eq!(service.end().1, Some(0));
}

#[test]
fn one_recorder_cannot_take_all_sources_of_the_ledger() {
    let service = Running::start();
    let new = ["token", "create", "audit", "--role", "writer", "--name", "etl", "--prefix", "invoice"];
    let etl = service.place.ok(&new).trim().to_owned();
    let of_source = |source: usize, sequence: u64| {
        let source = format!("s{source}");
        json!({"event_type": "invoice_paid", "actor": "a", "entity_id": "e", "source": source, "sequence": sequence})
            .to_string()
    };
    let many: Vec<String> = (0..10_000).map(|source| of_source(source, 1)).collect();
    service.record(&etl, &many.join("\n"));
    let send = |token: &str, body: String| service.post(token, "/api/v1/entries", "application/json", body);
    send(&etl, of_source(10_000, 1)).problem(403, "denied", &["etl", "10000 sources"]);
    send(&etl, of_source(9_999, 2)).expect(201);
    send(&service.token("writer"), of_source(10_000, 1)).expect(201);
}

#[test]
fn what_an_auditor_asks_is_recorded_also_when_it_fails_and_to_the_page() {
    let service = Running::start();
    let auditor = service.token("auditor");
    service.record(&service.token("writer"), LINES);
    let bundle = |predicate: &str| {
        let body = json!({"where": predicate}).to_string();
        service.post(&auditor, "/api/v1/bundles", "application/json", body)
    };
    bundle("entity_id = 'INV-1' AND CAST(reason AS bigint) > 0").expect(400);
    bundle("reason LIKE 'Z%'").expect(404);
    service.get(&auditor, "/api/v1/entries?actor=maria&cursor=before-7&limit=3").expect(200);
    service.get(&auditor, "/api/v1/entities/INV-1/history?cursor=after-1&limit=2").expect(200);
    let read = service.acts("ledger.query_run");
    let told: Vec<serde_json::Value> =
        read.iter().map(|one| serde_json::from_str(one["context"].as_str().unwrap()).unwrap()).collect();
    assert_eq!(
        told,
        [
            json!({"bundle": {"where": "entity_id = 'INV-1' AND CAST(reason AS bigint) > 0"}}),
            json!({"bundle": {"where": "reason LIKE 'Z%'"}}),
            json!({"list": "actor = 'maria'", "below": 7, "limit": 3}),
            json!({"history": "INV-1", "cursor": "after-1", "limit": 2}),
        ]
    );
}

#[test]
fn one_reader_cannot_take_all_streams() {
    let service = Running::start();
    let (reader, other) = (service.token("reader"), service.token("auditor"));
    let open = |token: &str| {
        let mut stream = service.connect();
        write!(stream, "GET /api/v1/stream HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n").unwrap();
        let mut head = [0; 12];
        stream.read_exact(&mut head).unwrap();
        (String::from_utf8(head.to_vec()).unwrap(), stream)
    };
    let mut held: Vec<_> = (0..32).map(|_| open(&reader)).collect();
    assert!(held.iter().all(|(head, _)| head.ends_with(" 200")));
    assert!(open(&reader).0.ends_with(" 429"));
    assert!(open(&other).0.ends_with(" 200"));
    held.pop();
    crate::service::wait_for("the place of a stream that ended", || open(&reader).0.ends_with(" 200").then_some(()));
}

#[test]
fn a_host_that_only_begins_like_the_machine_itself_is_a_stranger() {
    let service = Running::start();
    let status = |host: &str, more: &str| {
        let mut stream = service.connect();
        write!(stream, "GET /tlog/tile/entries/000.p/1 HTTP/1.1\r\nhost: {host}\r\n{more}connection: close\r\n\r\n")
            .unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        String::from_utf8(answer[9..].to_vec()).unwrap()
    };
    for host in ["127.0.0.1", "127.0.0.1:7411", "[::1]:7411", "LocalHost:1"] {
        assert_eq!(status(host, ""), "200", "{host}");
    }
    for host in ["127.0.0.1:80@evil.example", "[::1]:80@evil", "localhost@evil", "evil.example", ""] {
        assert_eq!(status(host, ""), "401", "{host}");
    }
    assert_eq!(status("127.0.0.1", "x-real-ip: 192.0.2.1\r\n"), "401");
}
