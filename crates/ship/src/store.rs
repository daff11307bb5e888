//! An object store as a write-once place: put what is not there yet, read the oldest version, list.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use counterfoil::{Error, ErrorKind, Result};
use futures::TryStreamExt;
use http::{Method, StatusCode};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode, PutOptions};

use crate::content::{Content, piece};
use crate::location::Location;
use crate::lock::Lock;
use crate::multipart;
use crate::s3::{Ask, S3};
use crate::settings::Settings;

/// An object as the store lists it: its oldest version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// Its key behind the prefix.
    pub key: String,
    /// Its version, where the store has versions; none as well when only delete markers are there.
    pub version: Option<String>,
    /// Its length in bytes.
    pub size: u64,
    /// When it was written, as the store says.
    pub modified: String,
    /// Versions that were put on top of it.
    pub newer: u64,
    /// Delete markers that were put on top of it.
    pub markers: u64,
}

/// How objects are written.
#[derive(Debug, Clone, Copy)]
pub struct Written {
    /// The lock that each gets; none where the bucket's default counts.
    pub lock: Option<Lock>,
    /// What is put in one request; longer objects are put in parts of this length.
    pub part_bytes: u64,
}

impl Written {
    /// In one request, without a lock of its own.
    pub const PLAIN: Self = Self { lock: None, part_bytes: u64::MAX };
}

/// The store behind a location.
#[derive(Debug)]
pub enum Backend {
    /// S3 and what speaks its language.
    S3(S3),
    /// Any other, without Object Lock.
    Other(Arc<dyn ObjectStore>),
}

/// A prefix in an object store.
#[derive(Debug)]
pub struct Store {
    pub backend: Backend,
    prefix: String,
    /// How long those wait who wait for a single answer; none for as long as the requests take.
    patience: Option<Duration>,
    /// None only while it is dropped.
    runtime: Option<tokio::runtime::Runtime>,
}

/// The last holder may be async code, where a runtime must not wait for its own end.
impl Drop for Store {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Threads that wait for the network.
const THREADS: usize = 2;

impl Store {
    /// Opens the store of a location. Nothing is asked of it yet.
    pub fn open(location: &Location, settings: &Settings) -> Result<Self> {
        let backend = match location {
            Location::S3 { bucket, .. } => Backend::S3(S3::new(bucket, settings)?),
            Location::Folder { path } => Backend::Other(folder(path)?),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .enable_all()
            .thread_name("counterfoil-store")
            .build()
            .map_err(|error| Error::new(ErrorKind::Unavailable, format!("no threads for the store: {error}")))?;
        let prefix = match location {
            Location::S3 { prefix, .. } if !prefix.is_empty() => format!("{prefix}/"),
            _ => String::new(),
        };
        Ok(Self { backend, prefix, patience: None, runtime: Some(runtime) })
    }

    /// The same store, whose single answers are waited for no longer than this.
    pub fn within(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    /// Waits for something that the store does. Not for async code.
    pub fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime().block_on(work)
    }

    /// Fetches an object, or a part of it, and waits: also for callers inside another runtime, such as queries.
    pub fn fetch(self: &Arc<Self>, object: &Stored, range: Option<Range<u64>>) -> Result<Bytes> {
        let (store, object) = (self.clone(), object.clone());
        self.wait_anywhere(async move { store.get(&object, range).await })
    }

    /// Finds the oldest version of an object and waits, also inside another runtime.
    pub fn look_for(self: &Arc<Self>, key: &str) -> Result<Option<Stored>> {
        let (store, key) = (self.clone(), key.to_owned());
        self.wait_anywhere(async move { store.find(&key).await })
    }

    fn wait_anywhere<T: Send + 'static>(&self, work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        let patience = self.patience;
        self.runtime().spawn(async move {
            let answer = match patience {
                None => work.await,
                Some(patience) => tokio::time::timeout(patience, work).await.unwrap_or_else(|_| {
                    let message = format!("the store gives no answer within {} s", patience.as_secs());
                    Err(Error::new(ErrorKind::Unavailable, message))
                }),
            };
            let _ = sender.send(answer);
        });
        let ended = || Error::new(ErrorKind::Internal, "a request to the store ended without an answer");
        receiver.recv().map_err(|_| ended())?
    }

    fn runtime(&self) -> &tokio::runtime::Runtime {
        self.runtime.as_ref().expect("it is there until the store is dropped")
    }

