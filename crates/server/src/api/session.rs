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
use crate::problem::{Answered, Problem};
use crate::service::Service;

#[derive(Deserialize)]
pub(crate) struct Code {
    code: Option<String>,
}

/// Uses a one-time link, but not for HEAD, which only looks; without a code the console asks for a token.
pub(crate) async fn sign_in(
    State(service): State<Arc<Service>>,
    method: Method,
    InQuery(Code { code }): InQuery<Code>,
) -> Response {
    let Some(code) = code.filter(|_| method != Method::HEAD) else {
        return crate::console::page();
    };
    if !service.sessions.use_link(&code) {
        return Redirect::to("/sign-in").into_response();
    }
    match service.sessions.open(Principal::local_administrator(), None) {
        Ok(value) => (set_cookie(&service, &value), Redirect::to("/")).into_response(),
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
}

impl<'a> Who<'a> {
    fn of(principal: &'a Principal) -> Self {
        let expires_at = principal.expires_at.map(|expiry| expiry.to_string());
        Self { name: &principal.name, role: principal.role, expires_at }
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
    let caller = Caller::with(&asked, &service, None).await?;
    let value = service.sessions.open(caller.0.clone(), Some(token))?;
    Ok((StatusCode::OK, set_cookie(&service, &value), Json(Who::of(&caller.0))).into_response())
}

pub(crate) async fn who(caller: Caller) -> Answered {
    Ok(Json(Who::of(&caller.0)).into_response())
}

pub(crate) async fn close(_: Caller, State(service): State<Arc<Service>>, headers: HeaderMap) -> Answered {
    if let Some(value) = session_cookie(&headers) {
        service.sessions.close(value);
    }
    let gone = format!("{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, gone)]).into_response())
}

fn set_cookie(service: &Service, value: &str) -> [(header::HeaderName, String); 1] {
    let secure = if service.settings.tls.is_some() { "; Secure" } else { "" };
    let age = SESSION_TIME.as_secs();
    [(header::SET_COOKIE, format!("{COOKIE}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}"))]
}
