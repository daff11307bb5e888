//! What the service proves by itself: each change is an alert that arrives, also when nobody asks.

use std::fs::{File, FileTimes};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::place::Place;
use crate::postgres_server;
use crate::s3;
use crate::service::{Running, shipping, signal, wait_for};

/// A few seconds, in minutes and in hours.
const MINUTES: &str = "0.05";
const HOURS: &str = "0.001";
const NO_NEW: [&str; 2] = ["--verify-every-minutes", "0"];
const NO_WHOLE: [&str; 2] = ["--verify-whole-hours", "0"];
const NO_SCRUB: [&str; 2] = ["--scrub-hours", "0"];

const SEGMENT: &str = "segments/00000000000000000000.parquet";

fn lines(entity: &str, count: usize) -> String {
    format!("{{\"event_type\":\"x\",\"actor\":\"a\",\"entity_id\":\"{entity}\"}}\n").repeat(count)
}

/// A sink that is a file, `alerts.jsonl`.
fn with_file_sink(place: &Place) {
    let file = place.path("alerts.jsonl").display().to_string();
    place.write("sinks.toml", format!("[[sink]]\nname = \"siem\"\ntype = \"file\"\naddress = \"{file}\"\n"));
}

/// A ledger of several sealed segments and a tail, and a sink that is a file.
fn place(segments: usize) -> Place {
    let place = Place::new();
    place.ok(&["init", "audit", "--origin", "bank.example/audit", "--segment-span", "256"]);
    place.feed(&["append", "audit"], &lines("e", 256 * segments)).expect(0);
    place.ok(&["seal", "audit"]);
    with_file_sink(&place);
    place
}

fn serve(place: Place, settings: &[&[&str]]) -> Running {
    Running::on(place, &[&[&["--sinks", "sinks.toml"][..]], settings].concat().concat())
}

/// Changes one byte and nothing else that shows.
fn flip(path: &Path, offset: u64) {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let written = file.metadata().unwrap().modified().unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ 1], offset).unwrap();
    file.set_times(FileTimes::new().set_modified(written)).unwrap();
}

fn middle(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().len() / 2
}

/// How a kind of verification stands.
fn standing(service: &Running, token: &str, of: &str, extent: &str) -> Value {
    let all = service.get(token, "/api/v1/verification").expect(200).json();
    let mut schedule = all["schedule"].as_array().unwrap().iter();
    schedule.find(|kind| kind["of"] == of && kind["extent"] == extent).cloned().unwrap_or(Value::Null)
}

fn wait_for_first(service: &Running, token: &str, of: &str, extent: &str) {
    wait_for("the first verification", || standing(service, token, of, extent)["last_at"].as_str().map(drop));
}

/// The alerts that arrived at the file.
fn delivered(service: &Running, rule: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(service.place.path("alerts.jsonl")).unwrap_or_default();
    let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    events.filter(|event| event["alert"]["rule"] == rule).collect()
}

/// Waits for an alert about this to arrive; the context of its entry.
fn alerted(service: &Running, rule: &str, about: &str) -> Value {
    wait_for(&format!("the alert about {about}"), || {
        let found = delivered(service, rule).into_iter().map(|event| event["entry"]["context"].clone());
        found.into_iter().find(|context| context.to_string().contains(about))
    })
}

/// What was recorded of verifications, oldest first.
fn recorded(service: &Running, token: &str, extent: &str) -> Vec<Value> {
    let all = service.get(token, "/api/v1/verification").expect(200).json();
    let runs = all["runs"].as_array().unwrap().iter().rev();
    runs.filter(|run| run["extent"] == extent).cloned().collect()
}

/// A receiver of webhooks: what was posted.
pub fn webhook() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    let posted = Arc::new(Mutex::new(Vec::new()));
    let all = Arc::clone(&posted);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let (mut line, mut length) = (String::new(), 0);
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            let mut body = vec![0; length];
            if reader.read_exact(&mut body).is_ok() {
                all.lock().unwrap().push(String::from_utf8(body).unwrap());
                let _ = reader.get_mut().write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
            }
        }
    });
    (address, posted)
}

