//! The rules that hold, out of the documents that could be read.

use std::collections::{HashMap, HashSet};

use rsigma_eval::CompiledCorrelation;
use rsigma_eval::compiler::compile_rule;
use rsigma_eval::correlation::compile_correlation;
use rsigma_parser::{
    ConditionExpr, ConditionOperator, CorrelationCondition, CorrelationRule, CorrelationType, FilterRule,
    FilterRuleTarget, LogSource, SigmaCollection, SigmaRule,
};

use crate::detector::{DetectorRule, Role};
use crate::document::{self, Document, Read};
use crate::folder::Texts;
use crate::limits::{MAX_GROUP_ENTRIES, MAX_RULES, OWN_RULES};
use crate::names;
use crate::problem::Problem;
use crate::rule::{Place, RuleInfo};

/// Rules that hold together, and what is wrong with those that do not.
#[derive(Debug, Default)]
pub struct RuleSet {
    /// Every rule, in the order of files and documents.
    pub rules: Vec<RuleInfo>,
    /// Documents that were left out, and warnings.
    pub problems: Vec<Problem>,
    /// Which texts they were read from.
    pub digest: String,
    pub(crate) sigma: SigmaCollection,
    pub(crate) detectors: Vec<Bound>,
    /// The tests of rules, by the rule's id.
    pub(crate) tests: Vec<(String, yaml_serde::Value)>,
}

/// A detector and the detections that it looks at, by their ids.
#[derive(Debug, Clone)]
pub(crate) struct Bound {
    pub id: String,
    pub rule: DetectorRule,
    pub looks_at: Vec<(String, Role)>,
}

/// Products whose records entries can hold.
const PRODUCTS: [&str; 3] = ["counterfoil", "aws", "opentelemetry"];
/// Where a rule keeps its tests.
const TESTS: &str = "tests";

impl RuleSet {
    /// Whether nothing was left out.
    pub fn is_whole(&self) -> bool {
        self.problems.iter().all(|problem| !problem.skipped)
    }

    /// Reads texts; documents that cannot hold are left out and named.
    pub fn of(texts: &Texts) -> Self {
        let mut set = Self { digest: texts.digest(), problems: texts.problems.clone(), ..Self::default() };
        let read = texts.files.iter().flat_map(|(file, text)| document::read_file(file, text));
        let (mut correlations, mut detectors, mut filters) = (Vec::new(), Vec::new(), Vec::new());
        for Read { place, title, document, warnings } in read {
            set.warn(&place, title.as_deref(), warnings);
            match document {
                Err(reason) => set.skip(&place, title.as_deref(), reason),
                Ok(Document::Detection(rule)) => set.take_detection(*rule, place),
                Ok(Document::Correlation(rule)) => correlations.push((*rule, place)),
                Ok(Document::Detector(rule)) => detectors.push((*rule, place)),
                Ok(Document::Filter(filter)) => filters.push((*filter, place)),
            }
        }
        set.take_correlations(correlations);
        detectors.into_iter().for_each(|(rule, place)| set.take_detector(rule, place));
        filters.into_iter().for_each(|(filter, place)| set.take_filter(filter, place));
        set.mark_bases();
        set.rules.sort_by(|a, b| (&a.file, a.document).cmp(&(&b.file, b.document)));
        set
    }

    /// The rule of this id, name or title.
    pub fn find(&self, wanted: &str) -> Option<&RuleInfo> {
        let by = |known: fn(&RuleInfo) -> Option<&str>| self.rules.iter().find(|rule| known(rule) == Some(wanted));
        by(|rule| Some(rule.id.as_str()))
            .or_else(|| by(|rule| rule.name.as_deref()))
            .or_else(|| by(|rule| Some(rule.title.as_str())))
    }

    /// The tests that a rule carries.
    pub(crate) fn tests_of(&self, id: &str) -> Option<&yaml_serde::Value> {
        self.tests.iter().find(|(of, _)| of == id).map(|(_, tests)| tests)
    }

