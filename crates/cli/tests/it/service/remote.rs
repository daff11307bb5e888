//! Commands that take the service's URL in place of a folder, or go through the service that holds the folder.

use serde_json::Value;

use crate::place::LINES;
use crate::service::Running;

/// A run of the binary with a token in its environment.
fn run(service: &Running, token: &str, arguments: &[&str]) -> crate::place::Ran {
    let mut command = service.place.command(arguments);
    crate::place::Ran::of(command.env("COUNTERFOIL_TOKEN", token).stdin(std::process::Stdio::null()).output().unwrap())
}

#[test]
fn every_command_says_the_same_of_a_url_as_of_the_folder() {
    let service = Running::start();
    let url = format!("http://{}", service.address);
    let admin = service.token("admin");
    service.place.write("lines.jsonl", LINES);
    let recorded = run(&service, &admin, &["append", &url, "lines.jsonl", "--json"]).expect(0).value();
    assert_eq!(recorded["recorded"], 4);
    let (place, _) = service.end();
    let service = Running::on(place, &[]);
    let url = format!("http://{}", service.address);
    let reads: [&[&str]; 8] = [
        &["query", "SELECT index, actor, context FROM audit_log WHERE entity_id = 'INV-1'"],
        &["history", "INV-1"],
        &["history", "INV-1", "--json"],
        &["entry", "4", "--json"],
        &["checkpoint"],
        &["key"],
        &["status", "--json"],
        &["prove", "4"],
    ];
    // The folder's newest checkpoint is written within a second.
    super::wait_for("the checkpoint in the folder", || {
        let there = service.place.ok(&["checkpoint", "audit"]);
        (there == run(&service, &admin, &["checkpoint", &url]).stdout).then_some(())
    });
    for read in reads {
        let with =
            |ledger: &str| [&read[..1], &[ledger], &read[1..]].concat().iter().map(ToString::to_string).collect();
        let (folder, remote): (Vec<String>, Vec<String>) = (with("audit"), with(&url));
        let folder = service.place.ok(&folder.iter().map(String::as_str).collect::<Vec<_>>());
        let remote = run(&service, &admin, &remote.iter().map(String::as_str).collect::<Vec<_>>()).expect(0).stdout;
        assert_eq!(folder, remote, "{read:?}");
    }
    let all = service.place.ok(&["export", "audit", "--format", "jsonl"]);
    assert_eq!(run(&service, &admin, &["export", &url, "--format", "jsonl"]).expect(0).stdout, all);
    let some = run(&service, &admin, &["export", &url, "--format", "jsonl", "--where", "actor = 'maria' -- a comment"])
        .expect(0);
    assert_eq!(some.lines().len(), 1);
    run(&service, &admin, &["prove", &url, "--from", "2"]).expect(0);
    run(&service, &admin, &["bundle", &url, "--entity", "INV-1", "-o", "one.json"]).expect(0);
    let key = run(&service, &admin, &["key", &url]).stdout;
    run(&service, &admin, &["verify", "--bundle", "one.json", "--key", key.trim()]).expect(0);
}

#[test]
fn a_service_is_verified_from_outside() {
    let service = Running::start();
    let url = format!("http://{}", service.address);
    let writer = service.token("writer");
    service.record(&writer, &LINES.repeat(200));
    let early = service.get(&writer, "/api/v1/checkpoint").expect(200);
    service.place.write("early", &early.body);
    service.record(&writer, LINES);
    let key = run(&service, &writer, &["key", &url]).stdout;
    let verify = ["verify", &url, "--key", key.trim(), "--checkpoint", "early", "--json"];
    let report: Value = run(&service, &writer, &verify).expect(0).value();
    assert_eq!((&report["anchored"], &report["entries_checked"]), (&true.into(), &report["size"]));
    run(&service, &writer, &["verify", &url, "--require-anchor"]).expect(2);
    let other = Running::start();
    let strange = other.get(&other.token("reader"), "/api/v1/checkpoint").expect(200);
    service.place.write("strange", &strange.body);
    run(&service, &writer, &["verify", &url, "--checkpoint", "strange"]).expect(11);
    let other_key = run(&other, "", &["key", "audit"]).stdout;
    let ran = run(&service, &writer, &["verify", &url, "--key", other_key.trim()]).expect(11);
    let signer = key.split('+').nth(1).unwrap();
    for part in [signer, other_key.trim(), "or the given key is not this ledger's"] {
        assert!(ran.stdout.contains(part), "{part:?} is not in: {}", ran.stdout);
    }
    assert!(!ran.stdout.contains("ledger size") && !ran.stdout.contains("root  "), "{}", ran.stdout);
}

