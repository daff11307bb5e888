//! Detectors: what Sigma cannot say of entries, each with what it remembers of their groups.

mod amounts;
mod case;
mod clock;
mod group;
mod hours;
mod periods;
mod settings;
mod spec;
mod words;

use std::borrow::Cow;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::record::{Times, View};
use case::{Deadlines, Taken};
use group::Group;
use hours::outside;
pub(crate) use settings::{Check, Process};
pub(crate) use spec::{DetectorRule, Role, Spec};
pub(crate) use words::length;

/// A detector at work.
#[derive(Debug)]
pub(crate) struct Detector {
    spec: Spec,
    state: DetectorState,
    /// Which groups of a process wait for a step.
    deadlines: Deadlines,
}

/// What a detector remembers.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(crate) struct DetectorState {
    groups: HashMap<String, Group>,
    /// How many groups it had to forget.
    pub forgotten: u64,
    /// The newest times of entries, of a process.
    #[serde(default)]
    newest: Times,
    /// The steps that its groups know, of a process.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    steps: Vec<String>,
}

/// What a detector found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Finding {
    /// The entry that it is about.
    pub index: u64,
    pub group: Vec<(String, String)>,
    pub causes: Vec<u64>,
    /// The figure that was too much.
    pub value: Option<f64>,
    /// Why, in a sentence.
    pub why: String,
}

impl Detector {
    pub fn new(spec: Spec) -> Self {
        let state = DetectorState { steps: steps(&spec), ..DetectorState::default() };
        let deadlines = Deadlines::of(&spec, &state.groups);
        Self { spec, state, deadlines }
    }

    pub fn state(&self) -> &DetectorState {
        &self.state
    }

    pub fn restore(&mut self, mut state: DetectorState) {
        // What is known of other steps says nothing of these.
        if state.steps != self.state.steps {
            state.groups.clear();
            state.steps = self.state.steps.clone();
        }
        // Nor does what no process of so many steps can have come to.
        let steps = state.steps.len();
        state.groups.retain(|_, group| group.case.as_ref().is_none_or(|case| case.fits(steps)));
        self.deadlines = Deadlines::of(&self.spec, &state.groups);
        self.state = state;
    }

    /// Whether time alone makes it find something.
    pub fn has_deadlines(&self) -> bool {
        matches!(self.spec, Spec::Process(_))
    }

    /// Takes in that a rule matched an entry, in the order of the ledger.
    pub fn observe(&mut self, role: Role, view: &View<'_>, times: Times) -> Option<Finding> {
        let index = view.index();
        if let Spec::Hours { hours, .. } = &self.spec {
            let why = outside(hours, times.happened)?;
            return Some(Finding { index, group: Vec::new(), causes: vec![index], value: None, why });
        }
        let key = self.key(view)?;
        let finding = match (&self.spec, role) {
            (Spec::Process(process), Role::Step(step)) => {
                let taken = Taken { step, index, times, newest: self.state.newest };
                self.deadlines.step(process, &mut self.state.groups, &key, taken)
            }
            (spec, _) => {
                let group = group::of(&mut self.state.groups, &key);
                let found = group.observe(spec, role, view, times);
                group.last = group.last.max(times.happened);
                let causes = &group.recent;
                found.map(|(value, why)| Finding {
                    index,
                    group: Vec::new(),
                    causes: causes.iter().copied().collect(),
                    value,
                    why,
                })
            }
        };
        self.forget();
        finding.map(|finding| Finding { group: self.named(&key), ..finding })
    }

    /// Takes in that time has passed: what should have come by now and did not is found.
    pub fn pass(&mut self, now: Times) -> Vec<Finding> {
        let Spec::Process(process) = &self.spec else { return Vec::new() };
        let newest = self.state.newest.later(now);
        self.state.newest = newest;
        let over = self.deadlines.over(process, &mut self.state.groups, newest);
        let named = |(key, finding): (String, Finding)| Finding { group: self.named(&key), ..finding };
        over.into_iter().map(named).collect()
    }

    /// An entry's group: the values that make it.
    fn key(&self, view: &View<'_>) -> Option<String> {
        let absent = self.spec.groups_absent().then_some(Cow::Borrowed(""));
        let value = |name: &String| view.group(name).or_else(|| absent.clone());
        let values: Vec<Cow<'_, str>> = self.spec.group_by().iter().map(value).collect::<Option<_>>()?;
        Some(serde_json::to_string(&values).expect("texts are JSON"))
    }

    /// The values of a group with their names.
    fn named(&self, key: &str) -> Vec<(String, String)> {
        let values: Vec<String> = serde_json::from_str(key).unwrap_or_default();
        let named = self.spec.group_by().iter().cloned().zip(values);
        named.filter(|(_, value)| !value.is_empty()).collect()
    }

    /// Keeps the groups below their limit: the stalest tenth goes.
    fn forget(&mut self) {
        let groups = &mut self.state.groups;
        if groups.len() <= self.spec.most_groups() {
            return;
        }
        let mut ages: Vec<(i64, &str)> = groups.iter().map(|(key, group)| (group.last, key.as_str())).collect();
        let tenth = ages.len() / 10;
        ages.select_nth_unstable(tenth);
        let stale: Vec<String> = ages[..tenth].iter().map(|(_, key)| (*key).to_owned()).collect();
        for key in &stale {
            groups.remove(key);
        }
        self.state.forgotten += stale.len() as u64;
        self.deadlines = Deadlines::of(&self.spec, &self.state.groups);
    }
}

/// What the steps of a process are called.
fn steps(spec: &Spec) -> Vec<String> {
    let Spec::Process(process) = spec else { return Vec::new() };
    process.steps.iter().map(|step| step.name.clone()).collect()
}
