//! Ingest that programs already speak: OTLP and CloudEvents. Each answers success only once its entries are durable.

mod cloudevents;
mod grpc;
mod otlp;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use counterfoil_entry::Draft;

use crate::access::Principal;
use crate::ingest::Refused;
use crate::problem::Problem;
use crate::recording::Outcomes;
use crate::service::Service;

pub(crate) use grpc::grpc;

/// Most spans or log records of one request.
const MAX_RECORDS: usize = 50_000;

/// Entries that are recorded at once.
const BATCH: usize = 10_000;

/// The receivers' routes.
pub(crate) fn routes() -> Router<Arc<Service>> {
    Router::new()
        .route("/v1/traces", post(otlp::traces))
        .route("/v1/logs", post(otlp::logs))
        .route("/api/v1/cloudevents", post(cloudevents::receive))
}

/// Records what can be mapped, in the name of a principal.
async fn record(
    service: &Arc<Service>,
    principal: &Principal,
    sent: usize,
    map: impl FnOnce() -> Vec<Result<Draft, Refused>> + Send + 'static,
) -> Result<Outcomes, Problem> {
    if sent > MAX_RECORDS {
        let detail = format!("{sent} spans or log records in one request, at most {MAX_RECORDS} are taken");
        return Err(Problem::new("invalid", StatusCode::PAYLOAD_TOO_LARGE, detail));
    }
    let place = service.append_place()?;
    let principal = principal.clone();
    let recorded = service
        .blocking(move |service| {
            let mut outcomes = Outcomes::default();
            let mut good = Vec::with_capacity(sent);
            for (position, mapped) in map().into_iter().enumerate() {
                match mapped {
                    Ok(draft) => outcomes.admit(&principal, position, draft, &mut good),
                    Err(refused) => outcomes.refuse(position, "invalid", refused.problem),
                }
            }
            for batch in batches(good) {
                outcomes.record(service, &principal, batch)?;
            }
            Ok(outcomes)
        })
        .await;
    drop(place);
    recorded
}

/// Cuts what one request brought into batches that the ledger takes.
fn batches(mut good: Vec<(usize, Draft)>) -> Vec<Vec<(usize, Draft)>> {
    let mut batches = Vec::new();
    while good.len() > BATCH {
        let rest = good.split_off(BATCH);
        batches.push(std::mem::replace(&mut good, rest));
    }
    batches.push(good);
    batches
}

/// What of a request was not recorded, as one sentence for a partial success.
fn told(outcomes: &Outcomes) -> String {
    let first = outcomes.refused.iter().take(3).map(|refusal| format!("{}: {}", refusal.position, refusal.detail));
    let mut text = first.collect::<Vec<_>>().join("; ");
    if outcomes.refused.len() > 3 {
        text.push_str(&format!("; and {} more", outcomes.refused.len() - 3));
    }
    text
}
