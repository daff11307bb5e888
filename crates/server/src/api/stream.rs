//! `GET /api/v1/stream`: entries as they are recorded, as server-sent events.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::watch;

use crate::access::{Caller, Reads, Right};
use crate::api::entries::as_json;
use crate::api::listing::Placed;
use crate::asked::InQuery;
use crate::problem::{Answered, Problem};
use crate::service::Service;

/// Entries that are read at once: a stream holds no more of them, of 64 KiB each at most.
const STEP: u64 = 16;

/// How long a quiet connection waits for a sign of life.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Streams at once.
const MAX_STREAMS: usize = 256;

/// Streams of one principal at once.
const MAX_OWN_STREAMS: usize = 32;

/// How many streams each principal has open.
#[derive(Debug, Clone, Default)]
pub(crate) struct Streams(Arc<Mutex<HashMap<Arc<str>, usize>>>);

/// A place among the streams, free again when it is dropped.
struct Place {
    streams: Streams,
    name: Arc<str>,
}

impl Streams {
    /// A place for one more stream of a principal.
    ///
    /// # Errors
    /// `busy` when all are taken, or all that one principal may have.
    fn place(&self, name: &Arc<str>) -> Result<Place, Problem> {
        let mut open = self.0.lock().expect("no panic while held");
        if open.values().sum::<usize>() >= MAX_STREAMS {
            return Err(Problem::busy(format!("{MAX_STREAMS} streams are open already")));
        }
        let own = open.entry(Arc::clone(name)).or_default();
        if *own >= MAX_OWN_STREAMS {
            return Err(Problem::busy(format!("{name} has {MAX_OWN_STREAMS} streams open already")));
        }
        *own += 1;
        Ok(Place { streams: self.clone(), name: Arc::clone(name) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.streams.0.lock().expect("no panic while held");
        if let Some(own) = open.get_mut(&self.name) {
            *own -= 1;
            if *own == 0 {
                open.remove(&self.name);
            }
        }
    }
}

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
    let place = service.streams.place(&caller.principal.name)?;
    service.record_reading(&caller, json!({"stream_from": from})).await?;
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    let reading =
        Reading { sizes: service.sizes(), service, caller, next: from, ready: Vec::new().into_iter(), _place: place };
    Ok(Sse::new(futures::stream::unfold(Some(reading), Reading::step)).keep_alive(keep_alive).into_response())
}

/// The index of the last event that a client which comes again has seen. One that is no index is refused: taken for
/// none, it would leave out what was recorded meanwhile.
fn last_seen(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get("last-event-id").filter(|value| !value.is_empty()) else { return Ok(None) };
    let index = value.to_str().ok().and_then(|id| id.parse::<u64>().ok());
    index.map(Some).ok_or_else(|| Problem::invalid("Last-Event-ID is no index: give the id of an event, or from"))
}

/// The entries from an index on, as long as their reader may read them.
struct Reading {
    service: Arc<Service>,
    caller: Caller,
    sizes: watch::Receiver<u64>,
    next: u64,
    ready: std::vec::IntoIter<Event>,
    _place: Place,
}

impl Reading {
    /// The next event; a problem is the last one, and a client that comes again is told how things are then.
    async fn step(reading: Option<Self>) -> Option<(Result<Event, Infallible>, Option<Self>)> {
        let mut reading = reading?;
        if reading.ready.as_slice().is_empty() {
            match reading.read_on().await {
                Ok(true) => {}
                Ok(false) => return None,
                Err(problem) => {
                    return Some((Ok(Event::default().event("problem").data(json!(problem).to_string())), None));
                }
            }
        }
        let event = reading.ready.next()?;
        Some((Ok(event), Some(reading)))
    }

    /// Waits for entries and reads them; false when the service ends.
    async fn read_on(&mut self) -> Result<bool, Problem> {
        let next = self.next;
        let size = loop {
            self.caller.again(&self.service, Right::Read)?;
            tokio::select! {
                grown = self.sizes.wait_for(|size| *size > next) => match grown {
                    Ok(size) => break *size,
                    Err(_) => return Ok(false),
                },
                () = self.service.ended() => return Ok(false),
                () = tokio::time::sleep(KEEP_ALIVE) => {}
            }
        };
        self.caller.again(&self.service, Right::Read)?;
        let end = size.min(next + STEP);
        self.ready = self.service.reading(move |service| read(service, next, end)).await?.into_iter();
        self.next = end;
        Ok(true)
    }
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