    /// The whole key of an object.
    pub fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// Writes an object that is not there yet, under a lock where one is asked for. False when an object of that key exists.
    pub async fn put_new(&self, key: &str, content: &Content, written: &Written) -> Result<bool> {
        let key = self.key(key);
        match &self.backend {
            Backend::S3(s3) => {
                let mut headers = s3.encryption();
                headers.extend(written.lock.as_ref().map(Lock::headers).unwrap_or_default());
                if content.len() > written.part_bytes {
                    return multipart::put_new(s3, &key, content, written.part_bytes, headers).await;
                }
                headers.push(("if-none-match", "*".to_owned()));
                let body = piece(&key, content, 0, content.len())?;
                let ask = Ask { method: Method::PUT, key: &key, headers, body, ..Ask::default() };
                let answer = s3.ask(&ask).await?;
                if answer.status == StatusCode::PRECONDITION_FAILED {
                    return Ok(false);
                }
                answer.checked(&key).map(|_| true)
            }
            Backend::Other(store) => {
                let bytes = piece(&key, content, 0, content.len())?;
                let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
                match store.put_opts(&Path::from(key.as_str()), bytes.into(), options).await {
                    Ok(_) => Ok(true),
                    Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
                    Err(error) => Err(store_error(&key, error)),
                }
            }
        }
    }

    /// The newest content of an object that changes, and its tag. `None` when there is none.
    pub async fn current(&self, key: &str) -> Result<Option<(Bytes, String)>> {
        let key = self.key(key);
        match &self.backend {
            Backend::S3(s3) => {
                let answer = s3.ask(&Ask { key: &key, ..Ask::default() }).await?;
                if answer.status == StatusCode::NOT_FOUND {
                    return Ok(None);
                }
                let answer = answer.checked(&key)?;
                let tag = answer.header("etag").unwrap_or_default().to_owned();
                Ok(Some((answer.body, tag)))
            }
            Backend::Other(store) => match store.get(&Path::from(key.as_str())).await {
                Ok(found) => {
                    let tag = found.meta.e_tag.clone().unwrap_or_default();
                    Ok(Some((found.bytes().await.map_err(|error| store_error(&key, error))?, tag)))
                }
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(store_error(&key, error)),
            },
        }
    }

    /// Puts content in the place of what has this tag, or where nothing is. False when something else is there by now,
    /// which only S3 tells.
    pub async fn put_over(&self, key: &str, bytes: Bytes, tag: Option<&str>) -> Result<bool> {
        let Some(tag) = tag else { return self.put_new(key, &(Arc::new(bytes) as Content), &Written::PLAIN).await };
        let key = self.key(key);
        match &self.backend {
            Backend::S3(s3) => {
                let headers = vec![("if-match", tag.to_owned())];
                let ask = Ask { method: Method::PUT, key: &key, headers, body: bytes, ..Ask::default() };
                let answer = s3.ask(&ask).await?;
                if matches!(answer.status, StatusCode::PRECONDITION_FAILED | StatusCode::NOT_FOUND) {
                    return Ok(false);
                }
                answer.checked(&key).map(|_| true)
            }
            Backend::Other(store) => {
                let put = store.put(&Path::from(key.as_str()), bytes.into()).await;
                put.map(|_| true).map_err(|error| store_error(&key, error))
            }
        }
    }

    /// The content of an object, or a part of it.
    pub async fn get(&self, object: &Stored, range: Option<Range<u64>>) -> Result<Bytes> {
        let key = self.key(&object.key);
        match &self.backend {
            Backend::S3(s3) => {
                let mut ask = Ask { key: &key, ..Ask::default() };
                if let Some(version) = &object.version {
                    ask.query.push(("versionId", version));
                }
                if let Some(range) = &range {
                    ask.headers.push(("range", format!("bytes={}-{}", range.start, range.end - 1)));
                }
                let body = s3.ask(&ask).await?.checked(&key)?.body;
                whole(&key, body, range.map_or(object.size, |range| range.end - range.start))
            }
            Backend::Other(store) => {
                let range = range.map(GetRange::Bounded);
                let options = GetOptions { range, ..GetOptions::default() };
                let found = store.get_opts(&Path::from(key.as_str()), options).await;
                let found = found.map_err(|error| store_error(&key, error))?;
                found.bytes().await.map_err(|error| store_error(&key, error))
            }
        }
    }

    /// The oldest version of an object; `None` when there is none.
    pub async fn find(&self, key: &str) -> Result<Option<Stored>> {
        let mut found = None;
        self.list(key, "", &mut |stored| {
            if stored.key == key {
                found = Some(stored);
            }
        })
        .await?;
        Ok(found.filter(|stored: &Stored| stored.size > 0 || stored.version.is_some()))
    }

