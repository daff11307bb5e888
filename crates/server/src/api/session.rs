//! `/sign-in` and `/api/v1/session`: a browser's cookie.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::{Deserialize, Serialize};

use crate::access::{COOKIE, Caller, Principal, Role, SESSION_TIME, session_cookie};
use crate::asked::InQuery;
use crate::body::JsonBody;
use crate::problem::{Answered, DeniedBecause, Problem};
use crate::service::Service;

#[derive(Deserialize)]
pub(crate) struct Code {
    code: Option<String>,
}

/// Uses a one-time link, but not for HEAD, which only looks; without a code the console asks for a token.
pub(crate) async fn sign_in(
    State(service): State<Arc<Service>>,
    method: Method,
    headers: HeaderMap,
    InQuery(Code { code }): InQuery<Code>,
) -> Response {
    let Some(code) = code.filter(|_| method != Method::HEAD) else {
        return crate::console::page();
    };
    if !service.sessions.use_link(&code) {
        let mut response = Redirect::to("/sign-in?link=used").into_response();
        let reason = "the link was used already, is too old or never was one".to_owned();
        response.extensions_mut().insert(DeniedBecause { who: "unknown".into(), reason });
        return response;
    }
    match service.sessions.open(Principal::local_administrator(), None) {
        Ok(value) => (set_cookie(&service, &headers, &value), Redirect::to("/")).into_response(),
        Err(error) => Problem::from(error).into_response(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignIn {
    token: String,
}

#[derive(Serialize)]
struct Who<'a> {
    name: &'a str,
    role: Role,
    expires_at: Option<String>,
    /// Whether nothing is recorded through this service, whatever the role.
    read_only: bool,
}

impl<'a> Who<'a> {
    fn of(principal: &'a Principal, service: &Service) -> Self {
        let expires_at = principal.expires_at.map(|expiry| expiry.to_string());
        let read_only = service.backing.watched().is_some();
        Self { name: &principal.name, role: principal.role, expires_at, read_only }
    }
}

pub(crate) async fn open(
    State(service): State<Arc<Service>>,
    parts: axum::http::request::Parts,
    JsonBody(SignIn { token }, _room): JsonBody<SignIn>,
) -> Answered {
    let mut asked = parts;
    let bearer = HeaderValue::from_str(&format!("Bearer {token}")).ok();
    let bearer = bearer.filter(|_| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()));
    asked.headers.insert(header::AUTHORIZATION, bearer.ok_or_else(|| Problem::invalid("this is no token"))?);
    let principal = Caller::of(&asked, &service, None)?.principal;
    let value = service.sessions.open(principal.clone(), Some(token))?;
    Ok((StatusCode::OK, set_cookie(&service, &asked.headers, &value), Json(Who::of(&principal, &service)))
        .into_response())
}

pub(crate) async fn who(caller: Caller, State(service): State<Arc<Service>>) -> Answered {
    Ok(Json(Who::of(&caller.principal, &service)).into_response())
}

pub(crate) async fn close(_: Caller, State(service): State<Arc<Service>>, headers: HeaderMap) -> Answered {
    if let Some(value) = session_cookie(&headers) {
        service.sessions.close(value);
    }
    let gone = format!("{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, gone)]).into_response())
}

fn set_cookie(service: &Service, asked: &HeaderMap, value: &str) -> [(header::HeaderName, String); 1] {
    let before_proxy = asked.get("x-forwarded-proto").is_some_and(|scheme| scheme.as_bytes() == b"https");
    let secure = if service.settings.tls.is_some() || before_proxy { "; Secure" } else { "" };
    let age = SESSION_TIME.as_secs();
    [(header::SET_COOKIE, format!("{COOKIE}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}"))]
}