#[test]
fn a_byte_of_a_sealed_segment_that_changes_unseen_is_alerted_within_a_period() {
    let place = place(3);
    let (address, posted) = webhook();
    let file = place.path("alerts.jsonl").display().to_string();
    place.write(
        "sinks.toml",
        format!(
            "[[sink]]\nname = \"siem\"\ntype = \"file\"\naddress = \"{file}\"\n[[sink]]\nname = \"hook\"\ntype = \"webhook\"\naddress = \"{address}\"\n"
        ),
    );
    let service = serve(place, &[&NO_NEW, &NO_WHOLE, &["--scrub-hours", HOURS]]);
    let reader = service.token("reader");
    wait_for("a round", || (!recorded(&service, &reader, "scrub").is_empty()).then_some(()));
    let segment = service.place.path("audit").join(SEGMENT);
    flip(&segment, middle(&segment));
    let alert = alerted(&service, "counterfoil.tampering", SEGMENT);
    let why = alert["why"].as_str().unwrap();
    assert!(why.contains("block-mismatch") && why.contains("entry 0") && why.contains("operating.md"), "{alert}");
    assert_eq!((&alert["level"], &alert["indices"]), (&json!("critical"), &json!([0])), "{alert}");
    wait_for("the webhook", || posted.lock().unwrap().iter().any(|body| body.contains(SEGMENT)).then_some(()));
    let found = recorded(&service, &reader, "scrub");
    let last = found.last().unwrap();
    assert_eq!((&last["of"], &last["verified"], &last["findings_total"]), (&json!("ledger"), &json!(false), &json!(1)));
    // The state of a block that is wrong is known at once when it is mended.
    flip(&segment, middle(&segment));
    wait_for("its end", || {
        let closed = service.get(&reader, "/api/v1/alerts?state=closed").expect(200).json();
        closed["alerts"]
            .as_array()
            .unwrap()
            .iter()
            .any(|alert| alert["rule_id"] == "counterfoil.tampering")
            .then_some(())
    });
}

#[test]
fn a_file_that_looks_otherwise_is_read_before_its_turn() {
    // Its turn would come in twelve minutes.
    let service = serve(place(3), &[&NO_NEW, &NO_WHOLE, &["--scrub-hours", "0.2"]]);
    let reader = service.token("reader");
    wait_for_first(&service, &reader, "ledger", "scrub");
    let segment = service.place.path("audit/segments/00000000000000000256.index");
    service.place.flip("audit/segments/00000000000000000256.index", middle(&segment) as usize);
    alerted(&service, "counterfoil.tampering", "00000000000000000256.index");
}

#[test]
fn a_byte_of_the_journal_is_alerted_by_what_reads_only_what_is_new() {
    let service = serve(place(3), &[&NO_WHOLE, &NO_SCRUB, &["--verify-every-minutes", MINUTES]]);
    let (writer, reader) = (service.token("writer"), service.token("reader"));
    service.record(&writer, &lines("in-the-tail", 3));
    wait_for_first(&service, &reader, "ledger", "new");
    // It goes on from there: three segments are not read again, and none of it is an entry of its own.
    wait_for("the second", || {
        let read = standing(&service, &reader, "ledger", "new")["entries_checked"].as_u64();
        (read? < 256).then_some(())
    });
    std::thread::sleep(std::time::Duration::from_secs(4));
    assert_eq!(recorded(&service, &reader, "new").len(), 1, "the ledger feeds itself");
    let journal = std::fs::read_dir(service.place.path("audit/journal")).unwrap().last().unwrap().unwrap().path();
    let bytes = std::fs::read(&journal).unwrap();
    let offset = bytes.windows(11).position(|window| window == b"in-the-tail").expect("the entry is there");
    flip(&journal, offset as u64);
    let alert = alerted(&service, "counterfoil.tampering", "journal/");
    assert!(alert["why"].as_str().unwrap().contains("journal/"), "{alert}");
    // Each entry behind the change is one more finding, and what records them is no reason to record again.
    std::thread::sleep(std::time::Duration::from_secs(7));
    let found = recorded(&service, &reader, "new");
    assert!(found.len() == 2 && found[1]["runs"].as_u64() > Some(1), "{found:?}");
    assert!(found[1]["findings_total"].as_u64() > Some(1), "{found:?}");
    assert_eq!(
        delivered(&service, "counterfoil.tampering").len(),
        1,
        "roots that follow from it are no alerts of their own"
    );
}

