//! A ledger in which alerts are raised.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use counterfoil::{CreateOptions, Ledger, OpenOptions, Reader, Result, Snapshot};
use counterfoil_entry::{Draft, EntryBuilder};
use counterfoil_sink::{Config, Sinks, Status};
use serde_json::{Value, json};
use tempfile::TempDir;

pub const ORIGIN: &str = "example.com/sinks";

/// A ledger in which alerts are raised.
pub struct Trail {
    pub folder: TempDir,
    pub ledger: Arc<Ledger>,
}

impl Trail {
    pub fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let options = CreateOptions::new(ORIGIN).expect("a valid origin");
        let ledger = Ledger::create(folder.path().join("ledger"), options, OpenOptions::default()).expect("a ledger");
        Self { folder, ledger: Arc::new(ledger) }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("ledger")
    }

    /// The file of a sink in the ledger's folder.
    pub fn state(&self, name: &str) -> PathBuf {
        self.path().join("state/sinks").join(name)
    }

    pub fn sinks(&self, config: &str) -> Sinks {
        self.start(Config::parse(config).expect("a valid configuration"))
    }

    /// The sinks of a drill.
    pub fn drill(&self, config: &str) -> Sinks {
        self.start(Config { drill: true, ..Config::parse(config).expect("a valid configuration") })
    }

    fn start(&self, config: Config) -> Sinks {
        Sinks::start(&config, &self.state(""), Arc::downgrade(&self.ledger)).expect("sinks")
    }

    /// Raises an alert of level high; its index.
    pub fn raise(&self, id: &str, rule: &str, group: &str) -> u64 {
        self.raise_with(id, alert(rule, group))
    }

    pub fn raise_with(&self, id: &str, context: Value) -> u64 {
        self.record("ledger.alert_raised", id, None, context)
    }

    pub fn record(&self, event_type: &str, id: &str, reason: Option<&str>, context: Value) -> u64 {
        let act = Draft::builder(event_type, "counterfoil", id).entity_type("alert").context(context);
        let act = reason.into_iter().fold(act, |act, reason| act.reason(reason));
        self.ledger.record_act(act).expect("it is recorded").index
    }

    /// Records what a process that only reads asked for.
    pub fn record_asked(&self, line: &str) {
        let Some(entry) = line.strip_prefix(RECORD) else { return };
        let entry: Value = serde_json::from_str(entry).expect("an entry");
        let text = |member: &str| entry[member].as_str().expect("a text").to_owned();
        let act = Draft::builder(&text("event_type"), &text("actor"), &text("entity_id"));
        self.ledger.record_act(act.context(&entry["context"])).expect("it is recorded");
    }

    /// What the ledger was told of sinks: the context of each entry, and why one was in doubt.
    pub fn marks(&self) -> Vec<(Value, Option<String>)> {
        let snapshot = self.ledger.snapshot();
        let mut marks = Vec::new();
        for index in 0..snapshot.size() {
            let bytes = snapshot.entry(index).expect("an entry");
            let entry: Value = serde_json::from_slice(&bytes).expect("JSON");
            if entry["event_type"] == "ledger.delivered" {
                marks.push((entry["context"].clone(), entry["reason"].as_str().map(str::to_owned)));
            }
        }
        marks
    }

    pub fn append(&self, event_type: &str, entity: &str) -> u64 {
        let draft = Draft::builder(event_type, "alice", entity).build().expect("a valid entry");
        self.ledger.append(draft).expect("it is recorded").index
    }
}

/// What an alert's entry says.
pub fn alert(rule: &str, group: &str) -> Value {
    json!({
        "rule_id": rule, "title": format!("Rule {rule}"), "author": "A. Auditor", "references": ["https://example.com/why"],
                  "tags": ["finance.four_eyes"],
        "level": "high", "indices": [0], "group": [{ "field": "actor", "value": group }], "why": format!("because of {group}"),
    })
}

/// What a folder's readers see; what is to be recorded goes to whoever reads the output of this process, a line each.
#[derive(Clone)]
pub struct Reading(pub PathBuf);

/// What such a line begins with.
pub const RECORD: &str = "record ";

impl counterfoil_sink::Trail for Reading {
    fn snapshot(&self) -> Result<Snapshot> {
        Reader::open(&self.0)?.snapshot()
    }

    fn record(&self, act: EntryBuilder) -> Result<()> {
        println!("{RECORD}{}", String::from_utf8_lossy(act.build_own()?.client_bytes()));
        Ok(())
    }
}

/// The status of a sink.
pub fn status(sinks: &Sinks, name: &str) -> Status {
    sinks.status().into_iter().find(|status| status.name == name).expect("the sink is there")
}

/// Waits until something holds.
pub fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(60), "in vain: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
