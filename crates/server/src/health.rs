//! `/healthz`, `/readyz`, `/metrics`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;

use crate::access::Caller;
use crate::problem::{Answered, Problem};
use crate::service::Service;

pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

pub(crate) async fn readyz(State(service): State<Arc<Service>>) -> Answered {
    let reason = if service.is_ending() { Some("the service ends".to_owned()) } else { service.ledger.fault() };
    match reason {
        None => Ok("ready\n".into_response()),
        Some(reason) => Err(Problem::new("unavailable", StatusCode::SERVICE_UNAVAILABLE, reason)),
    }
}

pub(crate) async fn metrics(_: Caller, State(service): State<Arc<Service>>) -> Answered {
    let headers = [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")];
    Ok((headers, service.metrics.text(&service)).into_response())
}