#[test]
fn what_is_verified_anew_does_not_grow_with_the_ledger() {
    let read = |segments: usize| {
        let service = serve(place(segments), &[&NO_WHOLE, &NO_SCRUB, &["--verify-every-minutes", MINUTES]]);
        let reader = service.token("reader");
        let checked = || standing(&service, &reader, "ledger", "new")["entries_checked"].as_u64();
        wait_for("the first", || (checked()? >= 256 * segments as u64).then_some(()));
        wait_for("the second", || checked().filter(|read| *read < 256))
    };
    let (small, large) = (read(2), read(24));
    assert!(large <= small + 30, "{small} of a small ledger, {large} of a large one");
}

#[test]
fn what_an_earlier_verification_left_is_believed_as_far_as_the_ledger_agrees() {
    let settings: &[&[&str]] = &[&NO_WHOLE, &NO_SCRUB, &["--verify-every-minutes", MINUTES]];
    let service = serve(place(3), settings);
    let reader = service.token("reader");
    wait_for("the second", || {
        (standing(&service, &reader, "ledger", "new")["entries_checked"].as_u64()? < 256).then_some(())
    });
    let last = standing(&service, &reader, "ledger", "new")["last_at"].clone();
    let (place, _) = service.end();
    let state = place.path("audit/state/verified-ledger.json");
    let mut forged: Value = serde_json::from_slice(&std::fs::read(&state).unwrap()).unwrap();
    // A key that was never registered.
    let registered =
        json!({"event_type": "ledger.key_registered", "actor": "counterfoil", "entity_id": "k"}).to_string();
    forged["own"].as_array_mut().unwrap().push(json!([700, registered]));
    std::fs::write(&state, forged.to_string()).unwrap();
    let service = read_again(place, settings, &last);
    // A time that is yet to come, so that every later entry seems to go back: what is found with it is held against everything.
    let last = standing(&service, &service.token("reader"), "ledger", "new")["last_at"].clone();
    let (place, _) = service.end();
    let mut forged: Value = serde_json::from_slice(&std::fs::read(&state).unwrap()).unwrap();
    forged["recorded_at"] = json!("2200-01-01T00:00:00.000000Z");
    std::fs::write(&state, forged.to_string()).unwrap();
    read_again(place, settings, &last);
}

/// Starts the service and waits until it has read everything again, found nothing, and goes on from there.
fn read_again(place: Place, settings: &[&[&str]], last: &Value) -> Running {
    let service = serve(place, settings);
    let reader = service.token("reader");
    let kind = wait_for("another", || {
        let kind = standing(&service, &reader, "ledger", "new");
        (kind["last_at"].as_str() > last.as_str()).then_some(kind)
    });
    assert!(kind["entries_checked"].as_u64() >= Some(768), "everything is read again: {kind}");
    assert_eq!(kind["findings"], 0);
    wait_for("the next goes on", || {
        (standing(&service, &reader, "ledger", "new")["entries_checked"].as_u64()? < 256).then_some(())
    });
    service
}

