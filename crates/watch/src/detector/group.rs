//! What a detector remembers of one group of entries.

use std::collections::{HashMap, VecDeque};

use rsigma_eval::Event;
use serde::{Deserialize, Serialize};

use super::amounts::Amounts;
use super::case::Case;
use super::clock::Clock;
use super::periods::Periods;
use super::spec::{Role, Spec};
use super::words::{days, figure};
use crate::limits::MAX_CAUSES;
use crate::record::{Times, View};

/// What is remembered of one group.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(super) struct Group {
    /// When it was last heard of, in seconds.
    pub last: i64,
    /// Whether something allows what is looked at.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    allowed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alerted: Option<i64>,
    #[serde(default, skip_serializing_if = "Periods::is_empty")]
    periods: Periods,
    /// The newest entries that counted.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub recent: VecDeque<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    clock: Option<Box<Clock>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    amounts: Option<Box<Amounts>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<Box<Case>>,
}

/// The group of a key, a new one where there is none.
pub(super) fn of<'g>(groups: &'g mut HashMap<String, Group>, key: &str) -> &'g mut Group {
    if !groups.contains_key(key) {
        groups.insert(key.to_owned(), Group::default());
    }
    groups.get_mut(key).expect("it is there now")
}

/// A figure and a sentence.
type Found = (Option<f64>, String);

impl Group {
    /// Takes in an entry of the group.
    pub fn observe(&mut self, spec: &Spec, role: Role, view: &View<'_>, times: Times) -> Option<Found> {
        let seconds = times.happened;
        match spec {
            // A moment outside hours needs no memory, and the steps of a process are counted elsewhere.
            Spec::Hours { .. } | Spec::Process(_) => None,
            Spec::Dormant { after, .. } => {
                let quiet = seconds - self.last;
                self.recent = VecDeque::from([view.index()]);
                let woke = self.last != 0 && quiet >= after.0;
                woke.then(|| (Some(days(quiet)), format!("the first sign after {:.0} days", days(quiet))))
            }
            Spec::Missing { quiet, .. } => {
                match role {
                    Role::Before => self.allowed = true,
                    Role::Until => self.allowed = false,
                    _ => {}
                }
                if role != Role::Subject || self.allowed || !self.is_news(seconds, quiet.0) {
                    return None;
                }
                self.recent = VecDeque::from([view.index()]);
                Some((None, "nothing before it allows it".into()))
            }
            Spec::Volume { sum, usual, .. } => {
                let amount = match sum {
                    None => 1.0,
                    Some(field) => number(view, field)?,
                };
                self.count(view.index(), usual.period.0, seconds);
                self.periods.add(usual, seconds, amount, 0.0);
                let (now, before) = self.periods.volume(usual)?;
                self.periods
                    .is_news(seconds, usual)
                    .then(|| (Some(now), format!("{} in the period, and {} is usual", figure(now), figure(before))))
            }
            Spec::Rate { usual, .. } => {
                let part = role == Role::Subject;
                if part {
                    self.count(view.index(), usual.period.0, seconds);
                }
                self.periods.add(usual, seconds, f64::from(u8::from(part)), f64::from(u8::from(!part)));
                let (now, before) = self.periods.rate(usual).filter(|_| part)?;
                self.periods.is_news(seconds, usual).then(|| {
                    (Some(now), format!("{:.1} % in the period, and {:.1} % is usual", now * 100.0, before * 100.0))
                })
            }
            Spec::Clock(skew) => {
                let found = self.clock.get_or_insert_default().observe(skew, view, times)?;
                if !self.is_news(times.recorded, skew.quiet.0) {
                    return None;
                }
                self.recent = VecDeque::from([view.index()]);
                Some(found)
            }
            Spec::Amount(far) => {
                let now = number(view, &far.field)?;
                let before = match &far.from {
                    None => None,
                    Some(field) => Some(number(view, field)?),
                };
                self.recent = VecDeque::from([view.index()]);
                self.amounts.get_or_insert_default().observe(far, now, before)
            }
        }
    }

    /// Whether nothing was told for a time; from now on something has.
    fn is_news(&mut self, seconds: i64, quiet: i64) -> bool {
        let news = self.alerted.is_none_or(|last| seconds - last >= quiet);
        if news {
            self.alerted = Some(seconds);
        }
        news
    }

    /// Remembers an entry of the current period.
    fn count(&mut self, index: u64, period: i64, seconds: i64) {
        if seconds.div_euclid(period) != self.last.div_euclid(period) {
            self.recent.clear();
        }
        if self.recent.len() == MAX_CAUSES {
            self.recent.pop_front();
        }
        self.recent.push_back(index);
    }
}

/// A field's number, which may be written as text.
fn number(view: &View<'_>, field: &str) -> Option<f64> {
    view.get_field(field)?.as_f64().filter(|number| number.is_finite())
}
