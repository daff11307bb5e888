//! A service that only reads: an auditor on the bucket, or beside whoever writes the folder.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::place::{LINES, Place};
use crate::proxy::{self, Fate};
use crate::s3::{self, Server};
use crate::service::running::Answer;
use crate::service::shipping::place;
use crate::service::{Running, wait_for};

const FROM: &str = "s3://audit/ledgers/one";

/// Signs in with the link, as a browser does; the cookie.
fn cookie(service: &Running) -> String {
    let path = service.sign_in.split(&service.address).nth(1).unwrap();
    let answer = service.call("GET", path, &[], b"").expect(303);
    answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

fn ask(service: &Running, cookie: &str, method: &str, path: &str, body: &str) -> Answer {
    let kind = if path.ends_with("query") { "application/sql" } else { "application/json" };
    let headers = [("cookie", cookie), ("x-counterfoil", "1"), ("content-type", kind)];
    service.call(method, path, &headers, body.as_bytes())
}

/// All that an auditor does; the cookie.
fn review(service: &Running, place: &Place) -> String {
    let cookie = cookie(service);
    let status = ask(service, &cookie, "GET", "/api/v1/status", "").expect(200).json();
    assert!(status["read_from"].is_string() && status["fault"].is_null(), "{status}");
    let size = status["tree_size"].as_u64().unwrap();
    let rows = ask(service, &cookie, "POST", "/api/v1/query", "SELECT count(*) FROM audit_log").expect(200).json();
    assert_eq!(rows["rows"], json!([[size]]));
    let life = ask(service, &cookie, "GET", "/api/v1/entities/INV-1/history", "").expect(200).json();
    assert_eq!(life["entries"].as_array().unwrap().len(), 3);
    ask(service, &cookie, "GET", "/api/v1/proofs/inclusion?index=2", "").expect(200);
    let bundle = ask(service, &cookie, "POST", "/api/v1/bundles", r#"{"entity_id": "INV-1"}"#).expect(200);
    place.write("evidence.json", &bundle.body);
    let key = place.ok(&["key", "audit"]);
    place.run(&["verify", "--bundle", "evidence.json", "--key", key.trim()]).expect(0);
    // What would write is refused, and says where to turn.
    let entry = r#"{"event_type":"x","actor":"a","entity_id":"e"}"#;
    let who = ask(service, &cookie, "GET", "/api/v1/session", "").expect(200).json();
    assert_eq!(who["read_only"], true, "{who}");
    let keep = r#"{"keep": "0"}"#;
    for (path, body) in [
        ("/api/v1/entries", entry),
        ("/api/v1/seal", ""),
        ("/api/v1/keys", &client_key()),
        ("/api/v1/prune", keep),
        ("/api/v1/prune/fetch", ""),
    ] {
        ask(service, &cookie, "POST", path, body).problem(403, "denied", &["only reads", "the service that writes"]);
    }
    // A colleague's token, for as long as this runs.
    let wanted = r#"{"name": "eve", "role": "auditor", "prefixes": []}"#;
    let token = ask(service, &cookie, "POST", "/api/v1/tokens", wanted).expect(201).json();
    let token = token["token"].as_str().unwrap();
    assert_eq!(service.query(token, "SELECT count(*) FROM audit_log"), json!([[size]]));
    ask(service, &cookie, "POST", "/api/v1/verification", "").expect(202);
    let run = wait_for("the verification", || {
        let told = ask(service, &cookie, "GET", "/api/v1/verification", "").expect(200).json();
        (!told["last"].is_null()).then(|| told["last"].clone())
    });
    // Beside a writer there may be more by now.
    assert!(run["verified"] == true && run["tree_size"].as_u64().unwrap() >= size, "{run}");
    place.run(&["verify", &format!("http://{}", service.address), "--key", key.trim()]).expect(0);
    cookie
}

fn client_key() -> String {
    json!({"public_key": "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"}).to_string()
}

fn reader(place: &Place, ledger: &str) -> Running {
    // Only the environment is shared: the reader has a folder of its own.
    Running::serve(place.beside(), ledger, &["--read-only"])
}

#[test]
fn an_auditor_reviews_the_bucket_without_a_copy_of_it() {
    let Some(server) = Server::start() else { return };
    let place = place(&server);
    place.feed(&["append", "audit"], LINES).expect(0);
    let many: String = (0..400)
        .map(|number| json!({"event_type": "x", "actor": "a", "entity_id": format!("e-{number}")}).to_string() + "\n")
        .collect();
    place.feed(&["append", "audit"], &many).expect(0);
    place.ok(&["seal", "audit"]);
    place.ok(&["ship", "audit", FROM]);
    let objects = |server: &Server| ["segments", "journal", "checkpoints"].map(|folder| server.keys(folder));
    let before = objects(&server);
    let auditor = reader(&place, FROM);
    let cookie = review(&auditor, &place);
    assert_eq!(objects(&server), before, "nothing is written");
    // It shows what is shipped meanwhile, with what was sealed meanwhile.
    place.feed(&["append", "audit"], &many).expect(0);
    place.ok(&["seal", "audit"]);
    place.ok(&["ship", "audit", FROM]);
    let size = place.json(&["status", FROM, "--json"])["size"].clone();
    wait_for("the auditor to see it", || {
        let status = ask(&auditor, &cookie, "GET", "/api/v1/status", "").expect(200).json();
        (status["tree_size"] == size).then_some(())
    });
    let rows = ask(&auditor, &cookie, "POST", "/api/v1/query", "SELECT count(*) FROM audit_log").expect(200).json();
    assert_eq!(rows["rows"], json!([[size]]));
    place.run(&["serve", FROM]).refused(2, &["--read-only", "counterfoil restore"]);
}

#[test]
fn nobody_waits_for_a_look_at_a_bucket_that_hangs() {
    let Some(server) = Server::start() else { return };
    let place = place(&server);
    place.feed(&["append", "audit"], LINES).expect(0);
    place.ok(&["ship", "audit", FROM]);
    let (silent, hanging) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let (is_silent, count) = (silent.clone(), hanging.clone());
    let endpoint = proxy::start(server.port(), move |_| match is_silent.load(Ordering::SeqCst) {
        true => {
            count.fetch_add(1, Ordering::SeqCst);
            Fate::Silent
        }
        false => Fate::Pass,
    });
    let auditor = Running::serve(Place::with(s3::environment(&endpoint)), FROM, &["--read-only"]);
    let cookie = cookie(&auditor);
    silent.store(true, Ordering::SeqCst);
    wait_for("a look to hang", || (hanging.load(Ordering::SeqCst) > 0).then_some(()));
    for path in ["/healthz", "/readyz", "/metrics", "/tlog/checkpoint", "/api/v1/checkpoint", "/api/v1/verification"] {
        ask(&auditor, &cookie, "GET", path, "").expect(200);
    }
    let status = ask(&auditor, &cookie, "GET", "/api/v1/status", "").expect(200).json();
    assert_eq!(status["fault"], Value::Null, "the look has not come to an end yet: {status}");
}

#[test]
fn a_folder_is_reviewed_beside_whoever_writes_it() {
    let place = Place::ledger();
    let writer = Running::on(place, &[]);
    let before = files(&writer.place.path("audit"));
    let folder = writer.place.path("audit");
    let auditor = reader(&writer.place, folder.to_str().unwrap());
    review(&auditor, &writer.place);
    drop(auditor);
    assert_eq!(files(&folder), before, "nothing is written");
}

/// Every file but the checkpoint, which the writer renews a moment after it started, with its length and time; of a journal,
/// whose room it fills with zeros meanwhile, the length alone.
fn files(folder: &Path) -> BTreeMap<String, (u64, SystemTime)> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        let metadata = entry.metadata().unwrap();
        if metadata.is_dir() {
            found.extend(files(&entry.path()).into_iter().map(|(file, what)| (format!("{name}/{file}"), what)));
        } else if name != "checkpoint" {
            let written =
                if name.ends_with(".journal") { SystemTime::UNIX_EPOCH } else { metadata.modified().unwrap() };
            found.insert(name, (metadata.len(), written));
        }
    }
    found
}

#[test]
fn a_folder_that_goes_back_while_it_is_read_is_a_fault() {
    let place = Place::ledger();
    let copy = |from: &str, to: &str| {
        let status = std::process::Command::new("cp").arg("-aT").args([place.path(from), place.path(to)]).status();
        assert!(status.unwrap().success());
    };
    copy("audit", "old");
    place.feed(&["append", "audit"], LINES).expect(0);
    let auditor = reader(&place, place.path("audit").to_str().unwrap());
    let cookie = cookie(&auditor);
    copy("old", "audit");
    let fault = wait_for("the fault", || {
        let status = ask(&auditor, &cookie, "GET", "/api/v1/status", "").expect(200).json();
        status["fault"].as_str().map(str::to_owned)
    });
    assert!(fault.contains("rolled back"), "{fault}");
    let ready = auditor.call("GET", "/readyz", &[], b"").expect(200);
    assert!(ready.text().starts_with("ready, degraded"), "{}", ready.text());
    let _: Value = ask(&auditor, &cookie, "GET", "/api/v1/entries/2", "").expect(200).json();
}
