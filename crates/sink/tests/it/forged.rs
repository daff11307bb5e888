//! Somebody writes into the state of sinks while nothing runs.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::doubles::{Gate, HttpSinks};
use crate::trail::{Trail, status, wait_for};

fn hook(port: u16) -> String {
    format!(
        "[[sink]]\nname = \"hook\"\ntype = \"webhook\"\naddress = \"http://127.0.0.1:{port}/hook/x\"\ngroup_s = 0\n\
         retry_max_s = 1\nstart = \"beginning\"\n"
    )
}

fn arrived(server: &HttpSinks) -> Vec<String> {
    let id = |message: &Value| message["events"][0]["alert"]["id"].as_str().expect("an id").to_owned();
    server.hooks().iter().map(id).collect()
}

fn read(trail: &Trail) -> Value {
    serde_json::from_slice(&std::fs::read(trail.state("hook.json")).expect("a file")).expect("JSON")
}

fn write(trail: &Trail, state: &Value) {
    std::fs::write(trail.state("hook.json"), state.to_string()).expect("it is written");
}

#[test]
fn a_place_that_the_ledger_does_not_know_of_passes_no_alert_over() {
    let Some(server) = HttpSinks::start(&[]) else { return };
    let trail = Trail::new();
    let gate = Gate::new(server.port);
    let config = hook(gate.port);
    let sinks = trail.sinks(&config);
    trail.raise("a-1", "burst", "bob");
    wait_for("the first alert", || arrived(&server) == ["a-1"]);
    drop(sinks);
    // It says that it has read everything.
    trail.raise("a-2", "burst", "bob");
    let mut state = read(&trail);
    state["next"] = trail.ledger.snapshot().size().into();
    write(&trail, &state);
    let sinks = trail.sinks(&config);
    wait_for("the second", || arrived(&server) == ["a-1", "a-2"]);
    // It says that nothing waits.
    gate.set_open(false);
    trail.raise("a-3", "burst", "bob");
    wait_for("the third waits", || status(&sinks, "hook").waiting == 1);
    drop(sinks);
    let mut state = read(&trail);
    (state["gathering"], state["outbox"]) = (json!([]), json!([]));
    state["next"] = trail.ledger.snapshot().size().into();
    write(&trail, &state);
    gate.set_open(true);
    let sinks = trail.sinks(&config);
    wait_for("the third", || arrived(&server) == ["a-1", "a-2", "a-3"]);
    drop(sinks);
    let doubt: Vec<String> = trail.marks().into_iter().filter_map(|(_, doubt)| doubt).collect();
    assert!(doubt.len() == 1 && doubt[0].contains("delivered again from entry"), "{doubt:?}");
    // It is gone, is no state, or speaks of what is not there.
    for (number, content) in [None, Some(json!("{")), Some(json!({"next": u64::MAX}))].into_iter().enumerate() {
        let alert = format!("b-{number}");
        trail.raise(&alert, "burst", "bob");
        match content {
            None => std::fs::remove_file(trail.state("hook.json")).expect("it was there"),
            Some(content) => write(&trail, &content),
        }
        let sinks = trail.sinks(&config);
        wait_for(&alert, || arrived(&server).last() == Some(&alert));
        drop(sinks);
    }
    let arrived = arrived(&server);
    assert_eq!(arrived, ["a-1", "a-2", "a-3", "b-0", "b-1", "b-2"], "and nothing is doubled");
}

#[test]
fn an_older_state_that_is_put_back_passes_nothing_over() {
    let Some(server) = HttpSinks::start(&[]) else { return };
    let trail = Trail::new();
    let config = hook(server.port);
    drop(trail.sinks(&config));
    let old = read(&trail);
    let sinks = trail.sinks(&config);
    trail.raise("a-1", "burst", "bob");
    wait_for("the first alert", || arrived(&server) == ["a-1"]);
    drop(sinks);
    write(&trail, &old);
    trail.raise("a-2", "burst", "bob");
    let sinks = trail.sinks(&config);
    wait_for("the second", || arrived(&server).last().is_some_and(|last| last == "a-2"));
    drop(sinks);
    assert_eq!(arrived(&server), ["a-1", "a-2"]);
}

