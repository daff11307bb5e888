//! A service that lets go of what its copy holds, and keeps a lake table of it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::place::Place;
use crate::pruned::long_line;
use crate::s3::{self, Server};
use crate::service::{Running, wait_for};

const TO: &str = "s3://audit/ledgers/one";
const OLD: &str = "SELECT count(context), sum(index), max(actor) FROM audit_log WHERE index < 512 AND outcome IS NULL";

/// A service that ships three whole segments under this lock; its administrator's token.
fn shipped(server: &Server, lock: &str, more: &[&str]) -> (Running, String) {
    let place = Place::with(s3::environment(&server.endpoint()));
    place.ok(&["init", "audit", "--origin", "bank.example/audit", "--segment-span", "256"]);
    let service = Running::on(place, &[&["--ship", TO, "--ship-retain", lock], more].concat());
    let admin = service.token("admin");
    record(&service, &admin, 0);
    (service, admin)
}

/// Records 800 entries, seals them and waits for the copy.
fn record(service: &Running, admin: &str, from: usize) {
    service.record(admin, &(from..from + 800).map(long_line).collect::<String>());
    let sealed = service.post(admin, "/api/v1/seal", "application/json", "").expect(200).json()["sealed_size"].as_u64();
    wait_for("the segments to be shipped", || {
        (status(service, admin)["shipping"]["shipped_size"].as_u64() > sealed).then_some(())
    });
}

fn status(service: &Running, admin: &str) -> Value {
    service.get(admin, "/api/v1/status").expect(200).json()
}

fn ask(service: &Running, token: &str, body: Value) -> crate::service::running::Answer {
    service.post(token, "/api/v1/prune", "application/json", body.to_string())
}

#[test]
fn a_service_prunes_when_it_is_asked_and_nobody_who_reads_notices() {
    let Some(server) = Server::start() else { return };
    let (service, admin) = shipped(&server, "compliance:60", &[]);
    let parquet = |first: &str| service.place.path(&format!("audit/segments/{first:0>20}.parquet")).exists();
    // What is refused, and changes nothing.
    ask(&service, &service.token("writer"), json!({"keep": "0"})).problem(403, "denied", &[]);
    ask(&service, &admin, json!({"keep": "90"})).problem(400, "invalid", &["90d"]);
    ask(&service, &admin, json!({"keep": "0", "bucket": "s3://other/x"})).problem(409, "conflict", &[TO]);
    ask(&service, &admin, json!({"keep": "0", "locked_days": 400})).problem(409, "conflict", &["lock is too short"]);
    let prune = ["prune", "audit", "--bucket", TO];
    let dry = service.place.ok(&[&prune[..], &["--dry-run", "--keep", "1d"]].concat());
    assert!(dry.contains("recorded in the last 1 day") && dry.contains("holds 0 segments"), "{dry}");
    assert!(parquet("0"));
    assert_eq!(status(&service, &admin)["only_in_copy"], Value::Null);

    let before = service.query(&admin, OLD);
    let (done, answers) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for reader in 0..4 {
            let (service, admin, before) = (&service, &admin, &before);
            let (done, answers) = (&done, &answers);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    assert_eq!(&service.query(admin, OLD), before);
                    service.get(admin, &format!("/api/v1/entries/{}", 40 * reader)).expect(200);
                    answers.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let asked = |many: usize| {
            let now = answers.load(Ordering::Relaxed);
            wait_for("readers", || (answers.load(Ordering::Relaxed) >= now + many).then_some(()));
        };
        asked(8);
        for _ in 0..3 {
            let told = service.place.json(&[&prune[..], &["--json"]].concat());
            assert_eq!(
                (&told["segments"], &told["entries"], &told["held"]),
                (&json!(3), &json!(768), &json!(3)),
                "{told}"
            );
            assert!(!parquet("0") && !parquet("512"));
            asked(4);
            let back = service.place.ok(&["prune", "audit", "--fetch"]);
            assert!(back.contains("brought back 3 segments"), "{back}");
            asked(4);
        }
        done.store(true, Ordering::Relaxed);
    });
    // The service lets go of the files, too: their room is free.
    let gone = ask(&service, &admin, json!({"keep": "0"})).expect(200).json();
    assert_eq!(gone["place"], TO);
    service.query(&admin, OLD);
    let open = std::fs::read_dir(format!("/proc/{}/fd", service.pid())).unwrap();
    let open = open.filter_map(|file| std::fs::read_link(file.unwrap().path()).ok());
    let held: Vec<_> = open.filter(|file| file.to_string_lossy().ends_with(".parquet (deleted)")).collect();
    assert!(held.is_empty(), "{held:?}");

    let only = status(&service, &admin)["only_in_copy"].clone();
    assert_eq!((&only["place"], &only["segments"], &only["entries"]), (&json!(TO), &json!(3), &json!(768)));
    assert_eq!(only["bytes"], gone["bytes"]);
    assert_eq!(service.metric(&admin, "counterfoil_only_in_copy_entries"), 768.0);
    assert_eq!(service.metric(&admin, "counterfoil_only_in_copy_bytes"), only["bytes"].as_f64().unwrap());
    let said = service.place.ok(&["status", "audit"]);
    assert!(said.contains("pruned    768 entries in 3 segments") && said.contains(TO), "{said}");
    service.post(&admin, "/api/v1/verification", "application/json", "").expect(202);
    let verified = wait_for("the verification", || {
        let told = service.get(&admin, "/api/v1/verification").expect(200).json()["last"].clone();
        (!told.is_null()).then_some(told)
    });
    assert_eq!(verified["verified"], true, "{verified}");
    let acts = service.acts("ledger.pruned");
    assert_eq!(acts.len(), 4);
    let context: Value = serde_json::from_str(acts[3]["context"].as_str().unwrap()).unwrap();
    assert_eq!((&context["first"], &context["below"]), (&json!(0), &json!(768)));
    assert_eq!((&context["entries"], &context["segments"], &context["place"]), (&json!(768), &json!(3), &json!(TO)));
    assert_eq!((&acts[0]["actor"], &acts[3]["actor"]), (&json!("local-administrator"), &json!("admin")));
}

