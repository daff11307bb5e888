//! `drill`: what it proves, and that it fails when something is missing.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::place::{Place, Ran};
use crate::postgres_server;
use crate::s3;
use crate::service::{Running, signal, wait_for};

/// A receiver of webhooks that takes everything and keeps it.
struct Hooks {
    address: String,
    bodies: Arc<Mutex<Vec<Value>>>,
}

impl Hooks {
    fn open() -> Hooks {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, bodies) = (listener.local_addr().unwrap().to_string(), Arc::default());
        let kept: Arc<Mutex<Vec<Value>>> = Arc::clone(&bodies);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut reader = BufReader::new(stream);
                let mut length = 0;
                for line in reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()) {
                    if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                        length = value.parse().unwrap();
                    }
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                kept.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
                let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
                reader.get_mut().write_all(answer.as_bytes()).unwrap();
            }
        });
        Hooks { address, bodies }
    }
}

fn place() -> Place {
    let place = Place::new();
    place.ok(&["init", "audit", "--origin", "bank.example/audit"]);
    place
}

/// The checks of an outcome whose names hold a text.
fn checks<'a>(outcome: &'a Value, name: &str) -> Vec<&'a Value> {
    let all = outcome["results"].as_array().unwrap();
    all.iter().filter(|check| check["name"].as_str().unwrap().contains(name)).collect()
}

/// The grade and the particulars of the one check of such a name.
fn check<'a>(outcome: &'a Value, name: &str) -> (&'a str, &'a str) {
    let found = checks(outcome, name);
    assert_eq!(found.len(), 1, "{name}: {outcome:#}");
    (found[0]["grade"].as_str().unwrap(), found[0]["detail"].as_str().unwrap())
}

fn graded<'a>(outcome: &'a Value, grade: &str) -> Vec<&'a str> {
    let all = outcome["results"].as_array().unwrap();
    all.iter().filter(|check| check["grade"] == grade).map(|check| check["name"].as_str().unwrap()).collect()
}

/// What the ledger says of its drills.
fn drilled(place: &Place) -> Vec<Value> {
    let sql = "SELECT index, outcome, context FROM audit_log WHERE event_type = 'ledger.drilled' ORDER BY index";
    place.json(&["query", "audit", sql, "--format", "json"]).as_array().unwrap().clone()
}

/// The scratch folder of a drill.
fn scratch(pid: u32) -> Option<std::path::PathBuf> {
    let found = std::fs::read_dir(std::env::temp_dir()).unwrap().flatten().map(|entry| entry.path());
    let prefix = format!("counterfoil-drill-{pid}-");
    found.into_iter().find(|path| path.file_name().unwrap().to_string_lossy().starts_with(&prefix))
}

