//! A group's counts, period by period.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::settings::Usual;

/// Earlier periods that there must be before anything is called unusual.
const FEWEST_PERIODS: usize = 3;
/// Of what a share is taken there must have been this much before.
const FEWEST_WHOLE: f64 = 20.0;

/// The newest periods in which there was anything, oldest first, and the first period ever.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(super) struct Periods {
    first: Option<i64>,
    counts: VecDeque<(i64, f64, f64)>,
    told: Option<i64>,
}

impl Periods {
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Adds to the period of a moment; what comes later than the baseline reaches back is too late to count.
    pub fn add(&mut self, usual: &Usual, seconds: i64, part: f64, whole: f64) {
        let period = seconds.div_euclid(usual.period.0);
        self.first.get_or_insert(period);
        match self.counts.iter_mut().rev().find(|(known, ..)| *known <= period) {
            Some(count) if count.0 == period => {
                count.1 += part;
                count.2 += whole;
            }
            _ => {
                let at = self.counts.partition_point(|(known, ..)| *known < period);
                self.counts.insert(at, (period, part, whole));
            }
        }
        let newest = self.counts.back().map_or(period, |(newest, ..)| *newest);
        while self.counts.front().is_some_and(|(oldest, ..)| *oldest < newest - i64::from(usual.periods)) {
            self.counts.pop_front();
        }
    }

    /// The newest period's amount and the median of those before it, when it is too much. Periods without anything count
    /// as nothing.
    pub fn volume(&self, usual: &Usual) -> Option<(f64, f64)> {
        let (newest, now, _) = *self.counts.back()?;
        let span = usize::try_from(newest - self.first?).ok()?.min(usual.periods as usize);
        if span < FEWEST_PERIODS {
            return None;
        }
        let mut before: Vec<f64> =
            self.counts.iter().take(self.counts.len() - 1).map(|(_, amount, _)| *amount).collect();
        before.resize(span.max(before.len()), 0.0);
        before.sort_unstable_by(f64::total_cmp);
        let median = before[before.len() / 2];
        (now >= usual.at_least && now >= usual.factor * median).then_some((now, median))
    }

    /// The newest period's share and that of the periods before it together, when it is too much.
    pub fn rate(&self, usual: &Usual) -> Option<(f64, f64)> {
        let (newest, part, whole) = *self.counts.back()?;
        let before = self.counts.iter().filter(|(period, ..)| *period < newest);
        let (earlier_part, earlier_whole) =
            before.fold((0.0, 0.0), |sum, (_, part, whole)| (sum.0 + part, sum.1 + whole));
        if earlier_whole < FEWEST_WHOLE || part < usual.at_least {
            return None;
        }
        let (now, earlier) = (part / whole.max(part), earlier_part / earlier_whole);
        // A group without any so far is held to one in its whole past.
        let baseline = earlier.max(1.0 / earlier_whole);
        (now >= usual.factor * baseline).then_some((now, earlier))
    }

    /// Whether this period has not been told of yet; from now on it has.
    pub fn is_news(&mut self, seconds: i64, usual: &Usual) -> bool {
        let period = seconds.div_euclid(usual.period.0);
        let news = self.told.is_none_or(|told| told < period);
        if news {
            self.told = Some(period);
        }
        news
    }
}