#[test]
fn a_byte_of_the_copy_is_alerted_and_a_store_that_hangs_or_is_gone_too() {
    let Some(mut server) = s3::Server::start() else { return };
    let place = shipping::place(&server);
    with_file_sink(&place);
    let timing = ["--ship", "s3://audit/ledgers/one", "--verify-every-minutes", MINUTES, "--verify-whole-hours", HOURS];
    let service = serve(place, &[&timing, &NO_SCRUB]);
    let admin = service.token("admin");
    service.record(&admin, &lines("e", 600));
    service.post(&admin, "/api/v1/seal", "application/json", "").expect(200);
    wait_for("the segment in the bucket", || {
        let shipped = service.get(&admin, "/api/v1/status").json()["shipping"]["shipped_size"].as_u64();
        (shipped >= Some(512) && !server.keys("segments").is_empty()).then_some(())
    });
    wait_for("a whole verification of the copy", || {
        let kind = standing(&service, &admin, "copy", "whole");
        (kind["entries_checked"].as_u64()? >= 512 && kind["findings"] == 0).then_some(())
    });
    let key = server.keys("segments").into_iter().find(|key| key.ends_with(".parquet")).unwrap();
    let object = server.file(&key);
    flip(&object, middle(&object));
    let alert = alerted(&service, "counterfoil.tampering", "parquet");
    assert_eq!(alert["group"][0], json!({"field": "of", "value": "copy"}), "{alert}");
    assert_eq!(standing(&service, &admin, "ledger", "whole")["findings"], 0);
    flip(&object, middle(&object));

    signal("STOP", server.pid());
    let alert = alerted(&service, "counterfoil.verification-late", "copy");
    signal("CONT", server.pid());
    assert!(alert["why"].as_str().unwrap().contains("of the copy"), "{alert}");
    server.kill();
    let alert = alerted(&service, "counterfoil.verification-failed", "copy");
    assert!(alert["why"].as_str().unwrap().contains("in a row could not be run"), "{alert}");
}

#[test]
fn a_copy_is_verified_from_its_first_entry_on() {
    let Some(server) = s3::Server::start() else { return };
    // The next verification of everything is a day away.
    let service =
        Running::on(shipping::place(&server), &["--ship", "s3://audit/ledgers/one", "--verify-every-minutes", MINUTES]);
    let admin = service.token("admin");
    service.record(&admin, &lines("e", 300));
    let kind = wait_for("a verification of the copy", || {
        let kind = standing(&service, &admin, "copy", "new");
        (kind["entries_checked"].as_u64()? >= 300).then_some(kind)
    });
    assert_eq!((&kind["findings"], &kind["faults"]), (&json!(0), &json!(0)), "{kind}");
}

#[test]
fn a_row_of_the_table_that_a_superuser_changes_is_alerted() {
    let Some(server) = postgres_server::Server::replicating() else { return };
    let place = Place::new();
    place.ok(&["init", "audit", "--origin", "bank.example/audit"]);
    with_file_sink(&place);
    let dsn = |user: &str| format!("postgres://{user}@127.0.0.1:{}/postgres", server.port);
    place.ok(&["postgres", "install", &dsn("postgres")]);
    server.sql("postgres", "CREATE ROLE app LOGIN; GRANT counterfoil_writer TO app");
    server.sql("postgres", "CREATE ROLE follower LOGIN REPLICATION; GRANT counterfoil_reader TO follower");
    server.record(1, 3);
    place.ok(&["postgres", "follow", "audit", &dsn("follower"), "--once"]);
    let follower = dsn("follower");
    let service = serve(place, &[&NO_NEW, &NO_WHOLE, &["--scrub-hours", HOURS, "--postgres", &follower]]);
    let reader = service.token("reader");
    wait_for_first(&service, &reader, "table", "whole");
    assert_eq!(standing(&service, &reader, "table", "whole")["findings"], 0);
    server.sql(
        "postgres",
        "ALTER TABLE counterfoil.audit_log DISABLE TRIGGER append_only; UPDATE counterfoil.audit_log SET actor = 'bot' WHERE id = 2; \
         ALTER TABLE counterfoil.audit_log ENABLE ALWAYS TRIGGER append_only",
    );
    let alert = alerted(&service, "counterfoil.tampering", "row 2");
    let why = alert["why"].as_str().unwrap();
    assert!(why.contains("row-changed") && why.contains("actor was maria, is bot"), "{alert}");
    assert_eq!(alert["indices"].as_array().unwrap().len(), 1, "{alert}");
    assert_eq!(service.metric(&reader, "counterfoil_proof_faults{of=\"table\",extent=\"whole\"}"), 0.0);
    assert!(service.metric(&reader, "counterfoil_proof_findings{of=\"table\",extent=\"whole\"}") >= 1.0);
}

