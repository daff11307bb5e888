//! Google Cloud Storage, with generations and retention of single objects, over its JSON API.

mod bucket;
mod upload;

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use counterfoil::{Error, ErrorKind, Result};
use http::{HeaderValue, Method, StatusCode};
use object_store::client::HttpRequest;
use object_store::gcp::{GcpCredentialProvider, GoogleCloudStorageBuilder, GoogleConfigKey};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::OnceCell;

use self::bucket::Bucket;
use super::http::{Ask, Client, Service, address, asked_soon, client_options, invalid, no_credentials};
use super::listing::{Listing, Version};
use super::{Attack, Backend, Held, Keeping, Page, Said, refuse_encryption};
use crate::content::Content;
use crate::lock::LockMode;
use crate::settings::Settings;
use crate::store::Written;

/// The most that is listed in one request; the service gives no more.
const PAGE: &str = "1000";
/// What is asked for of each version.
const FIELDS: &str = "nextPageToken,items(name,generation,size,timeCreated,timeDeleted)";

/// Where credentials may come from.
const CREDENTIALS: &str = "Set GOOGLE_APPLICATION_CREDENTIALS to a file of credentials, or GOOGLE_SERVICE_ACCOUNT to that of a service \
    account, or log in (gcloud auth application-default login), or run where the machine has an account";

/// A bucket of Google Cloud Storage.
#[derive(Debug)]
pub struct Gcs {
    client: Client<Bearer>,
    name: String,
    /// What the bucket is, once it was asked.
    bucket: OnceCell<Bucket>,
}

/// None for an emulator, which asks for no token.
#[derive(Debug)]
struct Bearer(Option<GcpCredentialProvider>);

#[async_trait]
impl Service for Bearer {
    async fn sign(&self, request: &mut HttpRequest) -> Result<()> {
        let Some(credentials) = &self.0 else { return Ok(()) };
        let credential = credentials.get_credential().await.map_err(|error| no_credentials(error, CREDENTIALS))?;
        let value = HeaderValue::try_from(format!("Bearer {}", credential.bearer));
        let mut value = value.map_err(|_| Error::new(ErrorKind::Denied, "the store's token is no header's text"))?;
        value.set_sensitive(true);
        request.headers_mut().insert(http::header::AUTHORIZATION, value);
        Ok(())
    }
}

