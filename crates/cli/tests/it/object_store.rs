//! `ship`, `verify`, `query` and `restore` on a real S3 server with Object Lock.

use crate::place::{Place, Ran};
use crate::s3::Server;

const COPY: &str = "s3://audit/ledgers/one";

struct Store {
    server: Server,
    place: Place,
}

impl Store {
    fn open() -> Option<Store> {
        Some(Store { server: Server::start()?, place: Place::ledger() })
    }

    fn run_with(&self, settings: &[(&str, &str)], arguments: &[&str]) -> Ran {
        let mut command = self.place.command(arguments);
        let endpoint = self.server.endpoint();
        command.envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test-secret")]);
        command.envs([("AWS_REGION", "us-east-1"), ("AWS_ENDPOINT_URL", &endpoint)]).envs(settings.iter().copied());
        Ran::of(command.stdin(std::process::Stdio::null()).output().unwrap())
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(&[], arguments)
    }
}

#[test]
fn a_ledger_is_shipped_verified_queried_and_brought_back_from_its_copy() {
    let Some(store) = Store::open() else { return };
    store.place.ok(&["seal", "audit"]);
    let shipped = store.run(&["ship", "audit", COPY, "--json"]).expect(0).value();
    let size = shipped["size"].as_u64().unwrap();
    assert!(size >= 6 && shipped["objects"].as_u64().unwrap() > 0 && shipped["to"] == COPY, "{shipped}");
    let again = store.run(&["ship", "audit", COPY, "--json"]).expect(0).value();
    assert_eq!(again["size"], size);
    let locks = store.run(&["ship", "audit", COPY, "--check"]).expect(0);
    assert!(locks.stderr.contains("none free before 2"), "{}", locks.stderr);
    let key = store.place.ok(&["key", "audit"]);
    store.run(&["verify", COPY, "--key", key.trim()]).expect(0);
    let sql = "SELECT count(*) AS n FROM audit_log WHERE entity_id = 'INV-1'";
    let there = store.run(&["query", COPY, sql, "--format", "json"]).expect(0).value();
    assert_eq!(there, store.place.json(&["query", "audit", sql, "--format", "json"]));
    let restored = store.run(&["restore", COPY, "again", "--key", key.trim(), "--json"]).expect(0).value();
    assert_eq!(restored["entries"], size);
    assert_eq!(restored["continued_as"], "bank.example/audit/2");
    assert_eq!(store.place.json(&["history", "again", "CUST-3", "--json"])["entry"]["actor"], "kyc-model");
    store.place.ok(&["verify", "again"]);
    store.run(&["restore", COPY, "again"]).refused(3, &["again"]);
}

#[test]
fn mistakes_with_buckets_are_explained() {
    let Some(store) = Store::open() else { return };
    store.run(&["ship", "audit", "s3://no-such-bucket/x"]).refused(7, &["no-such-bucket", "that of AWS_ENDPOINT_URL"]);
    store.run(&["ship", "audit", "audit-bucket"]).refused(2, &["s3://bucket/prefix"]);
    store.run(&["ship", "nothing", COPY]).refused(7, &["no folder nothing"]);
    store.run(&["ship", "audit", COPY, "--retain", "forever"]).refused(2, &["compliance:2190"]);
    store.run(&["ship", "audit", COPY, "--retain", "compliance:x"]).refused(2, &["no number of days"]);
    store.run(&["ship", "audit", COPY, "--legal-hold"]).refused(2, &["--retain"]);
    store
        .run_with(&[("AWS_SECRET_ACCESS_KEY", "wrong")], &["ship", "audit", COPY])
        .refused(6, &["SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY", "that of AWS_ENDPOINT_URL"]);
    store.run_with(&[("AWS_ACCESS_KEY_ID", "wrong")], &["ship", "audit", COPY]).refused(6, &["AWS_ACCESS_KEY_ID"]);
    store
        .run_with(&[("AWS_ENDPOINT_URL", "http://127.0.0.1:1")], &["verify", COPY])
        .refused(5, &["Connection refused", "AWS_ENDPOINT_URL"]);
    let who = "taken by: query, history";
    for refused in [&["append", COPY][..], &["seal", COPY], &["ship", COPY, COPY], &["init", COPY, "--origin", "a/b"]] {
        store.run(refused).refused(2, &["is the place of a copy", who]);
    }
    for refused in [&["ship", "http://127.0.0.1:1", COPY][..], &["restore", COPY, "https://127.0.0.1:1"]] {
        store.run(refused).refused(2, &["is a service", "taken by: append"]);
    }
    store
        .run(&["verify", "audit", "--resume", "no/such/folder.json"])
        .refused(7, &["folder.json", "Nothing was verified"]);
    store.place.ok(&["init", "new", "--origin", "bank.example/new"]);
    store.run(&["key", "new"]).refused(2, &["counterfoil key ./new"]);
    let nothing = [format!("no copy of a ledger at {COPY}: "), format!("counterfoil ship LEDGER {COPY}")];
    let nothing = nothing.each_ref().map(String::as_str);
    store.run(&["verify", COPY]).refused(7, &nothing);
    store.run(&["lake", COPY, "s3://audit/lake"]).refused(7, &nothing);
    store.run(&["serve", COPY, "--read-only", "--listen", "127.0.0.1:0"]).refused(7, &nothing);
    store.run(&["restore", COPY, "restored"]).refused(7, &["no copy of a ledger"]);
    assert!(!store.place.path("restored").exists(), "a restore that cannot begin leaves nothing");
    store.run(&["ship", "audit", COPY]).expect(0);
    let other = Place::ledger();
    let ledger = other.path("audit").display().to_string();
    store.run(&["ship", &ledger, COPY]).refused(11, &["another ledger or a fork"]);
}

