//! What a user of the rules sees.

mod correlations;
mod detectors;
mod kill;
mod live;
mod process;
mod rules;
mod shipped;
mod watcher;

use std::sync::Arc;

use counterfoil_watch::{Engine, Firing, Record, RuleSet, Texts};

/// A set of rules from one text.
fn rules(text: &str) -> Arc<RuleSet> {
    let files = vec![("rules.yml".to_owned(), text.to_owned())];
    Arc::new(RuleSet::of(&Texts { files, problems: Vec::new() }))
}

/// What the rules say of entries in order; members that every entry has are filled in.
fn observe(engine: &mut Engine, entries: &[serde_json::Value]) -> Vec<Firing> {
    let mut firings = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let mut entry = entry.clone();
        for (member, value) in [("actor", "eva"), ("entity_id", "E-1"), ("timestamp", "2026-01-07T09:00:00Z")] {
            entry.as_object_mut().expect("an object").entry(member).or_insert(value.into());
        }
        let canonical = entry.to_string();
        let record = Record::read(index as u64, canonical.as_bytes()).expect("an entry");
        firings.extend(record.iter().flat_map(|record| engine.observe(record)));
    }
    firings
}

/// The indices at which a rule fired.
fn fired(engine: &Engine, firings: &[Firing], title: &str) -> Vec<u64> {
    let of_rule = firings.iter().filter(|firing| engine.rule(firing).title == title);
    of_rule.map(|firing| firing.index).collect()
}