    fn take_detection(&mut self, mut rule: SigmaRule, place: Place) {
        let title = rule.title.clone();
        self.fill_id(&mut rule.id, rule.name.as_ref(), &title, &place);
        if let Err(reason) = self.admit(rule.id.as_deref().unwrap_or_default()) {
            return self.skip(&place, Some(&title), reason);
        }
        let LogSource { category, product, service, .. } = &rule.logsource;
        if product.is_none() && category.is_none() && service.is_none() {
            rule.logsource.product = Some(PRODUCTS[0].into());
        } else if let Some(known) = product.as_ref().filter(|known| !PRODUCTS.contains(&known.as_str())) {
            let warning = format!("no entry holds records of the product {known:?}, so it never matches");
            self.warn(&place, Some(&title), vec![warning]);
        }
        if rule.logsource.product.as_deref() == Some(PRODUCTS[0]) {
            self.warn(&place, Some(&title), names::odd_in_detection(&rule));
        }
        let tests = rule.custom_attributes.remove(TESTS);
        if let Err(error) = compile_rule(&rule) {
            return self.skip(&place, Some(&title), error.to_string());
        }
        let info = RuleInfo::of_detection(&rule, &place);
        self.keep(info, tests);
        self.sigma.rules.push(rule);
    }

    /// Takes correlations once all that they refer to is there; what is left over refers to something that is not.
    fn take_correlations(&mut self, mut waiting: Vec<(CorrelationRule, Place)>) {
        loop {
            let before = waiting.len();
            let mut later = Vec::new();
            for (rule, place) in waiting {
                match rule.rules.iter().all(|name| self.find(name).is_some()) {
                    true => self.take_correlation(rule, place),
                    false => later.push((rule, place)),
                }
            }
            waiting = later;
            if waiting.len() == before {
                break;
            }
        }
        for (rule, place) in waiting {
            let missing: Vec<&str> =
                rule.rules.iter().filter(|name| self.find(name).is_none()).map(String::as_str).collect();
            let reason = format!("it refers to {}, which is not there, left out, or refers back", missing.join(", "));
            self.skip(&place, Some(&rule.title), reason);
        }
    }

    fn take_correlation(&mut self, mut rule: CorrelationRule, place: Place) {
        let title = rule.title.clone();
        self.fill_id(&mut rule.id, rule.name.as_ref(), &title, &place);
        if let Err(reason) = self.admit(rule.id.as_deref().unwrap_or_default()) {
            return self.skip(&place, Some(&title), reason);
        }
        for position in 0..rule.rules.len() {
            let known = self.find(&rule.rules[position]).expect("looked up before");
            if known.id != rule.rules[position] && known.name.as_ref() != Some(&rule.rules[position]) {
                let (id, named) = (known.id.clone(), rule.rules[position].clone());
                rule.rules[position] = id;
                self.warn(
                    &place,
                    Some(&title),
                    vec![format!("it refers to {named:?} by its title; use its id or name")],
                );
            }
        }
        if let CorrelationCondition::Extended(expression) = &mut rule.condition {
            let known = |name: &str| {
                let id = &self.find(name)?.id;
                rule.rules.iter().find(|known| self.find(known).is_some_and(|known| known.id == *id)).cloned()
            };
            if let Err(reason) = refer(expression, &known) {
                return self.skip(&place, Some(&title), reason);
            }
        }
        if self.looks_at_entries(&rule.rules) {
            let aliased = |field: &&str| !rule.aliases.iter().any(|alias| alias.alias == **field);
            let counted = match &rule.condition {
                CorrelationCondition::Threshold { field, .. } => field.iter().flatten(),
                CorrelationCondition::Extended(_) => None.iter().flatten(),
            };
            let fields = rule.group_by.iter().chain(counted).map(String::as_str).filter(aliased);
            self.warn(&place, Some(&title), names::odd_among(fields));
        }
        let tests = rule.custom_attributes.remove(TESTS);
        // One alert a group until its time has passed, unless the rule says otherwise; and no rule speaks for others.
        let attributes = &mut rule.custom_attributes;
        attributes.entry("rsigma.suppress".into()).or_insert_with(|| format!("{}s", rule.timespan.seconds).into());
        attributes.entry("rsigma.action".into()).or_insert_with(|| "alert".into());
        if let Some(number) = attributes.get("rsigma.max_group_entries").and_then(yaml_serde::Value::as_u64) {
            attributes.insert("rsigma.max_group_entries".into(), number.to_string().into());
        }
        match compile_correlation(&rule) {
            Err(error) => return self.skip(&place, Some(&title), error.to_string()),
            Ok(compiled) => self.warn(&place, Some(&title), out_of_reach(&compiled)),
        }
        let info = RuleInfo::of_correlation(&rule, &place);
        self.keep(info, tests);
        self.sigma.correlations.push(rule);
    }