#[test]
fn a_ledger_comes_back_as_far_as_it_was_shipped_when_that_is_asked_for() {
    let Some(store) = Store::open() else { return };
    let size = store.run(&["ship", "audit", COPY, "--json"]).expect(0).value()["size"].as_u64().unwrap();
    store.place.feed(&["append", "audit"], crate::place::LINES).expect(0);
    let ahead = store.place.json(&["status", "audit", "--json"])["size"].as_u64().unwrap();
    assert!(ahead > size);
    let note = std::fs::read_to_string(store.place.path("audit/checkpoint")).unwrap();
    let path = format!("/ledgers/one/checkpoints/{ahead:020}");
    assert_eq!(store.server.curl(&["-X", "PUT", "-d", &note], &path).0, 200);
    store.run(&["restore", COPY, "again"]).refused(11, &[&format!("--up-to {size}")]);
    store.run(&["restore", COPY, "again", "--up-to", "1"]).refused(2, &[&format!("holds {size} entries")]);
    let told = store.run(&["restore", COPY, "again", "--up-to", &size.to_string()]).expect(0).stdout;
    let lost = if ahead - size == 1 { "1 entry".to_owned() } else { format!("{} entries", ahead - size) };
    assert!(told.contains(&format!("left out: {lost}")) && told.contains(&format!("of {ahead} covers")), "{told}");
    store.place.ok(&["verify", "again"]);
}

#[test]
fn who_names_no_retention_is_told_when_there_was_a_longer_one() {
    let Some(store) = Store::open() else { return };
    store.run(&["ship", "audit", COPY]).expect(0);
    let append = || drop(store.place.feed(&["append", "audit"], crate::place::LINES).expect(0));
    append();
    store.run(&["ship", "audit", COPY, "--retain", "compliance:7"]).expect(0);
    append();
    store.run(&["ship", "audit", COPY]).refused(2, &["--retain compliance:7"]);
    store.run(&["ship", "audit", COPY, "--retain", "compliance:7"]).expect(0);
}

#[test]
fn a_report_reads_the_locks_back_and_is_the_same_on_the_copy() {
    let Some(store) = Store::open() else { return };
    store.place.ok(&["seal", "audit"]);
    store.run(&["ship", "audit", COPY]).expect(0);
    let call = ["report", "audit", "--from", "2020-01-01", "--to", "2200-01-01", "--json"];
    let report = store.run(&[call.as_slice(), &["--copy", COPY]].concat()).expect(0).value();
    let copy = &report["retention"]["copy"];
    assert_eq!(
        (&copy["location"], &copy["unlocked"], &copy["shipped"]),
        (&COPY.into(), &0.into(), &report["scope"]["size"])
    );
    assert!(copy["objects"].as_u64().unwrap() > 0 && copy["first_end"].is_string(), "{copy}");
    let there = store.run(&[&["report", COPY], &call[2..]].concat()).expect(0).value();
    for part in ["activity", "overrides", "sources", "access", "integrity"] {
        assert_eq!(there[part], report[part], "{part}");
    }
    assert_eq!(there["retention"]["copy"]["location"], COPY);
    assert_eq!(there["check"]["findings"]["total"], 0);
    // A place that does not answer is a sentence, and no failure.
    let silent = [call.as_slice(), &["--copy", "s3://no-such-bucket/x", "--html", "r.html"]].concat();
    let silent = store.run(&silent).expect(0).value();
    assert!(silent["retention"]["copy"]["fault"].is_string(), "{silent}");
    let document = store.run(&["document", COPY, "--copy", COPY, "--json"]).expect(0).value();
    assert_eq!(document["locations"]["copy"]["unlocked"], 0);
}
