//! Bodies of requests: read whole, within a limit, and refused as problem documents.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::Problem;
use crate::service::Service;

/// Most bytes of a body, after decoding.
pub(crate) const MAX_BODY_BYTES: usize = 32 << 20;

/// Memory that the bodies of all requests under way may take together, in KiB.
pub(crate) const ROOM_KIB: usize = 512 << 10;

/// How long a body may take to arrive.
const ARRIVAL_TIME: Duration = Duration::from_secs(60);

/// A body as it came, decoded, with its place in the room for bodies.
pub(crate) struct Body(pub(crate) Bytes, pub(crate) Room);

/// The room that a body takes until it is dropped.
#[derive(Default)]
pub(crate) struct Room(Vec<OwnedSemaphorePermit>);

impl Room {
    /// Takes room for this many more bytes.
    ///
    /// # Errors
    /// `busy` when other requests take all of it.
    pub(crate) fn take(&mut self, from: &Arc<Semaphore>, bytes: usize) -> Result<(), Problem> {
        let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX);
        let taken = Arc::clone(from).try_acquire_many_owned(kib);
        self.0.push(taken.map_err(|_| Problem::busy("the bodies of other requests take all the room"))?);
        Ok(())
    }
}

impl FromRequest<Arc<Service>> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, service: &Arc<Service>) -> Result<Self, Problem> {
        let arrived = tokio::time::timeout(ARRIVAL_TIME, read(request.into_body(), &service.room)).await;
        arrived.unwrap_or_else(|_| {
            let detail = format!("the body did not arrive within {} seconds", ARRIVAL_TIME.as_secs());
            Err(Problem::new("invalid", StatusCode::REQUEST_TIMEOUT, detail))
        })
    }
}

async fn read(mut body: axum::body::Body, room: &Arc<Semaphore>) -> Result<Body, Problem> {
    let mut bytes = BytesMut::new();
    let mut taken = Room::default();
    let mut paid = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Problem::invalid(format!("the body cannot be read: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > MAX_BODY_BYTES {
            let detail = format!("the body is over {MAX_BODY_BYTES} bytes after decoding");
            return Err(Problem::new("invalid", StatusCode::PAYLOAD_TOO_LARGE, detail));
        }
        bytes.extend_from_slice(&data);
        let due = bytes.capacity().saturating_sub(paid);
        if due > 0 {
            taken.take(room, due)?;
            paid += due;
        }
    }
    Ok(Body(bytes.freeze(), taken))
}

impl std::fmt::Debug for Room {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Room").field(&self.0.len()).finish()
    }
}

/// A JSON body of one shape, with its place in the room for bodies.
pub(crate) struct JsonBody<T>(pub(crate) T, pub(crate) Room);

impl<T: DeserializeOwned> FromRequest<Arc<Service>> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, service: &Arc<Service>) -> Result<Self, Problem> {
        let given = media_type(request.headers());
        if given != "application/json" {
            return Err(unsupported(&given, "application/json"));
        }
        let Body(bytes, room) = Body::from_request(request, service).await?;
        Ok(Self(json(&bytes)?, room))
    }
}

/// The body's type without parameters, in lower case; empty when none is told.
pub(crate) fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The body's type is none that is taken here.
pub(crate) fn unsupported(given: &str, taken: &str) -> Problem {
    let given = if given.is_empty() { "no Content-Type".to_owned() } else { format!("Content-Type {given:?}") };
    Problem::new("invalid", StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("{given}: send {taken}"))
}

/// Reads a JSON body of one shape.
pub(crate) fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| Problem::invalid(format!("the body is not as documented: {error}")))
}

/// A number of JSON may say a whole one as 5.0.
pub(crate) fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let number = f64::deserialize(deserializer)?;
    let is_whole = number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number);
    is_whole.then_some(number as u32).ok_or_else(|| D::Error::custom("it is no whole number below 4294967296"))
}

/// The same where there may be none.
pub(crate) fn whole_if_any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    #[derive(Deserialize)]
    struct Whole(#[serde(deserialize_with = "whole")] u32);
    Ok(Option::<Whole>::deserialize(deserializer)?.map(|Whole(number)| number))
}
