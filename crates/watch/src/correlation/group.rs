//! One group of a correlation: the entries that it keeps, and the figure that they give.

use std::collections::{HashMap, VecDeque};

use rsigma_eval::CompiledCorrelation;
use rsigma_parser::{ConditionExpr, CorrelationType, WindowMode};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::limits::{MAX_CAUSES, MAX_GROUP_ENTRIES};

/// An entry that a group keeps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Hit {
    #[serde(rename = "t")]
    pub time: i64,
    #[serde(rename = "i")]
    pub index: u64,
    #[serde(rename = "v", default, skip_serializing_if = "Kept::is_nothing")]
    pub kept: Kept,
}

/// What of an entry counts beside that it is there.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Kept {
    #[default]
    Nothing,
    Number(f64),
    Text(Box<str>),
}

impl Kept {
    fn is_nothing(&self) -> bool {
        *self == Self::Nothing
    }
}

/// What a correlation keeps of entries that have the same values in the fields that it groups by.
#[derive(Debug)]
pub(super) struct Group {
    /// In the order in which they came, by the rule that they match.
    lanes: SmallVec<[VecDeque<Hit>; 2]>,
    /// How often each text is kept, where different ones are counted.
    texts: Option<HashMap<Box<str>, u32>>,
    /// The latest time of entries that came, and the index of the one that had it: the stalest group has the least.
    pub latest: (i64, u64),
    /// When it fired last.
    pub fired: Option<i64>,
}

impl Group {
    pub fn new(rule: &CompiledCorrelation, lanes: usize) -> Self {
        let texts = (rule.correlation_type == CorrelationType::ValueCount).then(HashMap::new);
        Self { lanes: (0..lanes).map(|_| VecDeque::new()).collect(), texts, latest: (i64::MIN, 0), fired: None }
    }

    /// Forgets what an entry of this time puts out of the rule's window; false when the window has gone on without it.
    pub fn open(&mut self, rule: &CompiledCorrelation, time: i64) -> bool {
        let span = seconds(rule.timespan_secs);
        match rule.window_mode {
            WindowMode::Sliding => {
                for lane in 0..self.lanes.len() {
                    while self.lanes[lane].front().is_some_and(|hit| hit.time < time - span) {
                        self.drop_at(lane, 0);
                    }
                }
                true
            }
            WindowMode::Tumbling => {
                let Some(last) = self.last() else { return true };
                let (now, before) = (time.div_euclid(span.max(1)), last.div_euclid(span.max(1)));
                if now > before {
                    self.clear();
                }
                now >= before
            }
            WindowMode::Session => {
                let gap = rule.gap_secs.map_or(span, seconds);
                let first = self.lanes.iter().filter_map(|lane| lane.front()).map(|hit| hit.time).min();
                let over = |first| time - self.latest.0 > gap || (span > 0 && time - first > span);
                if first.is_some_and(over) {
                    self.clear();
                }
                true
            }
        }
    }

    /// Keeps one more entry, and the oldest no more where there are too many.
    pub fn push(&mut self, rule: &CompiledCorrelation, lane: usize, hit: Hit) {
        if let (Some(texts), Kept::Text(text)) = (&mut self.texts, &hit.kept) {
            match texts.get_mut(text) {
                Some(count) => *count += 1,
                None => drop(texts.insert(text.clone(), 1)),
            }
        }
        self.latest = self.latest.max((hit.time, hit.index));
        if self.lanes[lane].is_empty() {
            // Most groups have one entry.
            self.lanes[lane].reserve_exact(1);
        }
        self.lanes[lane].push_back(hit);
        let most = rule.max_group_entries.unwrap_or(MAX_GROUP_ENTRIES).clamp(1, MAX_GROUP_ENTRIES);
        // The first entry of a session says when the session must end.
        let oldest = usize::from(rule.window_mode == WindowMode::Session && most > 1);
        while self.lanes[lane].len() > most {
            self.drop_at(lane, oldest);
        }
    }

    fn drop_at(&mut self, lane: usize, at: usize) {
        let dropped = self.lanes[lane].remove(at);
        if let (Some(texts), Some(Hit { kept: Kept::Text(text), .. })) = (&mut self.texts, dropped)
            && let Some(count) = texts.get_mut(&text)
        {
            *count -= 1;
            if *count == 0 {
                texts.remove(&text);
            }
        }
    }

    pub fn clear(&mut self) {
        self.lanes.iter_mut().for_each(VecDeque::clear);
        self.texts.iter_mut().for_each(HashMap::clear);
    }

    /// How many entries it keeps.
    pub fn len(&self) -> usize {
        self.lanes.iter().map(VecDeque::len).sum()
    }

    /// The time of the entry that came last.
    fn last(&self) -> Option<i64> {
        self.lanes.iter().filter_map(|lane| lane.back()).map(|hit| hit.time).max()
    }

