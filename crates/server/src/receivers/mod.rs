//! Ingest that programs already speak: OTLP and CloudEvents. Each answers success only once its entries are durable.

mod cloudevents;
mod grpc;
mod otlp;

use std::sync::Arc;

use axum::Router;
use axum::http::{Extensions, StatusCode};
use axum::routing::post;
use counterfoil::ErrorKind;
use counterfoil_entry::Draft;

use self::otlp::{Encoding, Logs, Signal, Traces};
use crate::access::Principal;
use crate::body::{Body, Room};
use crate::problem::Problem;
use crate::recording::Outcomes;
use crate::service::Service;
use crate::shipping::Acknowledging;

pub(crate) use grpc::grpc;

/// Most spans or log records of one request.
const MAX_RECORDS: usize = 50_000;

/// Most memory of a request once it is decoded.
const MAX_DECODED_BYTES: usize = 256 << 20;

/// Entries that are recorded at once.
const BATCH: usize = 10_000;

/// Reasons for which a record is rejected while others are recorded. `Busy` is none: exporters do not send again what was
/// rejected, and this only has to wait.
const REJECTED: [ErrorKind; 3] = [ErrorKind::Invalid, ErrorKind::Conflict, ErrorKind::Denied];

/// The receivers' routes.
pub(crate) fn routes() -> Router<Arc<Service>> {
    Router::new()
        .route("/v1/traces", post(otlp::receive::<Traces>))
        .route("/v1/logs", post(otlp::receive::<Logs>))
        .route("/api/v1/cloudevents", post(cloudevents::receive))
}

/// What became of an export.
struct Recorded<S: Signal> {
    answer: S::Answer,
    /// What is noted on the response.
    notes: Extensions,
}

/// Records what of an export can be mapped, in the name of a principal.
async fn record<S: Signal>(
    service: &Arc<Service>,
    principal: &Principal,
    encoding: Encoding,
    Body(body, room): Body,
) -> Result<Recorded<S>, Problem> {
    let too_large = |detail: String| Problem::new("invalid", StatusCode::PAYLOAD_TOO_LARGE, detail);
    let load = service.load(room)?;
    let acknowledging = Acknowledging::of(None, service)?;
    let principal = principal.clone();
    let work = move |service: &Service| {
        let _load = load;
        let mut room = Room::default();
        let decoded = encoding.weight::<S>(&body);
        if decoded > MAX_DECODED_BYTES {
            let detail = "the request is too large once it is decoded: send fewer spans, log records or attributes";
            return Err(too_large(detail.to_owned()));
        }
        room.take(&service.room, decoded)?;
        let request = encoding.decode::<S>(&body)?;
        let sent = S::sent(&request);
        if sent > MAX_RECORDS {
            let detail = format!("{sent} spans or log records in one request, at most {MAX_RECORDS} are taken");
            return Err(too_large(detail));
        }
        let mut outcomes = Outcomes::default();
        let mut good = Vec::with_capacity(sent);
        for (position, mapped) in S::drafts(&request).into_iter().enumerate() {
            match mapped {
                Ok(draft) => outcomes.admit(&principal, position, draft, &mut good),
                Err(refused) => outcomes.refuse(position, "invalid", refused.problem),
            }
        }
        for batch in batches(good) {
            outcomes.record(service, &principal, batch, &REJECTED)?;
        }
        let mut notes = Extensions::new();
        if let Some(denied) = outcomes.denied(&principal) {
            notes.insert(denied);
        }
        let rejected = (!outcomes.refused.is_empty()).then(|| (outcomes.refused.len() as i64, told(&outcomes)));
        Ok((Recorded { answer: S::answer(rejected), notes }, outcomes.last()))
    };
    let (recorded, last) = service.blocking(work).await?;
    acknowledging.wait(service, last).await?;
    Ok(recorded)
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
