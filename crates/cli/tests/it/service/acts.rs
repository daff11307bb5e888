//! What people do to the ledger, as entries in it.

use serde_json::json;

use crate::service::{Running, wait_for};

const ENTRY: &str = r#"{"event_type":"payroll_run","actor":"a","entity_id":"P-1"}"#;

/// A service, and a writer that may only record invoices.
fn with_invoice_writer() -> (Running, String) {
    let service = Running::start_with(&["--otlp-grpc", "127.0.0.1:0"]);
    let new = ["token", "create", "audit", "--role", "writer", "--name", "etl", "--prefix", "invoice"];
    let token = service.place.ok(&new).trim().to_owned();
    (service, token)
}

#[test]
fn every_denied_request_is_recorded_over_whatever_it_came() {
    let (service, etl) = with_invoice_writer();
    service.post(&etl, "/api/v1/entries", "application/json", ENTRY).problem(403, "denied", &["payroll_run"]);
    service.post(&etl, "/api/v1/entries?partial=true", "application/json", ENTRY).expect(403);
    let good = ENTRY.replace("payroll_run", "invoice_paid");
    service.post(&etl, "/api/v1/entries?partial=true", "application/x-ndjson", format!("{good}\n{ENTRY}")).expect(201);
    let event = json!({"specversion": "1.0", "id": "1", "source": "/erp", "type": "payroll_run", "subject": "P-1"});
    service.post(&etl, "/api/v1/cloudevents", "application/cloudevents+json", event.to_string()).expect(403);
    let record = json!({"timeUnixNano": "1764000000000000000", "body": {"stringValue": "a"}});
    let logs = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]});
    service.post(&etl, "/v1/logs", "application/json", logs.to_string()).expect(200);
    service.call("GET", "/sign-in?code=wrong", &[], b"").expect(303);
    let denied = service.acts("ledger.access_denied");
    let told: Vec<_> =
        denied.iter().map(|one| (one["actor"].as_str().unwrap(), one["entity_id"].as_str().unwrap())).collect();
    assert_eq!(
        told,
        [
            ("etl", "POST /api/v1/entries"),
            ("etl", "POST /api/v1/entries"),
            ("etl", "POST /api/v1/entries"),
            ("etl", "POST /api/v1/cloudevents"),
            ("etl", "POST /v1/logs"),
            ("unknown", "GET /sign-in"),
        ]
    );
    assert!(denied[0]["reason"].as_str().unwrap().contains("payroll_run"), "{denied:?}");
}

#[test]
fn a_refused_signature_is_recorded_as_denied() {
    let service = Running::start();
    let writer = service.token("writer");
    let signed = json!({
        "event_type": "x", "actor": "a", "entity_id": "e", "timestamp": "2026-11-24T10:00:00Z", "source": "s", "sequence": 1,
        "signature": {"algorithm": "ed25519", "key_id": "0".repeat(64), "value": format!("{}==", "A".repeat(86))},
    });
    service.post(&writer, "/api/v1/entries", "application/json", signed.to_string()).problem(403, "denied", &["key"]);
    let denied = service.acts("ledger.access_denied");
    assert_eq!((denied.len(), &denied[0]["actor"]), (1, &json!("writer")));
}

#[test]
fn whoever_registers_or_revokes_a_key_is_named() {
    let service = Running::start();
    let admin = service.token("admin");
    let key = json!({"public_key": "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"});
    let made = service.post(&admin, "/api/v1/keys", "application/json", key.to_string()).expect(201).json();
    let path = format!("/api/v1/keys/{}", made["key_id"].as_str().unwrap());
    service.call("DELETE", &path, &[("authorization", &format!("Bearer {admin}"))], b"").expect(201);
    let (place, _) = service.end();
    let sql = "SELECT actor FROM audit_log WHERE event_type LIKE 'ledger.key_re%' ORDER BY index";
    let rows = place.json(&["query", "audit", sql, "--format", "json"]);
    assert_eq!(rows, json!([{"actor": "admin"}, {"actor": "admin"}]));
}

#[test]
fn what_an_auditor_reads_of_the_log_is_recorded() {
    let service = Running::start_with(&["--tlog-public", "tiles"]);
    let auditor = service.token("auditor");
    for path in ["/tlog/checkpoint", "/tlog/tile/0/000.p/1", "/tlog/tile/entries/000.p/1"] {
        service.get(&auditor, path).expect(200);
    }
    let read = service.acts("ledger.query_run");
    assert_eq!(read.len(), 1, "hashes are no entries: {read:?}");
    assert_eq!(read[0]["actor"], "auditor");
    assert!(read[0]["context"].to_string().contains("tile/entries/000.p/1"), "{read:?}");
}

#[test]
fn a_long_statement_of_an_auditor_is_recorded_by_its_digest() {
    let service = Running::start();
    let auditor = service.token("auditor");
    let names = (0..8_000).map(|number| format!("'INV-{number}'")).collect::<Vec<_>>().join(",");
    let sql = format!("SELECT count(*) FROM audit_log WHERE entity_id IN ({names})");
    assert!(sql.len() > 65_536);
    service.query(&auditor, &sql);
    service.query(&auditor, "SELECT 1");
    let read = service.acts("ledger.query_run");
    let context = read[0]["context"].to_string();
    assert!(context.contains("SELECT count(*)") && context.contains("sql_sha256"), "{context}");
    assert!(context.contains(&format!("{}", sql.len())), "{context}");
    assert!(!read[1]["context"].to_string().contains("sha256"), "a short one stands whole: {read:?}");
}

#[test]
fn the_age_of_a_verification_outlives_a_restart() {
    let service = Running::start();
    let admin = service.token("admin");
    service.post(&admin, "/api/v1/verification", "", "").expect(202);
    wait_for("the verification", || {
        service.get(&admin, "/api/v1/verification").json()["last"].is_object().then_some(())
    });
    let (place, _) = service.end();
    std::thread::sleep(std::time::Duration::from_secs(3));
    let again = Running::on(place, &[]);
    let age = wait_for("the earlier run", || {
        let age = again.metric(&admin, "counterfoil_verification_age_seconds");
        (age >= 0.0).then_some(age)
    });
    assert!(age >= 3.0, "{age} s");
}

#[test]
fn each_refusal_and_each_new_entry_is_counted_once() {
    let (service, etl) = with_invoice_writer();
    let reader = service.token("reader");
    service.get("cf_wrong", "/api/v1/entries").expect(401);
    service.get(&etl, "/api/v1/entries").expect(403);
    service.post(&etl, "/api/v1/entries", "application/json", ENTRY).expect(403);
    assert_eq!(service.metric(&reader, "counterfoil_refused_total{reason=\"unauthenticated\"}"), 1.0);
    assert_eq!(service.metric(&reader, "counterfoil_refused_total{reason=\"denied\"}"), 2.0);
    let known = r#"{"event_type":"invoice_paid","actor":"a","entity_id":"e","id":"k-1"}"#;
    for _ in 0..3 {
        service.record(&etl, known);
    }
    assert_eq!(service.metric(&reader, "counterfoil_entries_recorded_total"), 1.0);
}
