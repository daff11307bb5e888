//! How a sink is.

use serde::Serialize;

/// How a sink is, for people and for metrics. Nothing in it is secret.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Status {
    /// Its name.
    pub name: String,
    /// What kind of receiver it has.
    pub r#type: &'static str,
    /// Where that is.
    pub address: String,
    /// When a message arrived last, RFC 3339.
    pub last_success: Option<String>,
    /// What the receiver said then.
    pub last_answer: Option<String>,
    /// Since when nothing arrives.
    pub failing_since: Option<String>,
    /// Why the last attempt failed; none when it worked.
    pub last_error: Option<String>,
    /// Attempts that failed since the last one that worked.
    pub failures: u64,
    /// Attempts that failed since the start.
    pub failures_total: u64,
    /// Messages that arrived since the start.
    pub messages_total: u64,
    /// Entries that they stood for.
    pub entries_total: u64,
    /// Messages that were refused for good, ever.
    pub dead_letters: u64,
    /// Entries that were read and did not arrive yet.
    pub waiting: u64,
    /// Entries of the ledger that were not looked at yet.
    pub behind: u64,
    /// The first entry of the ledger that was not looked at.
    pub next: u64,
}
