//! Whether an amount is far from those before it: the median and the median deviation of the newest.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::settings::Far;
use super::words::figure;
use crate::limits::MAX_AMOUNTS;

/// After so many amounts the median is taken anew.
const REFRESH: u64 = 16;
/// Median deviations in a standard deviation, where amounts are spread evenly about their median.
const DEVIATION: f64 = 1.4826;
/// The least spread, about a tenth of an amount: where all are the same, a cent more is not far.
const LEAST_SPREAD: f64 = 0.1;

/// The newest amounts of a group, by their order of magnitude.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(super) struct Amounts {
    newest: VecDeque<f32>,
    seen: u64,
    median: f64,
    spread: f64,
}

impl Amounts {
    /// Takes in an amount, and the one before it where changes are judged; how far it is and a sentence, when that is far.
    pub fn observe(&mut self, far: &Far, now: f64, before: Option<f64>) -> Option<(Option<f64>, String)> {
        // Like a logarithm, and defined for zero and below as well: twice as much is as far everywhere.
        let magnitude = now.asinh() - before.map_or(0.0, f64::asinh);
        let known = self.newest.len() >= far.observations as usize;
        let deviation = (magnitude - self.median) / self.spread.max(LEAST_SPREAD);
        let (median, spread, size) =
            (self.median, self.spread.max(LEAST_SPREAD), now.abs().max(before.unwrap_or_default().abs()));
        self.add(magnitude, known);
        let is_far = if before.is_some() { deviation.abs() >= far.factor } else { deviation >= far.factor };
        (known && is_far && size >= far.at_least).then(|| {
            let count = self.newest.len();
            let (low, high) = (median - far.factor * spread, median + far.factor * spread);
            let why = match before {
                None => format!(
                    "{}, where {} is usual among the last {count}, and {} would be far",
                    figure(now),
                    figure(median.sinh()),
                    figure(high.sinh().max(far.at_least))
                ),
                Some(before) => format!(
                    "from {} to {}, where times {} is usual among the last {count}, and {} or {} would be far",
                    figure(before),
                    figure(now),
                    figure(median.exp()),
                    figure(low.exp()),
                    figure(high.exp())
                ),
            };
            (Some((deviation * 10.0).round() / 10.0), why)
        })
    }

    fn add(&mut self, magnitude: f64, known: bool) {
        if self.newest.len() == MAX_AMOUNTS {
            self.newest.pop_front();
        }
        self.newest.push_back(magnitude as f32);
        self.seen += 1;
        if !known || self.seen.is_multiple_of(REFRESH) {
            let mut values: Vec<f64> = self.newest.iter().copied().map(f64::from).collect();
            self.median = median(&mut values);
            values.iter_mut().for_each(|value| *value = (*value - self.median).abs());
            self.spread = DEVIATION * median(&mut values);
        }
    }
}

fn median(values: &mut [f64]) -> f64 {
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}
