//! Limits hold whatever clients do.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde_json::json;

use crate::service::running::PATIENCE;
use crate::service::{Running, wait_for};

#[test]
fn an_append_whose_client_left_keeps_its_place_until_it_is_done() {
    let service = Running::start_with(&["--appends-at-once", "2"]);
    let (writer, reader) = (service.token("writer"), service.token("reader"));
    let line = json!({"event_type": "x", "actor": "a", "entity_id": "e", "reason": "long ".repeat(500)}).to_string();
    let body = format!("{line}\n").repeat(10_000);
    let head = format!(
        "POST /api/v1/entries?partial=true HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {writer}\r\ncontent-type: application/x-ndjson\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let streams = [service.connect(), service.connect()].map(|mut stream| {
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        stream
    });
    wait_for("both places to be taken", || {
        (service.metric(&reader, "counterfoil_appends_waiting") == 2.0).then_some(())
    });
    drop(streams);
    std::thread::sleep(std::time::Duration::from_millis(200));
    let next = || service.post(&writer, "/api/v1/entries", "application/json", &line);
    next().problem(429, "busy", &["2 appends wait"]);
    wait_for("a free place", || (next().status == 201).then_some(()));
}

#[test]
fn a_batch_of_cloud_events_has_the_limit_of_every_batch() {
    let service = Running::start();
    let writer = service.token("writer");
    let event = |number: usize| json!({"specversion": "1.0", "id": number.to_string(), "source": "/erp", "type": "x"});
    let batch = |events: usize| json!((0..events).map(event).collect::<Vec<_>>()).to_string();
    let send = |body: String| service.post(&writer, "/api/v1/cloudevents", "application/cloudevents-batch+json", body);
    send(batch(10_001)).problem(413, "invalid", &["10001", "10000"]);
    let answer = send(batch(2_000)).expect(201).json();
    assert_eq!(answer["receipts"].as_array().unwrap().len(), 2_000);
    send("[]".to_owned()).expect(201);
}

/// Log records of a source with these sequence numbers.
fn logs(sequences: &[u64]) -> String {
    let record = |sequence: &u64| {
        json!({"timeUnixNano": "1764000000000000000", "body": {"stringValue": "a"}, "attributes": [
            {"key": "counterfoil.source", "value": {"stringValue": "erp"}},
            {"key": "counterfoil.sequence", "value": {"intValue": sequence.to_string()}},
        ]})
    };
    let records: Vec<_> = sequences.iter().map(record).collect();
    json!({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}).to_string()
}

#[test]
fn what_only_has_to_wait_is_never_rejected_for_good() {
    let service = Running::start();
    let (writer, reader) = (service.token("writer"), service.token("reader"));
    service.post(&writer, "/v1/logs", "application/json", logs(&[1])).expect(200);
    let answer = service.post(&writer, "/v1/logs", "application/json", logs(&[2, 2_000_000, 3])).expect(429);
    assert_eq!((answer.json()["code"].as_u64(), answer.header("retry-after")), (Some(8), Some("1")));
    let seen = "SELECT sequence FROM audit_log WHERE source = 'erp' ORDER BY sequence";
    assert_eq!(service.query(&reader, seen), json!([[1], [2]]), "what stands before is recorded");
}