#[test]
fn a_drill_beside_a_running_service_stores_proves_detects_and_delivers() {
    let (place, hooks) = (place(), Hooks::open());
    place.ok(&["rules", "init", "rules"]);
    let file = place.path("alerts.jsonl");
    place.write(
        "sinks.toml",
        format!(
            "[[sink]]\nname = \"siem\"\ntype = \"file\"\naddress = \"{}\"\nalerts = \"informational\"\nevents = [\"loan_*\", \"ledger.alert_resolved\"]\n\
             [[sink]]\nname = \"hook\"\ntype = \"webhook\"\naddress = \"http://{}/alerts\"\n",
            file.display(),
            hooks.address
        ),
    );
    let service = Running::on(place, &["--rules", "rules", "--sinks", "sinks.toml"]);
    let drill = |more: &[&str]| service.place.run(&[&["drill", "audit", "--rules", "rules"], more].concat());
    drill(&[]).refused(2, &["also delivers to siem, hook", "--sinks FILE"]);
    let outcome =
        drill(&["--sinks", "sinks.toml", "--html", "drill.html", "--pdf", "drill.pdf", "--json"]).expect(0).value();
    assert_eq!((&outcome["passed"], &outcome["failed"]), (&json!(true), &json!(0)), "{outcome:#}");
    let untried = graded(&outcome, "not_exercised");
    assert_eq!(untried, ["a copy under Object Lock", "an audit table"], "{outcome:#}");
    assert!(checks(&outcome, "the rule “").len() >= 14, "{outcome:#}");
    assert!(checks(&outcome, "the rule “").iter().all(|check| check["grade"] == "passed"), "{outcome:#}");
    assert_eq!(check(&outcome, "an entry that is missing").0, "passed");
    assert_eq!(check(&outcome, "below the running service").0, "passed");
    assert_eq!(check(&outcome, "refused attempts are entries").0, "passed");
    assert!(checks(&outcome, "refused: ").len() >= 5, "{outcome:#}");
    let tampering = outcome["results"].as_array().unwrap().iter().filter(|check| check["part"] == "Tampering");
    assert_eq!(tampering.count(), 13, "{outcome:#}");
    let (grade, told) = check(&outcome, "sink hook (webhook");
    assert!(grade == "passed" && told.contains("messages for"), "{told}");

    let lines = std::fs::read_to_string(&file).unwrap();
    let delivered = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    // The running service tells the same sinks of its own ledger.
    let of_drill = |value: &Value| value["origin"].as_str().unwrap().starts_with("bank.example/audit/drill/");
    let delivered: Vec<Value> = delivered.filter(of_drill).collect();
    assert!(delivered.iter().all(|event| event["drill"] == true), "all of it says that it is a drill: {lines}");
    let rules: Vec<&str> = delivered.iter().filter_map(|event| event["alert"]["rule"].as_str()).collect();
    assert!(rules.contains(&"counterfoil.tampering") && rules.contains(&"counterfoil.source-gap"), "{rules:?}");
    assert!(delivered.iter().any(|event| event["entry"]["event_type"] == "loan_drill"), "what a sink subscribes to");
    assert!(
        delivered.iter().all(|event| event["entry"]["context"]["drill"] == true || event["alert"].is_null()),
        "{lines}"
    );
    let mut bodies = hooks.bodies.lock().unwrap().clone();
    bodies.retain(of_drill);
    assert!(bodies.len() >= 14 && bodies.iter().all(|body| body["drill"] == true), "{bodies:?}");
    assert!(bodies.iter().all(|body| body["title"].as_str().unwrap().starts_with("[DRILL] ")), "{bodies:?}");
    let html = std::fs::read_to_string(service.place.path("drill.html")).unwrap();
    assert!(html.contains("Drill: passed") && html.contains("every entry is there as it was sent"));
    assert!(std::fs::read(service.place.path("drill.pdf")).unwrap().starts_with(b"%PDF-"));
    let (place, _) = service.end();
    let entries = drilled(&place);
    assert_eq!(entries.len(), 1);
    assert_eq!((&entries[0]["index"], &entries[0]["outcome"]), (&outcome["index"], &json!("success")));
    let context = entries[0]["context"].to_string();
    assert!(context.contains("passed") && context.contains("an audit table"), "{context}");
    let sql = "SELECT count(*) AS n FROM audit_log WHERE event_type = 'ledger.alert_raised' AND json_get_bool(context, 'drill')";
    let alerts = place.json(&["query", "audit", sql, "--format", "json"]);
    assert_eq!(alerts[0]["n"], 0, "no alert of the drill is the ledger's own");
}

#[test]
fn a_drill_fails_loudly_when_a_rule_or_a_sink_does_not_work() {
    let place = place();
    place.ok(&["rules", "init", "rules"]);
    std::fs::remove_file(place.path("rules/finance/bulk-changes.yml")).unwrap();
    place.write(
        "rules/broken.yml",
        "title: Broken\nid: 11111111-2222-4333-8444-555555555555\ndetection: {condition: nothing}\n",
    );
    let blind = std::fs::read_to_string(place.path("rules/finance/override-without-reason.yml")).unwrap();
    let blind = blind.replace("manual_override", "never_so_called").split("tests:").next().unwrap().to_owned();
    place.write("rules/finance/override-without-reason.yml", blind);
    place.write("rules/silent.yml", "title: Silent\nid: 22222222-2222-4333-8444-555555555555\nlogsource: {product: counterfoil}\ndetection:\n  s: {event_type: nobody_does}\n  condition: s\n");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nowhere = place.path("no-folder/alerts.jsonl");
    place.write(
        "sinks.toml",
        format!(
            "[[sink]]\nname = \"pager\"\ntype = \"webhook\"\naddress = \"http://127.0.0.1:{port}/\"\n\
             [[sink]]\nname = \"log\"\ntype = \"file\"\naddress = \"{}\"\n\
             [[sink]]\nname = \"good\"\ntype = \"file\"\naddress = \"{}\"\n",
            nowhere.display(),
            place.path("good.jsonl").display()
        ),
    );
    place.write("serve.toml", "rules = \"rules\"\nsinks = \"sinks.toml\"\nlisten = \"127.0.0.1:1\"\n");
    let ran = place.run(&["drill", "audit", "--config", "serve.toml", "--json"]).expect(5);
    let outcome = ran.value();
    assert_eq!(outcome["passed"], false);
    let (grade, told) = check(&outcome, "sink pager");
    assert!(grade == "failed" && told.contains("refused"), "{told}");
    assert_eq!(check(&outcome, "sink log").0, "failed");
    assert_eq!(check(&outcome, "sink good").0, "passed");
    let (grade, told) = check(&outcome, "every rule is in force");
    assert!(grade == "failed" && told.contains("broken.yml"), "{told}");
    let (grade, told) = check(&outcome, "finance rules that are not in the folder");
    assert!(grade == "not_exercised" && told.contains("Bulk changes"), "{told}");
    assert_eq!(check(&outcome, "the rule “Silent”").0, "not_exercised", "it carries no example");
    let blind: Vec<&str> =
        graded(&outcome, "failed").into_iter().filter(|name| name.contains("verride without")).collect();
    assert_eq!(blind.len(), 1, "a finance rule that was made blind: {outcome:#}");
    let entries = drilled(&place);
    assert_eq!((entries.len(), &entries[0]["outcome"]), (1, &json!("failure")));
    assert!(entries[0]["context"].to_string().contains("sink pager"), "{}", entries[0]);
}

