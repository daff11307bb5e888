//! Requests to a store, signed as its service wants it, and made again where it fails for the moment.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use counterfoil::{Error, ErrorKind, Result};
use http::{HeaderMap, Method, StatusCode};
use http_body_util::{BodyExt, Limited};
use object_store::client::{HttpClient, HttpConnector, HttpRequest, HttpRequestBody, ReqwestConnector};
use object_store::{ClientOptions, RetryConfig};
use url::Url;

use super::Said;
use super::xml::Element;
use crate::settings::Settings;

/// How often a request is made before the store counts as unavailable.
const TRIES: u32 = 4;
/// The pause after the first try; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest that one request may take, however it gets on.
const REQUEST_TIME: Duration = Duration::from_secs(3600);
/// For how long a store may say nothing: before an answer begins, and between its bytes.
const SILENCE: Duration = Duration::from_secs(10);
/// The least bytes a second of an upload: while a store takes them it has nothing to say.
const LEAST_UPLOAD_RATE: u64 = 256 << 10;
/// What a try costs that ended in silence.
const SILENT_TRY: u32 = TRIES / 2;
/// The longest that connecting may take.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// The longest answer that is read: a store is not believed, so neither is the length of what it says.
const MAX_ANSWER_BYTES: usize = 256 << 20;

/// How a service wants to be asked.
#[async_trait]
pub trait Service: fmt::Debug + Send + Sync {
    /// Adds what shows who asks.
    async fn sign(&self, request: &mut HttpRequest) -> Result<()>;

    /// Whether an answer that would mean a refusal elsewhere says that the same request may succeed soon.
    fn is_passing(&self, _answer: &Answer) -> bool {
        false
    }

    /// Which setting the address comes from, for whoever cannot reach it or is refused there.
    fn reached_by(&self) -> Option<&'static str> {
        None
    }
}

/// A service at an address.
#[derive(Debug)]
pub struct Client<S> {
    url: Url,
    http: HttpClient,
    service: S,
}

/// Why there is no answer.
enum Failed {
    /// The store has the request and says nothing.
    Silent(Error),
    Other(Error),
}

impl Failed {
    fn into_error(self) -> Error {
        match self {
            Self::Silent(error) | Self::Other(error) => error,
        }
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// A request before it is signed.
#[derive(Debug, Clone, Default)]
pub struct Ask<'a> {
    pub method: Method,
    /// What stands behind the address, segment by segment.
    pub path: Vec<&'a str>,
    pub query: Vec<(&'static str, &'a str)>,
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
}

/// What the store answered.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    reached_by: Option<&'static str>,
}

impl Answer {
    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The answer, if it is a success.
    pub fn checked(self, what: &str) -> Result<Self> {
        if self.status.is_success() { Ok(self) } else { Err(self.error(what)) }
    }

    /// What a refusal means.
    pub fn error(&self, what: &str) -> Error {
        let kind = match self.status {
            StatusCode::NOT_FOUND => ErrorKind::NotFound,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ErrorKind::Denied,
            status if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => ErrorKind::Invalid,
            _ => ErrorKind::Unavailable,
        };
        let said = self.said().map(|said| format!(": {said}")).unwrap_or_default();
        let hint = self.hint().map(|hint| format!(". {hint}")).unwrap_or_default();
        let place = self.reached_by.map(|setting| format!(". {setting}")).unwrap_or_default();
        Error::new(kind, format!("{what}: the store answers {}{said}{hint}{place}", self.status.as_u16()))
    }

