//! Proofs, bundles and `/tlog`.

use serde_json::json;

use crate::place::LINES;
use crate::service::Running;

#[test]
fn proofs_hold_for_every_size_ever_reached() {
    let service = Running::start();
    let writer = service.token("writer");
    service.record(&writer, LINES);
    let size = service.get(&writer, "/api/v1/status").json()["tree_size"].as_u64().unwrap();
    let key = service.get(&writer, "/api/v1/status").json()["verifier_key"].as_str().unwrap().to_owned();
    for at in 1..=size {
        let path = format!("/api/v1/proofs/inclusion?index={}&size={at}", at - 1);
        let proof = service.get(&writer, &path).expect(200).json();
        service.place.write("one.proof", proof["proof"].as_str().unwrap());
        let reader = service.token("reader");
        let entry = service.get(&reader, &format!("/api/v1/entries/{}", at - 1)).json();
        service.place.write("one.json", entry["canonical"].as_str().unwrap());
        let check = ["check", "one.proof", "--entry", "one.json", "--key", &key];
        service.place.run(&check).expect(0);
        let checkpoint = service.get(&writer, &format!("/api/v1/checkpoint?size={at}")).expect(200);
        assert!(checkpoint.text().starts_with(&format!("bank.example/audit\n{at}\n")));
    }
    let more = service.get(&writer, &format!("/api/v1/proofs/consistency?from=1&to={size}")).expect(200).json();
    assert!(!more["hashes"].as_array().unwrap().is_empty());
    service.get(&writer, "/api/v1/proofs/inclusion?index=9999").problem(404, "not-found", &["9999"]);
    service.get(&writer, "/api/v1/proofs/inclusion?index=3&size=2").problem(400, "invalid", &["size"]);
    service.get(&writer, "/api/v1/proofs/consistency?from=5&to=2").problem(400, "invalid", &["beginning"]);
}

#[test]
fn a_bundle_is_checked_offline() {
    let service = Running::start();
    service.record(&service.token("writer"), LINES);
    let auditor = service.token("auditor");
    let key = service.get(&auditor, "/api/v1/status").json()["verifier_key"].as_str().unwrap().to_owned();
    for choice in [json!({"entity_id": "INV-1"}), json!({"where": "actor = 'maria'"}), json!({"indices": [3, 1, 3]})] {
        let bundle = service.post(&auditor, "/api/v1/bundles", "application/json", choice.to_string()).expect(200);
        service.place.write("evidence.json", &bundle.body);
        service.place.run(&["verify", "--bundle", "evidence.json", "--key", &key]).expect(0);
    }
    let none = service.post(&auditor, "/api/v1/bundles", "application/json", r#"{"entity_id":"nobody"}"#);
    none.problem(404, "not-found", &["nobody"]);
    service.post(&auditor, "/api/v1/bundles", "application/json", "{}").problem(400, "invalid", &[]);
}

#[test]
fn tiles_of_every_earlier_width_stay_the_same() {
    let service = Running::start();
    let writer = service.token("writer");
    let tile = |path: &str| service.call("GET", &format!("/tlog/{path}"), &[], b"");
    let early = tile("tile/0/000.p/2").expect(200);
    assert!(early.header("cache-control").unwrap().contains("immutable"));
    let lines = "{\"event_type\":\"x\",\"actor\":\"a\",\"entity_id\":\"e\"}\n".repeat(600);
    service.record(&writer, &lines);
    assert_eq!(tile("tile/0/000.p/2").expect(200).body, early.body);
    let full = tile("tile/0/000").expect(200);
    assert_eq!(full.body.len(), 256 * 32);
    assert_eq!(full.body[..64], early.body[..]);
    assert_eq!(tile("tile/1/000.p/2").expect(200).body.len(), 64);
    assert_eq!(tile("checkpoint").expect(200).header("cache-control"), Some("no-cache"));
    tile("tile/0/003").problem(404, "not-found", &[]);
    tile("tile/0/0").problem(404, "not-found", &["canonical"]);
    tile("tile/9/000").problem(404, "not-found", &[]);
    tile("tile/entries/000.p/0").problem(404, "not-found", &[]);
    tile("tile/entries/x999/999/000").expect(404);
}

#[test]
fn a_name_that_was_made_to_point_here_is_no_neighbour() {
    let service = Running::start();
    let mut stream = service.connect();
    use std::io::{Read, Write};
    stream
        .write_all(b"GET /tlog/tile/entries/000.p/1 HTTP/1.1\r\nhost: evil.example:7411\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
}

#[test]
fn what_of_the_log_is_public_is_a_choice() {
    let public = |what: &str| {
        let service = Running::start_with(&["--tlog-public", what]);
        let status = |path: &str| service.call("GET", path, &[], b"").status;
        let seen = [status("/tlog/checkpoint"), status("/tlog/tile/0/000.p/1"), status("/tlog/tile/entries/000.p/1")];
        let reader = service.token("reader");
        service.get(&reader, "/tlog/tile/entries/000.p/1").expect(200);
        seen
    };
    assert_eq!(public("none"), [401, 401, 401]);
    assert_eq!(public("checkpoint"), [200, 401, 401]);
    assert_eq!(public("tiles"), [200, 200, 401]);
    assert_eq!(public("all"), [200, 200, 200]);
}
