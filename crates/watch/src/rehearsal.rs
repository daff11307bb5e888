//! The examples that rules carry, as entries of one ledger: which rules fire on them, one after the other.

use std::collections::HashSet;
use std::sync::Arc;

use counterfoil::Result;
use counterfoil_entry::{OWN_PREFIX, Timestamp};
use serde_json::Value;

use crate::engine::Engine;
use crate::record::Record;
use crate::rule::RuleInfo;
use crate::set::RuleSet;
use crate::shipped::shipped;
use crate::trial::{Case, Tests, fires};

/// Entries of one example, and of all together.
const MAX_EXAMPLE: usize = 5_000;
const MAX_ENTRIES: usize = 20_000;
/// What names no time begins an hour ago.
const HOUR_MICROS: i64 = 3_600_000_000;

/// What a rule is tried with, and what should come of it.
#[derive(Debug, Clone)]
pub struct Rehearsed {
    /// The rule's id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// What to record for it, in order; none where it fires on what came before.
    pub entries: Vec<Value>,
    /// What should come of it.
    pub turnout: Turnout,
}

/// What should come of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turnout {
    /// It fires.
    Fires,
    /// Nothing can be said, and why.
    Untried(&'static str),
    /// It does not even fire on its own examples.
    Broken,
}

/// Plays, for each rule that raises alerts, an example of its own (an entry list of its tests' `match`, or of those that the
/// rule of this id came with), then `day`. `now` is when all of it will be recorded; what names no time happens before it.
/// The parts come in the order in which they are to be recorded: that of their first times.
///
/// Errors: `Invalid` for tests that cannot be read; the message names the rule.
pub fn rehearse(rules: &Arc<RuleSet>, day: &[Value], now: Timestamp) -> Result<Vec<Rehearsed>> {
    let mut stage = Stage { engine: Engine::new(rules.clone())?, now, played: 0, fired: HashSet::new() };
    let came_with = RuleSet::of(&shipped());
    let mut parts = Vec::new();
    for rule in rules.rules.iter().filter(|rule| !rule.base) {
        let tests = [rules.as_ref(), &came_with].into_iter().find_map(|set| set.tests_of(&rule.id));
        let cases = tests.map_or(Ok(Vec::new()), |tests| Tests::read(rule, tests).map(|tests| tests.matching))?;
        parts.push((stage.first_time(&cases), rule, cases));
    }
    // What happened first is played first: an example of long ago must not find its actors in later ones.
    parts.sort_by_key(|(first, ..)| *first);
    let mut rehearsed: Vec<Rehearsed> =
        parts.into_iter().map(|(_, rule, cases)| stage.rehearse(rules, rule, &cases)).collect();
    day.iter().for_each(|entry| stage.play(entry));
    for part in &mut rehearsed {
        if stage.fired.contains(&part.id) {
            part.turnout = Turnout::Fires;
        }
    }
    Ok(rehearsed)
}

struct Stage {
    engine: Engine,
    now: Timestamp,
    played: usize,
    fired: HashSet<String>,
}

impl Stage {
    fn play(&mut self, entry: &Value) {
        let mut entry = entry.clone();
        entry["recorded_at"] = self.now.to_string().into();
        let firings = self.engine.observe(&Record::made_up(self.played as u64, &entry));
        self.played += 1;
        let fired = firings.iter().map(|firing| self.engine.rule(firing).id.clone());
        self.fired.extend(fired);
    }

    /// When what names no time begins.
    fn begin(&self) -> i64 {
        self.now.micros() - HOUR_MICROS
    }

    /// When the first of these begins.
    fn first_time(&self, cases: &[Case]) -> i64 {
        let entries = cases.first().and_then(|case| case.entries(self.begin()).ok()?);
        let first = entries.and_then(|entries| Timestamp::parse(entries.first()?["timestamp"].as_str()?).ok());
        first.map_or(i64::MAX, Timestamp::micros)
    }

    fn rehearse(&mut self, rules: &Arc<RuleSet>, rule: &RuleInfo, cases: &[Case]) -> Rehearsed {
        let mut part = Rehearsed {
            id: rule.id.clone(),
            title: rule.title.clone(),
            entries: Vec::new(),
            turnout: Turnout::Untried("it has no example that clients may record"),
        };
        for case in cases {
            if self.fired.contains(&rule.id) {
                break;
            }
            if let Some(turnout) = self.try_out(rules, case, &mut part) {
                part.turnout = turnout;
            }
        }
        part
    }

    /// Plays one example; what is to be said if the rule did not fire. None for an example that cannot be recorded.
    fn try_out(&mut self, rules: &Arc<RuleSet>, case: &Case, part: &mut Rehearsed) -> Option<Turnout> {
        let mut entries = match case.entries(self.begin()) {
            Ok(Some(entries)) => entries,
            Ok(None) => return Some(Turnout::Untried("its example needs time to pass")),
            Err(_) => return Some(Turnout::Broken),
        };
        let is_own = |entry: &Value| entry["event_type"].as_str().is_some_and(|name| name.starts_with(OWN_PREFIX));
        if entries.iter().any(is_own) {
            return None;
        }
        if entries.len() > MAX_EXAMPLE || self.played + entries.len() > MAX_ENTRIES {
            return Some(Turnout::Untried("its example is too long for a drill"));
        }
        for entry in &mut entries {
            self.play(entry);
            entry.as_object_mut().expect("a case is made of objects").remove("recorded_at");
        }
        part.entries.append(&mut entries);
        Some(match fires(rules, &part.id, case) {
            Ok(true) => Turnout::Untried("it does not fire on its example among the entries of the other rules"),
            _ => Turnout::Broken,
        })
    }
}