#[test]
fn what_has_become_old_goes_by_itself_under_a_long_lock_only() {
    let Some(server) = Server::start() else { return };
    let (service, admin) = shipped(&server, "compliance:2", &["--prune-keep", "400entries"]);
    let fault = wait_for("the fault", || status(&service, &admin)["pruning"]["fault"].as_str().map(str::to_owned));
    assert!(fault.contains("lock is too short"), "{fault}");
    assert_eq!(status(&service, &admin)["only_in_copy"], Value::Null);
    assert!(service.metric(&admin, "counterfoil_prune_failing") >= 1.0);
    drop(service);

    let Some(server) = Server::start() else { return };
    let (service, admin) = shipped(&server, "compliance:60", &["--prune-keep", "400entries"]);
    let only = wait_for("old segments to go", || {
        let only = status(&service, &admin)["only_in_copy"].clone();
        (only["segments"].as_u64() > Some(0)).then_some(only)
    });
    assert_eq!(only["segments"], 1, "the newest 400 entries reach into the second segment: {only}");
    record(&service, &admin, 800);
    wait_for("more to go", || {
        let only = status(&service, &admin)["only_in_copy"].clone();
        (only["segments"] == 4).then_some(())
    });
    let told = status(&service, &admin)["pruning"].clone();
    assert_eq!((&told["keep"], &told["fault"]), (&json!("400entries"), &Value::Null), "{told}");
    assert!(told["last_pruned_at"].is_string(), "{told}");
    let ours = "SELECT count(id), count(DISTINCT id) FROM audit_log WHERE actor = 'bot'";
    assert_eq!(service.query(&admin, ours), json!([[1600, 1600]]));
    let acts = service.acts("ledger.pruned");
    assert!(acts.iter().all(|act| act["actor"] == "counterfoil"), "{acts:?}");
}

#[test]
fn a_service_keeps_a_table_of_what_it_shipped() {
    let Some(server) = Server::start() else { return };
    let table = "s3://audit/lake/one";
    let (service, admin) = shipped(&server, "compliance:60", &["--lake", table]);
    let grown = |entries: u64| {
        wait_for("the table to grow", || (status(&service, &admin)["lake"]["entries"] == entries).then_some(()));
    };
    grown(768);
    record(&service, &admin, 800);
    let sealed = status(&service, &admin)["sealed_size"].as_u64().unwrap();
    assert!(sealed > 768);
    grown(sealed);
    let told = status(&service, &admin)["lake"].clone();
    assert_eq!((&told["to"], &told["lag_entries"], &told["fault"]), (&json!(table), &json!(0), &Value::Null));
    assert_eq!(service.metric(&admin, "counterfoil_lake_entries"), sealed as f64);
    let said = service.place.ok(&["status", "audit"]);
    assert!(said.contains(table), "{said}");
    let command = service.place.json(&["lake", TO, table, "--json"]);
    assert_eq!((&command["entries"], &command["segments_added"]), (&json!(sealed), &json!(0)), "{command}");
}

#[test]
fn a_table_that_cannot_be_written_is_told_and_holds_up_nobody() {
    let Some(server) = Server::start() else { return };
    let (service, admin) = shipped(&server, "compliance:60", &["--lake", "s3://no-such-bucket/lake"]);
    let fault = wait_for("the fault", || status(&service, &admin)["lake"]["fault"].as_str().map(str::to_owned));
    assert!(fault.contains("no-such-bucket"), "{fault}");
    assert!(service.metric(&admin, "counterfoil_lake_failing") >= 1.0);
    let said = service.place.ok(&["status", "audit"]);
    assert!(said.contains("fails and goes on"), "{said}");
    record(&service, &admin, 800);
    assert_eq!(service.get(&admin, "/readyz").expect(200).text(), "ready\n");
    let (place, code) = service.end();
    assert_eq!(code, Some(0));
    place.run(&["serve", "audit", "--ship", TO, "--lake", TO]).refused(2, &["a prefix of its own"]);
    place.run(&["serve", "audit", "--lake", "s3://audit/lake"]).refused(2, &["--ship"]);
    place.run(&["serve", "audit", "--prune-keep", "90d"]).refused(2, &["--ship"]);
    place.run(&["serve", "audit", "--ship", TO, "--prune-keep", "90"]).refused(2, &["90d"]);
}
