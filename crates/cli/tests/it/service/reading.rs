//! Lists, histories, SQL, the stream.

use std::io::{BufRead, BufReader, Write};

use serde_json::{Value, json};

use crate::place::LINES;
use crate::service::{Running, wait_for};

fn with_lines() -> (Running, String) {
    let service = Running::start();
    service.record(&service.token("writer"), LINES);
    let reader = service.token("reader");
    (service, reader)
}

fn indices(page: &Value) -> Vec<u64> {
    page["entries"].as_array().unwrap().iter().map(|one| one["index"].as_u64().unwrap()).collect()
}

fn types(page: &Value) -> Vec<String> {
    let entries = page["entries"].as_array().unwrap().iter();
    entries.map(|one| one["entry"]["event_type"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_list_is_newest_first_and_filtered() {
    let (service, reader) = with_lines();
    let list = |filter: &str| service.get(&reader, &format!("/api/v1/entries?{filter}")).expect(200).json();
    assert_eq!(types(&list("entity_id=INV-1")), ["manual_override", "invoice_approved", "invoice_received"]);
    assert_eq!(types(&list("actor_type=ai_agent&outcome=success")), ["kyc_check"]);
    assert_eq!(types(&list("event_type=kyc_check&event_type=manual_override")), ["manual_override", "kyc_check"]);
    assert_eq!(types(&list("q=BANK+account")), ["manual_override"]);
    assert_eq!(types(&list("q=inv-2.11")), ["invoice_approved"]);
    assert!(types(&list("q=100%25")).is_empty(), "a percent sign is no wildcard");
    let hour = "from=2026-11-24T09:01:00Z&to=2026-11-24T09:03:00Z";
    assert_eq!(types(&list(hour)), ["invoice_approved", "kyc_check"]);
    assert!(types(&list("actor=x'+OR+'1'='1")).is_empty(), "a quote stays a quote");
}

#[test]
fn a_cursor_goes_on_where_its_page_ended() {
    let (service, reader) = with_lines();
    let writer = service.token("writer");
    let first = service.get(&reader, "/api/v1/entries?entity_id=INV-1&limit=2").expect(200).json();
    let cursor = first["next_cursor"].as_str().unwrap();
    service.record(&writer, LINES.lines().next().unwrap());
    let second = service.get(&reader, &format!("/api/v1/entries?entity_id=INV-1&limit=2&cursor={cursor}")).json();
    assert_eq!(types(&second), ["invoice_received"]);
    assert_eq!(second["next_cursor"], Value::Null);
    let all = service.get(&reader, "/api/v1/entries?limit=500").json();
    let expected: Vec<u64> = (0..all["tree_size"].as_u64().unwrap()).rev().collect();
    assert_eq!(indices(&all), expected);
}

#[test]
fn an_entity_has_a_history() {
    let (service, reader) = with_lines();
    let life = service.get(&reader, "/api/v1/entities/INV-1/history").expect(200).json();
    assert_eq!(types(&life), ["invoice_received", "invoice_approved", "manual_override"]);
    let then = service.get(&reader, "/api/v1/entities/INV-1/history?as_of=2026-11-24T09:02:00Z").json();
    assert_eq!(types(&then), ["invoice_received", "invoice_approved"]);
    let page = |query: &str| service.get(&reader, &format!("/api/v1/entities/INV-1/history?{query}")).json();
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let answer = page(&format!("limit=1{cursor}"));
        paged.extend(answer["entries"].as_array().unwrap().clone());
        let Some(next) = answer["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(&paged, life["entries"].as_array().unwrap());
    for wrong in ["limit=0", "limit=1001", "cursor=before-3", "cursor=after-", "cursor=after-9223372036854775808"] {
        service.get(&reader, &format!("/api/v1/entities/INV-1/history?{wrong}")).problem(400, "invalid", &[]);
    }
    service.get(&reader, "/api/v1/entities/nobody/history?cursor=after-3").problem(404, "not-found", &["nobody"]);
    service.get(&reader, "/api/v1/entities/nobody/history").problem(404, "not-found", &["nobody"]);
    service.get(&reader, "/api/v1/entities/INV-1/history?as_of=yesterday").problem(400, "invalid", &["as_of"]);
}

#[test]
fn sql_answers_in_four_forms() {
    let (service, reader) = with_lines();
    let bearer = format!("Bearer {reader}");
    let ask = |accept: &str, sql: &str| {
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/sql"), ("accept", accept)];
        service.call("POST", "/api/v1/query", &headers, sql.as_bytes())
    };
    let sql = "SELECT event_type, context->>'model_version' AS model, index FROM audit_log WHERE entity_id = 'INV-1'";
    let answer = ask("application/json", sql).expect(200).json();
    assert_eq!(answer["columns"][1], json!({"name": "model", "type": "text"}));
    assert_eq!(answer["rows"][1][1], "inv-2.11");
    assert_eq!(answer["complete"], true);
    let csv = ask("text/csv", sql).expect(200);
    assert_eq!(csv.text().lines().next(), Some("event_type,model,index"));
    assert_eq!(csv.text().lines().count(), 4);
    let arrow = ask("application/vnd.apache.arrow.stream", sql).expect(200);
    assert_eq!(arrow.body[..4], [0xff; 4], "an Arrow IPC stream begins with its continuation mark");
    let parquet = ask("application/vnd.apache.parquet", sql).expect(200);
    assert_eq!((&parquet.body[..4], &parquet.body[parquet.body.len() - 4..]), (&b"PAR1"[..], &b"PAR1"[..]));
    ask("image/png", sql).problem(406, "invalid", &["text/csv"]);
    let same = ask("application/json", "SELECT 1 AS a, 2 AS b, index AS a1, index FROM audit_log LIMIT 1").json();
    assert_eq!(same["rows"][0].as_array().unwrap().len(), 4);
    ask("application/json", "DELETE FROM audit_log").problem(400, "invalid", &["DELETE"]);
    ask("application/json", "SELECT nothing FROM audit_log").problem(400, "invalid", &["nothing"]);
}

#[test]
fn a_query_beyond_its_limits_says_so() {
    let service = Running::start_with(&["--query-rows", "2", "--query-seconds", "1"]);
    let reader = service.token("reader");
    service.record(&service.token("writer"), LINES);
    let answer = service.post(&reader, "/api/v1/query", "application/sql", "SELECT index FROM audit_log").json();
    assert_eq!((answer["complete"].clone(), answer["rows"].as_array().unwrap().len()), (json!(false), 2));
    assert_eq!(answer["problem"]["kind"], "unavailable");
    let bomb = "SELECT count(*) FROM audit_log a, audit_log b, audit_log c, audit_log d, audit_log e, audit_log f, \
                audit_log g, audit_log h, audit_log i, audit_log j";
    let answer = service.post(&reader, "/api/v1/query", "application/sql", bomb);
    assert!(answer.text().contains("limit reached"), "{}", answer.text());
    service.get(&reader, "/api/v1/status").expect(200);
}

#[test]
fn the_stream_tells_every_entry_once_and_resumes() {
    let (service, reader) = with_lines();
    let writer = service.token("writer");
    let listen = |extra: &str, wanted: usize| {
        let mut stream = service.connect();
        let request =
            format!("GET /api/v1/stream?from=0 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {reader}\r\n{extra}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        service.record(&writer, LINES.lines().next().unwrap());
        let lines = BufReader::new(stream).lines().map(Result::unwrap);
        let ids = lines.filter_map(|line| line.strip_prefix("id: ").map(|id| id.parse::<u64>().unwrap()));
        ids.take(wanted).collect::<Vec<_>>()
    };
    let size = service.get(&reader, "/api/v1/status").json()["tree_size"].as_u64().unwrap();
    assert_eq!(listen("", size as usize + 1), (0..=size).collect::<Vec<_>>());
    assert_eq!(listen(&format!("last-event-id: {size}\r\n"), 1), [size + 1]);
}

#[test]
fn sources_tell_gaps_and_silence() {
    let service = Running::start();
    let writer = service.token("writer");
    for sequence in [1, 2, 5] {
        let entry =
            json!({"event_type": "x", "actor": "a", "entity_id": "e", "source": "ledger-app", "sequence": sequence});
        service.record(&writer, &entry.to_string());
    }
    let reader = service.token("reader");
    let sources = service.get(&reader, "/api/v1/sources").expect(200).json();
    let source = &sources["sources"][0];
    assert_eq!((&source["source"], &source["recorder"]), (&json!("ledger-app"), &json!("writer")));
    assert_eq!((&source["last"], &source["gaps"]), (&json!(5), &json!([[3, 4]])));
    assert!(source["silent_seconds"].as_u64().unwrap() < 60, "{source}");
}

#[test]
fn health_and_metrics_tell_how_it_is() {
    let (service, reader) = with_lines();
    assert_eq!(service.call("GET", "/healthz", &[], b"").expect(200).text(), "ok\n");
    assert_eq!(service.call("GET", "/readyz", &[], b"").expect(200).text(), "ready\n");
    service.call("GET", "/metrics", &[], b"").problem(401, "unauthenticated", &[]);
    let text = service.get(&reader, "/metrics").expect(200);
    let value = |name: &str| {
        let line = text.text().lines().find(|line| line.starts_with(&format!("{name} "))).unwrap().to_owned();
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    assert_eq!(value("counterfoil_entries_recorded_total"), 4.0);
    assert_eq!(value("counterfoil_append_seconds_count"), 1.0);
    assert!(value("counterfoil_commit_entries_count") >= 2.0, "the start's own entry and the append");
    assert!(value("counterfoil_commit_entries_sum") >= 6.0);
    assert!(value("counterfoil_tree_size") >= 6.0);
    assert!(text.text().contains("counterfoil_refused_total{reason=\"unauthenticated\"} 1"));
    assert!(text.text().ends_with("# EOF\n"));
}

#[test]
fn a_verification_runs_and_is_recorded() {
    let (service, _) = with_lines();
    let admin = service.token("admin");
    service.post(&admin, "/api/v1/verification", "", "").expect(202);
    let run = wait_for("the verification", || {
        let state = service.get(&admin, "/api/v1/verification").json();
        state["last"].is_object().then(|| state["last"].clone())
    });
    assert_eq!((&run["verified"], &run["findings_total"]), (&json!(true), &json!(0)));
    let (place, _) = service.end();
    let again = Running::on(place, &[]);
    let token = again.token("reader");
    let runs = wait_for("the earlier run", || {
        let runs = again.get(&token, "/api/v1/verification").json()["runs"].clone();
        (!runs.as_array().unwrap().is_empty()).then_some(runs)
    });
    assert_eq!(runs[0]["started_at"], run["started_at"]);
}

#[test]
fn lists_and_histories_are_paged_however_many_entries_match() {
    let service = Running::start_with(&["--query-rows", "100"]);
    let (reader, writer) = (service.token("reader"), service.token("writer"));
    let line = |number: usize| {
        format!("{{\"event_type\":\"kyc_check\",\"actor\":\"bob\",\"entity_id\":\"C-1\",\"new_value\":{number}}}\n")
    };
    service.record(&writer, &(0..300).map(line).collect::<String>());
    let newest = service.get(&reader, "/api/v1/entries?actor=bob&limit=2").expect(200).json();
    let values: Vec<_> =
        newest["entries"].as_array().unwrap().iter().map(|one| one["entry"]["new_value"].clone()).collect();
    assert_eq!(values, [json!(299), json!(298)]);
    assert!(newest["next_cursor"].is_string());
    let life = service.get(&reader, "/api/v1/entities/C-1/history?limit=2").expect(200).json();
    let values: Vec<_> =
        life["entries"].as_array().unwrap().iter().map(|one| one["entry"]["new_value"].clone()).collect();
    assert_eq!(values, [json!(0), json!(1)]);
}
