//! Cases of a process: which steps each has taken, and which one it waits for.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::Finding;
use super::group::{self, Group};
use super::settings::{Check, Process};
use super::spec::Spec;
use super::words::length;
use crate::record::Times;

/// What is remembered of one case.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(super) struct Case {
    /// The newest entry of each step.
    entries: Vec<Option<u64>>,
    /// Steps of which something was told, a bit each.
    told: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wait: Option<Wait>,
}

/// A step that must come in time.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Wait {
    step: usize,
    /// The entry that it must follow, and when that happened.
    after: u64,
    since: i64,
    /// It is over once a later entry happened, or this has passed since the entry was recorded.
    over: Times,
}

/// A step that was taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken {
    pub step: usize,
    pub index: u64,
    pub times: Times,
    /// The newest times of all entries.
    pub newest: Times,
}

/// Which groups wait, by the step that they wait for and the entry that it must follow: in this order their times are over.
#[derive(Debug, Default)]
pub(super) struct Deadlines(Vec<BTreeMap<u64, (String, Times)>>);

impl Deadlines {
    /// Those of groups that are remembered.
    pub fn of(spec: &Spec, groups: &HashMap<String, Group>) -> Self {
        let Spec::Process(process) = spec else { return Self::default() };
        let mut waiting = Self(vec![BTreeMap::new(); process.steps.len()]);
        for (key, group) in groups {
            if let Some(wait) = group.case.as_ref().and_then(|case| case.wait.as_ref()) {
                waiting.0[wait.step].insert(wait.after, (key.clone(), wait.over));
            }
        }
        waiting
    }

    /// Takes in that a case has taken a step, and finds what is wrong with it.
    pub fn step(
        &mut self,
        process: &Process,
        groups: &mut HashMap<String, Group>,
        key: &str,
        taken: Taken,
    ) -> Option<Finding> {
        let begins = process.steps.get(taken.step + 1).is_some_and(|next| next.within.is_some());
        if process.only_late() && !begins && !groups.contains_key(key) {
            return None;
        }
        let group = group::of(groups, key);
        group.last = group.last.max(taken.times.happened);
        let case = group.case.get_or_insert_default();
        if taken.step == 0 && !process.checks(Check::Back) && case.entries.last().is_some_and(Option::is_some) {
            // The process begins anew.
            **case = Case::default();
        }
        case.entries.resize(process.steps.len(), None);
        let ended = case.wait.take_if(|wait| wait.step <= taken.step);
        if let Some(wait) = &ended {
            self.0[wait.step].remove(&wait.after);
        }
        let late = ended.and_then(|wait| late(process, &wait, taken));
        let wrong = case.take(process, taken);
        if let Some(wait) = case.wait_after(process, taken) {
            self.0[wait.step].insert(wait.after, (key.to_owned(), wait.over));
            case.wait = Some(wait);
        }
        if process.only_late() && case.wait.is_none() {
            groups.remove(key);
        }
        late.or(wrong)
    }

    /// Cases whose time is over, by their group, and what did not come.
    pub fn over(
        &mut self,
        process: &Process,
        groups: &mut HashMap<String, Group>,
        newest: Times,
    ) -> Vec<(String, Finding)> {
        let mut found = Vec::new();
        for (step, waiting) in self.0.iter_mut().enumerate() {
            while let Some(first) = waiting.first_entry() {
                let over = first.get().1;
                if newest.happened <= over.happened && newest.recorded <= over.recorded {
                    break;
                }
                let (after, (key, _)) = first.remove_entry();
                if let Some(case) = groups.get_mut(&key).and_then(|group| group.case.as_mut()) {
                    case.wait = None;
                }
                if process.only_late() {
                    groups.remove(&key);
                }
                let within = process.steps[step].within.map_or(0, |within| within.0);
                let [before, missing] = [step - 1, step].map(|step| &process.steps[step].name);
                let why = format!("no {missing} within {} after {before}", length(within));
                found.push((key, Finding { index: after, group: Vec::new(), causes: vec![after], value: None, why }));
            }
        }
        found
    }
}

/// What is told of a step that came, but too late: in a history that is read in, nothing is over before its end.
fn late(process: &Process, wait: &Wait, taken: Taken) -> Option<Finding> {
    let (step, within) = (&process.steps[wait.step], process.steps[wait.step].within?);
    let took = taken.times.happened - wait.since;
    (wait.step == taken.step && took > within.0).then(|| {
        let before = &process.steps[wait.step - 1].name;
        let why = format!("{} came {} after {before}, and {} is the limit", step.name, length(took), length(within.0));
        Finding { index: wait.after, group: Vec::new(), causes: vec![wait.after, taken.index], value: None, why }
    })
}

impl Case {
    /// Whether a process of so many steps can have come to it.
    pub fn fits(&self, steps: usize) -> bool {
        self.entries.len() <= steps && self.wait.as_ref().is_none_or(|wait| (1..steps).contains(&wait.step))
    }

    /// Remembers a step, and finds whether it comes without the one before it or after a later one.
    fn take(&mut self, process: &Process, taken: Taken) -> Option<Finding> {
        let (Taken { step, index, .. }, name) = (taken, |step: usize| &process.steps[step].name);
        let later = self.entries.iter().rposition(Option::is_some).filter(|later| *later > step);
        let skipped = step > 0 && self.entries[step - 1].is_none();
        self.entries[step] = Some(index);
        let why = match later {
            Some(later) if process.checks(Check::Back) => format!("{} came after {}", name(step), name(later)),
            None if skipped && process.checks(Check::Skipped) => {
                format!("{} came without {} before it", name(step), name(step - 1))
            }
            _ => return None,
        };
        if self.told & 1 << step != 0 {
            return None;
        }
        self.told |= 1 << step;
        let causes = self.entries.iter().copied().flatten().collect();
        Some(Finding { index, group: Vec::new(), causes, value: None, why })
    }

    /// What a case waits for after a step, if it does not wait already.
    fn wait_after(&self, process: &Process, taken: Taken) -> Option<Wait> {
        let step = taken.step + 1;
        let within = process.steps.get(step)?.within.filter(|_| process.checks(Check::Late))?.0;
        let (times, newest) = (taken.times, taken.newest);
        let over = Times {
            happened: newest.happened.max(times.happened).saturating_add(within),
            recorded: times.recorded.saturating_add(within),
            ..times
        };
        let waits = self.wait.is_none() && self.entries[step].is_none();
        waits.then_some(Wait { step, after: taken.index, since: times.happened, over })
    }
}
