//! Recognising who asks, and checking that it may.

use std::sync::Arc;

use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};

use crate::access::denials::Denial;
use crate::access::principal::{Principal, Right};
use crate::access::session::{COOKIE, Holder};
use crate::problem::Problem;
use crate::service::Service;

/// The header that a request with a cookie carries unless it only reads: no form and no foreign page can send it.
const OWN_PAGE: &str = "x-counterfoil";

/// In a request's extensions: it came over the socket in the ledger's folder, so from whoever owns the ledger.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Local;

/// In a request's extensions: the connection's client certificate named this principal.
#[derive(Debug, Clone)]
pub(crate) struct Recognised(pub(crate) Principal);

/// In a request's extensions: where it came from, for records of denials.
#[derive(Debug, Clone)]
pub(crate) struct Peer(pub(crate) Arc<str>);

/// Somebody who was recognised.
#[derive(Debug, Clone)]
pub(crate) struct Caller(pub(crate) Principal);

/// Who sent a request with these headers, over HTTP or gRPC.
///
/// # Errors
/// `unauthenticated` for nobody.
pub(crate) fn recognise(
    service: &Service,
    method: &Method,
    headers: &HeaderMap,
    extensions: &axum::http::Extensions,
) -> Result<Principal, Problem> {
    if let Some(token) = bearer(headers) {
        return by_token(service, token);
    }
    if let Some(Recognised(principal)) = extensions.get() {
        return Ok(principal.clone());
    }
    if extensions.get::<Local>().is_some() {
        return Ok(Principal::local_administrator());
    }
    let Some(cookie) = session_cookie(headers) else {
        return Err(Problem::unauthenticated("send a token: Authorization: Bearer cf_…"));
    };
    let principal = match service.sessions.holder(cookie) {
        None => return Err(Problem::unauthenticated("the session has ended; sign in again")),
        Some(Holder::Token(token)) => by_token(service, &token)?,
        Some(Holder::Principal(principal)) => principal,
    };
    if method != Method::GET && method != Method::HEAD && !headers.contains_key(OWN_PAGE) {
        return Err(Problem::denied("a request with a session's cookie that changes something needs X-Counterfoil: 1"));
    }
    Ok(principal)
}

fn by_token(service: &Service, token: &str) -> Result<Principal, Problem> {
    let known = service.tokens.recognise(token)?;
    known.ok_or_else(|| Problem::unauthenticated("the token is unknown, revoked or expired"))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The session's cookie.
pub(crate) fn session_cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.into_iter().find_map(|(name, value)| (name == COOKIE).then_some(value))
}

impl Caller {
    /// The name.
    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    /// Recognises the sender and checks its right; a refusal is recorded.
    pub(crate) async fn with(parts: &Parts, service: &Arc<Service>, right: Option<Right>) -> Result<Self, Problem> {
        let who = recognise(service, &parts.method, &parts.headers, &parts.extensions);
        let (name, problem) = match who {
            Ok(principal) => match right.filter(|right| !principal.role.has(*right)) {
                None => return Ok(Self(principal)),
                Some(right) => {
                    let detail = format!("{} is a {} and may not {}", principal.name, principal.role, right.phrase());
                    (principal.name.to_string(), Problem::denied(detail))
                }
            },
            Err(problem) => ("unknown".to_owned(), problem),
        };
        let peer = parts.extensions.get::<Peer>().map_or("unknown", |peer| &peer.0).to_owned();
        let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |uri| &uri.0);
        let what = format!("{} {}", parts.method, uri.path());
        service.deny(Denial { who: name, peer, what, reason: problem.detail.clone() }).await;
        Err(problem)
    }
}

impl FromRequestParts<Arc<Service>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<Self, Problem> {
        Self::with(parts, service, None).await
    }
}

macro_rules! with_right {
    ($($(#[$doc:meta])* $name:ident $right:ident)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub(crate) struct $name(#[allow(dead_code, reason = "some handlers only need the right")] pub(crate) Caller);

        impl FromRequestParts<Arc<Service>> for $name {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<Self, Problem> {
                Caller::with(parts, service, Some(Right::$right)).await.map(Self)
            }
        }
    )*};
}

with_right! {
    /// Somebody who may record.
    Records Record
    /// Somebody who may read.
    Reads Read
    /// Somebody who may ask for proofs.
    Proves Prove
    /// Somebody who may export.
    Exports Export
    /// Somebody who may administer.
    Administers Administer
}
