//! The web console's files, embedded at build time.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::asked::InPath;
use crate::problem::Problem;

/// Every file of the built console by its path; none when it was not built.
static FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/console.rs"));

/// Whether this program has its console.
pub(crate) fn is_built() -> bool {
    !FILES.is_empty()
}

/// What the console may load and do: its own files, its own service, nothing else.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/// The console's page, for every address that is a page of it.
pub(crate) async fn index() -> Response {
    page()
}

/// The console's page, or what is missing.
pub(crate) fn page() -> Response {
    match file("index.html") {
        Some(bytes) => answer("index.html", bytes, "no-cache"),
        None => {
            let text = "This counterfoil was built without its console: Node was not there.\n\
                        Build it with `make console` (Node 20) and build counterfoil again.\n\
                        The API is at /api/v1/openapi.json.\n";
            (StatusCode::NOT_FOUND, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
        }
    }
}

/// A file that the page loads; its name holds its digest, so it never changes.
pub(crate) async fn asset(InPath(name): InPath) -> Response {
    let path = format!("assets/{name}");
    match file(&path) {
        Some(bytes) => answer(&path, bytes, "public, max-age=31536000, immutable"),
        None => Problem::not_found(format!("the console has no file {path:?}")).into_response(),
    }
}

/// The page's icon.
pub(crate) async fn icon() -> Response {
    match file("favicon.svg") {
        Some(bytes) => answer("favicon.svg", bytes, "public, max-age=86400"),
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

fn file(path: &str) -> Option<&'static [u8]> {
    FILES.iter().find(|(name, _)| *name == path).map(|(_, bytes)| *bytes)
}

fn answer(path: &str, bytes: &'static [u8], cache: &'static str) -> Response {
    let kind = match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        "json" => "application/json",
        _ => "application/octet-stream",
    };
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, cache),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    ];
    (headers, bytes).into_response()
}
