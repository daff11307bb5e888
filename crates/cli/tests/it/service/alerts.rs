//! Rules that watch a service: alerts, what becomes of them, and the review of a day.

use serde_json::{Value, json};

use crate::place::Place;
use crate::service::Running;
use crate::service::wait_for as wait_for_some;

/// Waits until something holds.
fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    wait_for_some(what, || holds().then_some(()));
}

/// A service that is watched by the rules that come with the program.
fn watched(more: &[&str]) -> Running {
    let place = Place::new();
    place.ok(&["init", "audit", "--origin", "bank.example/audit"]);
    place.ok(&["rules", "init", "rules"]);
    Running::on(place, &[&["--rules", "rules"], more].concat())
}

/// An override without a reason.
fn unexplained(entity: &str) -> String {
    json!({"event_type": "manual_override", "actor": "maria", "actor_type": "user", "entity_id": entity,
        "old_value": {"status": "approved"}, "new_value": {"status": "rejected"}})
    .to_string()
}

fn alerts(service: &Running, token: &str, query: &str) -> Vec<Value> {
    let page = service.get(token, &format!("/api/v1/alerts{query}")).expect(200).json();
    page["alerts"].as_array().unwrap().clone()
}

/// Waits for alerts of the rule about overrides without a reason.
fn raised(service: &Running, token: &str, wanted: usize) -> Vec<Value> {
    let mut found = Vec::new();
    wait_for("alerts", || {
        found = alerts(service, token, "?state=all");
        found.retain(|alert| alert["title"].as_str().unwrap().to_lowercase().contains("override"));
        found.len() >= wanted
    });
    found
}

#[test]
fn an_override_without_a_reason_raises_an_alert_that_a_reviewer_deals_with() {
    let service = watched(&[]);
    let (writer, reviewer, reader) = (service.token("writer"), service.token("reviewer"), service.token("reader"));
    let index = service.record(&writer, &unexplained("INV-7"))[0]["index"].clone();
    let alert = raised(&service, &reader, 1).remove(0);
    assert_eq!(alert["indices"], json!([index]), "{alert}");
    assert_eq!((&alert["state"], &alert["state_by"]), (&json!("open"), &Value::Null));
    let id = alert["id"].as_str().unwrap();
    let change = |token: &str, body: Value| {
        service.post(token, &format!("/api/v1/alerts/{id}/state"), "application/json", body.to_string())
    };
    change(&reader, json!({"state": "acknowledged"})).problem(403, "denied", &["review"]);
    change(&reviewer, json!({"state": "resolved"})).problem(400, "invalid", &["reason"]);
    change(&reviewer, json!({"state": "acknowledged"})).expect(201);
    change(&reviewer, json!({"state": "acknowledged"})).problem(409, "conflict", &["already"]);
    assert_eq!(alerts(&service, &reader, "?state=open").iter().filter(|alert| alert["id"] == *id).count(), 0);
    assert_eq!(alerts(&service, &reader, "").iter().filter(|alert| alert["id"] == *id).count(), 1, "it is active");
    change(&reviewer, json!({"state": "false_positive", "reason": "a test of ours"})).expect(201);
    let told = service.get(&reader, &format!("/api/v1/alerts/{id}")).expect(200).json();
    assert_eq!((&told["state"], &told["state_reason"]), (&json!("false_positive"), &json!("a test of ours")), "{told}");
    let history: Vec<&str> =
        told["history"].as_array().unwrap().iter().map(|change| change["state"].as_str().unwrap()).collect();
    assert_eq!(history, ["acknowledged", "false_positive"]);
    assert_eq!(alerts(&service, &reader, "?state=closed").iter().filter(|alert| alert["id"] == *id).count(), 1);
    change(&reviewer, json!({"state": "open", "reason": "it was none"})).expect(201);
    assert_eq!(alerts(&service, &reader, "?state=open").iter().filter(|alert| alert["id"] == *id).count(), 1);
    service.get(&reader, "/api/v1/alerts/nothing").problem(404, "not-found", &["nothing"]);
    service.get(&reader, "/api/v1/alerts?level=grave").problem(400, "invalid", &["critical"]);
    let (place, _) = service.end();
    place.run(&["verify", "audit"]).expect(0);
}

