//! Correlations at work: what their rules remember of entries, group by group, and when they fire. What a document means and
//! which figure it asks for is the Sigma engine's; the memory is ours, small and of a bounded size.

mod group;
mod groups;
mod remembered;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use counterfoil::{Error, ErrorKind, Result};
use rsigma_eval::correlation::compile_correlation;
use rsigma_eval::correlation_engine::CorrelationAction;
use rsigma_eval::{CompiledCorrelation, Event, EventValue};
use rsigma_parser::{CorrelationRule, CorrelationType};

use self::group::{Hit, Kept};
use self::groups::{Groups, Key};
pub(crate) use self::remembered::Remembered;
use crate::engine::Firing;
use crate::record::{View, bounded};

/// How many correlations of correlations one entry may set off, one after the other.
const MAX_CHAIN: usize = 10;

/// The correlations of a set of rules, with what they remember.
#[derive(Debug)]
pub(crate) struct Correlations {
    rules: Vec<Correlation>,
    groups: Groups,
}

#[derive(Debug)]
pub(crate) struct Correlation {
    /// Its position among all rules.
    rule: usize,
    compiled: CompiledCorrelation,
    /// Where a group keeps the matches of each of the rules that it refers to: apart where it matters which one matched.
    lanes: Vec<usize>,
    /// The correlations that refer to it.
    parents: Vec<Feed>,
}

/// A way on which matches of one rule come to a correlation.
#[derive(Debug, Clone)]
pub(crate) struct Feed {
    correlation: usize,
    lane: usize,
    /// The fields that this rule's matches are grouped by.
    fields: Vec<String>,
}

/// A firing on its way to a correlation that refers to its rule.
#[derive(Debug, PartialEq)]
struct Passed {
    child: usize,
    key: Key,
    lane: usize,
}

impl Correlation {
    fn new(rule: usize, document: &CorrelationRule) -> Result<Self> {
        let compiled = compile_correlation(document).map_err(|error| {
            Error::new(ErrorKind::Internal, format!("a correlation that was checked does not hold: {error}"))
        })?;
        let refs = &compiled.rule_refs;
        let first = |name: &String| refs.iter().position(|other| other == name).expect("it is one of them");
        let lanes = match compiled.correlation_type {
            CorrelationType::Temporal | CorrelationType::TemporalOrdered => refs.iter().map(first).collect(),
            _ => vec![0; refs.len()],
        };
        Ok(Self { rule, lanes, compiled, parents: Vec::new() })
    }

    /// Where a group keeps the matches of the rule that is referred to as this.
    fn lane(&self, name: &str) -> Option<usize> {
        self.compiled.rule_refs.iter().position(|known| known == name).map(|position| self.lanes[position])
    }

    fn lane_count(&self) -> usize {
        self.lanes.iter().max().map_or(0, |last| last + 1)
    }

    /// How the matches of a rule come here, if it refers to that rule by its id or name.
    fn feed(&self, correlation: usize, id: &str, name: Option<&str>) -> Option<Feed> {
        let identities: Vec<&str> = std::iter::once(id).chain(name).collect();
        let lane = identities.iter().find_map(|name| self.lane(name))?;
        let fields = self.compiled.group_by.iter().map(|field| field.resolve(&identities).to_owned()).collect();
        Some(Feed { correlation, lane, fields })
    }

    /// What of an entry it keeps; `None` where the entry lacks what is counted.
    fn kept(&self, view: &View<'_>) -> Option<Kept> {
        let fields = self.compiled.condition.field.as_deref().unwrap_or_default();
        match self.compiled.correlation_type {
            CorrelationType::EventCount | CorrelationType::Temporal | CorrelationType::TemporalOrdered => {
                Some(Kept::Nothing)
            }
            CorrelationType::ValueCount => {
                let texts: Option<Vec<String>> = fields.iter().map(|field| counted(view.get_field(field)?)).collect();
                let texts = texts.filter(|texts| !texts.is_empty())?;
                Some(Kept::Text(bounded(texts.join("\u{1f}").into()).into()))
            }
            CorrelationType::ValueSum
            | CorrelationType::ValueAvg
            | CorrelationType::ValuePercentile
            | CorrelationType::ValueMedian => {
                // What is not a number of this world, such as "NaN", would spoil every figure that it is a part of.
                let number = view.get_field(fields.first()?)?.as_f64()?;
                number.is_finite().then_some(Kept::Number(number))
            }
        }
    }

    /// Whether it can count firings of other rules, which have no values.
    fn counts_firings(&self) -> bool {
        use CorrelationType::{EventCount, Temporal, TemporalOrdered};
        matches!(self.compiled.correlation_type, EventCount | Temporal | TemporalOrdered)
    }
}

