//! What detectors are told: hours, periods, spreads, steps.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use rsigma_parser::Timespan;
use serde::{Deserialize, Deserializer};

use crate::limits::{MAX_AMOUNTS, MAX_PERIODS, MAX_STEPS};

/// What counts as more than usual.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Usual {
    /// The length of a period.
    pub period: Span,
    /// How many earlier periods make the baseline.
    pub periods: u32,
    /// How many times the baseline is too much.
    pub factor: f64,
    /// How much there must be in the period at least.
    pub at_least: f64,
}

/// The hours at which work is done.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hours {
    #[serde(deserialize_with = "zone")]
    pub zone: TimeZone,
    #[serde(deserialize_with = "time")]
    pub from: Time,
    #[serde(deserialize_with = "time")]
    pub to: Time,
    pub days: Vec<Day>,
    #[serde(default, deserialize_with = "dates")]
    pub holidays: Vec<Date>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// A length of time in seconds, written `15m`, `24h`, `90d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span(pub i64);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let span = Timespan::parse(&text).ok().and_then(|span| i64::try_from(span.seconds).ok());
        let span = span.filter(|seconds| *seconds > 0);
        span.map(Self).ok_or_else(|| serde::de::Error::custom(format!("{text:?} is no length of time such as 24h")))
    }
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse()
        .map_err(|_| serde::de::Error::custom(format!("{text:?} is no time of day such as '07:00' (in quotes)")))
}

fn dates<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Date>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let date = |text: String| {
        text.parse().map_err(|_| serde::de::Error::custom(format!("{text:?} is no date such as 2026-12-25")))
    };
    texts.into_iter().map(date).collect()
}

fn zone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TimeZone, D::Error> {
    let name = String::deserialize(deserializer)?;
    TimeZone::get(&name)
        .map_err(|_| serde::de::Error::custom(format!("{name:?} is no time zone such as Europe/Amsterdam")))
}

/// How far a clock may be off.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Skew {
    /// Without any it looks at every entry of a client.
    #[serde(default)]
    pub rules: Vec<String>,
    #[serde(rename = "group-by", default = "programs")]
    pub group_by: Vec<String>,
    /// How long after it was recorded an entry may say that it happened.
    pub ahead: Span,
    /// How long before.
    pub behind: Span,
    /// How far one entry's time may go back behind that of the entry before.
    pub back: Span,
    /// One alert a group in this time.
    pub quiet: Span,
}

/// What counts as far from usual.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Far {
    pub rules: Vec<String>,
    #[serde(rename = "group-by")]
    pub group_by: Vec<String>,
    /// The amount.
    pub field: String,
    /// The amount before; with it the change is judged, upwards and downwards.
    pub from: Option<String>,
    /// How many times the usual spread is far.
    pub factor: f64,
    /// Amounts that there must have been before.
    pub observations: u32,
    /// Smaller amounts are not told.
    pub at_least: f64,
}

/// The steps of a process and what is checked of them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Process {
    #[serde(rename = "group-by")]
    pub group_by: Vec<String>,
    pub steps: Vec<Step>,
    #[serde(default = "all_checks")]
    pub checks: Vec<Check>,
}

/// A step of a process.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    /// What alerts call it.
    #[serde(rename = "step")]
    pub name: String,
    pub rules: Vec<String>,
    /// How long after the step before it must come.
    pub within: Option<Span>,
}

/// What is checked of the steps of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Check {
    /// A step does not come in time.
    Late,
    /// A step comes without the one before it.
    Skipped,
    /// A step comes after a later one.
    Back,
}

impl Process {
    pub fn checks(&self, check: Check) -> bool {
        self.checks.contains(&check)
    }

    /// Whether nothing need be known of a case that waits for nothing.
    pub fn only_late(&self) -> bool {
        self.checks == [Check::Late]
    }

    pub fn check(&self) -> Result<(), String> {
        let deadlines = self.steps.iter().filter(|step| step.within.is_some()).count();
        match self.steps.as_slice() {
            steps if !(2..=MAX_STEPS).contains(&steps.len()) => {
                Err(format!("`steps` has between 2 and {MAX_STEPS} members"))
            }
            [Step { within: Some(_), .. }, ..] => Err("the first step has none before it to be `within` of".into()),
            steps if steps.iter().any(|step| step.rules.is_empty()) => Err("a step has at least one rule".into()),
            _ if self.checks.is_empty() => Err("`checks` names late, skipped or back".into()),
            _ if self.only_late() && deadlines == 0 => Err("`late` is checked of steps with `within`".into()),
            _ => Ok(()),
        }
    }
}

fn all_checks() -> Vec<Check> {
    vec![Check::Late, Check::Skipped, Check::Back]
}

/// What has a clock of its own.
fn programs() -> Vec<String> {
    vec!["recorder".into(), "source".into()]
}

impl Usual {
    pub fn check(&self) -> Result<(), String> {
        match self {
            Self { periods, .. } if !(1..=MAX_PERIODS).contains(periods) => {
                Err(format!("`periods` is between 1 and {MAX_PERIODS}"))
            }
            Self { factor, .. } if factor.is_nan() || *factor <= 1.0 => Err("`factor` is more than 1".into()),
            _ => Ok(()),
        }
    }
}

impl Far {
    pub fn check(&self) -> Result<(), String> {
        const FEWEST: usize = 10;
        match self {
            Self { factor, .. } if factor.is_nan() || *factor <= 1.0 => Err("`factor` is more than 1".into()),
            Self { observations, .. } if !(FEWEST..=MAX_AMOUNTS).contains(&(*observations as usize)) => {
                Err(format!("`observations` is between {FEWEST} and {MAX_AMOUNTS}"))
            }
            _ => Ok(()),
        }
    }
}