#[test]
fn a_drill_whose_service_does_not_start_fails_and_says_why() {
    let place = place();
    let within = place.path("kept/ledger/alerts.jsonl");
    let sink = format!("[[sink]]\nname = \"log\"\ntype = \"file\"\naddress = \"{}\"\n", within.display());
    place.write("sinks.toml", sink);
    let ran = place.run(&["drill", "audit", "--sinks", "sinks.toml", "--keep", "kept"]).expect(5);
    assert!(ran.stdout.contains("FAILED") && ran.stdout.contains("stands in the ledger's folder"), "{}", ran.stdout);
    assert_eq!(drilled(&place).len(), 1);
}

#[test]
fn what_is_missing_is_refused_before_the_drill_and_nothing_is_recorded() {
    let place = Place::with(s3::environment("http://127.0.0.1:1"));
    place.ok(&["init", "audit", "--origin", "bank.example/audit"]);
    let size = || place.json(&["status", "audit", "--json"])["size"].clone();
    let before = size();
    let refused = |code, more: &[&str], said: &[&str]| {
        let ran = place.run(&[&["drill", "audit"], more].concat()).refused(code, said);
        assert!(!ran.stderr.contains("holding a drill"), "{}", ran.stderr);
    };
    refused(7, &["--rules", "no-such-rules"], &["--rules no-such-rules: ", "counterfoil rules init no-such-rules"]);
    refused(2, &["--sinks", "no-such-file"], &["no-such-file"]);
    refused(2, &["--html", "no/folder/drill.html"], &["--html no/folder/drill.html: "]);
    refused(2, &["--pdf", "no/folder/drill.pdf"], &["--pdf no/folder/drill.pdf: "]);
    refused(2, &["--html", "audit"], &["audit is already there"]);
    refused(2, &["--keep", "audit"], &["audit"]);
    refused(5, &["--ship", "s3://audit/one"], &["--ship: ", "nothing was recorded"]);
    refused(5, &["--postgres", "postgres://nobody@127.0.0.1:1/bank"], &["--postgres: ", "127.0.0.1:1"]);
    place.run(&["drill", "nothing"]).refused(7, &["no folder nothing"]);
    place.run(&["drill", "http://127.0.0.1:1"]).refused(2, &["name the folder"]);
    let key = place.path("audit/keys/signing-key.pem");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    refused(6, &[], &["the outcome could not be recorded", "signing-key.pem"]);
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(size(), before, "what was not held is not recorded");
}

#[test]
fn what_is_no_outcome_of_a_drill_is_not_recorded() {
    let service = Running::start();
    let admin = service.token("admin");
    let post = |held: u64, failed: u64, failures: &[&str]| {
        let told = json!({"held": held, "failed": failed, "seconds": 1, "scratch": "s", "exercised": [], "failures": failures, "not_exercised": []});
        service.post(&admin, "/api/v1/drills", "application/json", told.to_string())
    };
    post(0, 0, &[]).problem(400, "invalid", &["nothing was tried"]);
    post(3, 2, &["a sink: no answer"]).problem(400, "invalid", &["failures names 1"]);
    post(3, 1, &["a sink: no answer"]).expect(201);
    assert_eq!(drilled(&service.end().0).len(), 1);
}

