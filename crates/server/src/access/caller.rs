//! Recognising who asks, and checking that it may.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use counterfoil::Error;

use crate::access::principal::{Principal, Right};
use crate::access::session::{COOKIE, Holder};
use crate::problem::Problem;
use crate::service::Service;

/// The header that a request with a cookie carries unless it only reads: no form and no foreign page can send it.
const OWN_PAGE: &str = "x-counterfoil";

/// In a request's extensions: it came over the socket in the ledger's folder, so from whoever owns the ledger.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Local;

/// In a request's extensions: the common name of the connection's client certificate.
#[derive(Debug, Clone)]
pub(crate) struct Certified(pub(crate) Arc<str>);

/// In a request's extensions: where it came from, for records of denials.
#[derive(Debug, Clone)]
pub(crate) struct Peer(pub(crate) Arc<str>);

/// What somebody shows to be recognised. It is looked at again for each request, and by what outlives one: tokens are
/// revoked and expire, sessions end.
#[derive(Debug, Clone)]
pub(crate) enum Credential {
    /// A token.
    Token(String),
    /// The name in a client certificate.
    Certificate(Arc<str>),
    /// The value of a browser session's cookie.
    Session(String),
    /// The socket in the ledger's folder.
    Local,
}

/// Somebody who was recognised.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// Who it is.
    pub(crate) principal: Principal,
    credential: Credential,
}

impl Credential {
    /// What a request shows.
    fn of(parts: &Parts, service: &Service) -> Result<Self, Problem> {
        if let Some(token) = bearer(&parts.headers) {
            return Ok(Self::Token(token.to_owned()));
        }
        if let Some(Certified(name)) = parts.extensions.get()
            && service.tokens.principal(name).map_err(|error| unreadable(&error))?.is_some()
        {
            return Ok(Self::Certificate(Arc::clone(name)));
        }
        if parts.extensions.get::<Local>().is_some() {
            return Ok(Self::Local);
        }
        let cookie = session_cookie(&parts.headers).map(|value| Self::Session(value.to_owned()));
        cookie.ok_or_else(|| Problem::unauthenticated("send a token: Authorization: Bearer cf_…"))
    }

    fn principal(&self, service: &Service) -> Result<Principal, Problem> {
        match self {
            Self::Token(token) => by_token(service, token),
            Self::Certificate(name) => {
                let known = service.tokens.principal(name).map_err(|error| unreadable(&error))?;
                known.ok_or_else(|| Problem::unauthenticated("the tokens of the certificate's name were revoked"))
            }
            Self::Session(cookie) => match service.sessions.holder(cookie) {
                None => Err(Problem::unauthenticated("the session has ended; sign in again")),
                Some(Holder::Token(token)) => by_token(service, &token),
                Some(Holder::Principal(principal)) => Ok(principal),
            },
            Self::Local => Ok(Principal::local_administrator()),
        }
    }
}

fn by_token(service: &Service, token: &str) -> Result<Principal, Problem> {
    let known = service.tokens.recognise(token).map_err(|error| unreadable(&error))?;
    known.ok_or_else(|| Problem::unauthenticated("the token is unknown, revoked or expired"))
}

/// Whoever runs the service is told what is wrong with the tokens; strangers only that something is.
fn unreadable(error: &Error) -> Problem {
    tracing::error!(detail = error.message, "the tokens cannot be read");
    let Problem { kind, status, .. } = Problem::from(error.clone());
    Problem::new(kind, status, "the tokens cannot be read")
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
    /// Who shows a credential; the one place where a right is checked.
    ///
    /// # Errors
    /// `unauthenticated` for nobody, `denied` for somebody without the right.
    pub(crate) fn recognise(credential: Credential, service: &Service, right: Option<Right>) -> Result<Self, Problem> {
        let principal = credential.principal(service)?;
        if let Some(right) = right {
            principal.check(right).map_err(|detail| Problem::denied(detail).by(&principal.name))?;
        }
        Ok(Self { principal, credential })
    }

    /// Who sent a request, over HTTP or gRPC.
    ///
    /// # Errors
    /// Those of [`Caller::recognise`].
    pub(crate) fn of(parts: &Parts, service: &Service, right: Option<Right>) -> Result<Self, Problem> {
        let caller = Self::recognise(Credential::of(parts, service)?, service, right)?;
        let only_reads = [Method::GET, Method::HEAD].contains(&parts.method);
        if matches!(caller.credential, Credential::Session(_)) && !only_reads && !parts.headers.contains_key(OWN_PAGE) {
            let detail = "a request with a session's cookie that changes something needs X-Counterfoil: 1";
            return Err(Problem::denied(detail).by(&caller.principal.name));
        }
        Ok(caller)
    }

    /// Recognises the same credential once more.
    ///
    /// # Errors
    /// Those of [`Caller::recognise`].
    pub(crate) fn again(&self, service: &Service, right: Right) -> Result<Self, Problem> {
        Self::recognise(self.credential.clone(), service, Some(right))
    }

    /// The name.
    pub(crate) fn name(&self) -> &str {
        &self.principal.name
    }
}

impl FromRequestParts<Arc<Service>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<Self, Problem> {
        Self::of(parts, service, None)
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
                Caller::of(parts, service, Some(Right::$right)).map(Self)
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
    /// Somebody who may review.
    Reviews Review
    /// Somebody who may export.
    Exports Export
    /// Somebody who may administer.
    Administers Administer
}
