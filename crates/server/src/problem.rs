//! Errors as problem documents (RFC 9457).

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use counterfoil::{Error, ErrorKind};
use serde::Serialize;

/// Seconds after which a caller that was turned away may come again.
const RETRY_AFTER: &str = "1";

/// What a request is answered when it cannot be done.
#[derive(Debug, Clone, Serialize)]
pub struct Problem {
    #[serde(rename = "type")]
    kind_uri: String,
    title: String,
    /// The HTTP status.
    #[serde(serialize_with = "number")]
    pub status: StatusCode,
    /// The error's kind by name.
    pub kind: &'static str,
    /// What happened, in a sentence.
    pub detail: String,
    /// Which entry of a batch is meant, counted from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<usize>,
}

fn number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

/// The answer of a handler.
pub(crate) type Answered<T = Response> = Result<T, Problem>;

impl Problem {
    /// A problem of this kind.
    pub(crate) fn new(kind: &'static str, status: StatusCode, detail: impl Into<String>) -> Self {
        let mut title = kind.replace('-', " ");
        title[..1].make_ascii_uppercase();
        let kind_uri = format!("urn:counterfoil:problem:{kind}");
        Self { kind_uri, title, status, kind, detail: detail.into(), position: None }
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
        let kind = self.kind;
        let mut response = (status, Json(self)).into_response();
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
        response.extensions_mut().insert(RefusedBecause(kind));
        response
    }
}

/// On a refused response: the problem's kind, for the metrics.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RefusedBecause(pub(crate) &'static str);