    /// The newest of the objects under a folder whose keys are numbers, found in a number of requests that hardly grows with
    /// them.
    pub async fn newest(&self, folder: &str) -> Result<Option<Stored>> {
        let (mut newest, mut from, mut to): (Option<Stored>, u64, u64) = (None, 0, u64::MAX);
        loop {
            // First ever further away, then halving what is left.
            let at = if to == u64::MAX { from.saturating_mul(2) } else { from + (to - from) / 2 };
            let after = newest.as_ref().map_or(String::new(), |_| format!("{folder}{at:020}"));
            let (page, more) = self.page(folder, &after).await?;
            match page.into_iter().next_back() {
                Some(last) if !more => return Ok(Some(last)),
                Some(last) => {
                    let number = crate::keys::number(&last.key, folder);
                    from = number.unwrap_or(at).max(at + 1);
                    newest = Some(last);
                }
                None if newest.is_none() || to - from <= 1 => return Ok(newest),
                None => to = at,
            }
        }
    }

    /// Takes the prefix of the copy off a key that the store listed.
    fn strip(&self, stored: &mut Stored) -> Result<()> {
        let key = stored.key.strip_prefix(&self.prefix).map(str::to_owned);
        let stray =
            || Error::new(ErrorKind::Unavailable, format!("the store lists {:?}, which was not asked for", stored.key));
        stored.key = key.ok_or_else(stray)?;
        Ok(())
    }

    /// One page of the objects whose keys begin with `under` and come behind `after`, in order; whether more come behind it.
    async fn page(&self, under: &str, after: &str) -> Result<(Vec<Stored>, bool)> {
        match &self.backend {
            Backend::S3(s3) => {
                let after = if after.is_empty() { String::new() } else { self.key(after) };
                let (mut page, more) = s3.versions(&self.key(under), &after).await?;
                page.iter_mut().try_for_each(|stored| self.strip(stored))?;
                Ok((page, more.is_some()))
            }
            Backend::Other(_) => {
                let mut page = Vec::new();
                self.list(under, after, &mut |stored| page.push(stored)).await?;
                Ok((page, false))
            }
        }
    }

    /// Lists the objects whose keys begin with `under` and come behind `after`, in order.
    pub async fn list(&self, under: &str, after: &str, each: &mut (dyn FnMut(Stored) + Send)) -> Result<()> {
        match &self.backend {
            Backend::S3(s3) => {
                let prefix = self.key(under);
                let mut next = if after.is_empty() { String::new() } else { self.key(after) };
                loop {
                    let (page, more) = s3.versions(&prefix, &next).await?;
                    for mut stored in page {
                        self.strip(&mut stored)?;
                        each(stored);
                    }
                    match more {
                        Some(key) => next = key,
                        None => return Ok(()),
                    }
                }
            }
            Backend::Other(store) => {
                let mut listed: Vec<_> =
                    store.list(None).try_collect().await.map_err(|error| store_error(under, error))?;
                listed.sort_by(|a, b| a.location.cmp(&b.location));
                for meta in listed {
                    let key = meta.location.to_string();
                    if key.starts_with(under) && key.as_str() > after {
                        let modified = meta.last_modified.to_rfc3339();
                        each(Stored { key, size: meta.size, modified, ..Stored::default() });
                    }
                }
                Ok(())
            }
        }
    }
}

fn whole(key: &str, body: Bytes, length: u64) -> Result<Bytes> {
    if body.len() as u64 == length {
        return Ok(body);
    }
    Err(Error::new(ErrorKind::Damaged, format!("{key}: the store gives {} bytes of {length}", body.len())))
}

fn folder(path: &std::path::Path) -> Result<Arc<dyn ObjectStore>> {
    let open = || {
        std::fs::create_dir_all(path)?;
        let store = object_store::local::LocalFileSystem::new_with_prefix(path).map_err(std::io::Error::other)?;
        Ok::<_, std::io::Error>(Arc::new(store))
    };
    Ok(open().map_err(|error| Error::new(ErrorKind::Unavailable, format!("{}: {error}", path.display())))?)
}

fn store_error(what: &str, error: object_store::Error) -> Error {
    let kind = match &error {
        object_store::Error::NotFound { .. } => ErrorKind::NotFound,
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => ErrorKind::Denied,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, format!("{what}: {error}")).because(error)
}