    /// Which setting a refusal is about, where S3's code says so.
    fn hint(&self) -> Option<String> {
        let region = || match self.header("x-amz-bucket-region") {
            Some(region) => format!("Set AWS_REGION={region}, where the bucket is"),
            None => "Set AWS_REGION to the region of the bucket".to_owned(),
        };
        Some(match self.code()?.as_str() {
            "InvalidAccessKeyId" => {
                "Look at AWS_ACCESS_KEY_ID (or AWS_PROFILE): this store does not know it".to_owned()
            }
            "SignatureDoesNotMatch" => "Look at AWS_SECRET_ACCESS_KEY: it is not that of AWS_ACCESS_KEY_ID".to_owned(),
            "ExpiredToken" | "InvalidToken" => "Renew AWS_SESSION_TOKEN and the keys that belong to it".to_owned(),
            "AccessDenied" => "The credentials are known, and lack a right: see the guide on object storage".to_owned(),
            "AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException" => region(),
            "NoSuchBucket" => "Look at the bucket's name".to_owned(),
            _ => return None,
        })
    }

    /// What it says to something that should not be done.
    pub fn to_attack(&self) -> Said {
        let code = self.code().map(|code| format!(": {code}")).unwrap_or_default();
        let words = format!("the store answers {}{code}", self.status.as_u16());
        Said { refused: self.status.is_client_error(), words }
    }

    /// The code that S3 and Azure give an error.
    pub fn code(&self) -> Option<String> {
        Some(Element::parse(&self.body).ok()?.text("Code")?.to_owned())
    }

    /// An error's text: S3 and Azure say it in XML, Google in JSON.
    fn said(&self) -> Option<String> {
        if let Ok(json) = serde_json::from_slice::<serde_json::Value>(&self.body) {
            return Some(json["error"]["message"].as_str()?.to_owned());
        }
        let answer = Element::parse(&self.body).ok()?;
        Some(format!("{} ({})", answer.text("Code")?, answer.text("Message").unwrap_or_default()))
    }
}

/// How a client connects; `authorities` names the variable with a file of authorities that are trusted beside the system's.
pub fn client_options(url: &Url, settings: &Settings, authorities: &str) -> Result<ClientOptions> {
    let mut options = ClientOptions::new()
        .with_allow_http(url.scheme() == "http")
        .with_timeout(REQUEST_TIME)
        .with_connect_timeout(CONNECT_TIME)
        .with_user_agent(http::HeaderValue::from_static(concat!("counterfoil/", env!("CARGO_PKG_VERSION"))));
    if let Some(path) = settings.get(authorities) {
        let pem = std::fs::read(path)
            .map_err(|error| Error::new(ErrorKind::Invalid, format!("{authorities} {path}: {error}")))?;
        for certificate in object_store::Certificate::from_pem_bundle(&pem).map_err(invalid)? {
            options = options.with_root_certificate(certificate);
        }
    }
    Ok(options)
}

/// An address as it was set.
pub fn address(text: &str) -> Result<Url> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    url.ok_or_else(|| Error::new(ErrorKind::Invalid, format!("{text:?} is no address of a store: https://host")))
}

/// What is wrong with settings.
pub fn invalid(error: object_store::Error) -> Error {
    Error::new(ErrorKind::Invalid, error.to_string())
}

/// How a machine's role is asked for: whoever has none is to hear so within half a minute.
pub fn asked_soon(options: ClientOptions) -> (ClientOptions, RetryConfig) {
    let retries = RetryConfig { max_retries: TRIES as usize, retry_timeout: 2 * SILENCE, ..RetryConfig::default() };
    (options.with_timeout(SILENCE), retries)
}

/// What is wrong with credentials, and where they may come from.
pub fn no_credentials(error: object_store::Error, sources: &str) -> Error {
    Error::new(ErrorKind::Denied, format!("no credentials for the store: {error}. {sources}"))
}

impl<S: Service> Client<S> {
    /// A client of the service at `url`.
    pub fn new(url: Url, options: &ClientOptions, service: S) -> Result<Self> {
        Ok(Self { url, http: ReqwestConnector::default().connect(options).map_err(invalid)?, service })
    }

    /// Asks the store, again where it fails for the moment. Every answer of the store that is no such failure is returned.
    pub async fn ask(&self, ask: &Ask<'_>) -> Result<Answer> {
        let cost = |answer: &std::result::Result<Answer, Failed>| match answer {
            Ok(answer) => u32::from(is_passing(answer) || self.service.is_passing(answer)),
            Err(Failed::Silent(_)) => SILENT_TRY,
            Err(Failed::Other(error)) => u32::from(error.kind == ErrorKind::Unavailable),
        };
        patiently(|| self.try_once(ask), cost).await.map_err(Failed::into_error)
    }