    fn take_detector(&mut self, mut rule: DetectorRule, place: Place) {
        let title = rule.title.clone();
        self.fill_id(&mut rule.id, rule.name.as_ref(), &title, &place);
        let id = rule.id.clone().unwrap_or_default();
        if let Err(reason) = self.admit(&id).and_then(|()| rule.detector.check()) {
            return self.skip(&place, Some(&title), reason);
        }
        let mut looks_at = Vec::new();
        for (name, role) in rule.detector.references() {
            let found = self.find(name).filter(|found| found.kind == crate::rule::RuleKind::Detection);
            match found {
                Some(found) => looks_at.push((found.id.clone(), role)),
                None => {
                    let reason = format!("it refers to {name:?}, which is no detection here");
                    return self.skip(&place, Some(&title), reason);
                }
            }
        }
        if self.looks_at_entries(looks_at.iter().map(|(id, _)| id)) {
            let fields = rule.detector.group_by().iter().map(String::as_str).chain(rule.detector.fields());
            self.warn(&place, Some(&title), names::odd_among(fields));
        }
        let tests = rule.tests.take();
        let info = rule.info(&place);
        self.keep(info, tests);
        self.detectors.push(Bound { id, rule, looks_at });
    }

    /// A filter narrows the rules that it names; the engine knows those by their ids.
    fn take_filter(&mut self, mut filter: FilterRule, place: Place) {
        let title = filter.title.clone();
        if let FilterRuleTarget::Specific(names) = &filter.rules {
            let (found, missing): (Vec<&String>, Vec<&String>) =
                names.iter().partition(|name| self.find(name).is_some());
            let missing: Vec<&str> = missing.into_iter().map(String::as_str).collect();
            let ids = found.into_iter().filter_map(|name| Some(self.find(name)?.id.clone())).collect::<Vec<_>>();
            if ids.is_empty() {
                let reason = format!("it filters {}, and no such rule is there", missing.join(", "));
                return self.skip(&place, Some(&title), reason);
            }
            if !missing.is_empty() {
                self.warn(
                    &place,
                    Some(&title),
                    vec![format!("it also names {}, which is not there", missing.join(", "))],
                );
            }
            filter.rules = FilterRuleTarget::Specific(ids);
        }
        match rsigma_eval::Engine::new().apply_filter(&filter) {
            Ok(()) => self.sigma.filters.push(filter),
            Err(error) => self.skip(&place, Some(&title), error.to_string()),
        }
    }

