//! How far a program's clock is off: when it says that something happened, against when that was recorded.

use std::collections::VecDeque;

use rsigma_eval::Event;
use serde::{Deserialize, Serialize};

use super::settings::Skew;
use super::words::length;
use crate::record::{Times, View};

/// Newest entries whose delay is remembered, and how many there must be before anything is called late.
const MAX_DELAYS: usize = 16;
const FEWEST_DELAYS: usize = 10;

/// What is remembered of one clock.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(super) struct Clock {
    /// How long after they happened the newest entries were recorded, in seconds.
    delays: VecDeque<i64>,
    /// Number and time of the newest entry of a source.
    newest: Option<(i64, i64)>,
}

impl Clock {
    /// Takes in an entry; a figure in seconds and a sentence when its time cannot be right.
    ///
    /// Who usually records late brings a history or a backlog: there only times of the future are told.
    pub fn observe(&mut self, skew: &Skew, view: &View<'_>, times: Times) -> Option<(Option<f64>, String)> {
        let delay = times.recorded.saturating_sub(times.claimed);
        let before = self.number(view, times.claimed);
        let found = if delay < -skew.ahead.0 {
            Some((delay, format!("it says that it happened {} after it was recorded", length(-delay))))
        } else if !self.is_prompt(skew) {
            None
        } else if delay > skew.behind.0 {
            Some((delay, format!("it was recorded {} after it happened, which is not usual there", length(delay))))
        } else {
            let back = before.map_or(0, |before| before.saturating_sub(times.claimed));
            (back > skew.back.0).then(|| (-back, format!("it happened {} before the one before it", length(back))))
        };
        if self.delays.len() == MAX_DELAYS {
            self.delays.pop_front();
        }
        self.delays.push_back(delay);
        found.map(|(seconds, why)| (Some(seconds as f64), why))
    }

    /// Whether entries are usually recorded soon after they happened.
    fn is_prompt(&self, skew: &Skew) -> bool {
        let late = self.delays.iter().filter(|delay| **delay > skew.behind.0).count();
        self.delays.len() >= FEWEST_DELAYS && late * 2 < self.delays.len()
    }

    /// Remembers the number of a source's entry; the time of the one right before it.
    fn number(&mut self, view: &View<'_>, claimed: i64) -> Option<i64> {
        let number = view.get_field("sequence")?.as_i64()?;
        let before = self.newest.replace((number, claimed))?;
        (before.0.checked_add(1) == Some(number)).then_some(before.1)
    }
}
