//! Rules at work: entries go in in order, firings come out.

use std::collections::HashMap;
use std::sync::Arc;

use counterfoil::{Error, ErrorKind, Result};
use counterfoil_entry::Timestamp;
use rsigma_eval::{CompiledRule, EvaluationResult};
use serde::{Deserialize, Serialize};

use crate::correlation::{Correlations, Feed, Remembered};
use crate::detector::{Detector, DetectorState, Finding, Role};
use crate::limits::{MAX_COMMIT_SECONDS, MAX_CORRELATION_GROUPS};
use crate::record::{Record, Times, View};
use crate::rule::RuleInfo;
use crate::set::RuleSet;

/// The rules of a set, with what they remember of the entries so far.
pub struct Engine {
    rules: Arc<RuleSet>,
    detections: rsigma_eval::Engine,
    correlations: Correlations,
    detectors: Vec<Detector>,
    /// Position of each rule by its id.
    positions: HashMap<String, usize>,
    /// Who waits for the matches of each rule.
    waiting: Vec<Waiting>,
    /// Position of each detector's rule.
    detector_rules: Vec<usize>,
    /// Detectors that find something when time passes.
    deadlines: Vec<usize>,
    /// Detectors that look at every entry of a client.
    everywhere: Vec<usize>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("rules", &self.rules.rules.len()).finish_non_exhaustive()
    }
}

/// Who waits for a rule's matches.
#[derive(Debug, Default, Clone)]
struct Waiting {
    detectors: Vec<(usize, Role)>,
    correlations: Vec<Feed>,
}

/// A rule that fired.
#[derive(Debug, Clone, PartialEq)]
pub struct Firing {
    /// Its position in [`RuleSet::rules`].
    pub rule: usize,
    /// The entry at which it fired; where a step did not come in time, the one that it should have followed.
    pub index: u64,
    /// The entries that caused it, ascending.
    pub causes: Vec<u64>,
    /// What its entries have in common, by field.
    pub group: Vec<(String, String)>,
    /// The figure that was reached, of a rule that counts.
    pub value: Option<f64>,
    /// Why, of a detector.
    pub why: Option<String>,
}

/// How full the memory of rules is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Load {
    /// Groups that correlations keep.
    pub groups: usize,
    /// The most they keep.
    pub most_groups: usize,
    /// How often correlations had no room for more, and forgot their stalest groups.
    pub overflows: u64,
    /// Groups that detectors had to forget.
    pub forgotten: u64,
}

/// What rules remember, to go on from.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct EngineState {
    correlations: Remembered,
    detectors: HashMap<String, DetectorState>,
}

impl Engine {
    /// An engine that has seen nothing yet.
    pub fn new(rules: Arc<RuleSet>) -> Result<Self> {
        let mut untagged = rules.sigma.clone();
        // Every match is given a copy of the tags.
        untagged.rules.iter_mut().for_each(|rule| rule.tags.clear());
        let mut detections = rsigma_eval::Engine::new();
        detections.add_collection(&untagged).map_err(|error| {
            Error::new(ErrorKind::Internal, format!("rules that were checked do not hold: {error}"))
        })?;
        let positions = rules.positions();
        let everywhere = (0..rules.detectors.len()).filter(|at| rules.detectors[*at].looks_at.is_empty()).collect();
        let mut waiting = vec![Waiting::default(); rules.rules.len()];
        for (detector, bound) in rules.detectors.iter().enumerate() {
            for (id, role) in &bound.looks_at {
                waiting[positions[id]].detectors.push((detector, *role));
            }
        }
        let id = |id: &Option<String>| positions[id.as_deref().unwrap_or_default()];
        let documents = rules.sigma.correlations.iter().map(|document| (id(&document.id), document));
        let correlations = Correlations::new(documents)?;
        for rule in &rules.sigma.rules {
            let feeds = correlations.feeds(rule.id.as_deref().unwrap_or_default(), rule.name.as_deref());
            waiting[id(&rule.id)].correlations = feeds;
        }
        let detectors: Vec<Detector> =
            rules.detectors.iter().map(|bound| Detector::new(bound.rule.detector.clone())).collect();
        let deadlines = (0..detectors.len()).filter(|position| detectors[*position].has_deadlines()).collect();
        let detector_rules = rules.detectors.iter().map(|bound| positions[&bound.id]).collect();
        Ok(Self {
            rules,
            detections,
            correlations,
            detectors,
            positions,
            waiting,
            detector_rules,
            deadlines,
            everywhere,
        })
    }

