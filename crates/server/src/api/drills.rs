//! `POST /api/v1/drills`: what a drill on this service's configuration came to, as an entry.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use counterfoil::{Error, ErrorKind, Result};
use counterfoil_entry::{EntryBuilder, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::access::Administers;
use crate::body::JsonBody;
use crate::problem::Answered;
use crate::service::{Service, act};

/// Things that the entry names of each kind; the rest is counted.
const MAX_NAMED: usize = 100;
/// Characters of each.
const MAX_NAME: usize = 300;

/// What a drill came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drilled {
    /// How many things held.
    #[serde(deserialize_with = "crate::body::whole")]
    pub held: u32,
    /// How many did not.
    #[serde(deserialize_with = "crate::body::whole")]
    pub failed: u32,
    /// How long it took.
    #[serde(deserialize_with = "crate::body::whole")]
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
    /// Refuses what is no outcome of a drill.
    fn check(&self) -> Result<()> {
        let wrong = match (self.held, self.failed, self.failures.len() as u64) {
            (0, 0, _) => "a drill in which nothing was tried proves nothing: it is not recorded".to_owned(),
            (_, failed, named) if u64::from(failed) != named => {
                format!("failed: {failed}, and failures names {named}: name each that failed")
            }
            _ => return Ok(()),
        };
        Err(Error::new(ErrorKind::Invalid, wrong))
    }

    /// The entry that records it.
    pub fn entry(&self, actor: &str, origin: &str) -> EntryBuilder {
        let outcome = if self.failed == 0 { Outcome::Success } else { Outcome::Failure };
        let context = json!({
            "passed": self.failed == 0, "checks": u64::from(self.held) + u64::from(self.failed), "failed": self.failed,
            "seconds": self.seconds, "scratch": short(&self.scratch), "exercised": named(&self.exercised),
            "failures": named(&self.failures), "not_exercised": named(&self.not_exercised),
        });
        act("ledger.drilled", actor, origin, "ledger", context).outcome(outcome)
    }
}

fn named(texts: &[String]) -> Vec<String> {
    texts.iter().take(MAX_NAMED).map(|text| short(text)).collect()
}

/// The beginning of a text, without what no entry takes.
fn short(text: &str) -> String {
    text.chars().take(MAX_NAME).map(|character| if character == '\0' { '\u{2400}' } else { character }).collect()
}

pub(crate) async fn record(
    Administers(caller): Administers,
    State(service): State<Arc<Service>>,
    JsonBody(drilled, _room): JsonBody<Drilled>,
) -> Answered {
    drilled.check()?;
    let origin = service.snapshot().origin().to_string();
    let entry = drilled.entry(caller.name(), &origin);
    let work = move |service: &Service| {
        let receipt = service.backing.writer()?.record_act(entry)?;
        Ok((StatusCode::CREATED, Json(json!({"index": receipt.index}))).into_response())
    };
    service.blocking(work).await
}
