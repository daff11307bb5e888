//! `counterfoil monitor`: what a service showed once, it must still show.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::place::{LINES, Place, Ran};
use crate::service::{Running, wait_for};

struct Monitor {
    place: Place,
    key: String,
}

impl Monitor {
    fn of(service: &Running) -> Monitor {
        let key = service.get(&service.token("writer"), "/api/v1/status").json()["verifier_key"].clone();
        Monitor { place: Place::new(), key: key.as_str().unwrap().to_owned() }
    }

    /// Asks once: the exit code and what was seen.
    fn ask(&self, address: &str) -> (i32, Value) {
        let url = format!("http://{address}");
        let remember = ["monitor", &url, "--key", &self.key, "--remember", "bank.checkpoint", "--once", "--json"];
        let ran = self.place.run(&remember);
        let seen = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"));
        (ran.code, seen)
    }
}

fn copy(place: &Place, from: &str, to: &str) {
    assert!(Command::new("cp").arg("-a").args([place.path(from), place.path(to)]).status().unwrap().success());
}

/// The service again, over the ledger as it was when it was copied.
fn rolled_back(service: Running) -> Running {
    let (place, _) = service.end();
    std::fs::remove_dir_all(place.path("audit")).unwrap();
    std::fs::rename(place.path("earlier"), place.path("audit")).unwrap();
    Running::on(place, &[])
}

#[test]
fn a_log_that_grows_is_remembered() {
    let service = Running::start();
    let writer = service.token("writer");
    let monitor = Monitor::of(&service);
    assert_eq!(monitor.ask(&service.address).1["seen"], "grown");
    for _ in 0..3 {
        service.record(&writer, &LINES.replace("\"id\":\"a-1\"", "\"outcome\":\"success\"").repeat(100));
        let (code, seen) = monitor.ask(&service.address);
        assert_eq!((code, seen["seen"].as_str()), (0, Some("grown")), "{seen}");
    }
    let (code, seen) = monitor.ask(&service.address);
    assert_eq!((code, seen["seen"].as_str()), (0, Some("same")));
    let kept = std::fs::read_to_string(monitor.place.path("bank.checkpoint")).unwrap();
    assert!(kept.starts_with(&format!("bank.example/audit\n{}\n", seen["size"])), "{kept}");
    let (place, _) = service.end();
    place.write("kept", kept);
    place.run(&["verify", "audit", "--checkpoint", "kept", "--key", &monitor.key]).expect(0);
}

#[test]
fn a_rolled_back_service_is_found_and_the_evidence_is_kept() {
    let service = Running::start();
    let writer = service.token("writer");
    let monitor = Monitor::of(&service);
    service.record(&writer, LINES);
    let (earlier, _) = service.end();
    copy(&earlier, "audit", "earlier");
    let service = Running::on(earlier, &[]);
    service.record(
        &writer,
        "{\"event_type\":\"x\",\"actor\":\"a\",\"entity_id\":\"to be forgotten\"}\n".repeat(50).as_str(),
    );
    assert_eq!(monitor.ask(&service.address).0, 0);
    let remembered = std::fs::read(monitor.place.path("bank.checkpoint")).unwrap();

    let service = rolled_back(service);
    let (code, seen) = monitor.ask(&service.address);
    assert_eq!((code, seen["finding"].as_str()), (11, Some("rollback")), "{seen}");
    assert_eq!(std::fs::read(monitor.place.path("bank.checkpoint")).unwrap(), remembered, "what was remembered stays");
    let shown = std::fs::read_to_string(monitor.place.path(seen["shown"].as_str().unwrap())).unwrap();
    assert!(shown.starts_with("bank.example/audit\n") && shown.contains("— bank.example/audit"), "{shown}");

    // It grows beyond what it had: the same number of entries, or more, but others.
    service.record(&writer, "{\"event_type\":\"x\",\"actor\":\"a\",\"entity_id\":\"another\"}\n".repeat(80).as_str());
    let (code, seen) = monitor.ask(&service.address);
    assert_eq!((code, seen["finding"].as_str()), (11, Some("fork")), "{seen}");
}

#[test]
fn another_ledger_and_silence_are_told_apart() {
    let service = Running::start();
    let monitor = Monitor::of(&service);
    assert_eq!(monitor.ask(&service.address).0, 0);
    let other = Running::start();
    let (code, seen) = monitor.ask(&other.address);
    assert_eq!((code, seen["finding"].as_str()), (11, Some("signature")), "the same name, another key: {seen}");
    let address = other.address.clone();
    other.end();
    let (code, seen) = monitor.ask(&address);
    assert_eq!((code, seen["seen"].as_str()), (5, Some("unreachable")));
    let url = format!("http://{}", service.address);
    monitor.place.write("bank.checkpoint", "something else");
    monitor.place.run(&["monitor", &url, "--key", &monitor.key, "--remember", "bank.checkpoint", "--once"]).expect(2);
    monitor.place.run(&["monitor", &url, "--remember", "bank.checkpoint", "--once"]).expect(2);
}

