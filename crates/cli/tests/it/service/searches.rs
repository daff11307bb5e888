//! Saved searches: kept, run on a schedule, and what they find as an alert.

use serde_json::{Value, json};

use crate::service::running::Answer;
use crate::service::{Running, wait_for};

const OVERRIDES: &str = "SELECT index, actor FROM audit_log WHERE event_type = 'manual_override'";

fn save(service: &Running, token: &str, name: &str, body: &Value) -> Answer {
    let (path, token) = (format!("/api/v1/searches/{name}"), format!("Bearer {token}"));
    let headers = [("authorization", token.as_str()), ("content-type", "application/json")];
    service.call("PUT", &path, &headers, body.to_string().as_bytes())
}

fn remove(service: &Running, token: &str, name: &str) -> Answer {
    let token = format!("Bearer {token}");
    service.call("DELETE", &format!("/api/v1/searches/{name}"), &[("authorization", token.as_str())], b"")
}

fn list(service: &Running, token: &str) -> Vec<Value> {
    let listed = service.get(token, "/api/v1/searches").expect(200).json();
    listed["searches"].as_array().unwrap().clone()
}

fn record_override(service: &Running, writer: &str, entity: &str) -> Value {
    let entry = json!({"event_type": "manual_override", "actor": "maria", "entity_id": entity, "reason": "asked"});
    service.record(writer, &entry.to_string())[0]["index"].clone()
}

/// Ends the service, lets the last run of every search be long ago, and starts it again.
fn later(service: Running) -> Running {
    let (place, _) = service.end();
    let file = place.path("audit/state/searches.json");
    let mut kept: Vec<Value> = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    for search in &mut kept {
        search["last"]["at"] = json!("2026-01-01T00:00:00Z");
    }
    std::fs::write(&file, serde_json::to_vec(&kept).unwrap()).unwrap();
    Running::on(place, &[])
}

fn alerts(service: &Running, reader: &str) -> Vec<Value> {
    let page = service.get(reader, "/api/v1/alerts?state=all").expect(200).json();
    let mut alerts = page["alerts"].as_array().unwrap().clone();
    alerts.retain(|alert| alert["rule_id"] == "saved-search");
    alerts
}

/// Waits until the search has run as often as this on its schedule.
fn ran(service: &Running, reader: &str, times: u64) -> Vec<Value> {
    wait_for("a run", || {
        let sql = "SELECT index, outcome, context FROM audit_log WHERE event_type = 'ledger.search_run'";
        let rows = service.query(reader, sql).as_array().unwrap().clone();
        (rows.len() as u64 >= times).then_some(rows)
    })
}

#[test]
fn a_saved_search_runs_on_its_schedule_and_raises_an_alert_when_it_finds_other_rows() {
    let service = Running::start();
    let (writer, reviewer, reader) = (service.token("writer"), service.token("reviewer"), service.token("reader"));
    let body = json!({"sql": OVERRIDES, "every_minutes": 60, "alert": "rows", "level": "high"});
    save(&service, &reader, "overrides", &body).problem(403, "denied", &["review"]);
    let kept = save(&service, &reviewer, "overrides", &body).expect(201).json();
    assert_eq!((&kept["by"], &kept["last"]["rows"]), (&json!("reviewer"), &json!(0)), "{kept}");
    assert!(kept["next_at"].as_str() > kept["last"]["at"].as_str(), "{kept}");
    let index = record_override(&service, &writer, "INV-1");
    let service = later(service);
    ran(&service, &reader, 1);
    let alert = wait_for("the alert", || alerts(&service, &reader).pop());
    assert_eq!(alert["state"], "open");
    assert_eq!((&alert["title"], &alert["level"], &alert["value"]), (&json!("overrides"), &json!("high"), &json!(1)));
    assert_eq!(alert["indices"], json!([index]), "{alert}");
    // The same rows again are no news; another one is.
    let service = later(service);
    ran(&service, &reader, 2);
    let still = alerts(&service, &reader);
    assert!(still.len() == 1 && still[0]["state"] == "open", "a restart resolves nothing: {still:?}");
    record_override(&service, &writer, "INV-2");
    let service = later(service);
    ran(&service, &reader, 3);
    wait_for("the second alert", || (alerts(&service, &reader).len() == 2).then_some(()));
    remove(&service, &reviewer, "overrides").expect(204);
    assert!(list(&service, &reader).is_empty());
    let (place, _) = service.end();
    place.run(&["verify", "audit"]).expect(0);
}

#[test]
fn what_cannot_run_is_not_kept_and_what_cannot_run_any_more_is_an_alert() {
    let service = Running::start();
    let (reviewer, reader) = (service.token("reviewer"), service.token("reader"));
    let wrong = |body: Value, says: &str| {
        save(&service, &reviewer, "x", &body).problem(400, "invalid", &[says]);
    };
    wrong(json!({"sql": "SELECT nothing FROM audit_log"}), "nothing");
    wrong(json!({"sql": "DELETE FROM audit_log"}), "not kept");
    wrong(json!({"sql": OVERRIDES, "every_minutes": 4}), "every_minutes");
    wrong(json!({"sql": OVERRIDES, "hourly": true}), "hourly");
    wrong(json!([OVERRIDES]), "as documented");
    for name in ["%20x", "%2e%2e", "a%2fb", "%E2%80%AEx"] {
        save(&service, &reviewer, name, &json!({"sql": OVERRIDES})).problem(400, "invalid", &["spaces"]);
    }
    remove(&service, &reviewer, "x").expect(404);
    assert!(list(&service, &reader).is_empty());
    let body = json!({"sql": "SELECT 1 / (count(*) - 1) FROM audit_log WHERE event_type = 'late'", "every_minutes": 5});
    save(&service, &reviewer, "late", &body).expect(201);
    let writer = service.token("writer");
    service.record(&writer, r#"{"event_type": "late", "actor": "a", "entity_id": "e"}"#);
    let service = later(service);
    let run = ran(&service, &reader, 1).remove(0);
    assert_eq!(run[1], "failure", "{run}");
    let alert = wait_for("the alert", || alerts(&service, &reader).pop());
    assert!(alert["why"].as_str().unwrap().contains("could not run"), "{alert}");
    let service = later(service);
    ran(&service, &reader, 2);
    assert_eq!(alerts(&service, &reader).len(), 1, "it is said once");
    drop(service);
}

#[test]
fn the_list_of_searches_is_no_way_into_other_files() {
    let service = Running::start();
    let reviewer = service.token("reviewer");
    save(&service, &reviewer, "a", &json!({"sql": OVERRIDES})).expect(201);
    let (place, _) = service.end();
    let file = place.path("audit/state/searches.json");
    std::fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &file).unwrap();
    let service = Running::on(place, &[]);
    let (reviewer, reader) = (service.token("reviewer"), service.token("reader"));
    save(&service, &reviewer, "a", &json!({"sql": OVERRIDES})).problem(503, "unavailable", &["searches.json"]);
    let told = service.get(&reader, "/api/v1/searches").expect(200).json();
    assert!(told["fault"].as_str().unwrap().contains("searches.json") && !told.to_string().contains("root:"), "{told}");
    wait_for("the condition", || {
        let watch = service.get(&reader, "/api/v1/watch").expect(200).json();
        watch["conditions"].as_array().unwrap().iter().any(|held| held["id"] == "searches-unread").then_some(())
    });
}
