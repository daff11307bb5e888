//! `POST /api/v1/bundles`: evidence that is checked offline.

use std::cell::Cell;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use counterfoil::Snapshot;
use counterfoil_evidence::{Bundle, BundleSource, MAX_BUNDLE_BYTES, MAX_BUNDLE_ENTRIES};
use counterfoil_query::Order;
use counterfoil_tlog::{Hash, Origin, VerifierKey};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::access::Exports;
use crate::api::sending::whole;
use crate::api::sql::literal;
use crate::body::JsonBody;
use crate::problem::{Answered, Problem};
use crate::service::{Service, act};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub(crate) enum Choice {
    Where(String),
    EntityId(String),
    Indices(Vec<u64>),
}

impl Choice {
    fn scope(&self) -> String {
        match self {
            Self::Where(predicate) => predicate.clone(),
            Self::EntityId(entity_id) => format!("entity_id = {}", literal(entity_id)),
            Self::Indices(indices) if indices.len() <= 20 => {
                let indices: Vec<String> = indices.iter().map(u64::to_string).collect();
                format!("index IN ({})", indices.join(", "))
            }
            Self::Indices(indices) => format!("{} chosen indices", indices.len()),
        }
    }
}

pub(crate) async fn make(
    Exports(caller): Exports,
    State(service): State<Arc<Service>>,
    JsonBody(mut asked, _room): JsonBody<Map<String, Value>>,
) -> Answered {
    let undocumented = |error: serde_json::Error| Problem::invalid(format!("the body is not as documented: {error}"));
    // A JSON number may say a whole one as 5.0.
    let size: Option<f64> = asked.remove("size").map(serde_json::from_value).transpose().map_err(undocumented)?;
    let size = match size {
        Some(size) if size < 0.0 || size.fract() != 0.0 => return Err(Problem::invalid("size is a number of entries")),
        size => size.map(|size| size as u64),
    };
    let choice: Choice = serde_json::from_value(Value::Object(asked)).map_err(undocumented)?;
    let engine = service.query_engine().await?;
    let scope = choice.scope();
    service.record_reading(&caller, json!({"bundle": choice})).await?;
    let told = scope.clone();
    let held = engine.clone();
    let (text, entries) = service
        .reading(move |service| {
            let snapshot = service.snapshot();
            let checkpoint = match size {
                Some(size) => service.backing.checkpoint_at(size)?,
                None => snapshot.checkpoint().to_owned(),
            };
            let size = size.unwrap_or(snapshot.size());
            let mut indices = match choice {
                Choice::Indices(mut indices) => {
                    indices.sort_unstable();
                    indices.dedup();
                    indices
                }
                _ => engine.select_indices(&snapshot, &scope, Order::Oldest(MAX_BUNDLE_ENTRIES + 1))?,
            };
            if size < snapshot.size() {
                indices.retain(|index| *index < size);
            }
            if indices.is_empty() {
                return Err(Problem::not_found(format!("no entry where {scope}")));
            }
            if indices.len() > MAX_BUNDLE_ENTRIES {
                let detail = format!("there are too many entries for one bundle: at most {MAX_BUNDLE_ENTRIES}");
                return Err(Problem::invalid(detail));
            }
            let source = Source { snapshot, size, checkpoint, room: Cell::new(MAX_BUNDLE_BYTES) };
            let text = Bundle::build(&source, &scope, &indices)?.format();
            if text.len() > MAX_BUNDLE_BYTES {
                return Err(too_large());
            }
            Ok((text, indices.len()))
        })
        .await?;
    let origin = service.snapshot().origin().to_string();
    let context = json!({"scope": told, "entries": entries, "form": "bundle"});
    service.record(act("ledger.export_made", caller.name(), &origin, "ledger", context)).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"evidence.bundle.json\""),
    ];
    Ok((headers, whole(text.into(), &held)).into_response())
}

fn too_large() -> Problem {
    Problem::invalid(format!("these entries are too many bytes for one bundle: at most {MAX_BUNDLE_BYTES}"))
}

struct Source {
    snapshot: Snapshot,
    /// Entries under the checkpoint.
    size: u64,
    checkpoint: String,
    /// Bytes of entries that may still be taken.
    room: Cell<usize>,
}

impl BundleSource for Source {
    type Error = Problem;

    fn origin(&self) -> &Origin {
        self.snapshot.origin()
    }

    fn verifier_key(&self) -> &VerifierKey {
        self.snapshot.verifier_key()
    }

    fn checkpoint(&self) -> &str {
        &self.checkpoint
    }

    fn entry(&self, index: u64) -> Result<Vec<u8>, Problem> {
        let entry = self.snapshot.entry(index)?;
        self.room.set(self.room.get().checked_sub(entry.len()).ok_or_else(too_large)?);
        Ok(entry)
    }

    fn proof(&self, index: u64) -> Result<Vec<Hash>, Problem> {
        Ok(self.snapshot.prove_inclusion(index, self.size)?)
    }

    fn about(&self, entity_id: &str) -> Result<Vec<(u64, Vec<u8>)>, Problem> {
        let mut about = self.snapshot.history(entity_id)?;
        about.retain(|(index, _)| *index < self.size);
        Ok(about)
    }
}
