//! Which request goes where.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::HttpBody;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, Version, header};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::decompression::RequestDecompressionLayer;

use crate::access::note_refusals;
use crate::api::{
    alerts, bundles, drills, entries, keys, listing, proofs, prune, query, reviews, searches, session, settings,
    status, stream, tokens, verification, watch,
};
use crate::problem::Problem;
use crate::service::Service;
use crate::{console, health, tlog};

/// The API's description, OpenAPI 3.1.
const OPENAPI: &str = include_str!("../openapi.json");

/// A request that takes longer is worth a line in the log.
const SLOW: Duration = Duration::from_secs(1);

/// Methods that are counted by name: strangers can think of any number of others.
const COUNTED: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

/// What may be answered before the request's body was read.
const EARLY: [StatusCode; 6] = [
    StatusCode::UNAUTHORIZED,
    StatusCode::FORBIDDEN,
    StatusCode::NOT_FOUND,
    StatusCode::METHOD_NOT_ALLOWED,
    StatusCode::PAYLOAD_TOO_LARGE,
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
];

/// Every route of the service.
pub fn routes(service: &Arc<Service>) -> Router {
    let api = Router::new()
        .route("/entries", post(entries::record).get(listing::list))
        .route("/entries/{index}", get(entries::one))
        .route("/entities/{id}/history", get(listing::history))
        .route("/query", post(query::query))
        .route("/checkpoint", get(proofs::checkpoint))
        .route("/proofs/inclusion", get(proofs::inclusion))
        .route("/proofs/consistency", get(proofs::consistency))
        .route("/bundles", post(bundles::make))
        .route("/stream", get(stream::stream))
        .route("/status", get(status::status))
        .route("/sources", get(status::sources))
        .route("/catalog", get(status::catalog))
        .route("/verification", get(verification::overview).post(verification::begin))
        .route("/alerts", get(alerts::list))
        .route("/alerts/{id}", get(alerts::one))
        .route("/alerts/{id}/state", post(alerts::change))
        .route("/watch", get(watch::overview))
        .route("/settings", get(settings::show))
        .route("/reviews", get(reviews::list))
        .route("/reviews/{day}", get(reviews::day).post(reviews::sign))
        .route("/searches", get(searches::list))
        .route("/searches/{name}", axum::routing::put(searches::save).delete(searches::remove))
        .route("/tokens", get(tokens::list).post(tokens::create))
        .route("/tokens/{id}", axum::routing::delete(tokens::revoke))
        .route("/keys", post(keys::register))
        .route("/keys/{id}", axum::routing::delete(keys::revoke))
        .route("/seal", post(keys::seal))
        .route("/prune", post(prune::prune))
        .route("/prune/fetch", post(prune::fetch))
        .route("/drills", post(drills::record))
        .route("/session", get(session::who).post(session::open).delete(session::close))
        .route("/openapi.json", get(openapi));
    let pages = ["/", "/trail", "/entity/{id}", "/alerts", "/review", "/overrides", "/sql", "/integrity", "/access"];
    let console = pages.into_iter().fold(Router::new(), |router, page| router.route(page, get(console::index)));
    Router::new()
        .nest("/api/v1", api)
        .merge(crate::receivers::routes())
        .route("/tlog/checkpoint", get(tlog::checkpoint))
        .route("/tlog/tile/{*path}", get(tlog::tile))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .route("/sign-in", get(session::sign_in))
        .route("/assets/{name}", get(console::asset))
        .route("/favicon.svg", get(console::icon))
        .merge(console)
        .fallback(nowhere)
        .method_not_allowed_fallback(no_method)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(CompressionLayer::new())
        .layer(RequestDecompressionLayer::new())
        .layer(map_response(undecoded))
        .layer(from_fn_with_state(Arc::clone(service), note_refusals))
        .layer(from_fn_with_state(Arc::clone(service), watched))
        .with_state(Arc::clone(service))
}

async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

/// A person in a browser is told by the console, a program by a problem.
async fn nowhere(request: Request) -> Response {
    let path = request.uri().path();
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let is_page =
        request.method() == Method::GET && !["/api/", "/tlog/", "/v1/"].iter().any(|api| path.starts_with(api));
    if is_page && accept.is_some_and(|accept| accept.contains("text/html")) {
        return (StatusCode::NOT_FOUND, console::page()).into_response();
    }
    let message = format!("there is nothing at {path}; the API is described at /api/v1/openapi.json");
    Problem::not_found(message).into_response()
}

async fn no_method(request: Request) -> Problem {
    let detail = format!("{} is not done with {}", request.uri().path(), request.method());
    Problem::new("not-found", StatusCode::METHOD_NOT_ALLOWED, detail)
}

/// A body in an encoding that is not taken is refused by the layer that decodes bodies, which knows no problem documents.
async fn undecoded(response: Response) -> Response {
    let refused = response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE;
    let Some(taken) = response.headers().get(header::ACCEPT_ENCODING).filter(|_| refused) else { return response };
    let detail = "the body's Content-Encoding is not taken: send it as it is, or with gzip or zstd";
    let problem = Problem::new("invalid", StatusCode::UNSUPPORTED_MEDIA_TYPE, detail);
    ([(header::ACCEPT_ENCODING, taken.clone())], problem).into_response()
}

fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    tracing::error!(panic = text.unwrap_or("no text"), "a request broke off; this is a defect");
    Problem::internal("the request broke off; this is a defect in Counterfoil").into_response()
}

/// Counts every request, and tells browsers what they may do with the answer.
async fn watched(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let has_body = !request.body().is_end_stream();
    let version = request.version();
    let route =
        request.extensions().get::<MatchedPath>().map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let since = std::time::Instant::now();
    let mut response = next.run(request).await;
    let status = response.status();
    let counted = COUNTED.iter().find(|known| **known == method).map_or("other", Method::as_str);
    service.metrics.answered(counted, &route, status.as_u16());
    let took_ms = since.elapsed().as_millis() as u64;
    if status.is_server_error() {
        tracing::error!(%method, route, status = status.as_u16(), took_ms, "request failed");
    } else if since.elapsed() > SLOW {
        tracing::info!(%method, route, status = status.as_u16(), took_ms, "slow request");
    } else {
        tracing::debug!(%method, route, status = status.as_u16(), took_ms, "request");
    }
    let headers = response.headers_mut();
    if has_body && version <= Version::HTTP_11 && EARLY.contains(&status) {
        // A connection ends after a body that nobody read: a client that is not told sends its next request into it.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    let nothing = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(nothing);
    let private = HeaderValue::from_static("no-store");
    headers.entry(header::CACHE_CONTROL).or_insert(private);
    response
}
