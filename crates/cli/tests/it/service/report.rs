//! `report` and `document` through a service: the figures of what a real one records, the same as from its folder.

use serde_json::{Value, json};

use crate::place::{LINES, Place, Ran};
use crate::report::{EVER, count, exported, follow, record_acts};
use crate::service::{Running, wait_for};

/// Runs the binary with a token.
fn with_token(service: &Running, token: &str, arguments: &[&str]) -> Ran {
    let mut command = service.place.command(arguments);
    Ran::of(command.env("COUNTERFOIL_TOKEN", token).stdin(std::process::Stdio::null()).output().unwrap())
}

/// A service that is watched, after a day's work: alerts in every state, a signed review, refusals, queries of an auditor, tokens, a
/// key, a verification.
fn worked() -> Running {
    let place = Place::new();
    place.ok(&["init", "audit", "--origin", "bank.example/audit"]);
    place.ok(&["rules", "init", "rules"]);
    place.write("audit.vkey", place.ok(&["key", "audit"]));
    let service = Running::on(place, &["--rules", "rules"]);
    let tokens = ["writer", "reviewer", "reader", "auditor", "admin"].map(|role| service.token(role));
    let [writer, reviewer, reader, auditor, admin] = tokens.each_ref().map(String::as_str);
    service.record(writer, LINES);
    let unexplained = |entity: &str| {
        json!({"event_type": "manual_override", "actor": "maria", "actor_type": "user", "entity_id": entity,
            "context": {"model_version": "inv-2.11"}})
        .to_string()
    };
    let receipts: Vec<Value> =
        (0..4).map(|n| service.record(writer, &unexplained(&format!("I-{n}"))).remove(0)).collect();
    let alerts = wait_for("the alerts", || {
        let page = service.get(reader, "/api/v1/alerts?state=all").expect(200).json();
        let found: Vec<Value> = page["alerts"].as_array().unwrap().clone();
        (found.len() >= 4).then_some(found)
    });
    let change = |alert: &Value, state: &str| {
        let path = format!("/api/v1/alerts/{}/state", alert["id"].as_str().unwrap());
        let body = json!({"state": state, "reason": "looked into"}).to_string();
        service.post(reviewer, &path, "application/json", body).expect(201);
    };
    change(&alerts[0], "acknowledged");
    change(&alerts[1], "resolved");
    change(&alerts[2], "false_positive");
    change(&alerts[3], "resolved");
    change(&alerts[3], "open");
    let day = &receipts[0]["recorded_at"].as_str().unwrap()[..10];
    let note = json!({"note": "four overrides"}).to_string();
    service.post(reviewer, &format!("/api/v1/reviews/{day}"), "application/json", note).expect(201);
    service.get("cf_wrong", "/api/v1/entries").expect(401);
    service.get(writer, "/api/v1/entries").expect(403);
    service.query(auditor, "SELECT 1");
    service.post(auditor, "/api/v1/bundles", "application/json", r#"{"entity_id":"INV-1"}"#).expect(200);
    service.post(admin, "/api/v1/verification", "application/json", "").expect(202);
    wait_for("the verification", || {
        let told = service.get(reader, "/api/v1/verification").expect(200).json();
        (told["running"].is_null() && !told["last"].is_null()).then_some(())
    });
    service.place.ok(&["token", "create", "audit", "--role", "reader", "--name", "gone"]);
    service.place.ok(&["token", "revoke", "audit", "gone"]);
    service.place.ok(&["key", "new", "audit", "--actor", "bot-7", "-o", "bot.pem"]);
    service
}

/// Waits until the folder's checkpoint covers what the service holds; how many entries that are.
fn published(service: &Running, token: &str) -> u64 {
    let size = service.get(token, "/api/v1/status").expect(200).json()["tree_size"].as_u64().unwrap();
    let in_folder = || service.place.json(&["checkpoint", "audit", "--json"])["size"].as_u64().unwrap();
    wait_for("the checkpoint in the folder", || (in_folder() >= size).then_some(size))
}

#[test]
fn what_a_service_recorded_is_counted_as_anybody_counts_it() {
    let service = worked();
    let (place, _) = service.end();
    record_acts(&place);
    let report = place.json(&[&["report", "audit", "--json"], EVER.as_slice()].concat());
    let entries = exported(&place);
    let of = |event_type: &'static str| count(&entries, |entry| entry["event_type"] == event_type);
    let alerts = &report["alerts"];
    assert_eq!(alerts["raised"], of("ledger.alert_raised"));
    // The last word of the reopened one is that it is open; conditions raise and resolve alerts of their own.
    let resolved = of("ledger.alert_resolved") - of("ledger.alert_reopened");
    assert_eq!((&alerts["resolved"], &alerts["false_positives"]), (&json!(resolved), &json!(1)));
    assert_eq!(alerts["open"], of("ledger.alert_raised") - resolved);
    let rows = alerts["listed"]["rows"].as_array().unwrap();
    assert_eq!(rows.len() as u64, of("ledger.alert_raised"));
    assert!(rows[0]["resolved_at"].is_null(), "the open ones come first");
    let taken: Vec<&Value> = rows.iter().filter(|row| !row["acknowledged_at"].is_null()).collect();
    assert_eq!((taken.len(), alerts["acknowledged"].as_u64()), (1, Some(1)));
    assert_eq!(rows.iter().filter(|row| row["false_positive"] == true).count(), 1);

    let review = &report["reviews"]["rows"][0];
    assert_eq!((&review["actor"], &review["note"]), (&json!("reviewer"), &json!("four overrides")), "{review}");
    let verification = &report["verification"];
    let (runs, others) = (verification["runs"].as_u64().unwrap(), verification["others"].as_u64().unwrap());
    assert_eq!(runs + others, of("ledger.verified"));
    assert_eq!(
        (runs, &verification["clean"], &verification["anchored"]),
        (1, &json!(1), &json!(0)),
        "only that of what was new was compared with something"
    );
    let access = report["access"]["acts"]["rows"].as_array().unwrap();
    let times = |act: &str| -> u64 {
        access.iter().filter(|row| row["act"] == act).map(|row| row["times"].as_u64().unwrap()).sum()
    };
    assert_eq!(times("ledger.query_run"), of("ledger.query_run"));
    assert_eq!(times("ledger.export_made"), of("ledger.export_made"));
    assert!(times("ledger.access_denied") >= 2, "{access:?}");
    assert_eq!(report["access"]["tokens"]["total"], of("ledger.token_created") + of("ledger.token_revoked"));
    assert_eq!(report["access"]["tokens"]["rows"][0]["name"], "gone");
    let document = place.json(&["document", "audit", "--json"]);
    assert_eq!(document["keys"]["clients"][0]["actors"], json!(["bot-7"]));
    assert_eq!(document["tokens"].as_array().unwrap().len(), 5);
}

#[test]
fn a_report_through_a_service_has_the_figures_of_its_folder() {
    let service = worked();
    let (reader, auditor) = (service.token("reader"), service.token("auditor"));
    let url = format!("http://{}", service.address);
    let entries = service.query(&reader, "SELECT max(recorded_at) FROM audit_log");
    let to = entries[0][0].as_str().unwrap().to_owned();
    let size = published(&service, &reader);
    let call = |ledger: &str, more: &[&str]| {
        let period = ["report", ledger, "--from", "2020-01-01", "--to", &to, "--json"];
        with_token(&service, &reader, &[&period, more].concat()).expect(0).value()
    };
    let same = |mut report: Value| {
        report.as_object_mut().unwrap().remove("check");
        for name in ["ledger", "written", "size"] {
            report["scope"].as_object_mut().unwrap().remove(name);
        }
        report
    };
    let (through, from_folder) = (call(&url, &[]), call("audit", &[]));
    assert_eq!(through["check"]["findings"]["total"], 0);
    assert!(through["check"]["entries"].as_u64().unwrap() >= size);
    assert_eq!(same(through), same(from_folder));

    // With the bundle, by whoever may export; whoever may not is told.
    let period =
        ["report", &url, "--from", "2020-01-01", "--to", &to, "--html", "r.html", "--bundle", "b.json", "--json"];
    with_token(&service, &reader, &period).refused(6, &["reader"]);
    assert!(!service.place.path("r.html").exists());
    let report = with_token(&service, &auditor, &period).expect(0).value();
    let html = std::fs::read_to_string(service.place.path("r.html")).unwrap();
    let said: Vec<Ran> = follow(&service.place, &html, &[("COUNTERFOIL_TOKEN", &auditor)]);
    let root = report["integrity"]["end"]["root"].as_str().unwrap();
    assert!(said.last().unwrap().stdout.contains(root));
    said.into_iter().for_each(|ran| drop(ran.expect(0)));
}

#[test]
fn a_document_is_written_from_what_is_in_force() {
    let service = worked();
    let (reader, admin) = (service.token("reader"), service.token("admin"));
    let url = format!("http://{}", service.address);
    published(&service, &reader);
    let described = |ledger: &str, token: &str| with_token(&service, token, &["document", ledger, "--json"]);
    described(&url, &reader).refused(6, &["administrator"]);
    let through = described(&url, &admin).expect(0).value();
    let behind = described("audit", "").expect(0).value();
    for part in ["watch", "tokens", "keys"] {
        assert_eq!(through[part], behind[part], "{part}");
    }
    assert!(through["watch"]["rules"].as_array().unwrap().len() >= 14);
    assert_eq!(through["locations"]["service"]["tls"], false);
    let settings = service.get(&admin, "/api/v1/settings").expect(200);
    assert!(!settings.text().contains(admin.trim()));
    service.get(&reader, "/api/v1/settings").problem(403, "denied", &["reader"]);
    with_token(&service, &admin, &["document", &url, "--html", "d.html", "--pdf", "d.pdf", "--bundle", "d.json"])
        .expect(0);
    service.place.ok(&["verify", "--bundle", "d.json", "--key", "audit.vkey"]);
    let html = std::fs::read_to_string(service.place.path("d.html")).unwrap();
    for token in [&reader, &admin] {
        assert!(!html.contains(token.as_str()), "no secret is in it");
    }
}

#[test]
fn tampering_is_told_through_a_service_too() {
    let place = Place::new();
    place.ok(&["init", "audit", "--origin", "bank.example/audit", "--segment-span", "256"]);
    for _ in 0..2 {
        place.feed(&["append", "audit"], &LINES.replace(",\"id\":\"a-1\"", "").repeat(70)).expect(0);
        place.ok(&["seal", "audit"]);
    }
    let name = "audit/segments/00000000000000000000.parquet";
    let middle = std::fs::metadata(place.path(name)).unwrap().len() as usize / 2;
    place.flip(name, middle);
    let service = Running::on(place, &[]);
    let reader = service.token("reader");
    let url = format!("http://{}", service.address);
    let call = [&["report", &url, "--json", "--html", "r.html"], EVER.as_slice()].concat();
    let ran = with_token(&service, &reader, &call).expect(11);
    assert_eq!(ran.value()["unread"][0][0], 0);
    let html = std::fs::read_to_string(service.place.path("r.html")).unwrap();
    assert!(html.contains("somebody changed it"));
}