#[test]
fn what_the_ledger_is_told_of_sinks_is_delivered_by_none() {
    let trail = Trail::new();
    let file = trail.folder.path().join("log.jsonl");
    let address = file.display().to_string();
    let config = format!(
        "[[sink]]\nname = \"log\"\ntype = \"file\"\naddress = {address:?}\nevents = [\"ledger.*\"]\nstart = \"beginning\"\n"
    );
    for number in 0..3 {
        let sinks = trail.sinks(&config);
        let alert = format!("a-{number}");
        trail.raise(&alert, "burst", "bob");
        wait_for(&alert, || std::fs::read_to_string(&file).is_ok_and(|text| text.contains(&alert)));
        drop(sinks);
    }
    let marks = trail.marks().len();
    drop(trail.sinks(&config));
    assert!(!std::fs::read_to_string(&file).expect("a file").contains("ledger.delivered"));
    assert_eq!(trail.marks().len(), marks, "nor does it make the ledger longer");
}

/// A state of a sink with everything in it.
fn full() -> Value {
    let parcel = |first: u64| {
        json!({"key": "rest", "listed": [first, first + 1], "bytes": 900, "count": 2, "last": first + 1,
            "due_ms": 1_700_000_000_000_u64})
    };
    json!({"next": 5, "gathering": [parcel(1)], "outbox": [parcel(3)],
        "sent_ms": {"rest": 1_700_000_000_000_u64, "burst actor=bob": 1_700_000_000_000_u64}, "dead_letters": 1})
}

/// Puts another value in the place of one of its numbers.
fn mutate(state: &mut Value, at: &mut usize, with: u64) {
    match state {
        Value::Array(values) => values.iter_mut().for_each(|value| mutate(value, at, with)),
        Value::Object(members) => members.values_mut().for_each(|value| mutate(value, at, with)),
        Value::Number(number) => {
            if *at == 0 {
                *number = with.into();
            }
            *at = at.wrapping_sub(1);
        }
        _ => {}
    }
}

#[test]
fn no_content_of_a_state_file_stops_a_sink_by_a_defect() {
    let Some(server) = HttpSinks::start(&[]) else { return };
    for with in [0, 1, 6, 1 << 40, i64::MAX as u64, u64::MAX] {
        let trail = Trail::new();
        for number in 0..6 {
            trail.raise(&format!("a-{number}"), "burst", "bob");
        }
        std::fs::create_dir_all(trail.state("")).expect("a folder");
        let mut config = String::new();
        for (place, mut state) in (0..20).map(|place| (place, full())) {
            match place {
                16 => state["outbox"][0]["listed"] = json!([]),
                17 => state["gathering"][0]["listed"] = json!([]),
                18 => state["outbox"][0]["listed"] = json!([4, 3]),
                19 => state["outbox"][0]["count"] = json!(0),
                place => mutate(&mut state, &mut { place }, with),
            }
            for (kind, group_s) in [("people", 1), ("each", 0)] {
                let name = format!("{kind}-{place}");
                std::fs::write(trail.state(&format!("{name}.json")), state.to_string()).expect("it is written");
                let _ = write!(
                    config,
                    "[[sink]]\nname = \"{name}\"\ntype = \"webhook\"\naddress = \"http://127.0.0.1:{}/hook/{name}\"\n\
                     group_s = {group_s}\nretry_max_s = 1\n",
                    server.port
                );
            }
        }
        let sinks = trail.sinks(&config);
        trail.raise("a-new", "burst", "bob");
        wait_for("each says what is wrong or goes on", || {
            sinks.status().iter().all(|sink| sink.last_error.is_some() || sink.next > 0 && sink.waiting == 0)
                || sinks
                    .status()
                    .iter()
                    .any(|sink| sink.last_error.as_ref().is_some_and(|error| error.contains("defect")))
        });
        for sink in sinks.status() {
            let error = sink.last_error.unwrap_or_default();
            assert!(!error.contains("defect"), "{}, with {with}: {error}", sink.name);
        }
    }
}
