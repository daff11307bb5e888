//! S3 requests, signed: what Object Lock needs is in no common interface of object stores.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use counterfoil::{Error, ErrorKind, Result};
use http::{HeaderMap, Method, StatusCode};
use http_body_util::{BodyExt, Limited};
use object_store::ClientOptions;
use object_store::aws::{AmazonS3Builder, AwsAuthorizer, AwsCredentialProvider};
use object_store::client::{HttpClient, HttpConnector, HttpRequest, HttpRequestBody, ReqwestConnector};
use sha2::{Digest, Sha256};
use url::Url;

use crate::settings::Settings;
use crate::store::Stored;
use crate::xml::Element;

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

/// The SHA-256 of an object or a part, which the store compares; of an object made of parts, that over theirs.
pub const CHECKSUM: &str = "x-amz-checksum-sha256";

/// A bucket of an S3 service.
#[derive(Debug)]
pub struct S3 {
    url: Url,
    name: String,
    region: String,
    credentials: AwsCredentialProvider,
    http: HttpClient,
    encryption: Vec<(&'static str, String)>,
}

/// A request before it is signed.
#[derive(Debug, Clone, Default)]
pub struct Ask<'a> {
    pub method: Method,
    /// The object's key; empty for the bucket.
    pub key: &'a str,
    pub query: Vec<(&'static str, &'a str)>,
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
}

/// The longest answer that is read: a store is not believed, so neither is the length of what it says.
const MAX_ANSWER_BYTES: usize = 256 << 20;

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

/// What the store answered.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
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
        let said = Element::parse(&self.body).ok().and_then(|answer| {
            let code = answer.text("Code")?.to_owned();
            Some(format!(": {code} ({})", answer.text("Message").unwrap_or_default()))
        });
        Error::new(kind, format!("{what}: the store answers {}{}", self.status.as_u16(), said.unwrap_or_default()))
    }

    /// The code that S3 gives an error.
    pub fn code(&self) -> Option<String> {
        Some(Element::parse(&self.body).ok()?.text("Code")?.to_owned())
    }
}

impl S3 {
    /// The bucket of this name, reached as the settings say.
    pub fn new(bucket: &str, settings: &Settings) -> Result<Self> {
        let invalid = |error: object_store::Error| Error::new(ErrorKind::Invalid, error.to_string());
        let region =
            settings.get("AWS_REGION").or(settings.get("AWS_DEFAULT_REGION")).unwrap_or("us-east-1").to_owned();
        let endpoint = settings.get("AWS_ENDPOINT_URL_S3").or(settings.get("AWS_ENDPOINT_URL"));
        let url = match endpoint {
            Some(endpoint) => format!("{}/{bucket}", endpoint.trim_end_matches('/')),
            None => format!("https://{bucket}.s3.{region}.amazonaws.com"),
        };
        let url = Url::parse(&url).map_err(|error| Error::new(ErrorKind::Invalid, format!("{url}: {error}")))?;
        let plain = url.scheme() == "http";
        settings.check_profile()?;
        let known = settings.iter().filter_map(|(name, value)| Some((name.to_ascii_lowercase().parse().ok()?, value)));
        let builder = known.fold(AmazonS3Builder::new(), |builder, (key, value)| builder.with_config(key, value));
        let store =
            builder.with_bucket_name(bucket).with_region(&region).with_allow_http(plain).build().map_err(invalid)?;
        let mut options = ClientOptions::new()
            .with_allow_http(plain)
            .with_timeout(REQUEST_TIME)
            .with_connect_timeout(CONNECT_TIME)
            .with_user_agent(http::HeaderValue::from_static(concat!("counterfoil/", env!("CARGO_PKG_VERSION"))));
        if let Some(path) = settings.get("AWS_CA_BUNDLE") {
            let pem = std::fs::read(path)
                .map_err(|error| Error::new(ErrorKind::Invalid, format!("AWS_CA_BUNDLE {path}: {error}")))?;
            for certificate in object_store::Certificate::from_pem_bundle(&pem).map_err(invalid)? {
                options = options.with_root_certificate(certificate);
            }
        }
        let http = ReqwestConnector::default().connect(&options).map_err(invalid)?;
        let credentials = store.credentials().clone();
        let encryption = settings.encryption()?.map(|encryption| encryption.headers()).unwrap_or_default();
        Ok(Self { url, name: bucket.to_owned(), region, credentials, http, encryption })
    }

    /// The headers that ask the store to encrypt an object.
    pub fn encryption(&self) -> Vec<(&'static str, String)> {
        self.encryption.clone()
    }