#[test]
fn locks_of_a_bucket_and_the_table_of_a_database_are_tried() {
    let Some(store) = s3::Server::start() else { return };
    let Some(database) = postgres_server::Server::replicating() else { return };
    let place = Place::with(s3::environment(&store.endpoint()));
    place.ok(&["init", "audit", "--origin", "bank.example/audit"]);
    let dsn = |user: &str| format!("postgres://{user}@127.0.0.1:{}/postgres", database.port);
    let (administrator, copy) = (dsn("postgres"), "s3://audit/ledgers/one");
    place.ok(&["ship", "audit", copy, "--retain", "compliance:1"]);
    let arguments =
        ["drill", "audit", "--ship", copy, "--ship-retain", "compliance:2190", "--postgres", &administrator, "--json"];
    let outcome = place.run(&arguments).expect(0).value();
    for name in
        ["the copy verifies", "overwriting a locked object", "shortening a retention", "deleting a locked version"]
    {
        assert_eq!(check(&outcome, name).0, "passed", "{outcome:#}");
    }
    for name in ["an UPDATE", "a DELETE", "a TRUNCATE", "comparing", "an administrator changed"] {
        assert_eq!(check(&outcome, name).0, "passed", "{outcome:#}");
    }
    assert!(check(&outcome, "an administrator changed").1.contains("mallory"), "{outcome:#}");
    let key = place.ok(&["key", "audit"]);
    place.run(&["verify", copy, "--key", key.trim()]).expect(0);
    let left = database.sql("postgres", "SELECT datname FROM pg_database WHERE datname LIKE 'counterfoil%' UNION ALL SELECT rolname FROM pg_roles WHERE rolname LIKE 'counterfoil%'");
    assert_eq!(left.trim(), "", "the server is as it was");

    database.sql("postgres", "CREATE ROLE clerk LOGIN");
    let outcome = place.run(&["drill", "audit", "--postgres", &dsn("clerk"), "--json"]).expect(0).value();
    let (grade, told) = check(&outcome, "the protection of the audit table");
    assert!(grade == "not_exercised" && told.contains("CREATEDB"), "{told}");
}

#[test]
fn a_bucket_without_locks_fails_a_drill() {
    let Some(store) = s3::Server::bare() else { return };
    store.make_bucket(false);
    let place = Place::with(s3::environment(&store.endpoint()));
    place.ok(&["init", "audit", "--origin", "bank.example/audit"]);
    let outcome = place.run(&["drill", "audit", "--ship", "s3://audit/one", "--json"]).expect(5).value();
    let (grade, told) = check(&outcome, "a copy at s3://audit/one-drills/");
    assert!(grade == "failed" && told.contains("keeps nothing from being deleted"), "{told}");
}

#[test]
fn a_drill_that_is_interrupted_leaves_nothing() {
    let place = place();
    for name in ["INT", "TERM", "KILL"] {
        let mut command = place.command(&["drill", "audit", "--keep", name]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let note = place.path(&format!("{name}/ledger/state/service.json"));
        let service = wait_for("the service of the drill", || {
            let note: Value = serde_json::from_slice(&std::fs::read(&note).ok()?).ok()?;
            note["pid"].as_u64()
        });
        signal(name, child.id());
        let status = child.wait().unwrap();
        assert!(!status.success(), "{name}");
        wait_for("the end of the service", || {
            (!std::path::Path::new(&format!("/proc/{service}/stat")).exists() || is_dead(service)).then_some(())
        });
        assert_eq!(scratch(child.id()), None);
    }
    assert_eq!(drilled(&place), [] as [Value; 0]);
    place.ok(&["verify", "audit"]);
    let mut child = place.command(&["drill", "audit"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let service = || scratch(child.id())?.join("ledger/state/service.json").exists().then_some(());
    wait_for("the scratch ledger", service);
    signal("INT", child.id());
    assert_eq!(child.wait().unwrap().code(), Some(5));
    assert_eq!(scratch(child.id()), None);
}

/// Whether a process only waits for somebody to take note of its end.
fn is_dead(pid: u64) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "))
}

#[test]
fn the_outcome_is_a_table_for_people() {
    let place = place();
    let ran = Ran::of(place.command(&["drill", "audit"]).output().unwrap()).expect(0);
    for part in
        ["Recording and proof", "passed", "Tampering", "not exercised", "PASSED bank.example/audit", "ledger.drilled"]
    {
        assert!(ran.stdout.contains(part), "{part:?} is not in: {}", ran.stdout);
    }
    assert!(ran.stdout.contains("--sinks FILE") && ran.stdout.contains("--rules DIR"), "{}", ran.stdout);
}
