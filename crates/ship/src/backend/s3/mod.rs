//! S3 and what speaks its language, with versions and Object Lock, which are in no common interface of object stores.

mod bucket;
mod multipart;
pub mod profile;
mod versions;

pub use versions::add_page;

use std::ops::Range;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use counterfoil::{Error, ErrorKind, Result};
use http::{Method, StatusCode};
use object_store::ClientOptions;
use object_store::aws::{AmazonS3Builder, AwsAuthorizer, AwsCredentialProvider};
use object_store::client::HttpRequest;
use sha2::{Digest, Sha256};

use super::http::{Answer, Ask, Client, Service, address, asked_soon, client_options, invalid, no_credentials};
use super::xml::Element;
use super::{Attack, Backend, Held, Keeping, Page, Said};
use crate::content::{Content, piece};
use crate::lock::Lock;
use crate::settings::Settings;
use crate::store::Written;

/// The SHA-256 of an object or a part, which the store compares; of an object made of parts, that over theirs.
const CHECKSUM: &str = "x-amz-checksum-sha256";

/// Where credentials may come from.
const CREDENTIALS: &str =
    "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run where the machine has a role";

/// A bucket of an S3 service.
#[derive(Debug)]
pub struct S3 {
    client: Client<Signer>,
    name: String,
    encryption: Vec<(&'static str, String)>,
}

#[derive(Debug)]
struct Signer {
    region: String,
    credentials: AwsCredentialProvider,
    reached_by: &'static str,
}

#[async_trait]
impl Service for Signer {
    async fn sign(&self, request: &mut HttpRequest) -> Result<()> {
        let digest = Sha256::digest(request.body().as_bytes().map_or(&[][..], |body| body));
        if !request.body().is_empty() && !request.headers().contains_key(CHECKSUM) {
            let checksum = STANDARD.encode(digest).parse().expect("base64 is a header's text");
            request.headers_mut().insert(CHECKSUM, checksum);
        }
        let credential = self.credentials.get_credential().await;
        let credential = credential.map_err(|error| no_credentials(error, CREDENTIALS))?;
        AwsAuthorizer::new(&credential, "s3", &self.region).authorize(request, Some(&digest));
        Ok(())
    }

    fn is_passing(&self, answer: &Answer) -> bool {
        answer.status == StatusCode::CONFLICT && answer.code().is_some_and(|code| code == "ConditionalRequestConflict")
    }

    fn reached_by(&self) -> Option<&'static str> {
        Some(self.reached_by)
    }
}

impl S3 {
    /// The bucket of this name, reached as the settings say.
    pub fn new(bucket: &str, settings: &Settings) -> Result<Self> {
        let region =
            settings.get("AWS_REGION").or(settings.get("AWS_DEFAULT_REGION")).unwrap_or("us-east-1").to_owned();
        let endpoint = settings.get("AWS_ENDPOINT_URL_S3").or(settings.get("AWS_ENDPOINT_URL"));
        let url = match endpoint {
            Some(endpoint) => address(&format!("{}/{bucket}", endpoint.trim_end_matches('/')))?,
            None => address(&format!("https://{bucket}.s3.{region}.amazonaws.com"))?,
        };
        settings.check_profile()?;
        let options = client_options(&url, settings, "AWS_CA_BUNDLE")?;
        let known = settings.iter().filter_map(|(name, value)| Some((name.to_ascii_lowercase().parse().ok()?, value)));
        let (asked, retries) = asked_soon(ClientOptions::new());
        let builder = AmazonS3Builder::new().with_client_options(asked).with_retry(retries);
        let builder = known.fold(builder, |builder, (key, value)| builder.with_config(key, value));
        let builder = builder.with_bucket_name(bucket).with_region(&region).with_allow_http(url.scheme() == "http");
        let credentials = builder.build().map_err(invalid)?.credentials().clone();
        let reached_by = match endpoint {
            Some(_) => "The address is that of AWS_ENDPOINT_URL",
            None => "The address is Amazon's: set AWS_ENDPOINT_URL for another store",
        };
        let client = Client::new(url, &options, Signer { region, credentials, reached_by })?;
        let encryption = settings.encryption()?.map(|encryption| encryption.headers()).unwrap_or_default();
        Ok(Self { client, name: bucket.to_owned(), encryption })
    }

    /// Asks about the bucket itself.
    fn about_bucket<'a>(query: Vec<(&'static str, &'a str)>) -> Ask<'a> {
        Ask { query, ..Ask::default() }
    }
}

/// Asks for an object, or puts it.
fn about<'a>(method: Method, key: &'a str) -> Ask<'a> {
    Ask { method, path: key.split('/').collect(), ..Ask::default() }
}

fn lock_headers(lock: &Lock) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("x-amz-object-lock-mode", lock.mode.to_string()),
        ("x-amz-object-lock-retain-until-date", lock.until().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
    ];
    if lock.legal_hold {
        headers.push(("x-amz-object-lock-legal-hold", "ON".to_owned()));
    }
    headers
}

