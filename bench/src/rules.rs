//! Rules over entries: how many a core takes.

use std::sync::Arc;
use std::time::Instant;

use counterfoil_watch::{Engine, Record, RuleSet, Texts, shipped};
use serde_json::{Value, json};

use crate::Arguments;
use crate::load::Load;

/// Shows `n` entries of a load to the shipped rules, and as many copies of them as it takes to be 60; reading JSON is part
/// of it.
pub fn run(arguments: &Arguments) -> Value {
    const RULES: usize = 60;
    let (mut texts, mut copy) = (Texts::default(), 0);
    while RuleSet::of(&texts).rules.len() < RULES {
        for (name, text) in shipped().files {
            if RuleSet::of(&texts).rules.len() < RULES {
                texts.files.push((format!("{copy}/{name}"), renamed(&text, copy)));
            }
        }
        copy += 1;
    }
    let set = Arc::new(RuleSet::of(&texts));
    assert!(set.problems.is_empty(), "{:?}", set.problems);
    let mut engine = Engine::new(set.clone()).expect("shipped rules hold");
    let batch = Load::open(&arguments.path("load"), arguments.number("n", 1_000_000)).batch(u64::MAX);
    let batch = batch.expect("a load");
    let (start, mut index, mut firings) = (Instant::now(), 0, 0);
    for line in batch.lines() {
        if let Some(record) = Record::read(index, line).expect("an entry") {
            firings += engine.observe(&record).iter().filter(|firing| !engine.rule(firing).base).count();
        }
        index += 1;
    }
    let seconds = start.elapsed().as_secs_f64();
    json!({
        "rules": set.rules.len(),
        "entries": index,
        "alerts": firings,
        "entries_per_second": (index as f64 / seconds).round(),
    })
}

/// The same rules under other ids and names.
fn renamed(text: &str, copy: usize) -> String {
    text.replace("\nid: ", &format!("\nid: {copy}-")).replace("finance_", &format!("finance_{copy}_"))
}