    /// Puts under a condition; false when it does not hold.
    pub async fn put_if(&self, key: &str, ask: &Ask<'_>) -> Result<bool> {
        let answer = self.ask(ask).await?;
        if matches!(answer.status, StatusCode::PRECONDITION_FAILED | StatusCode::NOT_FOUND) {
            return Ok(false);
        }
        answer.checked(key).map(|_| true)
    }

    /// The newest content of an object; none when there is none.
    pub async fn newest(&self, key: &str, ask: &Ask<'_>) -> Result<Option<Answer>> {
        let answer = self.ask(ask).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        answer.checked(key).map(Some)
    }

    /// Asks the store once: for what must not be asked for again without looking.
    pub async fn ask_once(&self, ask: &Ask<'_>) -> Result<Answer> {
        self.try_once(ask).await.map_err(Failed::into_error)
    }

    async fn try_once(&self, ask: &Ask<'_>) -> std::result::Result<Answer, Failed> {
        let mut url = self.url.clone();
        url.path_segments_mut().expect("http has paths").pop_if_empty().extend(&ask.path);
        let place = self.service.reached_by().map(|setting| format!(". {setting}")).unwrap_or_default();
        let unavailable = |error: String| Error::new(ErrorKind::Unavailable, format!("{url}: {error}{place}"));
        let mut asked = url.clone();
        if !ask.query.is_empty() {
            asked.query_pairs_mut().extend_pairs(&ask.query);
        }
        let mut request = HttpRequest::new(HttpRequestBody::from(ask.body.clone()));
        *request.method_mut() = ask.method.clone();
        *request.uri_mut() =
            asked.as_str().parse().map_err(|error: http::uri::InvalidUri| unavailable(error.to_string()))?;
        for (name, value) in &ask.headers {
            let value = value.parse();
            let value = value.map_err(|_| Error::new(ErrorKind::Invalid, format!("{name}: is no header's text")))?;
            request.headers_mut().insert(*name, value);
        }
        self.service.sign(&mut request).await?;
        let silent = |time: Duration| {
            Failed::Silent(unavailable(format!("it accepts connections and says nothing for {} s", time.as_secs())))
        };
        let patience = SILENCE + Duration::from_secs(ask.body.len() as u64 / LEAST_UPLOAD_RATE);
        let answer = tokio::time::timeout(patience, self.http.execute(request)).await;
        let answer = answer.map_err(|_| silent(patience))?.map_err(|error| unavailable(chain(&error)))?;
        let (head, body) = answer.into_parts();
        let mut body = Limited::new(body, MAX_ANSWER_BYTES);
        let mut bytes = BytesMut::new();
        loop {
            let frame = tokio::time::timeout(SILENCE, body.frame()).await.map_err(|_| silent(SILENCE))?;
            let Some(frame) = frame else { break };
            let frame = frame.map_err(|error| unavailable(chain(&*error)))?;
            bytes.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
        }
        let reached_by = self.service.reached_by();
        Ok(Answer { status: head.status, headers: head.headers, body: bytes.freeze(), reached_by })
    }
}

/// Tries again, with longer and longer pauses, until an outcome costs nothing or all tries are spent.
pub async fn patiently<T, F: Future<Output = T>>(attempt: impl Fn() -> F, cost: impl Fn(&T) -> u32) -> T {
    let (mut pause, mut spent) = (FIRST_PAUSE, 0);
    loop {
        let outcome = attempt().await;
        let cost = cost(&outcome);
        spent += cost;
        if cost == 0 || spent >= TRIES {
            return outcome;
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
}

/// Whether an answer says that the same request may succeed soon.
fn is_passing(answer: &Answer) -> bool {
    let busy = matches!(answer.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
    busy || answer.status.is_server_error()
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
        source = error.source();
    }
    text
}