#[test]
fn nothing_good_is_told_entry_by_entry_and_by_its_kind() {
    let service = Running::start();
    let writer = service.token("writer");
    let entry =
        |id: u64, entity: &str| json!({"event_type": "x", "actor": "a", "entity_id": entity, "id": id.to_string()});
    let lines = |entity: &str| format!("{}\n{}\n", entry(1, entity), entry(2, entity));
    service.record(&writer, &lines("e"));
    let send = |body: String| service.post(&writer, "/api/v1/entries?partial=true", "application/x-ndjson", body);
    let problem = send(lines("other")).problem(409, "conflict", &["none of 2"]);
    let positions: Vec<_> = problem["refused"].as_array().unwrap().iter().map(|one| one["position"].clone()).collect();
    assert_eq!(positions, [json!(0), json!(1)]);
    assert_eq!(problem["refused"][1]["kind"], "conflict");
    let mixed = send(format!("{}\n{{}}\n", entry(1, "other"))).problem(422, "invalid", &["none of 2"]);
    assert_eq!((&mixed["refused"][0]["kind"], &mixed["refused"][1]["kind"]), (&json!("conflict"), &json!("invalid")));
    let ahead =
        |sequence: u64| json!({"event_type": "x", "actor": "a", "entity_id": "e", "source": "s", "sequence": sequence});
    service.record(&writer, &ahead(1).to_string());
    let busy = send(ahead(5_000_000).to_string());
    assert_eq!(busy.header("retry-after"), Some("1"));
    busy.problem(429, "busy", &["ahead"]);
}

#[test]
fn settings_beyond_all_measure_are_refused() {
    let place = Running::start().end().0;
    for setting in ["--connections", "--appends-at-once", "--queries-at-once"] {
        place
            .run(&["serve", "audit", "--listen", "127.0.0.1:0", setting, "18446744073709551615"])
            .refused(2, &[setting]);
        place.run(&["serve", "audit", "--listen", "127.0.0.1:0", setting, "0"]).refused(2, &[setting]);
    }
}

#[test]
fn an_endless_answer_of_a_service_is_not_believed() {
    let place = crate::place::Place::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 1 << 10]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n\"");
            for _ in 0..5_000 {
                let _ = stream.write_all(&[b'x'; 1 << 16]);
            }
        }
    });
    let ran = place.run(&["status", &url]);
    assert!(ran.code != 0 && ran.stderr.contains("more than the"), "{ran:?}");
}

/// The processors that the threads of this name may use.
fn processors(service: &Running, name: &str) -> Vec<String> {
    let tasks =
        std::fs::read_dir(format!("/proc/{}/task", service.pid())).unwrap().filter_map(|task| Some(task.ok()?.path()));
    let of_name =
        tasks.filter(|task| std::fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.starts_with(name)));
    let allowed = |status: String| {
        status.lines().find_map(|line| Some(line.strip_prefix("Cpus_allowed_list:")?.trim().to_owned()))
    };
    of_name.filter_map(|task| allowed(std::fs::read_to_string(task.join("status")).ok()?)).collect()
}

#[test]
fn while_entries_are_recorded_readers_stay_off_the_sequencers_processor() {
    let service = Running::start();
    let (writer, reader) = (service.token("writer"), service.token("reader"));
    let all = processors(&service, "counterfoil-seq").pop().unwrap();
    if !all.contains(['-', ',']) {
        eprintln!("left out: one processor alone cannot be shared out");
        return;
    }
    let line = "{\"event_type\":\"x\",\"actor\":\"a\",\"entity_id\":\"e\"}\n";
    for _ in 0..5 {
        service.record(&writer, &line.repeat(10_000));
    }
    let (since, ended) = (Instant::now(), AtomicBool::new(false));
    let going_on = || !ended.load(Ordering::Relaxed) && since.elapsed() < 2 * PATIENCE;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while going_on() {
                service.record(&writer, line);
            }
        });
        scope.spawn(|| {
            while going_on() {
                service.query(&reader, "SELECT event_type, count(*) FROM audit_log GROUP BY 1");
            }
        });
        wait_for("the sequencer on one processor, queries on the others", || {
            let own = processors(&service, "counterfoil-seq").pop()?;
            let readers = processors(&service, "counterfoil-que");
            let alone = own.parse::<usize>().is_ok()
                && !readers.is_empty()
                && readers.iter().all(|others| *others != own && *others != all);
            alone.then_some(())
        });
        ended.store(true, Ordering::Relaxed);
    });
    wait_for("everybody everywhere again", || {
        let threads = ["counterfoil-seq", "counterfoil-que", "counterfoil-rea"];
        threads.iter().flat_map(|name| processors(&service, name)).all(|allowed| allowed == all).then_some(())
    });
}
