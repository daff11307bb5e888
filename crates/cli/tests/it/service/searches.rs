//! Saved searches: kept, run on a schedule, and what they find as an alert.

use serde_json::{Value, json};

use crate::service::running::Answer;
use crate::service::schedule::webhook;
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
    changed(
        service,
        |kept| kept.iter_mut().for_each(|search| search["last"]["at"] = json!("2026-01-01T00:00:00Z")),
        &[],
    )
}

/// Ends the service, changes its file of searches, and starts it again.
fn changed(service: Running, change: impl FnOnce(&mut Vec<Value>), arguments: &[&str]) -> Running {
    let (place, _) = service.end();
    let file = place.path("audit/state/searches.json");
    let mut kept: Vec<Value> = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    change(&mut kept);
    std::fs::write(&file, serde_json::to_vec(&kept).unwrap()).unwrap();
    Running::on(place, arguments)
}

/// The condition about the file of searches.
fn told(service: &Running, reader: &str) -> String {
    wait_for("the condition", || {
        let watch = service.get(reader, "/api/v1/watch").expect(200).json();
        let held = watch["conditions"].as_array().unwrap().clone();
        let held = held.into_iter().find(|held| held["id"] == "searches-changed")?;
        Some(held["reason"].as_str().unwrap().to_owned())
    })
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
    let other = place.path("other");
    place.write("other", "root:");
    std::os::unix::fs::symlink(&other, &file).unwrap();
    let service = Running::on(place, &[]);
    let (reviewer, reader) = (service.token("reviewer"), service.token("reader"));
    assert!(told(&service, &reader).contains("searches.json"));
    let listed = service.get(&reader, "/api/v1/searches").expect(200).json();
    assert!(listed["fault"].as_str().unwrap().contains("searches.json"), "{listed}");
    assert_eq!(listed["searches"][0]["name"], "a", "the ledger has it: {listed}");
    save(&service, &reviewer, "b", &json!({"sql": OVERRIDES})).expect(201);
    assert_eq!(std::fs::read(&other).unwrap(), b"root:");
}

#[test]
fn what_the_file_of_searches_says_otherwise_than_the_ledger_is_told_and_not_believed() {
    let service = Running::start();
    let (reviewer, reader) = (service.token("reviewer"), service.token("reader"));
    let body = json!({"sql": OVERRIDES, "every_minutes": 60, "alert": "rows"});
    for name in ["kept", "renamed", "deleted", "late"] {
        save(&service, &reviewer, name, &body).expect(201);
    }
    save(&service, &reviewer, "removed", &body).expect(201);
    remove(&service, &reviewer, "removed").expect(204);
    let before = list(&service, &reader);
    let of = |kept: &mut Vec<Value>, name: &str| kept.iter().position(|search| search["name"] == name).unwrap();
    let service = changed(
        service,
        |kept| {
            let at = of(kept, "kept");
            let mut back = kept[at].clone();
            back["name"] = json!("removed");
            kept[at]["by"] = json!("m.keller");
            let at = of(kept, "renamed");
            kept[at]["name"] = json!("forged");
            let at = of(kept, "deleted");
            kept.remove(at);
            let at = of(kept, "late");
            kept[at]["last"]["at"] = json!("2099-01-01T00:00:00Z");
            kept[at]["last"]["digest"] = json!("00");
            kept.push(back);
        },
        &[],
    );
    let reason = told(&service, &reader);
    for name in ["kept", "renamed", "forged", "deleted", "removed"] {
        assert!(reason.contains(&format!("{name:?}")), "{name} is not in {reason}");
    }
    assert!(reason.contains("5 of them"), "{reason}");
    let after = wait_for("those of the ledger", || {
        let after = list(&service, &reader);
        (after.len() == 4).then_some(after)
    });
    let told = |searches: &[Value]| -> Vec<Value> {
        let of = |search: &Value| json!([search["name"], search["by"], search["sql"], search["last"]["digest"]]);
        searches.iter().map(of).collect()
    };
    assert_eq!(told(&after), told(&before));
    assert!(after.iter().all(|search| search["next_at"].as_str() < Some("2099")), "none rests: {after:?}");
}

#[test]
fn a_search_that_begins_much_later_than_it_may_says_so_until_it_is_in_time() {
    let service = Running::start();
    let (reviewer, reader) = (service.token("reviewer"), service.token("reader"));
    save(&service, &reviewer, "often", &json!({"sql": OVERRIDES, "every_minutes": 5})).expect(201);
    save(&service, &reviewer, "by-hand", &json!({"sql": OVERRIDES})).expect(201);
    let late = |service: &Running| -> Vec<bool> {
        list(service, &reader).iter().map(|search| search["late"].as_bool().unwrap()).collect()
    };
    assert_eq!((late(&service), service.metric(&reader, "counterfoil_searches_late")), (vec![false, false], 0.0));
    let service = later(service);
    ran(&service, &reader, 1);
    assert_eq!(late(&service), [false, true], "by-hand, often");
    assert_eq!(service.metric(&reader, "counterfoil_searches_late"), 1.0);
}

#[test]
fn nobody_keeps_more_than_his_share() {
    let service = Running::start();
    let reviewer = service.token("reviewer");
    let other = service.place.ok(&["token", "create", "audit", "--role", "reviewer", "--name", "other"]);
    let body = json!({"sql": "SELECT 1"});
    for number in 0..20 {
        save(&service, &reviewer, &format!("s-{number}"), &body).expect(201);
    }
    save(&service, &reviewer, "s-20", &body).problem(400, "invalid", &["20 searches", "remove one"]);
    save(&service, &reviewer, "s-19", &body).expect(200);
    save(&service, other.trim(), "s-20", &body).expect(201);
    save(&service, &reviewer, "s-20", &body).problem(400, "invalid", &["20 searches"]);
    remove(&service, &reviewer, "s-0").expect(204);
    save(&service, &reviewer, "s-20", &body).expect(200);
}

#[test]
fn a_storm_of_one_persons_searches_is_a_message_with_a_count() {
    let (address, posted) = webhook();
    let service = Running::start();
    let reviewer = service.token("reviewer");
    for number in 0..8 {
        let body = json!({"sql": OVERRIDES, "every_minutes": 60, "alert": "always"});
        save(&service, &reviewer, &format!("s-{number}"), &body).expect(201);
    }
    let sinks = format!("[[sink]]\nname = \"hook\"\ntype = \"webhook\"\naddress = \"{address}\"\ngroup_s = 3\n");
    service.place.write("sinks.toml", sinks);
    let rest = |kept: &mut Vec<Value>| {
        kept.iter_mut().for_each(|search| search["last"]["at"] = json!("2026-01-01T00:00:00Z"));
    };
    let _service = changed(service, rest, &["--sinks", "sinks.toml"]);
    let messages = || -> Vec<u64> {
        let posted = posted.lock().unwrap();
        let messages = posted.iter().map(|body| serde_json::from_str::<Value>(body).unwrap());
        messages
            .filter(|message| message["events"][0]["alert"]["rule"] == "saved-search")
            .map(|m| m["count"].as_u64().unwrap())
            .collect()
    };
    wait_for("all of them", || (messages().iter().sum::<u64>() == 8).then_some(()));
    assert!(messages().len() <= 3, "{:?}", messages());
}
