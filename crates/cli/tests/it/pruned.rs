//! A ledger whose old segments are in a bucket only answers every command.

use crate::place::Place;
use crate::s3::{Server, environment};

#[test]
fn a_pruned_ledger_answers_every_command_without_a_flag() {
    let Some(server) = Server::start() else { return };
    let place = Place::with(environment(&server.endpoint()));
    let bucket = server.location().to_string();
    place.ok(&["init", "audit", "--origin", "bank.example/audit", "--segment-span", "256"]);
    let lines = |from: usize| -> String {
        let line = |number: usize| {
            format!(
                "{{\"event_type\":\"kyc_check\",\"actor\":\"bot\",\"entity_id\":\"C-{}\",\"timestamp\":\"2026-11-24T09:00:00Z\",\"id\":\"n-{number}\"}}\n",
                number % 50
            )
        };
        (from..from + 400).map(line).collect()
    };
    place.feed(&["append", "audit"], &lines(0)).expect(0);
    place.feed(&["append", "audit"], &lines(400)).expect(0);
    place.ok(&["seal", "audit"]);
    place.ok(&["ship", "audit", &bucket]);
    let commands: [&[&str]; 6] = [
        &[
            "query",
            "audit",
            "SELECT count(*) AS n, sum(index) AS s FROM audit_log WHERE actor = 'bot'",
            "--format",
            "csv",
        ],
        &["query", "audit", "SELECT index FROM audit_log WHERE entity_id = 'C-7'", "--format", "csv"],
        &["history", "audit", "C-7", "--json"],
        &["entry", "audit", "10", "--canonical"],
        &["prove", "audit", "10"],
        &["export", "audit", "--format", "jsonl", "--where", "actor = 'bot'"],
    ];
    let before = commands.map(|command| place.ok(command));
    let prune = ["prune", "audit", "--bucket", &bucket, "--locked-days", "0"];
    place.run(&prune[..4]).refused(10, &["is locked until", "--locked-days"]);
    let dry = place.ok(&[&prune[..], &["--dry-run"]].concat());
    assert!(dry.contains("holds 3 segments") && dry.contains("dry run"), "{dry}");
    assert!(place.path("audit/segments/00000000000000000000.parquet").exists());
    let told = place.json(&[&prune[..], &["--json"]].concat());
    assert_eq!(told["segments"], 3, "{told}");
    assert_eq!(told["below"], 768, "{told}");
    assert!(!place.path("audit/segments/00000000000000000000.parquet").exists());
    for (command, before) in commands.iter().zip(&before) {
        match command[0] {
            // The ledger grew by what it says of itself.
            "prove" => drop(place.ok(command)),
            _ => assert_eq!(&place.ok(command), before, "{command:?}"),
        }
    }
    let report = place.ok(&["verify", "audit"]);
    assert!(report.contains("were pruned: read from s3://"), "{report}");
    place.ok(&["bundle", "audit", "--entity", "C-7", "-o", "C-7.json"]);
    let key = place.ok(&["key", "audit"]);
    place.ok(&["verify", "--bundle", "C-7.json", "--key", key.trim()]);
    // A repeat of what was recorded long ago is still known.
    let again = place.feed(&["append", "audit"], &lines(0)).expect(0);
    assert!(again.stdout.contains("400 entries were there already"), "{again:?}");
    // Nobody without the bucket's credentials reads old entries, and everybody appends.
    let closed = |arguments: &[&str]| {
        let mut command = place.command(arguments);
        command.env("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
        crate::place::Ran::of(command.output().unwrap())
    };
    closed(&["entry", "audit", "10"]).refused(5, &["was pruned to s3://", "try again"]);
    closed(&["query", "audit", "SELECT count(actor) FROM audit_log WHERE outcome IS NULL"]).refused(5, &["pruned"]);
    closed(&["status", "audit"]).expect(0);
    let back = place.ok(&["prune", "audit", "--fetch"]);
    assert!(back.contains("brought back 3 segments"), "{back}");
    closed(&["verify", "audit"]).expect(0);
    // A verification goes on where the last one ended.
    for place_of in ["audit", &bucket] {
        place.ok(&["ship", "audit", &bucket]);
        place.ok(&["verify", place_of, "--resume", &format!("seen-{}.json", place_of.len())]);
        let second = place.ok(&["verify", place_of, "--resume", &format!("seen-{}.json", place_of.len())]);
        assert!(second.contains("were verified earlier"), "{second}");
    }
}
