//! Rules at work: entries go in in order, firings come out.

use std::collections::HashMap;
use std::sync::Arc;

use counterfoil::{Error, ErrorKind, Result};
use counterfoil_entry::Timestamp;
use rsigma_eval::{
    CorrelationConfig, CorrelationEngine, CorrelationEventMode, CorrelationSnapshot, EvaluationResult, ResultBody,
};
use serde::{Deserialize, Serialize};

use crate::detector::{Detector, DetectorState, Finding, Role};
use crate::limits::{MAX_CAUSES, MAX_COMMIT_SECONDS, MAX_CORRELATION_GROUPS, MAX_GROUP_ENTRIES};
use crate::record::{Record, Times, View};
use crate::rule::RuleInfo;
use crate::set::RuleSet;

/// The rules of a set, with what they remember of the entries so far.
pub struct Engine {
    rules: Arc<RuleSet>,
    sigma: CorrelationEngine,
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
    overflows: u64,
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
    correlations: bool,
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
    /// How often that was reached, and the stalest tenth of the groups was forgotten.
    pub overflows: u64,
    /// Groups that detectors had to forget.
    pub forgotten: u64,
}

/// What rules remember, to go on from.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct EngineState {
    correlations: CorrelationSnapshot,
    detectors: HashMap<String, DetectorState>,
}

impl Engine {
    /// An engine that has seen nothing yet.
    pub fn new(rules: Arc<RuleSet>) -> Result<Self> {
        let mut sigma = CorrelationEngine::new(CorrelationConfig {
            max_state_entries: MAX_CORRELATION_GROUPS,
            max_group_entries: Some(MAX_GROUP_ENTRIES),
            correlation_event_mode: CorrelationEventMode::Refs,
            max_correlation_events: MAX_CAUSES,
            ..CorrelationConfig::default()
        });
        sigma.add_collection(&rules.sigma).map_err(|error| {
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
        for name in rules.sigma.correlations.iter().flat_map(|rule| &rule.rules) {
            let known = rules.find(name).expect("correlations refer to rules that hold");
            waiting[positions[&known.id]].correlations = true;
        }
        let detectors: Vec<Detector> =
            rules.detectors.iter().map(|bound| Detector::new(bound.rule.detector.clone())).collect();
        let deadlines = (0..detectors.len()).filter(|position| detectors[*position].has_deadlines()).collect();
        let detector_rules = rules.detectors.iter().map(|bound| positions[&bound.id]).collect();
        Ok(Self { rules, sigma, detectors, positions, waiting, detector_rules, deadlines, everywhere, overflows: 0 })
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
            let matches = self.sigma.engine().evaluate_with_logsource(&view, view.source);
            if !matches.is_empty() {
                self.follow(&view, matches, *times.get_or_insert_with(|| record.times()), &mut firings);
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
    fn follow(&mut self, view: &View<'_>, matches: Vec<EvaluationResult>, times: Times, firings: &mut Vec<Firing>) {
        let mut correlated = Vec::new();
        for found in matches {
            let rule = self.position(&found);
            let Waiting { detectors, correlations } = &self.waiting[rule];
            for (detector, role) in detectors {
                let finding = self.detectors[*detector].observe(*role, view, times);
                firings.extend(finding.map(|finding| of_detector(self.detector_rules[*detector], finding)));
            }
            match correlations {
                true => correlated.push(found),
                false => firings.push(self.of_sigma(view, found)),
            }
        }
        if correlated.is_empty() {
            return;
        }
        if self.sigma.state_count() >= MAX_CORRELATION_GROUPS {
            self.overflows += 1;
        }
        let results = self.sigma.process_with_detections(view, correlated, times.happened);
        firings.extend(results.into_iter().map(|result| self.of_sigma(view, result)));
    }

    fn position(&self, result: &EvaluationResult) -> usize {
        self.positions[result.header.rule_id.as_deref().unwrap_or_default()]
    }

    fn of_sigma(&self, view: &View<'_>, result: EvaluationResult) -> Firing {
        let (rule, index) = (self.position(&result), view.index());
        match result.body {
            ResultBody::Detection(_) => {
                Firing { rule, index, causes: vec![index], group: Vec::new(), value: None, why: None }
            }
            ResultBody::Correlation(body) => {
                let kept = body.event_refs.unwrap_or_default();
                let mut causes: Vec<u64> = kept.into_iter().filter_map(|kept| kept.id?.parse().ok()).collect();
                causes.push(index);
                causes.sort_unstable();
                causes.dedup();
                Firing { rule, index, causes, group: body.group_key, value: Some(body.aggregated_value), why: None }
            }
        }
    }

    /// How full its memory is.
    pub fn load(&self) -> Load {
        Load {
            groups: self.sigma.state_count(),
            most_groups: MAX_CORRELATION_GROUPS,
            overflows: self.overflows,
            forgotten: self.detectors.iter().map(|detector| detector.state().forgotten).sum(),
        }
    }

    pub(crate) fn sigma(&self) -> &CorrelationEngine {
        &self.sigma
    }

    pub(crate) fn state(&self) -> EngineState {
        let detectors = self.rules.detectors.iter().zip(&self.detectors);
        EngineState {
            correlations: self.sigma.export_state(),
            detectors: detectors.map(|(bound, detector)| (bound.id.clone(), detector.state().clone())).collect(),
        }
    }

    /// Goes on from what was remembered, as far as the same rules are still there.
    pub(crate) fn restore(&mut self, mut state: EngineState) -> Result<()> {
        for (bound, detector) in self.rules.detectors.iter().zip(&mut self.detectors) {
            if let Some(state) = state.detectors.remove(&bound.id) {
                detector.restore(state);
            }
        }
        match self.sigma.import_state(state.correlations) {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::Damaged, "the state of correlations is of another version")),
        }
    }
}

fn of_detector(rule: usize, finding: Finding) -> Firing {
    let Finding { index, group, mut causes, value, why } = finding;
    causes.sort_unstable();
    Firing { rule, index, causes, group, value, why: Some(why) }
}
