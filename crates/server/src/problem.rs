//! Errors as problem documents (RFC 9457).

use std::sync::Arc;

use axum::Json;
use axum::http::{Extensions, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use counterfoil::{Error, ErrorKind};
use serde::Serialize;

use crate::recording::Refusal;

/// Seconds after which a caller that was turned away may come again.
const RETRY_AFTER: &str = "1";

/// What a request is answered when it cannot be done.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// The error's kind by name.
    pub kind: &'static str,
    /// What happened, in a sentence.
    pub detail: String,
    /// Which entry of a batch is meant, counted from 0.
    pub position: Option<usize>,
    /// The entries that were refused, when each has a reason of its own.
    refused: Vec<Refusal>,
    /// Who asked, as far as that is known.
    pub(crate) who: Option<Arc<str>>,
}

/// A problem as it is written.
#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: String,
    status: u16,
    kind: &'static str,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<usize>,
    #[serde(skip_serializing_if = "<[Refusal]>::is_empty")]
    refused: &'a [Refusal],
}

impl Serialize for Problem {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut title = self.kind.replace('-', " ");
        title[..1].make_ascii_uppercase();
        let document = Document {
            r#type: format!("urn:counterfoil:problem:{}", self.kind),
            title,
            status: self.status.as_u16(),
            kind: self.kind,
            detail: &self.detail,
            position: self.position,
            refused: &self.refused,
        };
        document.serialize(serializer)
    }
}

/// The answer of a handler.
pub(crate) type Answered<T = Response> = Result<T, Problem>;

impl Problem {
    /// A problem of this kind.
    pub(crate) fn new(kind: &'static str, status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, kind, detail: detail.into(), position: None, refused: Vec::new(), who: None }
    }

    /// The call is wrong.
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new("invalid", StatusCode::BAD_REQUEST, detail)
    }

    /// An entry is none.
    pub(crate) fn refused_entry(position: usize, detail: impl Into<String>) -> Self {
        Self::new("invalid", StatusCode::UNPROCESSABLE_ENTITY, detail).at(position)
    }

    /// The same problem, about this entry of a batch.
    pub(crate) fn at(self, position: usize) -> Self {
        Self { position: Some(position), ..self }
    }

    /// The same problem, with what was refused and why.
    pub(crate) fn with(self, refused: Vec<Refusal>) -> Self {
        Self { refused, ..self }
    }

    /// The same problem, of a request of this principal.
    pub(crate) fn by(self, name: &Arc<str>) -> Self {
        Self { who: Some(Arc::clone(name)), ..self }
    }

    /// Notes on a response why it is none.
    pub(crate) fn note(&self, on: &mut Extensions) {
        on.insert(RefusedBecause(self.kind));
        if ["denied", "unauthenticated"].contains(&self.kind) {
            let who = self.who.clone().unwrap_or_else(|| "unknown".into());
            on.insert(DeniedBecause { who, reason: self.detail.clone() });
        }
    }

    /// Nobody is recognised.
    pub(crate) fn unauthenticated(detail: impl Into<String>) -> Self {
        Self::new("unauthenticated", StatusCode::UNAUTHORIZED, detail)
    }

    /// No right to do this.
    pub(crate) fn denied(detail: impl Into<String>) -> Self {
        Self::new("denied", StatusCode::FORBIDDEN, detail)
    }

    /// There is no such thing.
    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new("not-found", StatusCode::NOT_FOUND, detail)
    }

    /// A queue is full.
    pub(crate) fn busy(detail: impl Into<String>) -> Self {
        Self::new("busy", StatusCode::TOO_MANY_REQUESTS, detail)
    }

    /// A defect.
    pub(crate) fn internal(detail: impl Into<String>) -> Self {
        Self::new("internal", StatusCode::INTERNAL_SERVER_ERROR, detail)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let status = match error.kind {
            ErrorKind::Invalid if error.position.is_some() => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorKind::Invalid => StatusCode::BAD_REQUEST,
            ErrorKind::Conflict => StatusCode::CONFLICT,
            ErrorKind::Busy => StatusCode::TOO_MANY_REQUESTS,
            ErrorKind::Unavailable | ErrorKind::Closed => StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::Denied => StatusCode::FORBIDDEN,
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::Poisoned | ErrorKind::Damaged | ErrorKind::Tampered | ErrorKind::Internal => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        Self { position: error.position, ..Self::new(error.kind.name(), status, error.message) }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status;
        let mut response = (status, Json(&self)).into_response();
        self.note(response.extensions_mut());
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"counterfoil\""));
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
            }
            _ => {}
        }
        response
    }
}

/// On a refused response: the problem's kind, for the metrics.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RefusedBecause(pub(crate) &'static str);

/// On a response to a request of which something was not allowed, be it only one entry of several: what is recorded.
#[derive(Debug, Clone)]
pub(crate) struct DeniedBecause {
    pub(crate) who: Arc<str>,
    pub(crate) reason: String,
}
