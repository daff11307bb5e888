//! The tests that rules carry.

use counterfoil::{Error, ErrorKind, Result};
use counterfoil_entry::Timestamp;
use rsigma_parser::Timespan;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::sync::Arc;

use crate::engine::Engine;
use crate::record::Record;
use crate::rule::RuleInfo;
use crate::set::RuleSet;

/// When the first entry of a test happens that does not say when: a Wednesday morning.
const FIRST_MICROS: i64 = 1_767_776_400_000_000;
const SECOND_MICROS: i64 = 1_000_000;
/// How often a test may repeat an entry.
const MAX_TIMES: u64 = 100_000;
/// What stands in place of an entry where time passes without one.
const WAIT: &str = "wait";

/// The member `tests` of a rule.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tests {
    #[serde(default, rename = "match")]
    pub matching: Vec<Case>,
    #[serde(default)]
    no_match: Vec<Case>,
}

/// One entry, or several in order.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Case {
    One(Map<String, Value>),
    Several(Vec<Map<String, Value>>),
}

/// How the tests of one rule ended.
#[derive(Debug, Clone, Serialize)]
pub struct Trial {
    /// The rule's id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// How many tests held.
    pub passed: usize,
    /// What did not, each in a sentence.
    pub failed: Vec<String>,
}

/// Runs the tests of every rule that has some, each on a fresh engine with all rules of the set.
///
/// Errors: `Invalid` for tests that cannot be read; the message names the rule.
pub fn run_tests(rules: &Arc<RuleSet>) -> Result<Vec<Trial>> {
    rules.tests.iter().map(|(id, tests)| run_tests_of(rules, id, tests)).collect()
}

fn run_tests_of(rules: &Arc<RuleSet>, id: &str, tests: &yaml_serde::Value) -> Result<Trial> {
    let info = rules.find(id).expect("tests stand in a rule");
    let tests = Tests::read(info, tests)?;
    let mut trial = Trial { id: id.to_owned(), title: info.title.clone(), passed: 0, failed: Vec::new() };
    for (cases, should) in [(tests.matching, true), (tests.no_match, false)] {
        for (number, case) in cases.into_iter().enumerate() {
            let fired = fires(rules, id, &case).map_err(|error| misplaced(info, &error))?;
            match (fired, should) {
                (true, true) | (false, false) => trial.passed += 1,
                (false, true) => trial.failed.push(format!("match {}: it did not fire", number + 1)),
                (true, false) => trial.failed.push(format!("no_match {}: it fired", number + 1)),
            }
        }
    }
    Ok(trial)
}

/// What is wrong with the tests of a rule.
fn misplaced(info: &RuleInfo, error: &dyn std::fmt::Display) -> Error {
    let message = format!("{}, document {}: tests: {error}", info.file, info.document);
    Error::new(ErrorKind::Invalid, message)
}

impl Tests {
    /// Reads the tests of a rule. `Invalid` for what are none.
    pub fn read(info: &RuleInfo, tests: &yaml_serde::Value) -> Result<Self> {
        yaml_serde::from_value(tests.clone()).map_err(|error| misplaced(info, &error))
    }
}

/// Whether a rule fires on the entries of a case, alone.
pub(crate) fn fires(rules: &Arc<RuleSet>, id: &str, case: &Case) -> std::result::Result<bool, String> {
    let mut engine = Engine::new(rules.clone()).map_err(|error| error.to_string())?;
    let mut fired = false;
    let mut index = 0;
    for step in case.steps(FIRST_MICROS)? {
        let firings = match step {
            Step::Passes(at) => engine.pass(at),
            Step::Entry(entry) => {
                index += 1;
                engine.observe(&Record::made_up(index - 1, &entry))
            }
        };
        fired |= firings.iter().any(|firing| engine.rule(firing).id == id);
    }
    Ok(fired)
}

/// What happens in a test.
pub(crate) enum Step {
    /// An entry, complete.
    Entry(Value),
    /// Nothing until then.
    Passes(Timestamp),
}

impl Case {
    /// What happens in order. What names no time happens a second after what is before it, the first at `micros`.
    pub fn steps(&self, mut micros: i64) -> std::result::Result<Vec<Step>, String> {
        let listed = match self {
            Self::One(entry) => std::slice::from_ref(entry),
            Self::Several(entries) => entries.as_slice(),
        };
        let mut steps = Vec::new();
        for entry in listed {
            let mut entry = entry.clone();
            if let Some(wait) = entry.remove(WAIT) {
                let waited = wait.as_str().and_then(|text| Timespan::parse(text).ok());
                let seconds = waited.ok_or("`wait` is a length of time such as 3d")?.seconds;
                micros = micros.saturating_add_unsigned(seconds.saturating_mul(SECOND_MICROS.unsigned_abs()));
                steps.push(Step::Passes(Timestamp::from_micros(micros)));
                continue;
            }
            let times = entry.remove("times").map_or(Some(1), |times| times.as_u64());
            let times = times.filter(|times| *times <= MAX_TIMES);
            let times = times.ok_or_else(|| format!("`times` is a number of at most {MAX_TIMES}"))?;
            for time in 0..times {
                let (complete, at) = complete(entry.clone(), time, micros)?;
                micros = at + SECOND_MICROS;
                steps.push(Step::Entry(complete));
            }
        }
        Ok(steps)
    }

    /// Its entries in order; none when time must pass without any.
    pub fn entries(&self, micros: i64) -> std::result::Result<Option<Vec<Value>>, String> {
        let entry = |step| match step {
            Step::Entry(entry) => Some(entry),
            Step::Passes(_) => None,
        };
        Ok(self.steps(micros)?.into_iter().map(entry).collect())
    }
}

/// An entry with what a test may leave out. `{n}` in a text stands for the number of the repetition.
fn complete(entry: Map<String, Value>, time: u64, micros: i64) -> std::result::Result<(Value, i64), String> {
    let mut entry = numbered(Value::Object(entry), time);
    let members = entry.as_object_mut().expect("it was an object");
    for (member, value) in [("actor", json!("tester")), ("entity_id", json!("TEST-1"))] {
        members.entry(member).or_insert(value);
    }
    let given = |member: &str| match members.get(member) {
        None => Ok(None),
        Some(text) => Timestamp::parse(text.as_str().unwrap_or_default()).map(Some).map_err(|error| error.to_string()),
    };
    let (happened, recorded) = (given("timestamp")?, given("recorded_at")?);
    let happened = happened.or(recorded).unwrap_or(Timestamp::from_micros(micros));
    let recorded = recorded.unwrap_or(happened);
    members.insert("timestamp".into(), happened.to_string().into());
    members.insert("recorded_at".into(), recorded.to_string().into());
    Ok((entry, recorded.micros().max(happened.micros())))
}

fn numbered(value: Value, time: u64) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace("{n}", &time.to_string())),
        Value::Array(members) => members.into_iter().map(|member| numbered(member, time)).collect(),
        Value::Object(members) => {
            Value::Object(members.into_iter().map(|(name, member)| (name, numbered(member, time))).collect())
        }
        other => other,
    }
}