impl Feed {
    /// The group that an entry belongs to.
    fn key(&self, view: &View<'_>) -> Key {
        let mut key = Key::of(self.correlation);
        for field in &self.fields {
            key.push(view.group(field).as_deref());
        }
        key
    }
}

impl Correlations {
    /// Correlations that have seen nothing yet. `rules` are their documents with their positions among all rules.
    pub fn new<'d>(rules: impl Iterator<Item = (usize, &'d CorrelationRule)>) -> Result<Self> {
        let rules: Result<Vec<Correlation>> = rules.map(|(rule, document)| Correlation::new(rule, document)).collect();
        let mut correlations = Self { rules: rules?, groups: Groups::default() };
        for child in 0..correlations.rules.len() {
            let CompiledCorrelation { id, name, .. } = &correlations.rules[child].compiled;
            let parents = correlations.feeds(id.as_deref().unwrap_or_default(), name.as_deref());
            correlations.rules[child].parents = parents;
        }
        Ok(correlations)
    }

    /// How matches of a rule come to all correlations that refer to it.
    pub fn feeds(&self, id: &str, name: Option<&str>) -> Vec<Feed> {
        let rules = self.rules.iter().enumerate();
        rules.filter_map(|(correlation, rule)| rule.feed(correlation, id, name)).collect()
    }

    /// Takes in an entry that rules match, on the ways on which their matches come here, and what follows from it.
    pub fn observe(&mut self, feeds: &[&Feed], view: &View<'_>, time: i64, firings: &mut Vec<Firing>) {
        let (index, time) = (view.index(), time.clamp(i64::MIN / 4, i64::MAX / 4));
        let mut fired = Vec::new();
        for feed in feeds {
            let Some(kept) = self.rules[feed.correlation].kept(view) else { continue };
            let key = feed.key(view);
            if let Some(firing) = self.hit(&key, feed.lane, Hit { time, index, kept }) {
                firings.push(firing);
                self.pass_on(&key, &mut fired);
            }
        }
        for _ in 0..MAX_CHAIN {
            let mut next = Vec::new();
            for Passed { key, lane, .. } in fired {
                if let Some(firing) = self.hit(&key, lane, Hit { time, index, kept: Kept::Nothing }) {
                    firings.push(firing);
                    self.pass_on(&key, &mut next);
                }
            }
            fired = next;
        }
    }

    /// Keeps an entry in a group; the firing, if it fires.
    fn hit(&mut self, key: &Key, lane: usize, hit: Hit) -> Option<Firing> {
        let (time, index) = (hit.time, hit.index);
        let Correlation { rule, compiled, lanes, .. } = &self.rules[key.correlation()];
        let (value, causes) = self.groups.with(key, &self.rules, time, |group| {
            if !group.open(compiled, time) {
                return None;
            }
            group.push(compiled, lane, hit);
            if group.is_quiet(compiled, time) {
                return None;
            }
            let value = group.reaches(compiled, lanes)?;
            group.fired = Some(time);
            let causes = group.indices();
            if compiled.action == Some(CorrelationAction::Reset) {
                group.clear();
            }
            Some((value, causes))
        })?;
        let values = compiled.group_by.iter().zip(key.values());
        let shared = values.filter_map(|(field, value)| Some((field.name().to_owned(), value?.to_owned())));
        Some(Firing { rule: *rule, index, causes, group: shared.collect(), value: Some(value), why: None })
    }

    /// Adds where the firing of a group goes to; each place once.
    fn pass_on(&self, fired: &Key, next: &mut Vec<Passed>) {
        let child = &self.rules[fired.correlation()];
        let values = fired.values();
        for feed in child.parents.iter().filter(|feed| self.rules[feed.correlation].counts_firings()) {
            let mut key = Key::of(feed.correlation);
            for field in &feed.fields {
                let place = child.compiled.group_by.iter().position(|known| known.name() == field);
                key.push(place.and_then(|place| values[place]));
            }
            let passed = Passed { child: fired.correlation(), key, lane: feed.lane };
            if !next.contains(&passed) {
                next.push(passed);
            }
        }
    }

    /// How many groups it remembers.
    pub fn group_count(&self) -> usize {
        self.groups.len()
    }

    /// How often it had to forget groups to have room for one more.
    pub fn overflows(&self) -> u64 {
        self.groups.overflows
    }
}

/// A value as text, to be counted among others.
fn counted(value: EventValue<'_>) -> Option<String> {
    match value {
        EventValue::Null => Some("null".to_owned()),
        other => other.as_str().map(Cow::into_owned),
    }
}
