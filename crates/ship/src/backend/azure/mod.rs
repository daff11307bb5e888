//! Azure Blob Storage, with versions and immutability of single versions.

mod blocks;
mod container;

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use counterfoil::{Error, ErrorKind, Result};
use http::{HeaderValue, Method, StatusCode};
use jiff::Timestamp;
use object_store::azure::{
    AzureAuthorizer, AzureConfigKey, AzureCredential, AzureCredentialProvider, MicrosoftAzureBuilder,
};
use object_store::client::HttpRequest;

use super::http::{Answer, Ask, Client, Service, address, asked_soon, client_options, invalid, no_credentials};
use super::listing::{Listing, Version};
use super::xml::Element;
use super::{Attack, Backend, Held, Keeping, Page, Said, refuse_encryption};
use crate::content::Content;
use crate::lock::LockMode;
use crate::settings::Settings;
use crate::store::Written;

/// The account of Azurite and of Microsoft's older emulator.
const EMULATOR_ACCOUNT: &str = "devstoreaccount1";
/// The version of the interface that lists from a key on. Requests that an account key signs have the older one of the library
/// that signs them.
const VERSION: &str = "2026-02-06";

/// Where credentials may come from.
const CREDENTIALS: &str = "Set AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN, or AZURE_CLIENT_ID, AZURE_TENANT_ID and \
    AZURE_CLIENT_SECRET, or AZURE_USE_AZURE_CLI=true, or run where the machine has an identity";

/// A container of Azure Blob Storage.
#[derive(Debug)]
pub struct Azure {
    client: Client<Signer>,
    account: String,
    name: String,
}

#[derive(Debug)]
struct Signer {
    account: String,
    credentials: AzureCredentialProvider,
}

#[async_trait]
impl Service for Signer {
    async fn sign(&self, request: &mut HttpRequest) -> Result<()> {
        // The signature covers the length.
        if matches!(*request.method(), Method::PUT) {
            let length = request.body().content_length();
            request.headers_mut().insert(http::header::CONTENT_LENGTH, length.into());
        }
        let credential = self.credentials.get_credential().await;
        let credential = credential.map_err(|error| no_credentials(error, CREDENTIALS))?;
        AzureAuthorizer::new(&credential, &self.account).authorize(request);
        if !matches!(*credential, AzureCredential::AccessKey(_)) {
            request.headers_mut().insert("x-ms-version", HeaderValue::from_static(VERSION));
        }
        Ok(())
    }
}

impl Azure {
    /// The container of this name, reached as the settings say.
    pub fn new(container: &str, settings: &Settings) -> Result<Self> {
        refuse_encryption(settings, "Azure Blob Storage")?;
        let emulator = settings.get("AZURITE_BLOB_STORAGE_URL");
        let known = settings.iter().filter(|(name, _)| name.starts_with("AZURE_"));
        let known =
            known.filter_map(|(name, value)| Some((name.to_ascii_lowercase().parse::<AzureConfigKey>().ok()?, value)));
        let builder = known.fold(MicrosoftAzureBuilder::new(), |builder, (key, value)| builder.with_config(key, value));
        // The names that Microsoft's own program knows.
        let builder = match settings.get("AZURE_STORAGE_KEY") {
            Some(key) => builder.with_access_key(key),
            None => builder,
        };
        let account = builder.get_config_value(&AzureConfigKey::AccountName);
        let account = account
            .or(settings.get("AZURE_STORAGE_ACCOUNT").map(str::to_owned))
            .or(emulator.map(|_| EMULATOR_ACCOUNT.to_owned()))
            .ok_or_else(|| {
                Error::new(ErrorKind::Invalid, "az:// needs the name of the account: AZURE_STORAGE_ACCOUNT_NAME")
            })?;
        let endpoint = match (emulator, builder.get_config_value(&AzureConfigKey::Endpoint)) {
            (Some(emulator), _) => format!("{}/{account}", emulator.trim_end_matches('/')),
            (None, Some(endpoint)) => endpoint.trim_end_matches('/').to_owned(),
            (None, None) => format!("https://{account}.blob.core.windows.net"),
        };
        let url = address(&format!("{endpoint}/{container}"))?;
        let options = client_options(&url, settings, "AZURE_CA_BUNDLE")?;
        let (asked, retries) = asked_soon(options.clone());
        let builder = builder.with_account(&account).with_container_name(container).with_endpoint(endpoint);
        let builder = builder.with_use_emulator(emulator.is_some()).with_client_options(asked).with_retry(retries);
        let credentials = builder.build().map_err(invalid)?.credentials().clone();
        let client = Client::new(url, &options, Signer { account: account.clone(), credentials })?;
        Ok(Self { client, account, name: container.to_owned() })
    }
}

/// Asks for a blob, or puts it.
fn about(method: Method, key: &str) -> Ask<'_> {
    Ask { method, path: key.split('/').collect(), ..Ask::default() }
}

/// A time as HTTP writes it.
fn time(text: &str) -> Result<Timestamp> {
    let parsed = jiff::fmt::rfc2822::parse(text).map(|time| time.timestamp());
    parsed.map_err(|_| Error::new(ErrorKind::Unavailable, format!("the store's answer: {text:?} is no date")))
}