#[test]
fn alerts_are_paged_and_none_is_raised_twice_over_kills() {
    let mut service = watched(&[]);
    let writer = service.token("writer");
    for round in 0..4 {
        for number in 0..5 {
            service.record(&writer, &unexplained(&format!("INV-{round}-{number}")));
        }
        let place = service.kill();
        service = Running::on(place, &["--rules", "rules"]);
    }
    let reader = service.token("reader");
    let all = raised(&service, &reader, 20);
    assert_eq!(all.len(), 20);
    let mut causes: Vec<u64> = all.iter().map(|alert| alert["indices"][0].as_u64().unwrap()).collect();
    causes.sort_unstable();
    causes.dedup();
    assert_eq!(causes.len(), 20, "each override raised one");
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = service.get(&reader, &format!("/api/v1/alerts?state=all&limit=7{cursor}")).expect(200).json();
        seen.extend(page["alerts"].as_array().unwrap().iter().map(|alert| alert["index"].as_u64().unwrap()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert!(seen.windows(2).all(|pair| pair[0] > pair[1]), "{seen:?}");
    assert!(all.iter().all(|alert| seen.contains(&alert["index"].as_u64().unwrap())), "{seen:?}");
}

#[test]
fn a_missing_number_of_a_source_is_an_alert_until_it_arrives() {
    let service = watched(&[]);
    let (writer, reader) = (service.token("writer"), service.token("reader"));
    let entry = |sequence: u64| {
        json!({"event_type": "x", "actor": "a", "entity_id": "e", "source": "erp", "sequence": sequence}).to_string()
    };
    service.record(&writer, &entry(1));
    service.record(&writer, &entry(3));
    let gap = |state: &str| {
        let found = alerts(&service, &reader, &format!("?state={state}"));
        found.into_iter().find(|alert| alert["rule_id"] == "counterfoil.source-gap")
    };
    wait_for("the gap", || gap("open").is_some());
    let alert = gap("open").unwrap();
    assert_eq!(alert["group"][0], json!({"field": "source", "value": "erp"}), "{alert}");
    let watch = service.get(&reader, "/api/v1/watch").expect(200).json();
    let mut conditions = watch["conditions"].as_array().unwrap().iter();
    assert!(conditions.any(|condition| condition["id"] == "source-gap"), "{watch}");
    assert!(watch["rules"]["loaded"].as_u64().unwrap() >= 14, "{watch}");
    service.record(&writer, &entry(2));
    wait_for("its end", || gap("closed").is_some());
    assert_eq!(gap("closed").unwrap()["id"], alert["id"]);
    assert_eq!(gap("closed").unwrap()["state_by"], "counterfoil");
}

#[test]
fn a_condition_that_holds_over_a_restart_is_one_alert() {
    let service = watched(&[]);
    let writer = service.token("writer");
    let entry = json!({"event_type": "x", "actor": "a", "entity_id": "e", "source": "erp", "sequence": 5}).to_string();
    service.record(&writer, &entry);
    let count = |service: &Running| {
        let reader = service.token("reader");
        let found = alerts(service, &reader, "?state=all");
        found.iter().filter(|alert| alert["rule_id"] == "counterfoil.source-gap").count()
    };
    wait_for("the gap", || count(&service) == 1);
    let service = Running::on(service.kill(), &["--rules", "rules"]);
    let reader = service.token("reader");
    wait_for("the conditions", || {
        let watch = service.get(&reader, "/api/v1/watch").expect(200).json();
        watch["conditions"].as_array().unwrap().iter().any(|condition| condition["id"] == "source-gap")
    });
    assert_eq!(count(&service), 1);
}

#[test]
fn tampering_is_an_alert_and_arrives_at_a_sink() {
    let place = Place::new();
    place.ok(&["init", "audit", "--origin", "bank.example/audit", "--segment-span", "256"]);
    let file = place.path("alerts.jsonl").display().to_string();
    place.write("sinks.toml", format!("[[sink]]\nname = \"siem\"\ntype = \"file\"\naddress = \"{file}\"\n"));
    let lines = "{\"event_type\":\"x\",\"actor\":\"a\",\"entity_id\":\"e\"}\n".repeat(600);
    place.feed(&["append", "audit"], &lines).expect(0);
    place.ok(&["seal", "audit"]);
    let service = Running::on(place, &["--sinks", "sinks.toml"]);
    let (admin, reader) = (service.token("admin"), service.token("reader"));
    let segment = service.place.path("audit/segments/00000000000000000000.parquet");
    let mut bytes = std::fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    service.post(&admin, "/api/v1/verification", "application/json", "").expect(202);
    // The list survives what it is about.
    wait_for("the alert", || {
        let found = alerts(&service, &reader, "?level=critical");
        found.iter().any(|alert| alert["rule_id"] == "counterfoil.tampering")
    });
    wait_for("its delivery", || {
        let delivered = std::fs::read_to_string(service.place.path("alerts.jsonl")).unwrap_or_default();
        delivered.contains("counterfoil.tampering")
    });
    service.place.run(&["sink", "audit", "test", "siem", "--sinks", "sinks.toml"]).expect(0);
    service.place.run(&["sink", "audit", "test", "nobody", "--sinks", "sinks.toml"]).refused(7, &["siem"]);
    let watch = service.get(&reader, "/api/v1/watch").expect(200).json();
    assert_eq!((&watch["rules"], &watch["sinks"][0]["name"]), (&Value::Null, &json!("siem")), "{watch}");
}

#[test]
fn a_day_is_reviewed_and_signed() {
    let service = watched(&[]);
    let (writer, reviewer, reader) = (service.token("writer"), service.token("reviewer"), service.token("reader"));
    let receipts = service.record(&writer, &unexplained("INV-9"));
    raised(&service, &reader, 1);
    let day = receipts[0]["recorded_at"].as_str().unwrap()[..10].to_owned();
    let path = format!("/api/v1/reviews/{day}");
    let looked = service.get(&reader, &path).expect(200).json();
    assert_eq!((&looked["overrides_total"], &looked["overrides_without_reason"]), (&json!(1), &json!(1)), "{looked}");
    assert_eq!(looked["overrides"][0]["entity_id"], "INV-9");
    assert!(looked["alerts_total"].as_u64().unwrap() >= 1 && looked["open_alerts"].as_u64().unwrap() >= 1, "{looked}");
    let sign = |token: &str, body: Value| service.post(token, &path, "application/json", body.to_string());
    sign(&reader, json!({"note": null})).problem(403, "denied", &["review"]);
    // What was shown is signed, and nothing that came since; nor a day that is yet to come.
    let shown = looked["to_index"].as_u64().unwrap();
    service.record(&writer, &unexplained("INV-10"));
    sign(&reviewer, json!({"note": null, "to_index": shown})).problem(409, "conflict", &["look at it again"]);
    let later = service.post(&reviewer, "/api/v1/reviews/2999-01-01", "application/json", "{}");
    later.problem(404, "not-found", &["yet to come"]);
    let index = sign(&reviewer, json!({"note": "one override, explained by mail"})).expect(201).json()["index"].clone();
    let signed = service.get(&reader, &path).expect(200).json()["signed"][0].clone();
    assert_eq!((&signed["index"], &signed["by"]), (&index, &json!("reviewer")), "{signed}");
    assert_eq!(signed["counts"]["overrides"], 2);
    let listed = service.get(&reader, "/api/v1/reviews").expect(200).json();
    assert_eq!(listed["reviews"][0]["day"], json!(day), "{listed}");
    let empty = service.get(&reader, "/api/v1/reviews/2001-01-01").expect(200).json();
    assert_eq!((&empty["entries"], &empty["from_index"]), (&json!(0), &Value::Null));
    for wrong in ["yesterday", "2026-13-01", "2026-1-1"] {
        service.get(&reader, &format!("/api/v1/reviews/{wrong}")).problem(400, "invalid", &["2026-11-27"]);
    }
}

#[test]
fn a_memory_of_the_rules_that_the_ledger_does_not_know_is_told_and_passes_nothing_over() {
    let service = watched(&[]);
    let (place, _) = service.end();
    place.write("audit/state/watch/rules.json", "");
    place.feed(&["append", "audit"], &unexplained("INV-10")).expect(0);
    let service = Running::on(place, &["--rules", "rules"]);
    let (writer, reader) = (service.token("writer"), service.token("reader"));
    service.record(&writer, &unexplained("INV-11"));
    assert_eq!(raised(&service, &reader, 2).len(), 2);
    wait_for("the condition", || {
        alerts(&service, &reader, "").iter().any(|alert| alert["rule_id"] == "counterfoil.rules-memory")
    });
}

#[test]
fn a_sink_delivers_what_its_state_says_that_it_delivered_and_the_ledger_does_not() {
    let place = Place::new();
    place.ok(&["init", "audit", "--origin", "bank.example/audit"]);
    place.ok(&["rules", "init", "rules"]);
    let file = place.path("alerts.jsonl").display().to_string();
    place.write("sinks.toml", format!("[[sink]]\nname = \"siem\"\ntype = \"file\"\naddress = \"{file}\"\n"));
    let arguments = ["--rules", "rules", "--sinks", "sinks.toml"];
    let service = Running::on(place, &arguments);
    let (writer, reader) = (service.token("writer"), service.token("reader"));
    service.record(&writer, &unexplained("INV-1"));
    let first = raised(&service, &reader, 1).remove(0)["id"].as_str().unwrap().to_owned();
    let file = service.place.path("alerts.jsonl");
    let arrived = |id: &str| std::fs::read_to_string(&file).is_ok_and(|text| text.contains(id));
    wait_for("the first alert", || arrived(&first));
    // It is cut off; an alert is raised by rules alone, and the sink is told to have read it.
    let service = Running::on(service.kill(), &["--rules", "rules"]);
    service.record(&writer, &unexplained("INV-2"));
    let second = raised(&service, &reader, 2).remove(0)["id"].as_str().unwrap().to_owned();
    let place = service.kill();
    let state = place.path("audit/state/sinks/siem.json");
    let mut forged: Value = serde_json::from_slice(&std::fs::read(&state).unwrap()).unwrap();
    forged["next"] = 1_000_000.into();
    std::fs::write(&state, forged.to_string()).unwrap();
    let _service = Running::on(place, &arguments);
    wait_for("the second alert", || arrived(&second));
}

#[test]
fn open_alerts_are_counted_as_they_change() {
    let service = watched(&[]);
    let (writer, reviewer, reader) = (service.token("writer"), service.token("reviewer"), service.token("reader"));
    // Conditions come and go meanwhile: what is counted is what is listed.
    let agrees = |service: &Running| {
        wait_for("the count of those that are listed", || {
            let watch = service.get(&reader, "/api/v1/watch").expect(200).json();
            watch["open_alerts"] == alerts(service, &reader, "?state=open&limit=500").len()
        });
    };
    agrees(&service);
    for number in 0..3 {
        service.record(&writer, &unexplained(&format!("INV-{number}")));
    }
    let found = raised(&service, &reader, 3);
    agrees(&service);
    let change = |id: &Value, body: Value| {
        let path = format!("/api/v1/alerts/{}/state", id.as_str().unwrap());
        service.post(&reviewer, &path, "application/json", body.to_string()).expect(201);
        agrees(&service);
    };
    change(&found[0]["id"], json!({"state": "acknowledged"}));
    change(&found[0]["id"], json!({"state": "resolved", "reason": "done"}));
    change(&found[1]["id"], json!({"state": "false_positive", "reason": "none"}));
    change(&found[1]["id"], json!({"state": "open", "reason": "it was one"}));
    let (place, _) = service.end();
    agrees(&Running::on(place, &["--rules", "rules"]));
}

#[test]
fn what_cannot_be_watched_is_refused_at_the_start() {
    let place = Place::ledger();
    place.write("sinks.toml", "[[sink]]\nname = \"x\"\ntype = \"pigeon\"\naddress = \"roof\"\n");
    let serve = |more: &[&str]| place.run(&[&["serve", "audit", "--listen", "127.0.0.1:0"], more].concat());
    serve(&["--sinks", "sinks.toml"]).refused(2, &["pigeon", "smtp"]);
    serve(&["--sinks", "nothing.toml"]).refused(2, &["nothing.toml"]);
    serve(&["--rules", "nowhere"]).refused(7, &["nowhere"]);
    let own = place.path("audit/checkpoint").display().to_string();
    place.write("own.toml", format!("[[sink]]\nname = \"x\"\ntype = \"file\"\naddress = \"{own}\"\n"));
    serve(&["--sinks", "own.toml"]).refused(2, &["stands in the ledger's folder"]);
    place.run(&["sink", "audit", "test", "x", "--sinks", "own.toml"]).refused(2, &["stands in the ledger's folder"]);
    place.run(&["verify", "audit"]).expect(0);
    serve(&["--read-only", "--rules", "nowhere"]).refused(2, &["--rules"]);
}

#[test]
fn what_is_watched_and_sent_is_measured() {
    let place = Place::new();
    place.ok(&["init", "audit", "--origin", "bank.example/audit"]);
    place.ok(&["rules", "init", "rules"]);
    place.write("rules/broken.yml", "title: [");
    let file = place.path("alerts.jsonl").display().to_string();
    place.write("sinks.toml", format!("[[sink]]\nname = \"siem\"\ntype = \"file\"\naddress = \"{file}\"\n"));
    let service = Running::on(place, &["--rules", "rules", "--sinks", "sinks.toml"]);
    let (writer, reader) = (service.token("writer"), service.token("reader"));
    service.record(&writer, &unexplained("INV-7"));
    let metric = |name: &str| service.metric(&reader, &format!("counterfoil_{name}"));
    wait_for("the alert in the file", || metric("sink_messages_total{sink=\"siem\"}") >= 1.0);
    assert!(metric("sink_entries_total{sink=\"siem\"}") >= 1.0);
    assert!(metric("sink_last_success_timestamp_seconds{sink=\"siem\"}") > 1.7e9);
    assert!(metric("rules_loaded") >= 10.0 && metric("alerts_raised_total") >= 1.0);
    assert_eq!(metric("rules_skipped"), 1.0);
    wait_for("the condition about the broken rule", || metric("conditions{level=\"medium\"}") == 1.0);
    wait_for("the rules at the end", || metric("rules_behind_entries") == 0.0);
}