#[test]
fn what_a_monitor_finds_is_delivered_before_it_ends() {
    let service = Running::start();
    let writer = service.token("writer");
    let monitor = Monitor::of(&service);
    let place = &monitor.place;
    let file = place.path("alerts.jsonl").display().to_string();
    place.write("sinks.toml", format!("[[sink]]\nname = \"duty\"\ntype = \"file\"\naddress = \"{file}\"\n"));
    let watch = |address: &str, more: &[&str]| {
        let url = format!("http://{address}");
        let ask = ["monitor", &url, "--key", &monitor.key, "--remember", "bank.checkpoint", "--sinks", "sinks.toml"];
        place.run(&[&ask[..], more].concat())
    };
    let delivered = || -> Vec<Value> {
        let text = std::fs::read_to_string(place.path("alerts.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let (earlier, _) = service.end();
    copy(&earlier, "audit", "earlier");
    let service = Running::on(earlier, &[]);
    service.record(&writer, "{\"event_type\":\"x\",\"actor\":\"a\",\"entity_id\":\"to be forgotten\"}\n");
    watch(&service.address, &["--once"]).expect(0);
    assert!(delivered().is_empty());

    let service = rolled_back(service);
    let ran = watch(&service.address, &[]).expect(11);
    assert!(ran.stderr.contains("delivered to duty"), "{ran:?}");
    let found = delivered();
    assert_eq!(found.len(), 1);
    let alert = &found[0]["alert"];
    assert_eq!(
        (&alert["rule"], &alert["level"]),
        (&json!("counterfoil.monitor-rollback"), &json!("critical")),
        "{alert}"
    );
    assert!(found[0]["entry"]["context"]["why"].as_str().unwrap().contains("bank.checkpoint.shown-0"), "{found:?}");

    let address = service.address.clone();
    service.end();
    watch(&address, &["--every", "1", "--silent-after", "1"]).expect(5);
    assert_eq!(delivered().last().unwrap()["alert"]["rule"], "counterfoil.monitor-silent");
}

#[test]
fn a_file_that_cannot_be_written_is_no_silence_of_the_service() {
    let service = Running::start();
    let writer = service.token("writer");
    let monitor = Monitor::of(&service);
    let place = &monitor.place;
    let alerts = place.path("alerts.jsonl").display().to_string();
    place.write("sinks.toml", format!("[[sink]]\nname = \"duty\"\ntype = \"file\"\naddress = \"{alerts}\"\n"));
    let url = format!("http://{}", service.address);
    let watch = |file: &str| {
        let ask = ["monitor", &url, "--key", &monitor.key, "--remember", file, "--sinks", "sinks.toml"];
        let mut command = place.command(&[&ask[..], &["--every", "1", "--silent-after", "20", "--json"]].concat());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    std::fs::create_dir(place.path("kept")).unwrap();
    for file in ["no/such/folder", "kept"] {
        Ran::of(watch(file).output().unwrap()).refused(2, &[&format!("--remember {file}"), "Nothing was done"]);
    }
    let watching = watch("kept/seen").spawn().unwrap();
    wait_for("the first checkpoint", || place.path("kept/seen").exists().then_some(()));
    std::fs::rename(place.path("kept"), place.path("gone")).unwrap();
    service.record(&writer, LINES);
    let ran = Ran::of(watching.wait_with_output().unwrap()).expect(5);
    let seen = ran.lines().pop().unwrap();
    assert_eq!((&seen["seen"], &seen["remember"]), (&json!("forgotten"), &json!("kept/seen")), "{seen}");
    let alert: Value = serde_json::from_slice(&std::fs::read(&alerts).unwrap()).unwrap();
    assert_eq!(alert["alert"]["rule"], "counterfoil.monitor-forgotten");
    assert!(alert["entry"]["context"]["why"].as_str().unwrap().contains("kept/seen: "), "{alert}");
}

#[test]
fn a_wrong_key_at_first_contact_is_told_with_what_was_given_and_shown() {
    let (service, twin) = (Running::start(), Running::start());
    let (monitor, right) = (Monitor::of(&twin), Monitor::of(&service).key);
    let url = format!("http://{}", service.address);
    let ask = |key: &str| monitor.place.run(&["monitor", &url, "--key", key, "--remember", "seen", "--once"]);
    let of = |key: &str| key.split('+').take(2).collect::<Vec<_>>().join("+");
    let said = ask(&monitor.key).expect(11).stdout;
    for words in [of(&monitor.key), of(&right), "counterfoil key LEDGER".to_owned(), "seen.shown-0".to_owned()] {
        assert!(said.contains(&words), "{words:?} is not in: {said}");
    }
    assert!(!said.contains("showed before") && !monitor.place.path("seen").exists(), "{said}");
    monitor.place.ok(&["init", "other", "--origin", "other.example/audit"]);
    let other = monitor.place.ok(&["key", "other"]);
    ask(other.trim()).refused(2, &[&of(&other), &of(&right), "a checkpoint of bank.example/audit"]);
}