    /// From when on nothing that it keeps can matter to an entry of that time or later.
    pub fn stale_after(&self, rule: &CompiledCorrelation) -> i64 {
        let keep = match (rule.window_mode, rule.gap_secs) {
            (WindowMode::Session, Some(gap)) => gap,
            _ => rule.timespan_secs,
        };
        let quiet = self.fired.map_or(i64::MIN, |fired| fired + seconds(rule.suppress_secs.unwrap_or_default()));
        quiet.max(self.latest.0.saturating_add(seconds(keep)))
    }

    /// Whether it fired so near that time that it does not again.
    pub fn is_quiet(&self, rule: &CompiledCorrelation, time: i64) -> bool {
        let quiet = seconds(rule.suppress_secs.unwrap_or_default());
        self.fired.is_some_and(|fired| (time - fired).abs() < quiet)
    }

    /// The entries that it keeps, ascending; of many the newest.
    pub fn indices(&self) -> Vec<u64> {
        let newest = self.lanes.iter().flat_map(|lane| lane.iter().rev().take(MAX_CAUSES));
        let mut indices: Vec<u64> = newest.map(|hit| hit.index).collect();
        indices.sort_unstable();
        indices.dedup();
        indices.split_off(indices.len().saturating_sub(MAX_CAUSES))
    }

    /// The figure, when it is one that the rule asks for. `lanes` are those of the rules that it refers to.
    pub fn reaches(&self, rule: &CompiledCorrelation, lanes: &[usize]) -> Option<f64> {
        let fired = |lane: &usize| !self.lanes[*lane].is_empty();
        if let Some(wanted) = &rule.extended_expr
            && !holds(wanted, &|name| rule.rule_refs.iter().zip(lanes).any(|(of, lane)| of == name && fired(lane)))
        {
            return None;
        }
        let figure = match rule.correlation_type {
            CorrelationType::EventCount => self.len() as f64,
            CorrelationType::ValueCount => self.texts.as_ref().map_or(0, HashMap::len) as f64,
            CorrelationType::Temporal => {
                let count = lanes.iter().filter(|lane| fired(lane)).count() as f64;
                if rule.extended_expr.is_some() {
                    return Some(count);
                }
                count
            }
            CorrelationType::TemporalOrdered => {
                if self.is_in_order(lanes) {
                    lanes.len() as f64
                } else {
                    0.0
                }
            }
            CorrelationType::ValueSum => self.numbers().sum(),
            CorrelationType::ValueAvg => match self.numbers().count() {
                0 => return None,
                count => self.numbers().sum::<f64>() / count as f64,
            },
            CorrelationType::ValueMedian => self.percentile(50.0)?,
            CorrelationType::ValuePercentile => self.percentile(rule.condition.percentile.unwrap_or(50) as f64)?,
        };
        rule.condition.check(figure).then_some(figure)
    }

    /// Whether entries of all rules are there one after the other. The earliest that can follow leaves most room for the rest.
    fn is_in_order(&self, lanes: &[usize]) -> bool {
        let mut reached = i64::MIN;
        lanes.iter().all(|lane| {
            let next = self.lanes[*lane].iter().map(|hit| hit.time).filter(|time| *time >= reached).min();
            next.inspect(|time| reached = *time).is_some()
        })
    }

    fn numbers(&self) -> impl Iterator<Item = f64> {
        let number = |hit: &Hit| if let Kept::Number(number) = hit.kept { Some(number) } else { None };
        self.lanes.iter().flatten().filter_map(number)
    }

    /// Between the two nearest ranks, linearly.
    fn percentile(&self, percent: f64) -> Option<f64> {
        let mut numbers: Vec<f64> = self.numbers().collect();
        let last = numbers.len().checked_sub(1)?;
        let rank = percent.clamp(0.0, 100.0) / 100.0 * last as f64;
        let (_, below, rest) = numbers.select_nth_unstable_by(rank.floor() as usize, f64::total_cmp);
        let below = *below;
        let above = rest.iter().copied().min_by(f64::total_cmp).unwrap_or(below);
        let (above_part, below_part) = (rank.fract(), 1.0 - rank.fract());
        Some(if above_part == 0.0 { below } else { below * below_part + above * above_part })
    }

    /// What it keeps, lane by lane.
    pub fn lanes(&self) -> &[VecDeque<Hit>] {
        &self.lanes
    }
}

/// Whether an expression over rules holds, given which of them have fired.
fn holds(expression: &ConditionExpr, fired: &impl Fn(&str) -> bool) -> bool {
    match expression {
        ConditionExpr::Identifier(name) => fired(name),
        ConditionExpr::And(all) => all.iter().all(|one| holds(one, fired)),
        ConditionExpr::Or(any) => any.iter().any(|one| holds(one, fired)),
        ConditionExpr::Not(not) => !holds(not, fired),
        ConditionExpr::Selector { .. } => false,
    }
}

fn seconds(span: u64) -> i64 {
    i64::try_from(span).unwrap_or(i64::MAX).min(i64::MAX / 4)
}