    /// Whether all rules of these names look at entries as they are.
    fn looks_at_entries<'n>(&self, names: impl IntoIterator<Item = &'n String>) -> bool {
        let ids: Vec<&str> = names.into_iter().filter_map(|name| Some(self.find(name)?.id.as_str())).collect();
        ids.iter().all(|id| {
            let rule = self.sigma.rules.iter().find(|rule| rule.id.as_deref() == Some(id));
            rule.is_some_and(|rule| rule.logsource.product.as_deref() == Some(PRODUCTS[0]))
        })
    }

    /// Rules that others refer to raise no alerts themselves, unless one of those says `generate`.
    fn mark_bases(&mut self) {
        let correlations = self.sigma.correlations.iter().map(|rule| (rule.generate, rule.rules.clone()));
        let detectors = self
            .detectors
            .iter()
            .map(|bound| (bound.rule.generate, bound.looks_at.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>()));
        let (mut silent, mut loud) = (HashSet::new(), HashSet::new());
        for (generate, names) in correlations.chain(detectors) {
            let ids = names.iter().filter_map(|name| Some(self.find(name)?.id.clone()));
            if generate {
                loud.extend(ids)
            } else {
                silent.extend(ids)
            };
        }
        for rule in &mut self.rules {
            rule.base = silent.contains(&rule.id) && !loud.contains(&rule.id);
        }
    }

    fn fill_id(&mut self, id: &mut Option<String>, name: Option<&String>, title: &str, place: &Place) {
        if id.is_none() {
            let stand_in = name.cloned().unwrap_or_else(|| title.to_owned());
            self.warn(place, Some(title), vec![format!("it has no id; {stand_in:?} stands in")]);
            *id = Some(stand_in);
        }
    }

    fn admit(&self, id: &str) -> Result<(), String> {
        if id.starts_with(OWN_RULES) {
            return Err(format!("ids that begin with {OWN_RULES:?} are the service's own"));
        }
        if let Some(first) = self.rules.iter().find(|rule| rule.id == id) {
            return Err(format!("its id is that of {}, document {}", first.file, first.document));
        }
        match self.rules.len() < MAX_RULES {
            true => Ok(()),
            false => Err(format!("there are at most {MAX_RULES} rules")),
        }
    }

    fn keep(&mut self, info: RuleInfo, tests: Option<yaml_serde::Value>) {
        self.tests.extend(tests.map(|tests| (info.id.clone(), tests)));
        self.rules.push(info);
    }

    fn skip(&mut self, place: &Place, title: Option<&str>, reason: String) {
        let title = title.map(str::to_owned);
        self.problems.push(Problem { place: place.clone(), title, skipped: true, reason });
    }

    fn warn(&mut self, place: &Place, title: Option<&str>, warnings: Vec<String>) {
        let problem =
            |reason| Problem { place: place.clone(), title: title.map(str::to_owned), skipped: false, reason };
        self.problems.extend(warnings.into_iter().map(problem));
    }

    /// Positions of rules by their ids.
    pub(crate) fn positions(&self) -> HashMap<String, usize> {
        self.rules.iter().enumerate().map(|(position, rule)| (rule.id.clone(), position)).collect()
    }
}

/// Makes a condition name rules as its correlation refers to them.
fn refer(expression: &mut ConditionExpr, known: &impl Fn(&str) -> Option<String>) -> Result<(), String> {
    match expression {
        ConditionExpr::Identifier(name) => {
            *name = known(name).ok_or_else(|| format!("its condition names {name:?}, which is not among its rules"))?;
            Ok(())
        }
        ConditionExpr::And(all) | ConditionExpr::Or(all) => all.iter_mut().try_for_each(|one| refer(one, known)),
        ConditionExpr::Not(not) => refer(not, known),
        ConditionExpr::Selector { .. } => Err("its condition must name each of its rules".to_owned()),
    }
}

/// What is odd about a count that no group can come to.
fn out_of_reach(rule: &CompiledCorrelation) -> Vec<String> {
    let most = rule.max_group_entries.unwrap_or(MAX_GROUP_ENTRIES).clamp(1, MAX_GROUP_ENTRIES) as f64;
    let counts = matches!(rule.correlation_type, CorrelationType::EventCount | CorrelationType::ValueCount);
    let never = rule.condition.predicates.iter().any(|(operator, count)| match operator {
        ConditionOperator::Gte | ConditionOperator::Eq => *count > most,
        ConditionOperator::Gt => *count >= most,
        _ => false,
    });
    let warning = || format!("it never fires: a group keeps at most {most} entries");
    (counts && never).then(warning).into_iter().collect()
}
