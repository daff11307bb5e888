//! `GET` and `POST /api/v1/verification`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;

use crate::access::{Administers, Reads};
use crate::api::entries::json_response;
use crate::problem::Answered;
use crate::service::Service;
use crate::verification::start;

pub(crate) async fn overview(Reads(_): Reads, State(service): State<Arc<Service>>) -> Answered {
    Ok(json_response(&service.verifications.overview()))
}

pub(crate) async fn begin(Administers(caller): Administers, State(service): State<Arc<Service>>) -> Answered {
    start(&service, caller.name())?;
    Ok((StatusCode::ACCEPTED, json_response(&service.verifications.overview())).into_response())
}