#[test]
fn commands_that_write_go_through_the_service_that_holds_the_folder() {
    let service = Running::start();
    let reader = service.token("reader");
    service.place.feed(&["append", "audit", "-"], LINES).expect(0);
    let entry = service.get(&reader, "/api/v1/entries?limit=1").json()["entries"][0]["entry"].clone();
    assert_eq!(entry["recorder"], "local-administrator");
    service.record(&service.token("writer"), &LINES.repeat(70).replace("\"id\":\"a-1\"", "\"trace_id\":\"t\""));
    assert!(service.place.ok(&["seal", "audit"]).contains("sealed 256 entries"));
    service.place.ok(&["key", "new", "audit", "--actor", "bot", "-o", "bot.pem"]);
    let bad = service.place.feed(&["append", "audit", "-"], "{\"event_type\":\"x\",\"actor\":\"a\"}\n");
    bad.refused(2, &["line 1", "entity_id"]);
}

#[test]
fn a_url_that_serves_nothing_says_so() {
    let service = Running::start();
    let url = format!("http://{}", service.address);
    run(&service, "", &["status", &url]).refused(6, &["COUNTERFOIL_TOKEN"]);
    run(&service, "cf_x", &["append", &url, "/dev/null"]).refused(6, &["unknown, revoked or expired"]);
    run(&service, "", &["status", "http://127.0.0.1:1"]).refused(5, &["127.0.0.1:1"]);
    run(&service, "", &["status", "http://127.0.0.1:7411/api"]).refused(2, &["address alone"]);
}

#[test]
fn who_has_the_key_verifies_a_public_log_without_a_token() {
    let service = Running::start();
    let url = format!("http://{}", service.address);
    let key = service.place.ok(&["key", "audit"]);
    let said = run(&service, "", &["verify", &url, "--key", key.trim()]).expect(0);
    assert!(said.stdout.starts_with("verified"), "{said:?}");
    run(&service, "", &["verify", &url]).refused(6, &["--key", "COUNTERFOIL_TOKEN"]);
}

#[test]
fn what_cannot_be_reached_gets_advice_that_fits_its_cause() {
    let service = Running::start();
    let address = &service.address;
    run(&service, "", &["status", "http://127.0.0.1:1"]).refused(5, &["Is the service running there?"]);
    run(&service, "", &["status", "http://no-such-host.invalid"]).refused(5, &["Is the service running there?"]);
    service.place.ok(&["init", "second", "--origin", "bank.example/second"]);
    let taken = service.place.run(&["serve", "second", "--listen", address]).refused(5, &["another with --listen"]);
    assert!(!taken.stderr.contains("Nothing is lost"), "{}", taken.stderr);
}

#[test]
fn status_beside_a_service_counts_what_was_just_acknowledged() {
    let service = Running::start();
    let writer = service.token("writer");
    for round in 0..5 {
        let lines = LINES.replace("\"id\":\"a-1\"", &format!("\"id\":\"a-{round}\""));
        let size = service.record(&writer, &lines)[3]["tree_size"].as_u64().unwrap();
        let shown = service.place.json(&["status", "audit", "--json"])["size"].as_u64().unwrap();
        assert!(shown >= size, "{shown} of {size}");
    }
}
