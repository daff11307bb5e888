//! Who may do what, and what is recorded of it.

use serde_json::json;

use crate::place::LINES;
use crate::service::Running;

const ENTRY: &str = r#"{"event_type":"invoice_paid","actor":"a","entity_id":"INV-9"}"#;

#[test]
fn each_role_may_what_it_is_for() {
    let service = Running::start();
    let admin = service.token("admin");
    service.record(&admin, LINES);
    let requests = [
        ("POST", "/api/v1/entries", ENTRY, ["writer", "admin"].as_slice()),
        ("GET", "/api/v1/entries", "", &["reader", "auditor", "admin"]),
        ("GET", "/api/v1/entries/0", "", &["reader", "auditor", "admin"]),
        ("POST", "/api/v1/query", r#"{"sql":"SELECT 1"}"#, &["reader", "auditor", "admin"]),
        ("GET", "/api/v1/entities/INV-1/history", "", &["reader", "auditor", "admin"]),
        ("GET", "/api/v1/sources", "", &["reader", "auditor", "admin"]),
        ("GET", "/api/v1/checkpoint", "", &["writer", "reader", "auditor", "admin"]),
        ("GET", "/api/v1/proofs/inclusion?index=0", "", &["writer", "reader", "auditor", "admin"]),
        ("POST", "/api/v1/bundles", r#"{"entity_id":"INV-1"}"#, &["auditor", "admin"]),
        ("GET", "/api/v1/tokens", "", &["admin"]),
        ("POST", "/api/v1/tokens", r#"{"name":"n","role":"reader"}"#, &["admin"]),
        ("POST", "/api/v1/verification", "", &["admin"]),
    ];
    for role in ["writer", "reader", "auditor", "admin"] {
        let bearer = format!("Bearer {}", service.token(role));
        for (method, path, body, allowed) in requests {
            let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
            let answer = service.call(method, path, &headers, body.as_bytes());
            match allowed.contains(&role) {
                true => assert!(answer.status < 300, "{role} {method} {path}: {}", answer.text()),
                false => drop(answer.problem(403, "denied", &[role])),
            }
        }
    }
}

#[test]
fn nobody_is_let_in_without_a_token() {
    let service = Running::start();
    for path in ["/api/v1/entries", "/api/v1/status", "/api/v1/stream", "/metrics"] {
        let answer = service.call("GET", path, &[], b"");
        assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"));
        answer.problem(401, "unauthenticated", &[]);
        service.get("cf_wrong", path).problem(401, "unauthenticated", &["unknown, revoked or expired"]);
    }
    service.post("cf_wrong", "/v1/traces", "application/json", "{}").expect(401);
    service.post("cf_wrong", "/api/v1/cloudevents", "application/cloudevents+json", "{}").expect(401);
}

#[test]
fn a_token_ends_when_it_is_revoked_or_expires() {
    let service = Running::start();
    let writer = service.token("writer");
    service.record(&writer, ENTRY);
    service.place.ok(&["token", "revoke", "audit", "writer"]);
    service.post(&writer, "/api/v1/entries", "application/json", ENTRY).problem(401, "unauthenticated", &[]);
    service.place.run(&["token", "revoke", "audit", "writer"]).refused(7, &["writer"]);
    let soon =
        service.place.run(&["token", "create", "audit", "--role", "writer", "--expires", "2020-01-01T00:00:00Z"]);
    soon.refused(2, &["expired"]);
    let listed = service.place.ok(&["token", "list", "audit"]);
    assert!(listed.contains("no tokens"), "{listed}");
}

#[test]
fn a_writer_keeps_to_its_event_types() {
    let service = Running::start();
    let token =
        service.place.ok(&["token", "create", "audit", "--role", "writer", "--name", "etl", "--prefix", "data_"]);
    let token = token.trim();
    service.record(token, r#"{"event_type":"data_ingested","actor":"a","entity_id":"e"}"#);
    service.post(token, "/api/v1/entries", "application/json", ENTRY).problem(403, "denied", &["etl", "invoice_paid"]);
}

#[test]
fn secrets_are_nowhere_on_disk_or_in_the_log() {
    let service = Running::start();
    let writer = service.token("writer");
    service.record(&writer, ENTRY);
    let tokens = std::fs::read_to_string(service.place.path("audit/state/tokens.json")).unwrap();
    assert!(!tokens.contains(&writer) && tokens.contains("sha256"));
    use std::os::unix::fs::PermissionsExt;
    for file in ["tokens.json", "service.sock"] {
        let mode = std::fs::metadata(service.place.path("audit/state").join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    assert!(!service.log().contains("cf_"), "{}", service.log());
}

#[test]
fn what_happened_to_the_ledger_is_in_the_ledger() {
    let service = Running::start();
    let auditor = service.token("auditor");
    service.record(&service.token("writer"), LINES);
    service.query(&auditor, "SELECT actor FROM audit_log");
    service.get(&auditor, "/api/v1/entries?actor=maria").expect(200);
    service.post(&auditor, "/api/v1/bundles", "application/json", r#"{"entity_id":"INV-1"}"#).expect(200);
    service.get(&auditor, "/api/v1/tokens").expect(403);
    let (place, _) = service.end();
    let own = "SELECT event_type, actor, entity_id, context FROM audit_log WHERE event_type LIKE 'ledger.%'";
    let rows = place.json(&["query", "audit", own, "--format", "json"]);
    let find = |event_type: &str| {
        let found = rows.as_array().unwrap().iter().find(|row| row["event_type"] == event_type);
        found.unwrap_or_else(|| panic!("no {event_type} in {rows:?}")).clone()
    };
    assert_eq!(find("ledger.token_created")["entity_id"], "auditor");
    let query = find("ledger.query_run");
    assert_eq!(query["actor"], "auditor");
    assert!(query["context"].to_string().contains("SELECT actor FROM audit_log"));
    assert_eq!(find("ledger.export_made")["actor"], "auditor");
    let denied = find("ledger.access_denied");
    assert_eq!((&denied["actor"], &denied["entity_id"]), (&json!("auditor"), &json!("GET /api/v1/tokens")));
    find("ledger.service_started");
    find("ledger.service_stopped");
}

#[test]
fn a_flood_of_bad_logins_is_counted_and_does_not_flood_the_ledger() {
    let service = Running::start();
    for _ in 0..500 {
        service.get("cf_wrong", "/api/v1/entries").expect(401);
    }
    let (place, _) = service.end();
    let sum = "SELECT count(*) AS entries, sum(json_get_int(context, 'count')) AS denied FROM audit_log \
               WHERE event_type = 'ledger.access_denied'";
    let row = &place.json(&["query", "audit", sum, "--format", "json"])[0];
    assert_eq!(row["denied"], 500);
    assert!(row["entries"].as_u64().unwrap() <= 25, "{row}");
}

#[test]
fn a_browser_signs_in_once_with_the_link_and_is_safe_from_other_sites() {
    let service = Running::start();
    let link = service.sign_in.split(&service.address).nth(1).unwrap().to_owned();
    let answer = service.call("GET", &link, &[], b"").expect(303);
    let cookie = answer.header("set-cookie").unwrap().to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let value = cookie.split(';').next().unwrap();
    let who = service.call("GET", "/api/v1/session", &[("cookie", value)], b"").expect(200).json();
    assert_eq!((&who["name"], &who["role"]), (&json!("local-administrator"), &json!("admin")));
    let again = service.call("GET", &link, &[], b"").expect(303);
    assert_eq!(again.header("set-cookie"), None, "the link works once");
    let body = br#"{"name":"x","role":"admin"}"#;
    let json = ("content-type", "application/json");
    service.call("POST", "/api/v1/tokens", &[("cookie", value), json], body).problem(403, "denied", &["X-Counterfoil"]);
    service.call("POST", "/api/v1/tokens", &[("cookie", value), json, ("x-counterfoil", "1")], body).expect(201);
    service.call("DELETE", "/api/v1/session", &[("cookie", value), ("x-counterfoil", "1")], b"").expect(204);
    service.call("GET", "/api/v1/session", &[("cookie", value)], b"").problem(401, "unauthenticated", &["ended"]);
}

#[test]
fn a_session_ends_with_its_token() {
    let service = Running::start();
    let reader = service.token("reader");
    let body = json!({"token": reader}).to_string();
    let answer = service.call("POST", "/api/v1/session", &[("content-type", "application/json")], body.as_bytes());
    let cookie = answer.expect(200).header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    service.call("GET", "/api/v1/entries", &[("cookie", &cookie)], b"").expect(200);
    service.place.ok(&["token", "revoke", "audit", "reader"]);
    service.call("GET", "/api/v1/entries", &[("cookie", &cookie)], b"").expect(401);
}

#[test]
fn plain_text_beyond_loopback_is_refused() {
    let service = Running::start();
    let (place, _) = service.end();
    place
        .run(&["serve", "audit", "--listen", "0.0.0.0:0"])
        .refused(6, &["without TLS", "--tls-cert", "--allow-plain-text"]);
    for address in ["localhost:7463", ":7463"] {
        place.run(&["serve", "audit", "--listen", address]).refused(2, &["give IP:PORT, as 127.0.0.1:7411"]);
    }
    place.run(&["serve", "audit", "--pg", "0.0.0.0:0"]).refused(6, &["PostgreSQL", "without TLS"]);
}

#[test]
fn a_folder_that_a_service_holds_says_so() {
    let service = Running::start();
    let url = format!("http://{}", service.address);
    service.place.run(&["serve", "audit"]).refused(4, &[&url]);
    service.place.run(&["status", "audit"]).expect(0);
}

#[test]
fn a_stream_ends_with_its_token() {
    use std::io::{Read, Write};
    let service = Running::start();
    let (writer, reader) = (service.token("writer"), service.token("reader"));
    let mut stream = service.connect();
    let head = format!("GET /api/v1/stream HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {reader}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut seen = String::new();
    let mut read_until = |end: &dyn Fn(&str) -> bool| {
        let mut piece = [0; 4096];
        while !end(&seen) {
            match stream.read(&mut piece).unwrap() {
                0 => break,
                bytes => seen.push_str(std::str::from_utf8(&piece[..bytes]).unwrap()),
            }
        }
        seen.clone()
    };
    read_until(&|seen| seen.contains("200 OK"));
    service.record(&writer, ENTRY);
    read_until(&|seen| seen.contains("INV-9"));
    service.place.ok(&["token", "revoke", "audit", "reader"]);
    service.record(&writer, &ENTRY.replace("INV-9", "INV-10"));
    let seen = read_until(&|seen| seen.contains("INV-10") || seen.ends_with("\r\n0\r\n\r\n"));
    assert!(!seen.contains("INV-10"), "{seen}");
    assert!(seen.contains("event: problem") && seen.contains("unauthenticated"), "{seen}");
}

#[test]
fn behind_a_proxy_nothing_of_the_log_is_public_unless_told() {
    use std::io::{Read, Write};
    let service = Running::start();
    let entries = "/tlog/tile/entries/000.p/1";
    service.call("GET", entries, &[], b"").expect(200);
    for header in [("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.1"), ("via", "1.1 proxy")] {
        service.call("GET", entries, &[header], b"").problem(401, "unauthenticated", &[]);
    }
    // As nginx sends it unless told otherwise.
    let mut stream = service.connect();
    write!(stream, "GET {entries} HTTP/1.0\r\nhost: {}\r\n\r\n", service.address).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains(" 401 "), "{answer}");
    assert_eq!(service.log().matches("a proxy sends requests here").count(), 1, "{}", service.log());
    let told = Running::start_with(&["--tlog-public", "all"]);
    told.call("GET", entries, &[("x-forwarded-for", "192.0.2.1")], b"").expect(200);
}

#[test]
fn what_needed_a_token_is_for_no_shared_cache() {
    let service = Running::start_with(&["--tlog-public", "none"]);
    let reader = service.token("reader");
    for path in ["/tlog/tile/entries/000.p/1", "/tlog/tile/0/000.p/1"] {
        let answer = service.get(&reader, path).expect(200);
        assert_eq!(answer.header("cache-control"), Some("private, max-age=31536000, immutable"), "{path}");
    }
}

#[test]
fn behind_tls_of_a_proxy_the_cookie_is_for_tls_only() {
    let service = Running::start();
    let body = json!({"token": service.token("reader")}).to_string();
    let cookie = |headers: &[(&str, &str)]| {
        let headers = [&[("content-type", "application/json")], headers].concat();
        let answer = service.call("POST", "/api/v1/session", &headers, body.as_bytes()).expect(200);
        answer.header("set-cookie").unwrap().to_owned()
    };
    assert!(cookie(&[("x-forwarded-proto", "https")]).contains("; Secure"));
    assert!(!cookie(&[("x-forwarded-proto", "http")]).contains("Secure"));
}

#[test]
fn broken_tokens_let_nobody_in_and_tell_strangers_nothing() {
    let service = Running::start();
    service.place.write("audit/state/tokens.json", "{");
    let problem = service.get("cf_any", "/api/v1/entries").problem(500, "damaged", &["tokens cannot be read"]);
    assert!(!problem.to_string().contains("tokens.json"), "{problem}");
    assert!(service.log().contains("tokens.json"), "{}", service.log());
}

#[test]
fn the_table_of_tokens_keeps_its_columns_apart() {
    let service = Running::start();
    service.place.ok(&["token", "create", "audit", "--role", "writer", "--name", "invoice-service"]);
    service.place.ok(&["token", "create", "audit", "--role", "auditor", "--name", "kim"]);
    let listed = service.place.ok(&["token", "list", "audit"]);
    assert!(listed.contains("  writer   invoice-service  since"), "{listed}");
    assert!(listed.contains("  auditor  kim  since"), "{listed}");
}

#[test]
fn a_link_that_was_used_says_so_on_the_page_it_leads_to() {
    let service = Running::start();
    let link = service.sign_in.split(&service.address).nth(1).unwrap().to_owned();
    service.call("GET", &link, &[], b"").expect(303);
    let again = service.call("GET", &link, &[], b"").expect(303);
    assert_eq!(again.header("location"), Some("/sign-in?link=used"));
}

#[test]
fn the_sign_in_link_stays_out_of_files_and_journals() {
    for json in [false, true] {
        let place = crate::place::Place::new();
        place.ok(&["init", "audit", "--origin", "bank.example/audit"]);
        let mut command = place.command(&["serve", "audit", "--listen", "127.0.0.1:0"]);
        command.args(if json { ["--log-format", "json"].as_slice() } else { &[] });
        let file = |name| std::fs::File::create(place.path(name)).unwrap();
        let mut child = command.stdout(file("said")).stderr(file("log")).spawn().unwrap();
        let read = |name| std::fs::read_to_string(place.path(name)).unwrap();
        super::wait_for("the service", || read("log").contains("the service answers").then_some(()));
        super::running::signal("TERM", child.id());
        child.wait().unwrap();
        let (said, log) = (read("said"), read("log"));
        assert!(!said.contains("code=") && !log.contains("code="), "{said}{log}");
        assert!(log.contains("http://127.0.0.1:"), "{log}");
        match json {
            true => assert_eq!(said, ""),
            false => assert!(said.contains("http://127.0.0.1:") && said.contains("token create"), "{said}"),
        }
    }
}

#[test]
fn what_is_printed_of_a_console_is_there() {
    let service = Running::start();
    let page = service.call("GET", "/", &[], b"");
    match page.status {
        200 => assert!(service.said.contains("the link signs you in"), "{}", service.said),
        _ => {
            assert!(page.text().contains("built without its console"), "{page:?}");
            assert!(
                service.said.contains("without its console") && !service.said.contains("console   "),
                "{}",
                service.said
            );
        }
    }
    assert!(service.said.contains(&format!("http://{}/api/v1/openapi.json", service.address)), "{}", service.said);
    let role = if page.status == 200 { "writer" } else { "admin" };
    assert!(service.said.contains(&format!("counterfoil token create audit --role {role}")), "{}", service.said);
}

#[test]
fn a_mistyped_page_is_answered_as_a_page() {
    let service = Running::start();
    let browser = [("accept", "text/html,application/xhtml+xml,*/*;q=0.8")];
    let page = service.call("GET", "/trial", &browser, b"").expect(404);
    assert!(!page.header("content-type").unwrap().contains("json"), "{page:?}");
    service.call("GET", "/trial", &[], b"").problem(404, "not-found", &["/trial"]);
    service.call("GET", "/api/v1/trial", &browser, b"").problem(404, "not-found", &["/api/v1/trial"]);
}
