//! `POST /api/v1/entries`.

use serde_json::json;

use crate::place::LINES;
use crate::service::Running;

const ONE: &str = r#"{"event_type":"kyc_check","actor":"kyc-model","entity_id":"CUST-3"}"#;

#[test]
fn entries_come_as_an_object_an_array_or_lines() {
    let service = Running::start();
    let writer = service.token("writer");
    let object = service.post(&writer, "/api/v1/entries", "application/json", ONE).expect(201).json();
    let first = object["receipts"][0]["index"].as_u64().unwrap();
    let array = service.post(&writer, "/api/v1/entries", "application/json; charset=utf-8", format!("[{ONE},{ONE}]"));
    let array = array.expect(201).json();
    assert_eq!(array["receipts"][1]["index"], first + 2);
    let lines = service.record(&writer, LINES);
    let indices: Vec<u64> = lines.iter().map(|receipt| receipt["index"].as_u64().unwrap()).collect();
    assert_eq!(indices, [first + 3, first + 4, first + 5, first + 6]);
    assert!(lines.iter().all(|receipt| receipt["tree_size"].as_u64() > receipt["index"].as_u64()));
    let (place, code) = service.end();
    assert_eq!(code, Some(0));
    place.run(&["verify", "audit"]).expect(0);
    let recorded = place.json(&["entry", "audit", &first.to_string()]);
    assert_eq!(recorded["recorder"], "writer");
}

#[test]
fn bodies_come_compressed() {
    let service = Running::start();
    let writer = service.token("writer");
    let bearer = format!("Bearer {writer}");
    for (encoding, program) in [("gzip", "gzip"), ("zstd", "zstd")] {
        service.place.write("lines", LINES);
        let packed = std::process::Command::new(program).args(["-c"]).arg(service.place.path("lines")).output();
        let Ok(packed) = packed else { panic!("install {program}") };
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/x-ndjson"),
            ("content-encoding", encoding),
        ];
        let answer = service.call("POST", "/api/v1/entries", &headers, &packed.stdout).expect(201);
        assert_eq!(answer.json()["receipts"].as_array().unwrap().len(), 4, "{encoding}");
    }
}

#[test]
fn a_batch_is_recorded_whole_or_not_at_all() {
    let service = Running::start();
    let (writer, reader) = (service.token("writer"), service.token("reader"));
    let before = service.get(&reader, "/api/v1/status").json()["tree_size"].clone();
    let bad = format!("{ONE}\n{{\"event_type\":\"x\",\"actor\":\"a\"}}\n{ONE}\n");
    let problem = service.post(&writer, "/api/v1/entries", "application/x-ndjson", &bad).problem(
        422,
        "invalid",
        &["entry 1", "entity_id"],
    );
    assert_eq!(problem["position"], 1);
    assert_eq!(service.get(&reader, "/api/v1/status").json()["tree_size"], before);
}

#[test]
fn partial_records_what_is_good_and_names_the_rest() {
    let service = Running::start();
    let writer = service.token("writer");
    let known = r#"{"event_type":"x","actor":"a","entity_id":"e","id":"k-1"}"#;
    service.record(&writer, known);
    let conflict = known.replace("\"e\"", "\"other\"");
    let body = format!("{ONE}\n{{\"oops\":1}}\n{conflict}\n{ONE}\n{known}\n");
    let answer =
        service.post(&writer, "/api/v1/entries?partial=true", "application/x-ndjson", &body).expect(201).json();
    let positions: Vec<_> = answer["receipts"].as_array().unwrap().iter().map(|one| one["position"].clone()).collect();
    assert_eq!(positions, [json!(0), json!(3), json!(4)]);
    let refused = answer["refused"].as_array().unwrap();
    assert_eq!((&refused[0]["position"], &refused[0]["kind"]), (&json!(1), &json!("invalid")));
    assert_eq!((&refused[1]["position"], &refused[1]["kind"]), (&json!(2), &json!("conflict")));
    service.post(&writer, "/api/v1/entries?partial=true", "application/x-ndjson", "{\"oops\":1}\n").problem(
        422,
        "invalid",
        &["none of 1"],
    );
}

#[test]
fn repeats_answer_with_the_first_receipt() {
    let service = Running::start();
    let (writer, other) = (service.token("writer"), service.token("admin"));
    let line = r#"{"event_type":"x","actor":"a","entity_id":"e","id":"k-1","source":"app","sequence":7}"#;
    let first = service.record(&writer, line)[0]["index"].clone();
    assert_eq!(service.record(&writer, line)[0]["index"], first);
    assert_ne!(service.record(&other, line)[0]["index"], first, "ids belong to the principal");
    let changed = line.replace("\"e\"", "\"f\"");
    service.post(&writer, "/api/v1/entries", "application/json", changed).problem(409, "conflict", &["k-1"]);
}

#[test]
fn a_receipt_can_carry_its_proof() {
    let service = Running::start();
    let writer = service.token("writer");
    let answer = service.post(&writer, "/api/v1/entries?proof=true", "application/x-ndjson", LINES).expect(201).json();
    let receipt = &answer["receipts"][2];
    let reader = service.token("reader");
    let entry = service.get(&reader, &format!("/api/v1/entries/{}", receipt["index"])).expect(200).json();
    let place = service.end().0;
    place.write("one.json", entry["canonical"].as_str().unwrap());
    place.write("one.proof", receipt["proof"].as_str().unwrap());
    let key = place.ok(&["key", "audit"]);
    place.run(&["check", "one.proof", "--entry", "one.json", "--key", key.trim()]).expect(0);
}

#[test]
fn every_mistake_is_a_problem_document() {
    let service = Running::start();
    let writer = service.token("writer");
    let entries = "/api/v1/entries";
    let refuse = |kind: &str, body: &str| service.post(&writer, entries, kind, body);
    refuse("text/xml", ONE).problem(415, "invalid", &["application/json"]);
    refuse("application/json", "").problem(422, "invalid", &[]);
    refuse("application/json", "[]").problem(400, "invalid", &["no entry"]);
    refuse("application/json", "[1").problem(400, "invalid", &["array"]);
    refuse("application/x-ndjson", "\n\n").problem(400, "invalid", &["no entry"]);
    refuse("application/json", r#"{"event_type":"ledger.sealed","actor":"a","entity_id":"e"}"#).problem(
        422,
        "invalid",
        &["ledger"],
    );
    refuse("application/json", r#"{"event_type":"a","event_type":"b","actor":"a","entity_id":"e"}"#).problem(
        422,
        "invalid",
        &["event_type"],
    );
    let many = format!("{ONE}\n").repeat(10_001);
    refuse("application/x-ndjson", &many).problem(413, "invalid", &["10000"]);
    service
        .call("POST", "/api/v1/entries?proof=perhaps", &[("authorization", &format!("Bearer {writer}"))], b"")
        .problem(400, "invalid", &["proof"]);
    service.call("PUT", entries, &[], b"").problem(405, "not-found", &["PUT"]);
    service.call("GET", "/api/v2", &[], b"").problem(404, "not-found", &["/api/v1/openapi.json"]);
}
