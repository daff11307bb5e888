//! Which entries a sink delivers.

use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::mark::DELIVERED;

/// How grave an alert is, as Sigma has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// To know.
    Informational,
    /// Worth a look.
    Low,
    /// To be looked at.
    Medium,
    /// Soon.
    High,
    /// Now. A level that cannot be read counts as this one, so that it holds no alert back.
    Critical,
}

impl Level {
    /// The level of that name.
    pub fn read(name: &str) -> Self {
        match name {
            "informational" => Self::Informational,
            "low" => Self::Low,
            "medium" => Self::Medium,
            "high" => Self::High,
            _ => Self::Critical,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// Which entries a sink delivers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Alerts of at least this level, and what became of them.
    pub alerts: Option<Level>,
    /// Event types; one that ends in `*` is a prefix.
    pub events: Vec<String>,
    /// The checkpoints of verifications that found nothing.
    pub checkpoints: bool,
}

/// The type of the entry that a verification is.
pub const VERIFIED: &str = "ledger.verified";

impl Filter {
    /// Whether the sink delivers this entry.
    pub fn takes(&self, event: &Event) -> bool {
        let alert = event.alert.as_ref().zip(self.alerts).is_some_and(|(alert, least)| alert.level >= least);
        alert || self.names(event) || self.takes_as_checkpoint(event)
    }

    /// Whether it delivers this entry for its checkpoint alone.
    pub fn takes_as_checkpoint(&self, event: &Event) -> bool {
        self.checkpoints && event.checkpoint.is_some() && !self.names(event)
    }

    fn names(&self, event: &Event) -> bool {
        self.events.iter().any(|pattern| matches(pattern, &event.event_type))
    }

    /// Whether an entry of this type may be one to deliver: what can be told before it is taken apart.
    pub fn may_take(&self, event_type: &str) -> bool {
        let alert = self.alerts.is_some() && event_type.starts_with("ledger.alert_");
        let named = self.events.iter().any(|pattern| matches(pattern, event_type)) && event_type != DELIVERED;
        alert || named || self.checkpoints && event_type == VERIFIED
    }
}

fn matches(pattern: &str, event_type: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => event_type.starts_with(prefix),
        None => event_type == pattern,
    }
}
