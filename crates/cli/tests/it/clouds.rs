//! Every command on copies in Google Cloud Storage and Azure Blob Storage, and a service that keeps one.

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::cloud::Cloud;
use crate::place::{LINES, Place};
use crate::service::{Running, wait_for};

const RETAIN: [&str; 2] = ["--retain", "compliance:3"];

#[test]
fn every_command_works_on_google_cloud_storage() {
    if let Some(cloud) = Cloud::gcs() {
        every_command_works(&cloud);
    }
}

#[test]
fn every_command_works_on_azure_blob_storage() {
    if let Some(cloud) = Cloud::azure() {
        every_command_works(&cloud);
    }
}

#[test]
fn a_service_keeps_a_copy_in_google_cloud_storage() {
    if let Some(cloud) = Cloud::gcs() {
        a_service_keeps_a_copy(&cloud);
    }
}

#[test]
fn a_service_keeps_a_copy_in_azure_blob_storage() {
    if let Some(cloud) = Cloud::azure() {
        a_service_keeps_a_copy(&cloud);
    }
}

fn ledger(cloud: &Cloud) -> Place {
    let place = Place::with(cloud.environment());
    place.ok(&["init", "audit", "--origin", "bank.example/audit", "--segment-span", "256"]);
    // Its segments are longer than a block: shorter ones are not pruned.
    let line = |number| {
        let note: String = (0..16).map(|part| hex::encode(Sha256::digest(format!("{number} {part}")))).collect();
        let (entity, context) = (format!("e-{number}"), json!({"note": note}));
        json!({"event_type": "x", "actor": "a", "entity_id": entity, "context": context}).to_string() + "\n"
    };
    place.feed(&["append", "audit"], &(LINES.to_owned() + &(0..600).map(line).collect::<String>())).expect(0);
    place.ok(&["seal", "audit"]);
    place
}

fn every_command_works(cloud: &Cloud) {
    let place = ledger(cloud);
    let copy = cloud.location().to_string();
    let copy = copy.as_str();
    place.run(&["ship", "audit", copy]).refused(2, &["--retain compliance:2190"]);
    place.run(&[&["ship", "audit", copy, "--sse", "s3"][..], &RETAIN].concat()).refused(2, &["--sse"]);
    let shipped = place.json(&[&["ship", "audit", copy, "--json"][..], &RETAIN].concat());
    let size = shipped["size"].as_u64().unwrap();
    assert!(size >= 6 && shipped["objects"].as_u64().unwrap() > 0 && shipped["to"] == copy, "{shipped}");
    let locks = place.run(&[&["ship", "audit", copy, "--check"][..], &RETAIN].concat()).expect(0);
    assert!(locks.stderr.contains("none free before 2") && locks.stdout.contains(copy), "{}", locks.stderr);
    let short = place.run(&["ship", "audit", copy, "--check", "--retain", "compliance:9"]);
    short.refused(10, &["less than 9 days"]);
    let key = place.ok(&["key", "audit"]);
    place.ok(&["verify", copy, "--key", key.trim(), "--resume", "seen.json"]);
    place.ok(&["verify", copy, "--key", key.trim(), "--resume", "seen.json"]);
    let sql = "SELECT count(*) AS n FROM audit_log WHERE entity_id = 'INV-1'";
    let there = place.json(&["query", copy, sql, "--format", "json"]);
    assert_eq!(there, place.json(&["query", "audit", sql, "--format", "json"]));
    assert_eq!(place.json(&["status", copy, "--json"])["size"], size);
    place.ok(&["lake", copy, &cloud.place("lake").to_string()]);
    let prune = [&["prune", "audit", "--bucket", copy, "--locked-days", "1", "--json"][..], &RETAIN].concat();
    let pruned = place.json(&prune);
    assert!(pruned["segments"].as_u64() >= Some(2), "{pruned}");
    assert_eq!(
        place.json(&["query", "audit", sql, "--format", "json"]),
        there,
        "what was pruned is read from the bucket"
    );
    let restored = place.json(&["restore", copy, "again", "--key", key.trim(), "--json"]);
    assert_eq!((&restored["entries"], &restored["continued_as"]), (&json!(size), &json!("bank.example/audit/2")));
    place.ok(&["verify", "again"]);
    let auditor = Running::serve(place.beside(), copy, &["--read-only"]);
    assert_eq!(auditor.call("GET", "/readyz", &[], b"").expect(200).text(), "ready\n");
    let other = ledger(cloud);
    other.run(&[&["ship", "audit", copy][..], &RETAIN].concat()).refused(11, &["another ledger or a fork"]);
}

fn a_service_keeps_a_copy(cloud: &Cloud) {
    let copy = cloud.location().to_string();
    let service = Running::on(ledger(cloud), &["--ship", &copy, "--ship-retain", "compliance:3"]);
    let admin = service.token("admin");
    // The ledger's word that segments were shipped is no reason to ship.
    let shipped = || {
        wait_for("everything to be shipped", || {
            let shipping = service.get(&admin, "/api/v1/status").json()["shipping"].clone();
            shipping["lag_entries"].as_u64().filter(|lag| *lag <= 1)
        });
    };
    let entry = |id: &str| json!({"event_type": "x", "actor": "a", "entity_id": "e", "id": id}).to_string();
    shipped();
    cloud.set_open(false);
    service.record(&admin, &entry("while-gone"));
    wait_for("the fault to show", || (service.metric(&admin, "counterfoil_ship_failures_total") > 0.0).then_some(()));
    assert!(service.metric(&admin, "counterfoil_ship_lag_entries") >= 1.0);
    cloud.set_open(true);
    shipped();
    service.post(&admin, "/api/v1/entries?ack=shipped", "application/json", entry("acknowledged")).expect(201);
    let place = service.kill();
    std::fs::remove_dir_all(place.path("audit")).unwrap();
    place.ok(&["restore", &copy, "again"]);
    let sql = "SELECT count(*) AS n FROM audit_log WHERE id IN ('while-gone', 'acknowledged')";
    assert_eq!(place.json(&["query", "again", sql, "--format", "json"])[0]["n"], 2);
}