#[async_trait]
impl Backend for S3 {
    async fn keeping(&self) -> Result<Option<Keeping>> {
        self.bucket_lock().await.map(Some)
    }

    async fn put_new(&self, key: &str, content: &Content, written: &Written) -> Result<bool> {
        let mut headers = self.encryption.clone();
        headers.extend(written.lock.as_ref().map(lock_headers).unwrap_or_default());
        if content.len() > written.part_bytes {
            return multipart::put_new(self, key, content, written.part_bytes, headers).await;
        }
        headers.push(("if-none-match", "*".to_owned()));
        let body = piece(key, content, 0, content.len())?;
        let answer = self.client.ask(&Ask { headers, body, ..about(Method::PUT, key) }).await?;
        if answer.status == StatusCode::PRECONDITION_FAILED {
            return Ok(false);
        }
        answer.checked(key).map(|_| true)
    }

    async fn put_over(&self, key: &str, body: Bytes, tag: &str) -> Result<bool> {
        let headers = vec![("if-match", tag.to_owned())];
        self.client.put_if(key, &Ask { headers, body, ..about(Method::PUT, key) }).await
    }

    async fn current(&self, key: &str) -> Result<Option<(Bytes, String)>> {
        let newest = self.client.newest(key, &about(Method::GET, key)).await?;
        Ok(newest.map(|answer| (answer.body.clone(), answer.header("etag").unwrap_or_default().to_owned())))
    }

    async fn get(&self, key: &str, version: Option<&str>, range: Option<Range<u64>>) -> Result<Bytes> {
        let mut ask = about(Method::GET, key);
        ask.query.extend(version.map(|version| ("versionId", version)));
        ask.headers.extend(range.map(|range| ("range", format!("bytes={}-{}", range.start, range.end - 1))));
        Ok(self.client.ask(&ask).await?.checked(key)?.body)
    }

    async fn page(&self, prefix: &str, after: &str) -> Result<Page> {
        self.versions(prefix, after).await
    }

    fn address(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.name)
    }

    async fn lock_of(&self, key: &str, version: &str) -> Result<Option<Held>> {
        let ask = Ask { query: vec![("versionId", version)], ..about(Method::HEAD, key) };
        let answer = self.client.ask(&ask).await?.checked(key)?;
        let mode = answer.header("x-amz-object-lock-mode").and_then(|mode| mode.parse().ok());
        let until = answer.header("x-amz-object-lock-retain-until-date").map(str::to_owned);
        let legal_hold = answer.header("x-amz-object-lock-legal-hold") == Some("ON");
        match mode.zip(until) {
            Some((mode, until)) => Ok(Some(Held { mode, until, legal_hold })),
            // Some stores tell nothing of a version below a delete marker unless they are asked for the lock alone.
            None => self.lock_alone(key, version).await,
        }
    }

    async fn attack(&self, key: &str, version: &str, attack: Attack) -> Result<Option<Said>> {
        let version = ("versionId", version);
        let ask = match attack {
            Attack::Delete => Ask { query: vec![version], ..about(Method::DELETE, key) },
            Attack::Shorten { mode, until } => {
                let until = until.strftime("%Y-%m-%dT%H:%M:%SZ");
                let body = format!(
                    "<Retention xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Mode>{mode}</Mode><RetainUntilDate>{until}</RetainUntilDate></Retention>"
                );
                Ask { query: vec![("retention", ""), version], body: body.into(), ..about(Method::PUT, key) }
            }
        };
        Ok(Some(self.client.ask(&ask).await?.to_attack()))
    }
}

impl S3 {
    async fn lock_alone(&self, key: &str, version: &str) -> Result<Option<Held>> {
        let retention = self.property(key, version, "retention").await?;
        let hold = self.property(key, version, "legal-hold").await?;
        let text = |name: &str| retention.as_ref()?.text(name).map(str::to_owned);
        let mode = text("Mode").and_then(|mode| mode.parse().ok());
        let legal_hold = hold.is_some_and(|hold| hold.text("Status") == Some("ON"));
        Ok(mode.zip(text("RetainUntilDate")).map(|(mode, until)| Held { mode, until, legal_hold }))
    }

    /// What the store says of one property of a version; nothing where it has none.
    async fn property(&self, key: &str, version: &str, property: &'static str) -> Result<Option<Element>> {
        let ask = Ask { query: vec![(property, ""), ("versionId", version)], ..about(Method::GET, key) };
        let answer = self.client.ask(&ask).await?;
        if answer.status.is_client_error() && answer.status != StatusCode::FORBIDDEN {
            return Ok(None);
        }
        Element::parse(&answer.checked(key)?.body).map(Some)
    }
}

fn unavailable(message: String) -> Error {
    Error::new(ErrorKind::Unavailable, message)
}
