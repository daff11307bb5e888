//! `verify --log-dir`: plain logs with hashes.

use std::process::Command;

use crate::place::Place;

/// Writes a chained log the common way, with Python itself.
fn chained(place: &Place) -> bool {
    let script = r#"
import hashlib, json
prev = "0" * 64
with open("logs/app.jsonl", "w") as log:
    for n in range(20):
        entry = {"event_type": "x", "actor": "a", "entity_id": f"E-{n}", "amount": 1.5 * n, "prev_hash": prev, "timestamp": f"2026-11-24T09:00:{n:02}Z"}
        entry["hash"] = prev = hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()
        log.write(json.dumps(entry) + "\n")
"#;
    std::fs::create_dir(place.path("logs")).unwrap();
    let made = Command::new("python3").arg("-c").arg(script).current_dir(place.path("")).status();
    match made {
        Ok(status) => status.success(),
        Err(_) => {
            assert!(std::env::var_os("CI").is_none(), "python3 is needed: install it");
            eprintln!("left out: chained logs (no python3)");
            false
        }
    }
}

#[test]
fn an_honest_log_is_verified_with_its_limits() {
    let place = Place::new();
    if !chained(&place) {
        return;
    }
    let said = place.ok(&["verify", "--log-dir", "logs"]);
    assert!(said.starts_with("verified 20 lines in logs: nothing wrong"), "{said}");
    assert!(said.contains("What logs of this kind cannot show:"), "{said}");
    let report = place.json(&["verify", "--log-dir", "logs", "--json"]);
    assert_eq!((&report["verified"], &report["files"][0]["kind"]), (&true.into(), &"chained".into()));
}

#[test]
fn a_changed_or_dropped_line_is_found() {
    let place = Place::new();
    if !chained(&place) {
        return;
    }
    let log = std::fs::read_to_string(place.path("logs/app.jsonl")).unwrap();
    place.write("logs/app.jsonl", log.replace("\"E-7\"", "\"E-8\""));
    let ran = place.run(&["verify", "--log-dir", "logs"]).expect(11);
    assert!(ran.stdout.starts_with("TAMPERED logs: ") && ran.stdout.contains("app.jsonl:8"), "{}", ran.stdout);
    let dropped: String =
        log.lines().enumerate().filter(|(at, _)| *at != 4).map(|(_, line)| format!("{line}\n")).collect();
    place.write("logs/app.jsonl", dropped);
    let ran = place.run(&["verify", "--log-dir", "logs", "--json"]).expect(11);
    assert_eq!(ran.value()["findings"][0]["kind"], "broken-link");
}

#[test]
fn folders_without_logs_are_not_found() {
    let place = Place::new();
    std::fs::create_dir(place.path("empty")).unwrap();
    place.run(&["verify", "--log-dir", "empty"]).refused(7, &["no log here"]);
    place.run(&["verify", "--log-dir", "nowhere"]).refused(7, &["nowhere"]);
    place.run(&["verify", "audit", "--log-dir", "empty"]).refused(2, &["cannot be used with"]);
}

#[test]
fn old_hashes_come_along_into_a_ledger() {
    let place = Place::ledger();
    if !chained(&place) {
        return;
    }
    let log = std::fs::read_to_string(place.path("logs/app.jsonl")).unwrap();
    let first: serde_json::Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    place.ok(&["import", "audit", "logs/app.jsonl", "--map", "json-log-chained"]);
    let entry = place.run(&["history", "audit", "E-0", "--json"]).expect(0).lines().remove(0);
    let kept = entry["entry"]["context"].to_string();
    assert!(kept.contains(first["hash"].as_str().unwrap()), "{kept}");
}

#[test]
fn logs_without_any_hash_are_not_called_tampered() {
    let place = Place::new();
    std::fs::create_dir(place.path("logs")).unwrap();
    place.write("logs/app.jsonl", "{\"event_type\":\"x\"}\n{\"event_type\":\"y\"}\n");
    place.run(&["verify", "--log-dir", "logs"]).refused(2, &["logs is not a log with hashes"]);
}