    /// The bucket's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Asks the store, again where it fails for the moment. Every answer of the store that is no such failure is returned.
    pub async fn ask(&self, ask: &Ask<'_>) -> Result<Answer> {
        let mut pause = FIRST_PAUSE;
        let mut tries = 0;
        loop {
            let answer = self.try_once(ask).await;
            let (again, cost) = match &answer {
                Ok(answer) => (is_passing(answer), 1),
                Err(Failed::Silent(_)) => (true, SILENT_TRY),
                Err(Failed::Other(error)) => (error.kind == ErrorKind::Unavailable, 1),
            };
            tries += cost;
            if !again || tries >= TRIES {
                return answer.map_err(Failed::into_error);
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }

    async fn try_once(&self, ask: &Ask<'_>) -> std::result::Result<Answer, Failed> {
        let unavailable =
            |error: String| Error::new(ErrorKind::Unavailable, format!("{}/{}: {error}", self.url, ask.key));
        let mut url = self.url.clone();
        if !ask.key.is_empty() {
            url.path_segments_mut().expect("http has paths").pop_if_empty().extend(ask.key.split('/'));
        }
        if !ask.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&ask.query);
        }
        let digest = Sha256::digest(&ask.body);
        let mut request = HttpRequest::new(HttpRequestBody::from(ask.body.clone()));
        *request.method_mut() = ask.method.clone();
        *request.uri_mut() =
            url.as_str().parse().map_err(|error: http::uri::InvalidUri| unavailable(error.to_string()))?;
        for (name, value) in &ask.headers {
            let value = value.parse();
            let value = value.map_err(|_| Error::new(ErrorKind::Invalid, format!("{name}: is no header's text")))?;
            request.headers_mut().insert(*name, value);
        }
        if !ask.body.is_empty() && !request.headers().contains_key(CHECKSUM) {
            let checksum = STANDARD.encode(digest).parse().expect("base64 is a header's text");
            request.headers_mut().insert(CHECKSUM, checksum);
        }
        let credential = self
            .credentials
            .get_credential()
            .await
            .map_err(|error| Error::new(ErrorKind::Denied, format!("no credentials for the bucket: {error}")))?;
        AwsAuthorizer::new(&credential, "s3", &self.region).authorize(&mut request, Some(&digest));
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
        Ok(Answer { status: head.status, headers: head.headers, body: bytes.freeze() })
    }

    /// One page of the oldest versions below a prefix, and where the next page begins. A key whose versions go on behind
    /// the page is left to the next one.
    pub async fn versions(&self, prefix: &str, after: &str) -> Result<(Vec<Stored>, Option<String>)> {
        // Some stores list the delete markers of a page before its versions.
        let mut found: BTreeMap<String, Stored> = BTreeMap::new();
        let (mut key_marker, mut version_marker) = (after.to_owned(), String::new());
        loop {
            let mut query = vec![("versions", ""), ("prefix", prefix)];
            if !key_marker.is_empty() {
                query.push(("key-marker", &key_marker));
            }
            if !version_marker.is_empty() {
                query.push(("version-id-marker", &version_marker));
            }
            let ask = Ask { query, ..Ask::default() };
            let answer = self.ask(&ask).await?.checked(&format!("listing {prefix}"))?;
            let page = Element::parse(&answer.body)?;
            add_page(&mut found, &page);
            // Some stores begin a page with the key that it should begin behind.
            found.retain(|key, _| key.as_str() > after);
            if page.text("IsTruncated") != Some("true") {
                return Ok((found.into_values().collect(), None));
            }
            let next = page.text("NextKeyMarker").unwrap_or_default().to_owned();
            let next_version = page.text("NextVersionIdMarker").unwrap_or_default().to_owned();
            if next < key_marker || next.is_empty() || (&next, &next_version) == (&key_marker, &version_marker) {
                return Err(Error::new(ErrorKind::Unavailable, "the store's listing goes on without getting on"));
            }
            (key_marker, version_marker) = (next, next_version);
            // Versions of one key stand together, the newest first: a key is complete when another one follows.
            if found.len() > 1 {
                found.pop_last();
                let next = found.keys().next_back().cloned();
                return Ok((found.into_values().collect(), next));
            }
        }
    }
}

/// Adds what a page lists.
pub fn add_page(found: &mut BTreeMap<String, Stored>, page: &Element) {
    let is_listed = |element: &&Element| matches!(element.name(), "Version" | "DeleteMarker");
    page.children().iter().filter(is_listed).for_each(|element| add(found, element));
}

/// Adds an older version or a marker to its key, or begins a new key.
fn add(found: &mut BTreeMap<String, Stored>, element: &Element) {
    let text = |name: &str| element.text(name).unwrap_or_default().to_owned();
    let is_marker = element.name() == "DeleteMarker";
    let key = text("Key");
    let stored = found.entry(key.clone()).or_insert_with(|| Stored { key, ..Stored::default() });
    if is_marker {
        stored.markers += 1;
        return;
    }
    stored.newer += u64::from(stored.version.is_some());
    stored.version = Some(text("VersionId"));
    stored.modified = text("LastModified");
    stored.size = text("Size").parse().unwrap_or_default();
}

/// Whether an answer says that the same request may succeed soon.
fn is_passing(answer: &Answer) -> bool {
    let busy = matches!(answer.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
    let raced =
        answer.status == StatusCode::CONFLICT && answer.code().is_some_and(|code| code == "ConditionalRequestConflict");
    busy || raced || answer.status.is_server_error()
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
