//! A ledger whose old segments are in a bucket only answers every command.

use sha2::{Digest, Sha256};

use crate::place::Place;
use crate::s3::{Server, environment};

/// An entry as a JSON line, of which a segment of 256 fills several blocks.
pub fn long_line(number: usize) -> String {
    let note: String = (0..16).map(|part| hex::encode(Sha256::digest(format!("{number} {part}")))).collect();
    format!(
        "{{\"event_type\":\"kyc_check\",\"actor\":\"bot\",\"entity_id\":\"C-{}\",\"timestamp\":\"2026-11-24T09:00:00Z\",\"id\":\"n-{number}\",\"context\":{{\"note\":\"{note}\"}}}}\n",
        number % 50
    )
}

#[test]
fn a_pruned_ledger_answers_every_command_without_a_flag() {
    let Some(server) = Server::start() else { return };
    let place = Place::with(environment(&server.endpoint()));
    let bucket = server.location().to_string();
    place.ok(&["init", "audit", "--origin", "bank.example/audit", "--segment-span", "256"]);
    let lines = |from: usize| -> String { (from..from + 400).map(long_line).collect() };
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
    place.run(&prune[..4]).refused(3, &["the lock is too short", "is locked until", "--locked-days"]);
    place.run(&[&prune[..4], &["--keep", "90"]].concat()).refused(2, &["90d for days", "100000entries"]);
    let dry = place.ok(&[&prune[..], &["--dry-run"]].concat());
    assert!(dry.contains("holds 3 segments of what may go") && dry.contains("dry run"), "{dry}");
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
    closed(&["query", "audit", "SELECT count(actor) FROM audit_log WHERE outcome IS NULL"]).refused(
        5,
        &["pruned to s3://", "segments/00000000000000000000.parquet, segments/00000000000000000256.parquet"],
    );
    what_needs_no_pruned_byte_is_answered(&closed);
    silent_bucket_is_unavailable(&place);
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

/// The newest entries, counts, and whatever indexes and bounds leave out, with the bucket out of reach.
fn what_needs_no_pruned_byte_is_answered(closed: &dyn Fn(&[&str]) -> crate::place::Ran) {
    let answered = |sql: &str| closed(&["query", "audit", sql, "--format", "csv"]).expect(0).stdout;
    let all = answered("SELECT count(*) > 800 AS n FROM audit_log");
    assert_eq!(all, "n\ntrue\n");
    for newest in [
        "SELECT index, actor FROM audit_log WHERE index >= 790 ORDER BY index LIMIT 3",
        "SELECT index, actor FROM audit_log ORDER BY index DESC LIMIT 3",
        "SELECT i.index, upper(i.actor) FROM (SELECT * FROM audit_log) AS i ORDER BY i.index DESC LIMIT 2 OFFSET 1",
        "SELECT index, context FROM audit_log WHERE entity_id = 'segments'",
    ] {
        assert!(answered(newest).lines().count() >= 2, "{newest}");
    }
    assert_eq!(answered("SELECT index FROM audit_log WHERE entity_id = 'nobody'").lines().count(), 1);
    assert_eq!(answered("SELECT index FROM audit_log WHERE timestamp > '2030-01-01T00:00:00Z'").lines().count(), 1);
    closed(&["history", "audit", "nobody"]).refused(7, &["nobody"]);
}

/// A store that takes connections and says nothing is told as such, while somebody still waits.
fn silent_bucket_is_unavailable(place: &Place) {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = place.command(&["query", "audit", "SELECT count(actor) FROM audit_log WHERE outcome IS NULL"]);
    command.env("AWS_ENDPOINT_URL", format!("http://{}", silent.local_addr().unwrap()));
    let mut child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    crate::service::wait_for("an answer", || child.try_wait().unwrap());
    crate::place::Ran::of(child.wait_with_output().unwrap()).refused(5, &["no answer within 10 s", "00000256.parquet"]);
}
