//! What a service says of its ledger, in `GET /api/v1/status`.

use serde::{Deserialize, Serialize};

/// What a service says of its ledger.
#[derive(Deserialize)]
pub struct State {
    pub(super) origin: String,
    pub(super) verifier_key: String,
    pub(super) tree_size: u64,
    pub(super) root_hash: String,
    pub(super) sealed_size: u64,
    pub(super) segment_span: u64,
    pub(super) segments: Vec<Part>,
    pub(super) checkpoint: String,
    #[serde(default)]
    pub(super) shipping: Option<Shipping>,
    #[serde(default)]
    pub(super) lake: Option<Lake>,
    #[serde(default)]
    pub(super) only_in_copy: Option<OnlyInCopy>,
}

/// How the Iceberg table is that a service keeps.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct Lake {
    pub to: String,
    pub entries: u64,
    pub lag_entries: u64,
    pub last_committed_at: Option<String>,
    pub failures: u64,
    pub fault: Option<String>,
}

/// What was pruned: it is in the copy alone.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct OnlyInCopy {
    pub place: String,
    pub segments: u64,
    pub entries: u64,
    pub bytes: u64,
}

#[derive(Deserialize)]
pub(super) struct Part {
    pub(super) first: u64,
    pub(super) count: u64,
}

/// How the copy is that a service keeps.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct Shipping {
    pub to: String,
    pub shipped_size: u64,
    pub lag_entries: u64,
    pub lag_seconds: f64,
    pub last_shipped_at: Option<String>,
    pub failures: u64,
    pub fault: Option<String>,
    pub stopped: bool,
}
