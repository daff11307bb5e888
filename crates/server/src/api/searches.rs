//! `/api/v1/searches`: statements that people keep, and that the service runs for them on a schedule.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::{Map, Value, json};

use crate::access::{Reads, Reviews};
use crate::api::entries::json_response;
use crate::asked::InPath;
use crate::body::JsonBody;
use crate::problem::{Answered, Problem};
use crate::searches;
use crate::service::Service;

pub(crate) async fn list(Reads(_): Reads, State(service): State<Arc<Service>>) -> Answered {
    Ok(json_response(&json!({"searches": service.searches.list(), "fault": service.searches.fault()})))
}

pub(crate) async fn save(
    Reviews(caller): Reviews,
    State(service): State<Arc<Service>>,
    InPath(name): InPath,
    JsonBody(wanted, _room): JsonBody<Map<String, Value>>,
) -> Answered {
    // An array would do for a struct whose members may all be missing.
    let wanted = serde_json::from_value(Value::Object(wanted))
        .map_err(|error| Problem::invalid(format!("the body is not as documented: {error}")))?;
    let engine = service.query_engine().await?;
    let work = move |service: &Service| searches::save(service, &engine, caller.name(), &name, wanted);
    let (search, new) = service.reading(work).await?;
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(search)).into_response())
}

pub(crate) async fn remove(
    Reviews(caller): Reviews,
    State(service): State<Arc<Service>>,
    InPath(name): InPath,
) -> Answered {
    service.blocking(move |service| searches::remove(service, caller.name(), &name)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
