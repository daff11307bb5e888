//! `POST /api/v1/drills`: what a drill on this service's configuration came to, as an entry.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use counterfoil_entry::{EntryBuilder, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::access::Administers;
use crate::body::JsonBody;
use crate::problem::{Answered, Problem};
use crate::service::{Service, act};

/// Things that the entry names of each kind; the rest is counted.
const MAX_NAMED: usize = 100;
/// Characters of each.
const MAX_NAME: usize = 300;

/// What a drill came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drilled {
    /// Whether nothing failed.
    pub passed: bool,
    /// How many things were checked.
    pub checks: u32,
    /// How many of them failed.
    pub failed: u32,
    /// How long it took.
    pub seconds: u32,
    /// The origin of the ledger that it was held on.
    pub scratch: String,
    /// The parts of the system that were exercised.
    pub exercised: Vec<String>,
    /// What failed, and how.
    pub failures: Vec<String>,
    /// What was not exercised, and why.
    pub not_exercised: Vec<String>,
}

impl Drilled {
    /// The entry that records it.
    ///
    /// # Errors
    /// What is contradictory, in words.
    pub fn entry(mut self, actor: &str, origin: &str) -> Result<EntryBuilder, &'static str> {
        if self.passed != (self.failed == 0) {
            return Err("a drill has passed when nothing failed, and not otherwise");
        }
        if self.failed > self.checks {
            return Err("more failed than was checked");
        }
        for list in [&mut self.exercised, &mut self.failures, &mut self.not_exercised] {
            list.truncate(MAX_NAMED);
            list.iter_mut().for_each(|text| *text = text.chars().take(MAX_NAME).collect());
        }
        self.scratch = self.scratch.chars().take(MAX_NAME).collect();
        let outcome = if self.passed { Outcome::Success } else { Outcome::Failure };
        let context = serde_json::to_value(&self).unwrap_or_else(|_| json!({}));
        Ok(act("ledger.drilled", actor, origin, "ledger", context).outcome(outcome))
    }
}

pub(crate) async fn record(
    Administers(caller): Administers,
    State(service): State<Arc<Service>>,
    JsonBody(drilled, _room): JsonBody<Drilled>,
) -> Answered {
    let origin = service.snapshot().origin().to_string();
    let entry = drilled.entry(caller.name(), &origin).map_err(Problem::invalid)?;
    let work = move |service: &Service| {
        let receipt = service.backing.writer()?.record_act(entry)?;
        Ok((StatusCode::CREATED, Json(json!({"index": receipt.index}))).into_response())
    };
    service.blocking(work).await
}
