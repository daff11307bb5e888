//! What happened: ledger and period, counts, overrides, refusals.

use serde::{Deserialize, Serialize};

use super::Listed;
use crate::moment::Moment;

/// Ledger and period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Where the ledger lies, as the command was told: a folder or a service's URL.
    pub ledger: String,
    /// Its name: `Snapshot::origin`.
    pub origin: String,
    /// The first moment of the period.
    pub from: Moment,
    /// The first moment after it.
    pub to: Moment,
    /// When the ledger recorded its first entry, if that can be read: [`BEGUN`](crate::sql::BEGUN).
    pub begun: Option<Moment>,
    /// When the report was written: the only clock in it.
    pub written: Moment,
    /// Whether the period was over by then.
    pub over: bool,
    /// The version of the program.
    pub version: String,
    /// Entries before the period, so the index of its first: [`PERIOD`](crate::sql::PERIOD), else [`BEFORE`](crate::sql::BEFORE).
    pub first: u64,
    /// Entries up to the end of the period.
    pub end: u64,
    /// Entries in the ledger when the report was written: `Snapshot::size`.
    pub size: u64,
    /// The incarnations before this one, oldest first, where the ledger was restored: `LedgerConfig::earlier`.
    pub earlier_origins: Vec<String>,
}

impl Scope {
    pub(super) fn entries(&self) -> u64 {
        self.end.saturating_sub(self.first)
    }

    /// That the period was not over, in words.
    pub(super) fn unfinished(&self) -> Option<String> {
        let Self { from, to, written, .. } = self;
        match self.over {
            true => None,
            false if written < from => Some(format!(
                "Anything of the period: it had not begun when this was written. It begins on {from}, and this was written on {written}."
            )),
            false => Some(format!(
                "The whole period: it was not over when this was written. Entries are counted until {written}, and the period ends on {to}."
            )),
        }
    }
}

/// The steps of a chart over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A week, from Monday.
    Week,
    /// A month.
    Month,
    /// A year.
    Year,
}

impl Step {
    /// The step that makes a chart of some dozens of columns.
    pub fn of(from: Moment, to: Moment) -> Self {
        match to.micros().saturating_sub(from.micros()) / 86_400_000_000 {
            ..=3 => Self::Hour,
            4..=99 => Self::Day,
            100..=700 => Self::Week,
            701..=3_660 => Self::Month,
            _ => Self::Year,
        }
    }

    /// Its name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        }
    }
}

/// What happened in the period: [`ACTIVITY`](crate::sql::ACTIVITY), one row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Activity {
    /// Entries that programs recorded.
    pub entries: u64,
    /// Entries that the ledger wrote about itself.
    pub own: u64,
    /// Different actors.
    pub actors: u64,
    /// Different entities.
    pub entities: u64,
    /// Entries that their recorder signed.
    pub signed: u64,
    /// Entries of programs that do not number what they record, so that a missing one leaves no gap.
    pub unnumbered: u64,
    /// [`EVENT_TYPES`](crate::sql::EVENT_TYPES).
    #[serde(default = "Default::default")]
    pub event_types: Listed<Count>,
    /// [`ACTOR_TYPES`](crate::sql::ACTOR_TYPES); the empty name is for entries that do not say.
    #[serde(default = "Default::default")]
    pub actor_types: Listed<Count>,
    /// [`VOLUME`](crate::sql::VOLUME), with the step [`Step::of`] the period.
    #[serde(default = "Default::default")]
    pub volume: Vec<Volume>,
}

/// Entries of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Count {
    /// The kind.
    pub name: String,
    /// How many.
    pub entries: u64,
}

/// Entries of one step of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    /// When the step begins.
    pub start: Moment,
    /// How many.
    pub entries: u64,
}

/// Manual overrides and what was refused: [`OVERRIDES`](crate::sql::OVERRIDES), one row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overrides {
    /// Manual overrides.
    pub overrides: u64,
    /// Those without a reason.
    pub unreasoned: u64,
    /// Those that do not say whose decision they override.
    pub unattributed: u64,
    /// Entries that name a model and are no override.
    pub decisions: u64,
    /// [`OVERRIDES_BY_MODEL`](crate::sql::OVERRIDES_BY_MODEL).
    #[serde(default = "Default::default")]
    pub by_model: Listed<ModelRate>,
    /// [`OVERRIDES_BY_ACTOR`](crate::sql::OVERRIDES_BY_ACTOR).
    #[serde(default = "Default::default")]
    pub by_actor: Listed<Overrider>,
    /// [`DENIALS`](crate::sql::DENIALS).
    #[serde(default = "Default::default")]
    pub denials: Listed<Denial>,
}

/// A model's entries, and how many of its decisions were overridden.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelRate {
    /// `context.model_version`.
    pub model: String,
    /// Entries with that model that are no override.
    pub decisions: u64,
    /// Overrides that name it.
    pub overridden: u64,
    /// Those without a reason.
    pub unreasoned: u64,
}

/// Who overrode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overrider {
    /// The actor.
    pub actor: String,
    /// How often.
    pub overrides: u64,
    /// How often without a reason.
    pub unreasoned: u64,
}

/// Acts that were refused or failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Denial {
    /// What was tried.
    pub event_type: String,
    /// `denied` or `failure`.
    pub outcome: String,
    /// How often.
    pub entries: u64,
    /// By how many actors.
    pub actors: u64,
}
