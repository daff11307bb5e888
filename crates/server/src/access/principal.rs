//! Who asks, and what they may.

use std::fmt;
use std::sync::Arc;

use counterfoil_entry::Timestamp;
use serde::{Deserialize, Serialize};

/// The name of whoever has the ledger's folder itself.
pub const LOCAL_ADMINISTRATOR: &str = "local-administrator";

/// What a principal is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Records.
    Writer,
    /// Reads.
    Reader,
    /// Reads, and says what becomes of alerts and that a day was reviewed.
    Reviewer,
    /// Reads and exports; what it reads is recorded.
    Auditor,
    /// Everything.
    Admin,
}

/// One thing that can be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Record entries.
    Record,
    /// Read entries, statistics and states.
    Read,
    /// Ask for checkpoints and proofs.
    Prove,
    /// Acknowledge and resolve alerts, sign reviews.
    Review,
    /// Take evidence out.
    Export,
    /// Start verifications, make and revoke tokens.
    Administer,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] = [Self::Writer, Self::Reader, Self::Reviewer, Self::Auditor, Self::Admin];

    /// Whether the role has this right.
    pub fn has(self, right: Right) -> bool {
        match self {
            Self::Writer => matches!(right, Right::Record | Right::Prove),
            Self::Reader => matches!(right, Right::Read | Right::Prove),
            Self::Reviewer => matches!(right, Right::Read | Right::Prove | Right::Review),
            Self::Auditor => matches!(right, Right::Read | Right::Prove | Right::Export),
            Self::Admin => true,
        }
    }

    /// The role's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Writer => "writer",
            Self::Reader => "reader",
            Self::Reviewer => "reviewer",
            Self::Auditor => "auditor",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl std::str::FromStr for Role {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let named = Self::ALL.into_iter().find(|role| role.name() == name);
        named.ok_or_else(|| format!("{name:?} is no role; there are writer, reader, reviewer, auditor and admin"))
    }
}

impl Right {
    /// The right as a phrase: "may not …".
    pub fn phrase(self) -> &'static str {
        match self {
            Self::Record => "record entries",
            Self::Read => "read entries",
            Self::Prove => "ask for proofs",
            Self::Review => "review",
            Self::Export => "export evidence",
            Self::Administer => "administer the ledger",
        }
    }
}

/// A named person or program that was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The stable name; the `recorder` of what it records.
    pub name: Arc<str>,
    /// What it may.
    pub role: Role,
    /// The beginnings of the event types that it may record; none means any.
    pub prefixes: Arc<[String]>,
    /// When its credential ends to hold.
    pub expires_at: Option<Timestamp>,
}

impl Principal {
    /// Whoever has the ledger's folder itself.
    pub fn local_administrator() -> Self {
        Self { name: LOCAL_ADMINISTRATOR.into(), role: Role::Admin, prefixes: Arc::new([]), expires_at: None }
    }

    /// Refuses, in a sentence, what the role is not there for.
    ///
    /// # Errors
    /// The sentence.
    pub fn check(&self, right: Right) -> Result<(), String> {
        match self.role.has(right) {
            true => Ok(()),
            false => Err(format!("{} is a {} and may not {}", self.name, self.role, right.phrase())),
        }
    }

    /// Whether this event type is within what it may record.
    pub fn may_record(&self, event_type: &str) -> bool {
        self.prefixes.is_empty() || self.prefixes.iter().any(|prefix| event_type.starts_with(prefix.as_str()))
    }
}