    /// The rules.
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// The rule of a firing.
    pub fn rule(&self, firing: &Firing) -> &RuleInfo {
        &self.rules.rules[firing.rule]
    }

    /// Takes in the next entry. Rules that only serve others fire too; see [`RuleInfo::base`].
    pub fn observe(&mut self, record: &Record) -> Vec<Firing> {
        let mut times = None;
        let mut firings = Vec::new();
        if !self.deadlines.is_empty() {
            let mut now = *times.insert(record.times());
            if record.is_own() {
                // The ledger's own acts happen today; they say nothing of how far a history has come.
                now.happened = i64::MIN;
            }
            self.over(now, &mut firings);
        }
        for view in record.views() {
            if view.is_of_client() {
                for detector in &self.everywhere {
                    let times = *times.get_or_insert_with(|| record.times());
                    let finding = self.detectors[*detector].observe(Role::Subject, &view, times);
                    firings.extend(finding.map(|finding| of_detector(self.detector_rules[*detector], finding)));
                }
            }
            let matches = self.detections.evaluate_with_logsource(&view, view.source);
            if !matches.is_empty() {
                self.follow(&view, &matches, *times.get_or_insert_with(|| record.times()), &mut firings);
            }
        }
        firings
    }

    /// Takes in that it is now so late and every entry committed before was shown: what should have come by now and did
    /// not is told, at the entry that it should have followed.
    pub fn pass(&mut self, now: Timestamp) -> Vec<Firing> {
        let seconds = now.micros().div_euclid(1_000_000) - MAX_COMMIT_SECONDS;
        let mut firings = Vec::new();
        self.over(Times { happened: i64::MIN, recorded: seconds, claimed: seconds }, &mut firings);
        firings
    }

    fn over(&mut self, now: Times, firings: &mut Vec<Firing>) {
        for detector in &self.deadlines {
            let rule = self.detector_rules[*detector];
            let found = self.detectors[*detector].pass(now);
            firings.extend(found.into_iter().map(|finding| of_detector(rule, finding)));
        }
    }

    /// Gives matches of one entry to the correlations and detectors that wait for them.
    fn follow(&mut self, view: &View<'_>, matches: &[EvaluationResult], times: Times, firings: &mut Vec<Firing>) {
        let index = view.index();
        let mut feeds = Vec::new();
        for found in matches {
            let rule = self.positions[found.header.rule_id.as_deref().unwrap_or_default()];
            let Waiting { detectors, correlations } = &self.waiting[rule];
            for (detector, role) in detectors {
                let finding = self.detectors[*detector].observe(*role, view, times);
                firings.extend(finding.map(|finding| of_detector(self.detector_rules[*detector], finding)));
            }
            firings.push(Firing { rule, index, causes: vec![index], group: Vec::new(), value: None, why: None });
            feeds.extend(correlations);
        }
        self.correlations.observe(&feeds, view, times.happened, firings);
    }

    /// How full its memory is.
    pub fn load(&self) -> Load {
        Load {
            groups: self.correlations.group_count(),
            most_groups: MAX_CORRELATION_GROUPS,
            overflows: self.correlations.overflows(),
            forgotten: self.detectors.iter().map(|detector| detector.state().forgotten).sum(),
        }
    }

    pub(crate) fn detections(&self) -> &[CompiledRule] {
        self.detections.rules()
    }

    pub(crate) fn state(&self) -> EngineState {
        let detectors = self.rules.detectors.iter().zip(&self.detectors);
        EngineState {
            correlations: self.correlations.remembered(),
            detectors: detectors.map(|(bound, detector)| (bound.id.clone(), detector.state().clone())).collect(),
        }
    }

    /// Goes on from what was remembered, as far as the same rules are still there.
    pub(crate) fn restore(&mut self, mut state: EngineState) {
        for (bound, detector) in self.rules.detectors.iter().zip(&mut self.detectors) {
            if let Some(state) = state.detectors.remove(&bound.id) {
                detector.restore(state);
            }
        }
        self.correlations.restore(state.correlations);
    }
}

fn of_detector(rule: usize, finding: Finding) -> Firing {
    let Finding { index, group, mut causes, value, why } = finding;
    causes.sort_unstable();
    Firing { rule, index, causes, group, value, why: Some(why) }
}