/// A version, as far as it is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Object {
    name: String,
    generation: String,
    size: String,
    time_created: String,
    time_deleted: Option<String>,
    retention: Option<Retention>,
    /// When the bucket's own policy lets go of it.
    retention_expiration_time: Option<String>,
    temporary_hold: bool,
    event_based_hold: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Retention {
    mode: String,
    retain_until_time: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Objects {
    items: Vec<Object>,
    next_page_token: Option<String>,
}

impl Gcs {
    /// The bucket of this name, reached as the settings say.
    pub fn new(bucket: &str, settings: &Settings) -> Result<Self> {
        refuse_encryption(settings, "Google Cloud Storage")?;
        let emulator = settings.get("STORAGE_EMULATOR_HOST").map(|host| match host.contains("://") {
            true => host.to_owned(),
            false => format!("http://{host}"),
        });
        let endpoint = emulator.as_deref().or(settings.get("GOOGLE_BASE_URL"));
        let url = address(endpoint.unwrap_or("https://storage.googleapis.com"))?;
        let options = client_options(&url, settings, "GOOGLE_CA_BUNDLE")?;
        let credentials = match emulator {
            Some(_) => None,
            None => {
                let known = settings.iter().filter(|(name, _)| name.starts_with("GOOGLE_"));
                let known = known.filter_map(|(name, value)| {
                    Some((name.to_ascii_lowercase().parse::<GoogleConfigKey>().ok()?, value))
                });
                let builder = known
                    .fold(GoogleCloudStorageBuilder::new(), |builder, (key, value)| builder.with_config(key, value));
                let (asked, retries) = asked_soon(options.clone());
                let builder = builder.with_bucket_name(bucket).with_client_options(asked).with_retry(retries);
                let unread =
                    |error| Error::new(ErrorKind::Invalid, format!("{}. {CREDENTIALS}", invalid(error).message));
                Some(builder.build().map_err(unread)?.credentials().clone())
            }
        };
        let client = Client::new(url, &options, Bearer(credentials))?;
        Ok(Self { client, name: bucket.to_owned(), bucket: OnceCell::new() })
    }

    /// Asks about an object, whose key is one segment of a path.
    fn about<'a>(&'a self, key: &'a str) -> Ask<'a> {
        Ask { path: vec!["storage", "v1", "b", &self.name, "o", key], ..Ask::default() }
    }

    async fn read(&self, key: &str, version: Option<&str>, range: Option<Range<u64>>) -> Result<super::http::Answer> {
        let mut ask = self.about(key);
        ask.query.push(("alt", "media"));
        ask.query.extend(version.map(|generation| ("generation", generation)));
        ask.headers.extend(range.map(|range| ("range", format!("bytes={}-{}", range.start, range.end - 1))));
        self.client.ask(&ask).await
    }
}

/// What an answer says in JSON.
fn parsed<T: for<'a> Deserialize<'a>>(what: &str, body: &[u8]) -> Result<T> {
    serde_json::from_slice(body)
        .map_err(|error| Error::new(ErrorKind::Unavailable, format!("{what}: the store's answer: {error}")))
}

#[async_trait]
impl Backend for Gcs {
    async fn keeping(&self) -> Result<Option<Keeping>> {
        self.bucket().await?.keeping(&self.name).map(Some)
    }

    async fn put_new(&self, key: &str, content: &Content, written: &Written) -> Result<bool> {
        self.upload(key, content, written).await
    }

    async fn put_over(&self, key: &str, body: Bytes, tag: &str) -> Result<bool> {
        let path = vec!["upload", "storage", "v1", "b", &self.name, "o"];
        let query = vec![("uploadType", "media"), ("name", key), ("ifGenerationMatch", tag)];
        self.client.put_if(key, &Ask { method: Method::POST, path, query, body, ..Ask::default() }).await
    }

    async fn current(&self, key: &str) -> Result<Option<(Bytes, String)>> {
        let answer = self.read(key, None, None).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let answer = answer.checked(key)?;
        let unnamed = || Error::new(ErrorKind::Unavailable, format!("{key}: the store names no generation"));
        let generation = answer.header("x-goog-generation").ok_or_else(unnamed)?.to_owned();
        Ok(Some((answer.body, generation)))
    }

    async fn get(&self, key: &str, version: Option<&str>, range: Option<Range<u64>>) -> Result<Bytes> {
        Ok(self.read(key, version, range).await?.checked(key)?.body)
    }

    async fn page(&self, prefix: &str, after: &str) -> Result<Page> {
        let mut listing = Listing::after(after);
        let mut token: Option<String> = None;
        loop {
            let mut query = vec![("versions", "true"), ("prefix", prefix), ("maxResults", PAGE), ("fields", FIELDS)];
            match &token {
                Some(token) => query.push(("pageToken", token)),
                None if after.is_empty() => {}
                None => query.push(("startOffset", after)),
            }
            let ask = Ask { path: vec!["storage", "v1", "b", &self.name, "o"], query, ..Ask::default() };
            let answer = self.client.ask(&ask).await?.checked(&format!("listing {prefix}"))?;
            let objects: Objects = parsed("a list", &answer.body)?;
            for object in objects.items {
                let size = object.size.parse().unwrap_or_default();
                let (id, is_current) = (Some(object.generation), object.time_deleted.is_none());
                listing.add(Version { key: object.name, id, size, modified: object.time_created, is_current });
            }
            match objects.next_page_token.filter(|token| !token.is_empty()) {
                None => return Ok(listing.ended()),
                next if next == token => {
                    return Err(Error::new(ErrorKind::Unavailable, "the store's listing goes on without getting on"));
                }
                next => token = next,
            }
            if let Some(page) = listing.begun() {
                return Ok(page);
            }
        }
    }

    fn address(&self, key: &str) -> String {
        format!("gs://{}/{key}", self.name)
    }

    async fn lock_of(&self, key: &str, version: &str) -> Result<Option<Held>> {
        let mut ask = self.about(key);
        ask.query.push(("generation", version));
        let answer = self.client.ask(&ask).await?.checked(key)?;
        let object: Object = parsed(key, &answer.body)?;
        let legal_hold = object.temporary_hold || object.event_based_hold;
        if let Some(Retention { mode, retain_until_time: until }) = object.retention {
            let mode = if mode == "Locked" { LockMode::Compliance } else { LockMode::Governance };
            return Ok(Some(Held { mode, until, legal_hold }));
        }
        let Some(until) = object.retention_expiration_time else { return Ok(None) };
        let mode = self.bucket().await?.policy_mode();
        Ok(mode.map(|mode| Held { mode, until, legal_hold }))
    }

    async fn attack(&self, key: &str, version: &str, attack: Attack) -> Result<Option<Said>> {
        let mut ask = self.about(key);
        ask.query.push(("generation", version));
        match attack {
            Attack::Delete => ask.method = Method::DELETE,
            Attack::Shorten { mode, until } => {
                let mode = if mode == LockMode::Compliance { "Locked" } else { "Unlocked" };
                let retention = json!({"retention": {"mode": mode, "retainUntilTime": until.to_string()}});
                (ask.method, ask.body) = (Method::PATCH, retention.to_string().into());
                ask.headers.push(("content-type", "application/json".to_owned()));
            }
        }
        Ok(Some(self.client.ask(&ask).await?.to_attack()))
    }
}
