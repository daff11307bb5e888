//! A service in place of a folder: over its URL with a token, or over the socket in the folder that it holds.

mod door;

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use counterfoil::{Disk, Error, ErrorKind, OsDisk, Result};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, Uri, header};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use door::{Broken, Door};

pub use door::Unreached;

/// Where the token of a URL is taken from.
const TOKEN: &str = "COUNTERFOIL_TOKEN";

/// Longest answer that is read whole: a service is not believed, so neither is the length of what it says. 1,000 entries of
/// a history, of 64 KiB each, fit.
const MAX_ANSWER_BYTES: usize = 128 << 20;

/// A running service.
pub struct Remote {
    runtime: Arc<Runtime>,
    door: Door,
    /// How long the beginning of an answer is waited for, and then the rest of it.
    patience: Duration,
}

/// What is sent.
pub struct Call<'a> {
    pub method: Method,
    pub path: &'a str,
    pub content_type: &'a str,
    pub accept: &'a str,
    pub body: Vec<u8>,
}

impl<'a> Call<'a> {
    /// Asks for something.
    pub fn get(path: &'a str) -> Self {
        Self { method: Method::GET, path, content_type: "", accept: "*/*", body: Vec::new() }
    }

    /// Sends JSON.
    pub fn post(path: &'a str, body: &impl serde::Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("plain values are JSON");
        Self { method: Method::POST, path, content_type: "application/json", accept: "*/*", body }
    }
}

impl Remote {
    /// The service that this argument names, by its URL, or that holds the ledger in this folder; none when the folder
    /// is free.
    pub fn of(ledger: &Path) -> Result<Option<Self>> {
        match url(ledger) {
            Some(url) => Self::at(url).map(Some),
            None => Self::in_folder(ledger),
        }
    }

    /// The service at a URL.
    pub fn at(url: &str) -> Result<Self> {
        let uri: Uri = url.parse().map_err(|error| invalid(format!("{url} is no URL: {error}")))?;
        if uri.host().is_none() || uri.path().len() > 1 || uri.query().is_some() {
            return Err(invalid(format!("{url}: give the service's address alone, as http://127.0.0.1:7411")));
        }
        Self::through(Door::Url { uri, token: std::env::var(TOKEN).ok().filter(|token| !token.is_empty()) })
    }

    /// The service that holds the ledger in a folder: somebody has the folder's lock, and its owner answers at the socket.
    pub fn in_folder(ledger: &Path) -> Result<Option<Self>> {
        let service = Self::through(Door::Folder(ledger.to_owned()))?;
        // Whoever may not speak to it may read the folder all the same.
        let answers = service.runtime.block_on(service.door.connect()).is_ok();
        Ok((answers && OsDisk.lock(ledger).is_err()).then_some(service))
    }

    /// The service at a URL, for the holder of a token.
    pub fn with_token(url: &str, token: String) -> Result<Self> {
        let uri = url.parse().map_err(|error| invalid(format!("{url} is no URL: {error}")))?;
        Self::through(Door::Url { uri, token: Some(token) })
    }

