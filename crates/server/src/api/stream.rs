//! `GET /api/v1/stream`: entries as they are recorded, as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use serde::Deserialize;
use serde_json::json;

use crate::access::Reads;
use crate::api::entries::as_json;
use crate::api::listing::Placed;
use crate::asked::InQuery;
use crate::problem::{Answered, Problem};
use crate::service::Service;

/// Entries that are read at once.
const STEP: u64 = 256;

/// How long a quiet connection waits for a sign of life.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct From {
    from: Option<u64>,
}

pub(crate) async fn stream(
    Reads(caller): Reads,
    State(service): State<Arc<Service>>,
    InQuery(From { from }): InQuery<From>,
    headers: HeaderMap,
) -> Answered {
    let seen = last_seen(&headers)?;
    let from = seen.map(|seen| seen.saturating_add(1)).or(from).unwrap_or_else(|| service.snapshot().size());
    service.record_reading(&caller, json!({"stream_from": from})).await?;
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    Ok(Sse::new(events(service, from)).keep_alive(keep_alive).into_response())
}

/// The index of the last event that a client which comes again has seen. One that is no index is refused: taken for
/// none, it would leave out what was recorded meanwhile.
fn last_seen(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get("last-event-id").filter(|value| !value.is_empty()) else { return Ok(None) };
    let index = value.to_str().ok().and_then(|id| id.parse::<u64>().ok());
    index.map(Some).ok_or_else(|| Problem::invalid("Last-Event-ID is no index: give the id of an event, or from"))
}

/// The entries from an index on, without end.
fn events(service: Arc<Service>, from: u64) -> impl Stream<Item = Result<Event, Infallible>> + Send {
    let sizes = service.sizes();
    let state = (service, sizes, from, Vec::new().into_iter());
    futures::stream::unfold(state, |(service, mut sizes, mut next, mut ready)| async move {
        loop {
            if let Some(event) = ready.next() {
                return Some((Ok(event), (service, sizes, next, ready)));
            }
            let size = tokio::select! {
                grown = sizes.wait_for(|size| *size > next) => *grown.ok()?,
                () = service.ended() => return None,
            };
            let end = size.min(next + STEP);
            let read = service.blocking(move |service| read(service, next, end)).await;
            match read {
                Ok(events) => {
                    next = end;
                    ready = events.into_iter();
                }
                Err(problem) => {
                    let event = Event::default().event("problem").data(json!(problem).to_string());
                    return Some((Ok(event), (service, sizes, u64::MAX, Vec::new().into_iter())));
                }
            }
        }
    })
}

fn read(service: &Service, from: u64, to: u64) -> Result<Vec<Event>, Problem> {
    let indices: Vec<u64> = (from..to).collect();
    let entries = service.snapshot().entries(&indices)?;
    let events = indices.iter().zip(&entries).map(|(index, bytes)| {
        let data = serde_json::to_string(&Placed { index: *index, entry: as_json(bytes)?.1 });
        let data = data.map_err(|error| Problem::internal(error.to_string()))?;
        Ok(Event::default().id(index.to_string()).data(data))
    });
    events.collect()
}
