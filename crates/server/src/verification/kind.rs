//! What verifications there are, and how often each is due.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::settings::Settings;

/// What is verified.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Of {
    /// What is served.
    #[default]
    Ledger,
    /// The copy that is kept in an object store.
    Copy,
    /// The audit table in PostgreSQL that the ledger follows.
    Table,
}

/// How much of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Extent {
    /// What came since the last that found nothing.
    New,
    /// Everything, derived anew.
    #[default]
    Whole,
    /// The blocks of sealed segments, a few at a time.
    Scrub,
}

/// One kind of verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Kind {
    pub(crate) of: Of,
    pub(crate) extent: Extent,
}

impl Of {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ledger => "ledger",
            Self::Copy => "copy",
            Self::Table => "table",
        }
    }
}

impl Extent {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Whole => "whole",
            Self::Scrub => "scrub",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.of.name(), self.extent.name())
    }
}

impl Kind {
    /// Everything of what is served: what an administrator may start.
    pub(crate) const EVERYTHING: Self = Self { of: Of::Ledger, extent: Extent::Whole };

    /// The kinds of a service and how often each is due; zero is never.
    pub(crate) fn all(settings: &Settings) -> Vec<(Self, Duration)> {
        let schedule = &settings.schedule;
        let (new, whole, scrub) = (schedule.every, schedule.whole, schedule.scrub);
        let kind = |of, extent| Self { of, extent };
        let mut all = vec![
            (kind(Of::Ledger, Extent::New), new),
            (Self::EVERYTHING, whole),
            (kind(Of::Ledger, Extent::Scrub), scrub),
        ];
        if settings.ship.is_some() {
            all.extend([(kind(Of::Copy, Extent::New), new), (kind(Of::Copy, Extent::Whole), whole)]);
        }
        if settings.postgres.is_some() {
            // The table is compared as a whole, and as soon as a block would be read again.
            all.push((kind(Of::Table, Extent::Whole), if scrub.is_zero() { whole } else { scrub }));
        }
        all
    }
}
