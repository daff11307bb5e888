//! CloudEvents 1.0: one entry for each event.

mod binary;
mod content;
mod entry;
mod structured;

use super::{Refused, Undecodable};
use counterfoil_entry::Draft;
use serde_json::value::RawValue;

/// The entry of an event in structured mode (`application/cloudevents+json`).
///
/// # Errors
/// Not JSON, or why it is no event or no entry; the position is 0.
pub fn structured(body: &[u8]) -> Result<Draft, Refused> {
    structured::event(body).and_then(entry::draft).map_err(|problem| Refused { position: 0, problem })
}

/// The events of a batch (`application/cloudevents-batch+json`), each as it stands there.
///
/// # Errors
/// The body is not a JSON array.
pub fn split(body: &[u8]) -> Result<Vec<&RawValue>, Undecodable> {
    serde_json::from_slice(body).map_err(|error| Undecodable(format!("not a JSON array of events: {error}")))
}

/// One entry, or the reason why there is none, for each event of a batch, in order.
pub fn batch(events: &[&RawValue]) -> impl Iterator<Item = Result<Draft, Refused>> {
    events.iter().enumerate().map(|(position, event)| {
        let draft = structured::event(event.get().as_bytes()).and_then(entry::draft);
        draft.map_err(|problem| Refused { position, problem })
    })
}

/// The entry of an event in binary mode: `ce-…` headers, and data in the body.
///
/// Headers of other names are passed over, so all of a request's may be given. `content_type` is its `Content-Type`.
///
/// # Errors
/// Why it is no event or no entry; the position is 0.
pub fn binary<'h>(
    headers: impl IntoIterator<Item = (&'h str, &'h str)>,
    body: &[u8],
    content_type: Option<&str>,
) -> Result<Draft, Refused> {
    let event = binary::event(headers.into_iter(), body, content_type);
    event.and_then(entry::draft).map_err(|problem| Refused { position: 0, problem })
}
