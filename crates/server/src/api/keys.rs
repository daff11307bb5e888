//! `POST /api/v1/keys`, `DELETE /api/v1/keys/{id}`: the keys of clients that sign their entries; `POST /api/v1/seal`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use counterfoil::{ClientKey, Ledger, Result};
use counterfoil_entry::check_recorder;
use serde::{Deserialize, Serialize};

use crate::access::Administers;
use crate::api::entries::{json_response, recorded};
use crate::asked::InPath;
use crate::body::JsonBody;
use crate::problem::{Answered, Problem};
use crate::service::Service;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Registration {
    public_key: String,
    #[serde(default)]
    actors: Vec<String>,
}

#[derive(Serialize)]
struct Registered {
    key_id: String,
    index: u64,
}

pub(crate) async fn register(
    Administers(caller): Administers,
    State(service): State<Arc<Service>>,
    JsonBody(wanted, _room): JsonBody<Registration>,
) -> Answered {
    let key = ClientKey::from_hex(&wanted.public_key)
        .ok_or_else(|| Problem::invalid("public_key is no Ed25519 public key in 64 hexadecimal digits"))?;
    for (position, actor) in wanted.actors.iter().enumerate() {
        // An actor obeys the same rules as a recorder.
        check_recorder(actor).map_err(|error| {
            Problem::invalid(error.to_string().replacen("recorder", &format!("actors[{position}]"), 1))
        })?;
    }
    let key_id = key.id();
    let work = move |service: &Service| {
        Ok(service.backing.writer()?.register_key_as(caller.name(), key.key, wanted.actors)?)
    };
    let receipt = service.blocking(work).await?;
    Ok((StatusCode::CREATED, Json(Registered { key_id, index: receipt.index })).into_response())
}

pub(crate) async fn revoke(
    Administers(caller): Administers,
    State(service): State<Arc<Service>>,
    InPath(key_id): InPath,
) -> Answered {
    let work = move |service: &Service| Ok(service.backing.writer()?.revoke_key_as(caller.name(), &key_id)?);
    let receipt = service.blocking(work).await?;
    recorded([(None, receipt)], None, None)
}

/// What sealing early left.
#[derive(Debug, Serialize, Deserialize)]
pub struct Sealed {
    /// Entries that were not sealed before.
    pub newly_sealed: u64,
    /// Entries in segments.
    pub sealed_size: u64,
    /// Segments.
    pub segments: u64,
    /// Entries in the ledger.
    pub tree_size: u64,
}

impl Sealed {
    /// Seals early.
    ///
    /// # Errors
    /// Those of [`Ledger::seal`].
    pub fn now(ledger: &Ledger) -> Result<Self> {
        let before = ledger.snapshot().sealed_size();
        ledger.seal()?;
        let snapshot = ledger.snapshot();
        Ok(Self {
            newly_sealed: snapshot.sealed_size() - before,
            sealed_size: snapshot.sealed_size(),
            segments: snapshot.segments().len() as u64,
            tree_size: snapshot.size(),
        })
    }
}

pub(crate) async fn seal(Administers(_): Administers, State(service): State<Arc<Service>>) -> Answered {
    service.blocking(|service| Ok(json_response(&Sealed::now(service.backing.writer()?)?))).await
}
