//! `POST /api/v1/bundles`: evidence that is checked offline.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use counterfoil::Snapshot;
use counterfoil_evidence::{Bundle, BundleSource, MAX_BUNDLE_BYTES, MAX_BUNDLE_ENTRIES};
use counterfoil_tlog::{Hash, Origin, VerifierKey};
use serde::Deserialize;
use serde_json::json;

use crate::access::Exports;
use crate::api::sql::literal;
use crate::body::JsonBody;
use crate::problem::{Answered, Problem};
use crate::service::{Service, act};

#[derive(Debug, Deserialize)]
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
    JsonBody(choice, _room): JsonBody<Choice>,
) -> Answered {
    let _place = service.query_place().await?;
    let scope = choice.scope();
    let told = scope.clone();
    let (text, entries) = service
        .blocking(move |service| {
            let snapshot = service.snapshot();
            let indices = match choice {
                Choice::Indices(mut indices) => {
                    indices.sort_unstable();
                    indices.dedup();
                    indices
                }
                _ => service.engine.select_indices(&snapshot, &scope)?,
            };
            if indices.is_empty() {
                return Err(Problem::not_found(format!("no entry where {scope}")));
            }
            if indices.len() > MAX_BUNDLE_ENTRIES {
                let detail =
                    format!("{} entries are too many for one bundle: at most {MAX_BUNDLE_ENTRIES}", indices.len());
                return Err(Problem::invalid(detail));
            }
            let bundle = Bundle::build(&Source(snapshot), &scope, &indices)?;
            let text = bundle.format();
            if text.len() > MAX_BUNDLE_BYTES {
                let detail = format!("{} bytes are too many for one bundle: at most {MAX_BUNDLE_BYTES}", text.len());
                return Err(Problem::invalid(detail));
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
    Ok((headers, text).into_response())
}

struct Source(Snapshot);

impl BundleSource for Source {
    type Error = Problem;

    fn origin(&self) -> &Origin {
        self.0.origin()
    }

    fn verifier_key(&self) -> &VerifierKey {
        self.0.verifier_key()
    }

    fn checkpoint(&self) -> &str {
        self.0.checkpoint()
    }

    fn entry(&self, index: u64) -> Result<Vec<u8>, Problem> {
        Ok(self.0.entry(index)?)
    }

    fn proof(&self, index: u64) -> Result<Vec<Hash>, Problem> {
        Ok(self.0.prove_inclusion(index, self.0.size())?)
    }

    fn about(&self, entity_id: &str) -> Result<Vec<(u64, Vec<u8>)>, Problem> {
        Ok(self.0.history(entity_id)?)
    }
}
