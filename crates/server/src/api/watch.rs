//! `/api/v1/watch`: how the rules, the sinks and the conditions are, and how many alerts wait.

use std::sync::Arc;

use axum::extract::State;
use serde_json::json;

use crate::access::Reads;
use crate::api::entries::json_response;
use crate::problem::Answered;
use crate::service::Service;

pub(crate) async fn overview(Reads(_): Reads, State(service): State<Arc<Service>>) -> Answered {
    let open_alerts = open_alerts(&service).await;
    let backing = &service.backing;
    Ok(json_response(&json!({
        "rules": backing.watching(), "sinks": backing.sinks(), "conditions": service.conditions.holding(),
        "open_alerts": open_alerts,
    })))
}

/// `None` when they cannot be read: how everything else is must be told all the more then.
async fn open_alerts(service: &Arc<Service>) -> Option<u64> {
    let engine = service.query_engine().await.ok()?;
    service.reading(move |service| Ok(service.open_alerts.count(&engine, &service.snapshot())?)).await.ok()
}
