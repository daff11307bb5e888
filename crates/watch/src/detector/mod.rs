//! Detectors: hours, dormancy, something missing before, unusual volume, unusual share.

mod periods;
mod spec;

use std::collections::{HashMap, VecDeque};

use jiff::Timestamp;
use rsigma_eval::Event;
use serde::{Deserialize, Serialize};

use crate::limits::{MAX_CAUSES, MAX_DETECTOR_GROUPS};
use crate::record::View;
use periods::Periods;
use spec::{Day, Hours};
pub(crate) use spec::{DetectorRule, Role, Spec};

/// A detector at work.
#[derive(Debug)]
pub(crate) struct Detector {
    spec: Spec,
    state: DetectorState,
}

/// What a detector remembers.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(crate) struct DetectorState {
    groups: HashMap<String, Group>,
    /// How many groups it had to forget.
    pub forgotten: u64,
}

/// What it remembers of one group.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
struct Group {
    /// When it was last heard of, in seconds.
    last: i64,
    /// Whether something allows what is looked at.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    allowed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alerted: Option<i64>,
    #[serde(default, skip_serializing_if = "Periods::is_empty")]
    periods: Periods,
    /// The newest entries that counted.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    recent: VecDeque<u64>,
}

/// What a detector found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Finding {
    pub group: Vec<(String, String)>,
    pub causes: Vec<u64>,
    /// The figure that was too much.
    pub value: Option<f64>,
    /// Why, in a sentence.
    pub why: String,
}

impl Detector {
    pub fn new(spec: Spec) -> Self {
        Self { spec, state: DetectorState::default() }
    }

    pub fn state(&self) -> &DetectorState {
        &self.state
    }

    pub fn restore(&mut self, state: DetectorState) {
        self.state = state;
    }

    /// Takes in that a rule matched an entry, in the order of the ledger.
    pub fn observe(&mut self, role: Role, view: &View<'_>, seconds: i64) -> Option<Finding> {
        if let Spec::Hours { hours, .. } = &self.spec {
            let why = outside(hours, seconds)?;
            return Some(Finding { group: Vec::new(), causes: vec![view.index()], value: None, why });
        }
        let names = self.spec.group_by();
        let values: Vec<String> = names.iter().map(|name| view.group(name)).collect::<Option<_>>()?;
        let key = serde_json::to_string(&values).expect("texts are JSON");
        let group = self.state.groups.entry(key).or_default();
        let found = group.observe(&self.spec, role, view, seconds);
        let finding = found.map(|(value, why)| Finding {
            group: names.iter().cloned().zip(values).collect(),
            causes: group.recent.iter().copied().collect(),
            value,
            why,
        });
        group.last = group.last.max(seconds);
        self.forget();
        finding
    }

    /// Keeps the groups below their limit: the stalest tenth goes.
    fn forget(&mut self) {
        let groups = &mut self.state.groups;
        if groups.len() <= MAX_DETECTOR_GROUPS {
            return;
        }
        let mut ages: Vec<(i64, &str)> = groups.iter().map(|(key, group)| (group.last, key.as_str())).collect();
        let tenth = ages.len() / 10;
        ages.select_nth_unstable(tenth);
        let stale: Vec<String> = ages[..tenth].iter().map(|(_, key)| (*key).to_owned()).collect();
        for key in &stale {
            groups.remove(key);
        }
        self.state.forgotten += stale.len() as u64;
    }
}

impl Group {
    fn observe(&mut self, spec: &Spec, role: Role, view: &View<'_>, seconds: i64) -> Option<(Option<f64>, String)> {
        match spec {
            Spec::Hours { .. } => None,
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
                    Role::Subject | Role::Whole => {}
                }
                let told = self.alerted.is_some_and(|last| seconds - last < quiet.0);
                if role != Role::Subject || self.allowed || told {
                    return None;
                }
                self.alerted = Some(seconds);
                self.recent = VecDeque::from([view.index()]);
                Some((None, "nothing before it allows it".into()))
            }
            Spec::Volume { sum, usual, .. } => {
                let amount = match sum {
                    None => 1.0,
                    Some(field) => view.get_field(field)?.as_f64().filter(|amount| amount.is_finite())?,
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
        }
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

fn days(seconds: i64) -> f64 {
    seconds as f64 / 86_400.0
}

fn figure(value: f64) -> String {
    format!("{:.2}", value).trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Why a moment is outside working hours, if it is.
fn outside(hours: &Hours, seconds: i64) -> Option<String> {
    let moment = Timestamp::from_second(seconds).ok()?.to_zoned_datetime(hours.zone.clone());
    let days = [Day::Mon, Day::Tue, Day::Wed, Day::Thu, Day::Fri, Day::Sat, Day::Sun];
    let day = days[moment.weekday().to_monday_zero_offset() as usize];
    let free = !hours.days.contains(&day) || hours.holidays.contains(&moment.date());
    let time = moment.time();
    let inside = match hours.from <= hours.to {
        true => hours.from <= time && time < hours.to,
        false => time >= hours.from || time < hours.to,
    };
    (free || !inside).then(|| format!("at {} there", moment.strftime("%A %H:%M")))
}