    fn through(door: Door) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Error::new(ErrorKind::Unavailable, error.to_string()))?;
        Ok(Self { runtime: Arc::new(runtime), door, patience: Duration::MAX })
    }

    /// The same service, which is waited for no longer than this.
    pub fn within(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The ledger's folder, where the service was found by it.
    pub fn folder(&self) -> Option<&Path> {
        match &self.door {
            Door::Folder(ledger) => Some(ledger),
            Door::Url { .. } => None,
        }
    }

    /// The service, in words.
    pub fn name(&self) -> String {
        self.door.name()
    }

    /// Sends a call; the answer's body is read as it comes.
    ///
    /// Errors: the kind of the problem that the service answers; `Unavailable` when it cannot be reached.
    pub fn send(&self, call: Call<'_>) -> Result<Reply> {
        let answer = self.runtime.block_on(async { timeout(self.patience, self.exchange(call)).await });
        let answer = answer.unwrap_or_else(|_| Err(Broken::way("it does not answer")));
        let answer = answer.map_err(|broken| match broken {
            Broken::Told(error) => error,
            Broken::Way(error) => Error::new(ErrorKind::Unavailable, format!("{}: {error}", self.name())),
        })?;
        let status = answer.status();
        let (runtime, until) = (Arc::clone(&self.runtime), Instant::now().checked_add(self.patience));
        let mut reply = Reply { runtime, until, body: answer.into_body(), ready: Bytes::new() };
        if status.is_success() {
            return Ok(reply);
        }
        let mut text = Vec::new();
        let _ = Read::by_ref(&mut reply).take(1 << 20).read_to_end(&mut text);
        Err(self.problem(status.as_u16(), &text))
    }

    /// Sends a call whose answer is JSON.
    ///
    /// Errors: those of [`Remote::send`], and an answer that is something else.
    pub fn ask<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T> {
        let text = self.text(call)?;
        serde_json::from_slice(&text).map_err(|error| {
            Error::new(ErrorKind::Internal, format!("{} answered something else: {error}", self.name()))
        })
    }

    /// Sends a call and reads its answer whole, up to [`MAX_ANSWER_BYTES`].
    ///
    /// Errors: those of [`Remote::send`], and an answer that is longer.
    pub fn text(&self, call: Call<'_>) -> Result<Vec<u8>> {
        self.text_within(call, MAX_ANSWER_BYTES)
    }

    /// [`Remote::text`] for answers up to another length.
    pub fn text_within(&self, call: Call<'_>, bytes: usize) -> Result<Vec<u8>> {
        let mut text = Vec::new();
        self.send(call)?
            .take(bytes as u64 + 1)
            .read_to_end(&mut text)
            .map_err(|error| Error::new(ErrorKind::Unavailable, format!("{}: {error}", self.name())))?;
        if text.len() > bytes {
            let message = format!("{} answered more than the {bytes} bytes that it may", self.name());
            return Err(Error::new(ErrorKind::Internal, message));
        }
        Ok(text)
    }

    async fn exchange(&self, call: Call<'_>) -> std::result::Result<Response<Incoming>, Broken> {
        let stream = self.door.connect().await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(Broken::way)?;
        tokio::spawn(connection);
        let host = match &self.door {
            Door::Folder(_) => "localhost".to_owned(),
            Door::Url { uri, .. } => uri.authority().map_or_else(String::new, ToString::to_string),
        };
        let mut request = Request::builder()
            .method(call.method)
            .uri(call.path)
            .header(header::HOST, host)
            .header(header::ACCEPT, call.accept)
            .header(header::USER_AGENT, concat!("counterfoil/", env!("CARGO_PKG_VERSION")));
        if !call.content_type.is_empty() {
            request = request.header(header::CONTENT_TYPE, call.content_type);
        }
        if let Door::Url { token: Some(token), .. } = &self.door {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Full::new(Bytes::from(call.body))).map_err(Broken::way)?;
        sender.send_request(request).await.map_err(Broken::way)
    }

    fn problem(&self, status: u16, text: &[u8]) -> Error {
        let Ok(told) = serde_json::from_slice::<Problem>(text) else {
            let kind = if status == 429 || status >= 500 { ErrorKind::Unavailable } else { ErrorKind::NotFound };
            let message = format!("{} answered with status {status}, and not as Counterfoil does", self.name());
            return Error::new(kind, message);
        };
        told.error()
    }
}

/// Why a service did not do what it was asked.
#[derive(Deserialize)]
pub struct Problem {
    kind: String,
    detail: String,
    position: Option<usize>,
}

impl Problem {
    /// The same as the error of a ledger.
    pub fn error(self) -> Error {
        let detail = match self.kind.as_str() {
            "unauthenticated" => format!("{} (the token is taken from the environment variable {TOKEN})", self.detail),
            _ => self.detail,
        };
        let mut error = Error::new(kind(&self.kind), detail);
        error.position = self.position;
        error
    }
}

/// An answer's body, as it comes.
pub struct Reply {
    runtime: Arc<Runtime>,
    /// When it is waited for no longer.
    until: Option<Instant>,
    body: Incoming,
    ready: Bytes,
}

impl Read for Reply {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.ready.is_empty() {
            let left = self.until.map_or(Duration::MAX, |until| until.saturating_duration_since(Instant::now()));
            match self.runtime.block_on(async { timeout(left, self.body.frame()).await }) {
                Err(_) => return Err(io::Error::from(io::ErrorKind::TimedOut)),
                Ok(None) => return Ok(0),
                Ok(Some(Err(error))) => return Err(io::Error::other(error)),
                Ok(Some(Ok(frame))) => self.ready = frame.into_data().unwrap_or_default(),
            }
        }
        let bytes = buffer.len().min(self.ready.len());
        self.ready.copy_to_slice(&mut buffer[..bytes]);
        Ok(bytes)
    }
}

/// A service answered something else.
pub fn strange(what: &str) -> Error {
    Error::new(ErrorKind::Internal, format!("the service gave no {what} that can be read"))
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, message)
}

/// The URL in a LEDGER argument, if it is one.
pub fn url(ledger: &Path) -> Option<&str> {
    ledger.to_str().filter(|text| text.starts_with("http://") || text.starts_with("https://"))
}

/// The kind of this name; `Internal` for one that only a later service knows.
fn kind(name: &str) -> ErrorKind {
    use ErrorKind as K;
    let known = [
        K::Invalid,
        K::Conflict,
        K::Busy,
        K::Unavailable,
        K::Denied,
        K::NotFound,
        K::Poisoned,
        K::Damaged,
        K::Tampered,
        K::Closed,
    ];
    match name {
        "unauthenticated" => K::Denied,
        _ => known.into_iter().find(|kind| kind.name() == name).unwrap_or(K::Internal),
    }
}

/// A text as one segment of a path.
pub fn percent(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(encode).collect()
}
