//! What is recorded, and which rules should fire on it.

use std::path::Path;
use std::sync::Arc;

use counterfoil_entry::{OWN_PREFIX, Timestamp};
use counterfoil_watch::{Rehearsed, RuleSet, Texts, rehearse, shipped};
use serde_json::{Value, json};

use super::checks::{Checks, DETECTION};
use super::scenario;
use super::setup::Setup;

/// What is recorded, and which rules should fire on it.
pub struct Plan {
    /// A day's work.
    pub day: Vec<Value>,
    /// An example for each rule, in the order in which they are recorded: before the day.
    pub rules: Vec<Rehearsed>,
}

impl Plan {
    pub fn of(setup: &Setup, now: Timestamp, checks: &mut Checks) -> Self {
        let mut day = scenario::day(now);
        let sinks = setup.sinks.iter().flat_map(|(_, config)| &config.sinks);
        day.extend(sinks.flat_map(|sink| sink.events()).filter_map(|pattern| asked_for(pattern, now)));
        let mut rules = Vec::new();
        match &setup.rules {
            None => checks.untried(DETECTION, "rules", "no folder of rules is configured (--rules DIR)"),
            Some(folder) => match rehearsed(folder, &day, now, checks) {
                Ok(rehearsed) => rules = rehearsed,
                Err(error) => checks.failed(DETECTION, "the rules can be read", error.message),
            },
        }
        Self { day, rules }
    }
}

/// An entry of a type that a sink takes beside alerts.
fn asked_for(pattern: &str, now: Timestamp) -> Option<Value> {
    let name = pattern.strip_suffix('*').map_or_else(|| pattern.to_owned(), |prefix| format!("{prefix}drill"));
    let entry = json!({
        "event_type": name, "actor": "drill-clerk", "actor_type": "user", "entity_id": "DRILL-1",
        "timestamp": now.to_string(),
    });
    (!name.starts_with(OWN_PREFIX)).then_some(entry)
}

fn rehearsed(folder: &Path, day: &[Value], now: Timestamp, checks: &mut Checks) -> counterfoil::Result<Vec<Rehearsed>> {
    let rules = Arc::new(RuleSet::of(&Texts::read(folder)?));
    for problem in rules.problems.iter().filter(|problem| problem.skipped) {
        checks.failed(DETECTION, "every rule is in force", format!("left out: {problem}"));
    }
    let came = RuleSet::of(&shipped());
    let absent = came.rules.iter().filter(|rule| !rule.base && rules.rules.iter().all(|known| known.id != rule.id));
    let absent: Vec<&str> = absent.map(|rule| rule.title.as_str()).collect();
    if !absent.is_empty() {
        checks.untried(DETECTION, "finance rules that are not in the folder", absent.join("; "));
    }
    let all: Vec<Value> = day.iter().cloned().chain(scenario::denials(now)).collect();
    rehearse(&rules, &all, now)
}
