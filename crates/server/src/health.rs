//! `/healthz`, `/readyz`, `/metrics`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;

use crate::access::Caller;
use crate::problem::{Answered, Problem};
use crate::service::Service;
use crate::shipping::Shipping;

pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

pub(crate) async fn readyz(State(service): State<Arc<Service>>) -> Answered {
    let unready = |reason: String| Err(Problem::new("unavailable", StatusCode::SERVICE_UNAVAILABLE, reason));
    if service.is_ending() {
        return unready("the service ends".to_owned());
    }
    // What the service can do without is no reason to send requests elsewhere.
    let degraded = match (service.backing.fault(), service.backing.watched()) {
        (Some(_), Some(_)) => Some("what is read could not be looked at again".to_owned()),
        (Some(fault), None) => return unready(fault),
        (None, _) => service.backing.shipping().and_then(Shipping::fault),
    };
    Ok(degraded.map_or_else(|| "ready\n".to_owned(), |why| format!("ready, degraded: {why}\n")).into_response())
}

pub(crate) async fn metrics(_: Caller, State(service): State<Arc<Service>>) -> Answered {
    let headers = [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")];
    Ok((headers, service.metrics.text(&service)).into_response())
}
