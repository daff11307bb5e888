//! The documents of detectors: what Sigma cannot say, said in the same spirit.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use rsigma_parser::{Level, Timespan};
use serde::{Deserialize, Deserializer};

use crate::limits::MAX_PERIODS;
use crate::rule::{Place, RuleInfo, RuleKind};

/// A document with a `detector`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DetectorRule {
    pub title: String,
    pub id: Option<String>,
    pub name: Option<String>,
    pub description: Option<String>,
    pub author: Option<String>,
    #[serde(default)]
    pub references: Vec<String>,
    #[serde(default)]
    pub tags: Vec<String>,
    #[serde(default)]
    pub falsepositives: Vec<String>,
    pub level: Option<Level>,
    #[serde(default)]
    pub generate: bool,
    pub detector: Spec,
    pub tests: Option<yaml_serde::Value>,
    #[serde(rename = "status")]
    _status: Option<serde::de::IgnoredAny>,
    #[serde(rename = "date")]
    _date: Option<serde::de::IgnoredAny>,
    #[serde(rename = "modified")]
    _modified: Option<serde::de::IgnoredAny>,
    #[serde(rename = "license")]
    _license: Option<serde::de::IgnoredAny>,
}

/// What a detector looks for among the entries that its rules match.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Spec {
    /// An entry outside working hours.
    Hours { rules: Vec<String>, hours: Hours },
    /// An entry of a group that had none for long.
    Dormant {
        rules: Vec<String>,
        #[serde(rename = "group-by")]
        group_by: Vec<String>,
        after: Span,
    },
    /// An entry with nothing before it that allows it.
    Missing {
        rules: Vec<String>,
        before: Vec<String>,
        #[serde(default)]
        until: Vec<String>,
        #[serde(rename = "group-by")]
        group_by: Vec<String>,
        quiet: Span,
    },
    /// More of a group in a period than it is used to.
    Volume {
        rules: Vec<String>,
        #[serde(rename = "group-by")]
        group_by: Vec<String>,
        sum: Option<String>,
        usual: Usual,
    },
    /// A larger share of one kind among another than the group is used to.
    Rate {
        part: Vec<String>,
        whole: Vec<String>,
        #[serde(rename = "group-by")]
        group_by: Vec<String>,
        usual: Usual,
    },
}

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

/// The part that a match plays for a detector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// What is looked at.
    Subject,
    /// What allows it.
    Before,
    /// What ends that.
    Until,
    /// What the share is taken of.
    Whole,
}

impl DetectorRule {
    pub fn info(&self, place: &Place) -> RuleInfo {
        RuleInfo {
            id: self.id.clone().unwrap_or_default(),
            name: self.name.clone(),
            title: self.title.clone(),
            kind: RuleKind::Detector,
            level: self.level.unwrap_or(Level::Medium).as_str(),
            author: self.author.clone(),
            description: self.description.clone(),
            references: self.references.clone(),
            tags: self.tags.clone(),
            falsepositives: self.falsepositives.clone(),
            file: place.file.clone(),
            document: place.document,
            base: false,
        }
    }
}

impl Spec {
    /// The rules it refers to, and what for.
    pub fn references(&self) -> Vec<(&str, Role)> {
        let lists: Vec<(&Vec<String>, Role)> = match self {
            Self::Hours { rules, .. } | Self::Dormant { rules, .. } | Self::Volume { rules, .. } => {
                vec![(rules, Role::Subject)]
            }
            Self::Missing { rules, before, until, .. } => {
                vec![(before, Role::Before), (until, Role::Until), (rules, Role::Subject)]
            }
            Self::Rate { part, whole, .. } => vec![(whole, Role::Whole), (part, Role::Subject)],
        };
        lists.into_iter().flat_map(|(names, role)| names.iter().map(move |name| (name.as_str(), role))).collect()
    }

    pub fn group_by(&self) -> &[String] {
        match self {
            Self::Hours { .. } => &[],
            Self::Dormant { group_by, .. }
            | Self::Missing { group_by, .. }
            | Self::Volume { group_by, .. }
            | Self::Rate { group_by, .. } => group_by,
        }
    }

    /// What it cannot be told.
    pub fn check(&self) -> Result<(), String> {
        let (Self::Volume { usual, .. } | Self::Rate { usual, .. }) = self else { return Ok(()) };
        match usual {
            Usual { periods, .. } if !(1..=MAX_PERIODS).contains(periods) => {
                Err(format!("`periods` is between 1 and {MAX_PERIODS}"))
            }
            Usual { factor, .. } if factor.is_nan() || *factor <= 1.0 => Err("`factor` is more than 1".into()),
            _ => Ok(()),
        }
    }
}
