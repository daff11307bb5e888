//! The documents of detectors: what Sigma cannot say, said in the same spirit.

use rsigma_parser::Level;
use serde::Deserialize;

use super::settings::{Far, Hours, Process, Skew, Span, Usual};
use crate::limits::{MAX_AMOUNT_GROUPS, MAX_DETECTOR_GROUPS};
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
    /// An entry whose time cannot be right.
    Clock(Skew),
    /// An amount, or a change of one, far from what is usual in its group.
    Amount(Far),
    /// Steps of a process that do not come as they should.
    Process(Process),
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
    /// A step of a process, counted from 0.
    Step(usize),
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
            Self::Hours { rules, .. }
            | Self::Dormant { rules, .. }
            | Self::Volume { rules, .. }
            | Self::Clock(Skew { rules, .. })
            | Self::Amount(Far { rules, .. }) => vec![(rules, Role::Subject)],
            Self::Missing { rules, before, until, .. } => {
                vec![(before, Role::Before), (until, Role::Until), (rules, Role::Subject)]
            }
            Self::Rate { part, whole, .. } => vec![(whole, Role::Whole), (part, Role::Subject)],
            Self::Process(process) => {
                process.steps.iter().enumerate().map(|(number, step)| (&step.rules, Role::Step(number))).collect()
            }
        };
        lists.into_iter().flat_map(|(names, role)| names.iter().map(move |name| (name.as_str(), role))).collect()
    }

    pub fn group_by(&self) -> &[String] {
        match self {
            Self::Hours { .. } => &[],
            Self::Dormant { group_by, .. }
            | Self::Missing { group_by, .. }
            | Self::Volume { group_by, .. }
            | Self::Rate { group_by, .. }
            | Self::Clock(Skew { group_by, .. })
            | Self::Amount(Far { group_by, .. })
            | Self::Process(Process { group_by, .. }) => group_by,
        }
    }

    /// Whether an entry without a field that it is grouped by counts, with nothing in its place.
    pub fn groups_absent(&self) -> bool {
        matches!(self, Self::Clock(_) | Self::Amount(_))
    }

    /// The fields that it reads beside those.
    pub fn fields(&self) -> Vec<&str> {
        match self {
            Self::Volume { sum, .. } => sum.iter().map(String::as_str).collect(),
            Self::Amount(far) => far.from.iter().chain([&far.field]).map(String::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// The most groups that it keeps.
    pub fn most_groups(&self) -> usize {
        if matches!(self, Self::Amount(_)) { MAX_AMOUNT_GROUPS } else { MAX_DETECTOR_GROUPS }
    }

    /// What it cannot be told.
    pub fn check(&self) -> Result<(), String> {
        if self.references().is_empty() && !matches!(self, Self::Clock(_)) {
            return Err("`rules` names at least one detection".into());
        }
        match self {
            Self::Volume { usual, .. } | Self::Rate { usual, .. } => usual.check(),
            Self::Amount(far) => far.check(),
            Self::Process(process) => process.check(),
            _ => Ok(()),
        }
    }
}
