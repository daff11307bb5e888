//! `/api/v1/settings`: how the service is set up.

use std::sync::Arc;

use axum::extract::State;

use crate::access::Administers;
use crate::api::entries::json_response;
use crate::in_force::InForce;
use crate::problem::Answered;
use crate::service::Service;

pub(crate) async fn show(Administers(_): Administers, State(service): State<Arc<Service>>) -> Answered {
    service.blocking(|service| Ok(json_response(&InForce::of(&service.settings)))).await
}
