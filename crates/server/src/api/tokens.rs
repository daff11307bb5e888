//! `/api/v1/tokens`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use counterfoil_entry::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::access::{Administers, NewToken, Role, TokenRecord};
use crate::api::entries::json_response;
use crate::asked::InPath;
use crate::body::JsonBody;
use crate::problem::{Answered, Problem};
use crate::service::Service;

#[derive(Serialize)]
struct Listed<'a> {
    id: &'a str,
    name: &'a str,
    role: Role,
    prefixes: &'a [String],
    created_at: &'a str,
    expires_at: Option<&'a str>,
    last_used_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
}

impl<'a> Listed<'a> {
    fn of(record: &'a TokenRecord, last_used_at: Option<Timestamp>, token: Option<&'a str>) -> Self {
        Self {
            id: &record.id,
            name: &record.name,
            role: record.role,
            prefixes: &record.prefixes,
            created_at: &record.created_at,
            expires_at: record.expires_at.as_deref(),
            last_used_at: last_used_at.map(|at| at.to_string()),
            token,
        }
    }
}

pub(crate) async fn list(Administers(_): Administers, State(service): State<Arc<Service>>) -> Answered {
    let records = service.blocking(|service| Ok(service.tokens.list()?)).await?;
    let tokens: Vec<Listed<'_>> =
        records.iter().map(|record| Listed::of(record, service.tokens.last_used_at(&record.id), None)).collect();
    Ok(json_response(&json!({"tokens": tokens})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    name: String,
    role: Role,
    #[serde(default)]
    prefixes: Vec<String>,
    expires_at: Option<String>,
}

pub(crate) async fn create(
    Administers(caller): Administers,
    State(service): State<Arc<Service>>,
    JsonBody(wanted, _room): JsonBody<Wanted>,
) -> Answered {
    let expires_at = wanted.expires_at.as_deref().map(Timestamp::parse).transpose();
    let expires_at = expires_at.map_err(|_| Problem::invalid("expires_at is no RFC 3339 time"))?;
    let new = NewToken { name: wanted.name, role: wanted.role, prefixes: wanted.prefixes, expires_at };
    let work = move |service: &Service| {
        let record = |act| service.backing.record(act);
        Ok(service.tokens.create(new, caller.name(), record)?)
    };
    let (token, record) = service.blocking(work).await?;
    Ok((StatusCode::CREATED, Json(Listed::of(&record, None, Some(&token)))).into_response())
}

pub(crate) async fn revoke(
    Administers(caller): Administers,
    State(service): State<Arc<Service>>,
    InPath(id): InPath,
) -> Answered {
    let work = move |service: &Service| {
        let record = |act| service.backing.record(act);
        Ok(service.tokens.revoke(&id, caller.name(), record)?)
    };
    service.blocking(work).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