/// What a refusal is called where a blob of the key is there.
const THERE: [&str; 2] = ["BlobAlreadyExists", "BlobImmutableDueToPolicy"];

/// Whether an answer says that a blob of the key is there.
fn is_there(answer: &Answer) -> bool {
    answer.status == StatusCode::PRECONDITION_FAILED
        || answer.status == StatusCode::CONFLICT
            && answer.header("x-ms-error-code").is_some_and(|code| THERE.contains(&code))
}

fn version_of(blob: &Element) -> Result<Version> {
    let properties = blob.child("Properties");
    let property = |name: &str| properties.and_then(|properties| properties.text(name)).unwrap_or_default();
    let id = blob.text("VersionId").filter(|id| !id.is_empty()).map(str::to_owned);
    Ok(Version {
        key: blob.exact("Name").unwrap_or_default().to_owned(),
        is_current: id.is_none() || blob.text("IsCurrentVersion") == Some("true"),
        id,
        size: property("Content-Length").parse().unwrap_or_default(),
        modified: time(property("Last-Modified"))?.to_string(),
    })
}

#[async_trait]
impl Backend for Azure {
    async fn keeping(&self) -> Result<Option<Keeping>> {
        self.container().await.map(Some)
    }

    async fn put_new(&self, key: &str, content: &Content, written: &Written) -> Result<bool> {
        self.upload(key, content, written).await
    }

    async fn put_over(&self, key: &str, body: Bytes, tag: &str) -> Result<bool> {
        let headers = vec![("if-match", tag.to_owned()), ("x-ms-blob-type", "BlockBlob".to_owned())];
        self.client.put_if(key, &Ask { headers, body, ..about(Method::PUT, key) }).await
    }

    async fn current(&self, key: &str) -> Result<Option<(Bytes, String)>> {
        let newest = self.client.newest(key, &about(Method::GET, key)).await?;
        Ok(newest.map(|answer| (answer.body.clone(), answer.header("etag").unwrap_or_default().to_owned())))
    }

    async fn get(&self, key: &str, version: Option<&str>, range: Option<Range<u64>>) -> Result<Bytes> {
        let mut ask = about(Method::GET, key);
        ask.query.extend(version.map(|version| ("versionid", version)));
        ask.headers.extend(range.map(|range| ("x-ms-range", format!("bytes={}-{}", range.start, range.end - 1))));
        Ok(self.client.ask(&ask).await?.checked(key)?.body)
    }

    async fn page(&self, prefix: &str, after: &str) -> Result<Page> {
        let mut listing = Listing::after(after);
        let mut marker = String::new();
        loop {
            let mut query =
                vec![("restype", "container"), ("comp", "list"), ("include", "versions"), ("prefix", prefix)];
            if !marker.is_empty() {
                query.push(("marker", &marker));
            } else if !after.is_empty() {
                query.push(("startFrom", after));
            }
            let answer = self.client.ask(&Ask { query, ..Ask::default() }).await?;
            let page = Element::parse(&answer.checked(&format!("listing {prefix}"))?.body)?;
            let blobs = page.child("Blobs").map(Element::children).unwrap_or_default();
            for blob in blobs.iter().filter(|blob| blob.name() == "Blob") {
                listing.add(version_of(blob)?);
            }
            match page.text("NextMarker").unwrap_or_default() {
                "" => return Ok(listing.ended()),
                next if next == marker => {
                    return Err(Error::new(ErrorKind::Unavailable, "the store's listing goes on without getting on"));
                }
                next => marker = next.to_owned(),
            }
            if let Some(page) = listing.begun() {
                return Ok(page);
            }
        }
    }

    fn address(&self, key: &str) -> String {
        format!("abfss://{}@{}.dfs.core.windows.net/{key}", self.name, self.account)
    }

    async fn lock_of(&self, key: &str, version: &str) -> Result<Option<Held>> {
        let ask = Ask { query: vec![("versionid", version)], ..about(Method::HEAD, key) };
        let answer = self.client.ask(&ask).await?.checked(key)?;
        let legal_hold = answer.header("x-ms-legal-hold") == Some("true");
        let Some(until) = answer.header("x-ms-immutability-policy-until-date") else { return Ok(None) };
        let locked =
            answer.header("x-ms-immutability-policy-mode").is_some_and(|mode| mode.eq_ignore_ascii_case("locked"));
        let mode = if locked { LockMode::Compliance } else { LockMode::Governance };
        Ok(Some(Held { mode, until: time(until)?.to_string(), legal_hold }))
    }

    async fn attack(&self, key: &str, version: &str, attack: Attack) -> Result<Option<Said>> {
        let version = ("versionid", version);
        let ask = match attack {
            Attack::Delete => Ask { query: vec![version], ..about(Method::DELETE, key) },
            Attack::Shorten { mode, until } => {
                let mode = if mode == LockMode::Compliance { "Locked" } else { "Unlocked" };
                let headers = vec![
                    ("x-ms-immutability-policy-mode", mode.to_owned()),
                    ("x-ms-immutability-policy-until-date", until.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()),
                ];
                Ask { query: vec![("comp", "immutabilityPolicies"), version], headers, ..about(Method::PUT, key) }
            }
        };
        Ok(Some(self.client.ask(&ask).await?.to_attack()))
    }
}