#[test]
fn a_verification_that_found_nothing_sends_its_checkpoint_outside() {
    let service = serve(place(1), &[&NO_NEW, &NO_SCRUB, &["--verify-whole-hours", HOURS]]);
    let note = wait_for("the checkpoint", || {
        let text = std::fs::read_to_string(service.place.path("alerts.jsonl")).unwrap_or_default();
        let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let verified = events.into_iter().find(|event| event["entry"]["event_type"] == "ledger.verified")?;
        Some(verified["entry"]["context"]["checkpoint"].as_str().unwrap().to_owned())
    });
    let (place, _) = service.end();
    place.write("kept", note);
    let key = place.ok(&["key", "audit"]);
    place.run(&["verify", "audit", "--key", key.trim(), "--checkpoint", "kept", "--require-anchor"]).expect(0);
}

#[test]
fn a_thousand_gaps_of_one_recorder_hide_no_other() {
    let service = serve(place(0), &[&NO_NEW, &NO_WHOLE, &NO_SCRUB]);
    let admin = service.token("admin");
    let token = |name: &str| {
        let made = service.place.ok(&["token", "create", "audit", "--role", "writer", "--name", name]);
        made.trim().to_owned()
    };
    let gap = |source: &str| {
        json!({"event_type": "x", "actor": "a", "entity_id": "e", "source": source, "sequence": 5}).to_string() + "\n"
    };
    let made_up: String = (0..1200).map(|number| gap(&format!("aaa-{number:04}"))).collect();
    service.record(&token("mallory"), &made_up);
    service.record(&token("payments"), &gap("erp"));
    alerted(&service, "counterfoil.source-gap", "erp");
    let rest = alerted(&service, "counterfoil.source-gap", "others");
    assert!(rest["why"].as_str().unwrap().starts_with("1150 more sources"), "{rest}");
    let watch = service.get(&admin, "/api/v1/watch").expect(200).json();
    let gaps = watch["conditions"].as_array().unwrap().iter().filter(|condition| condition["id"] == "source-gap");
    assert_eq!(gaps.count(), 52, "{watch}");
}

#[test]
fn a_service_that_only_reads_verifies_nothing_unless_asked() {
    let place = place(1);
    place.ok(&["seal", "audit"]);
    let service = Running::on(place, &["--read-only"]);
    let token = |service: &Running| {
        let code = service.sign_in.split("://").nth(1).unwrap().split_once('/').unwrap().1.to_owned();
        let answer = service.call("GET", &format!("/{code}"), &[], b"");
        answer.headers.iter().find(|(name, _)| name == "set-cookie").unwrap().1.split(';').next().unwrap().to_owned()
    };
    let schedule = |service: &Running, cookie: &str| {
        let all = service.call("GET", "/api/v1/verification", &[("cookie", cookie)], b"").expect(200).json();
        all["schedule"].clone()
    };
    let cookie = token(&service);
    let never = schedule(&service, &cookie);
    assert!(
        never.as_array().unwrap().iter().all(|kind| kind["every_seconds"] == 0.0 && kind["next_at"].is_null()),
        "{never}"
    );
    let (place, _) = service.end();
    let service = Running::on(place, &["--read-only", "--verify-every-minutes", MINUTES]);
    let cookie = token(&service);
    wait_for("a verification", || schedule(&service, &cookie)[0]["last_at"].as_str().map(drop));
    let (place, _) = service.end();
    assert!(!place.path("audit/state/verified-ledger.json").exists(), "nothing is written");
    place.run(&["serve", "audit", "--scrub-hours", "-1"]).refused(2, &["scrub-hours"]);
    let table = ["serve", "audit", "--postgres", "postgres://u@127.0.0.1:1/bank", "--scrub-hours", "0"];
    let never = [&table[..], &["--verify-whole-hours", "0"]].concat();
    place
        .run(&never)
        .refused(2, &["--postgres: the table is compared every --scrub-hours, or every --verify-whole-hours"]);
    let seldom = [&table[..], &["--listen", "192.0.2.1:1", "--allow-plain-text"]].concat();
    place
        .run(&seldom)
        .refused(5, &["scrub-hours is 0: the table in PostgreSQL is compared every 24 hours (verify-whole-hours)"]);
    place.run(&["serve", "audit", "--verify-whole-hours", "NaN"]).refused(2, &["verify-whole-hours"]);
    place.run(&["serve", "audit", "--postgres-slot", "x"]).refused(2, &["--postgres DSN"]);
}
