//! `/api/v1/watch`: how the rules, the sinks and the conditions are.

use std::sync::Arc;

use axum::extract::State;
use serde_json::json;

use crate::access::Reads;
use crate::api::entries::json_response;
use crate::problem::Answered;
use crate::service::Service;

pub(crate) async fn overview(Reads(_): Reads, State(service): State<Arc<Service>>) -> Answered {
    let backing = &service.backing;
    Ok(json_response(&json!({
        "rules": backing.watching(), "sinks": backing.sinks(), "conditions": service.conditions.holding(),
    })))
}
