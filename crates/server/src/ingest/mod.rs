//! From OpenTelemetry (OTLP) and CloudEvents 1.0 to entries.
//!
//! Pure: requests and events go in, checked [`Draft`](counterfoil_entry::Draft)s or reasons come out, in the order in
//! which they were sent. Nothing is dropped silently: what no member of the entry carries stands in `context`, and what
//! had to be changed to fit is named in `context.mapping_notes` or replaced by its digest. `docs/guides/ingest.md` is the
//! mapping, member by member.

mod assembly;
pub mod cloudevents;
mod fitting;
pub mod otlp;
#[cfg(test)]
mod tests;
mod value;

/// Why one span, log record or event of a request cannot be an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct Refused {
    /// Its place among all spans, log records or events of the request, from 0.
    pub position: usize,
    /// What is wrong, by the name of the member or attribute, and what to do.
    pub problem: String,
}

/// Why the body of a request cannot be read at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Undecodable(pub String);
