//! `make bench`: the figures of docs/performance.md, each against its limit in the same run.
//!
//! Every step runs in a process of its own, so that memory is measured for that step alone; it prints one JSON object.

mod append;
mod copy;
mod disk;
mod http;
mod latency;
mod load;
mod machine;
mod open;
mod postgres;
mod proof;
mod queries;
mod rules;
mod suite;
mod verification;
mod watched;

use std::path::PathBuf;

use serde_json::Value;

/// What a step is told: `name=value` arguments.
pub struct Arguments(Vec<(String, String)>);

impl Arguments {
    /// A number.
    pub fn number(&self, name: &str, default: u64) -> u64 {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map_or(default, |(_, value)| value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
    }

    /// A path.
    pub fn path(&self, name: &str) -> PathBuf {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.unwrap_or_else(|| panic!("{name}=PATH is needed")).1.clone().into()
    }

    /// A path that may be left out.
    pub fn optional_path(&self, name: &str) -> Option<PathBuf> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.into())
    }
}

fn main() {
    let mut words = std::env::args().skip(1);
    let step = words.next().unwrap_or_else(|| "suite".to_owned());
    let pairs = words.filter_map(|word| word.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())));
    let arguments = Arguments(pairs.collect());
    let answer: Value = match step.as_str() {
        "append" => append::ledger(&arguments),
        "append-baseline" => append::baseline(&arguments),
        "latency" => latency::run(&arguments),
        "verify" => verification::run(&arguments),
        "hash-baseline" => verification::baseline(&arguments),
        "open" => open::run(&arguments),
        "postgres" => postgres::run(&arguments),
        "proof" => proof::run(&arguments),
        "queries" => queries::run(&arguments),
        "rules" => rules::run(&arguments),
        "http-batches" => http::batches(&arguments),
        "http-watched" => watched::run(&arguments),
        "http-singles" => http::singles(&arguments),
        "http-contention" => http::contention(&arguments),
        "ship" => copy::ship(&arguments),
        "upload-baseline" => copy::upload(&arguments),
        "copy-verify" => copy::verify(&arguments),
        "restore" => copy::restore(&arguments),
        "suite" => return suite::run(&arguments),
        other => panic!("no step {other}"),
    };
    println!("{answer}");
}
