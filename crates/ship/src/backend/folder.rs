//! A folder as a store: without versions, without locks.

use std::ops::Range;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use counterfoil::{Error, ErrorKind, Result};
use futures::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode, PutOptions};

use super::{Backend, Held, Keeping, Page};
use crate::content::{Content, piece};
use crate::store::{Stored, Written};

/// A folder.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    files: LocalFileSystem,
}

impl Folder {
    /// The folder at a path; it is made if it is not there.
    pub fn new(path: &Path) -> Result<Self> {
        let open = || {
            std::fs::create_dir_all(path)?;
            LocalFileSystem::new_with_prefix(path).map_err(std::io::Error::other)
        };
        let opened: std::io::Result<_> = open();
        opened
            .map(|files| Self { path: path.to_owned(), files })
            .map_err(|error| Error::new(ErrorKind::Unavailable, format!("{}: {error}", path.display())))
    }
}

#[async_trait]
impl Backend for Folder {
    async fn keeping(&self) -> Result<Option<Keeping>> {
        Ok(None)
    }

    async fn put_new(&self, key: &str, content: &Content, _: &Written) -> Result<bool> {
        let bytes = piece(key, content, 0, content.len())?;
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.files.put_opts(&Key::from(key), bytes.into(), options).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(store_error(key, error)),
        }
    }

    /// A folder does not tell whether something else is there by now.
    async fn put_over(&self, key: &str, bytes: Bytes, _: &str) -> Result<bool> {
        self.files.put(&Key::from(key), bytes.into()).await.map(|_| true).map_err(|error| store_error(key, error))
    }

    async fn current(&self, key: &str) -> Result<Option<(Bytes, String)>> {
        match self.files.get(&Key::from(key)).await {
            Ok(found) => {
                let tag = found.meta.e_tag.clone().unwrap_or_default();
                Ok(Some((found.bytes().await.map_err(|error| store_error(key, error))?, tag)))
            }
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(store_error(key, error)),
        }
    }

    async fn get(&self, key: &str, _: Option<&str>, range: Option<Range<u64>>) -> Result<Bytes> {
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
        let found = self.files.get_opts(&Key::from(key), options).await.map_err(|error| store_error(key, error))?;
        found.bytes().await.map_err(|error| store_error(key, error))
    }

    async fn page(&self, prefix: &str, after: &str) -> Result<Page> {
        let folder = prefix.rsplit_once('/').map(|(folder, _)| Key::from(folder));
        let listed = self.files.list(folder.as_ref()).try_collect().await;
        let mut listed: Vec<_> = listed.map_err(|error| store_error(prefix, error))?;
        listed.sort_by(|a, b| a.location.cmp(&b.location));
        let mut page = Page::default();
        for meta in listed {
            let key = meta.location.to_string();
            if key.starts_with(prefix) && key.as_str() > after {
                let modified = meta.last_modified.to_rfc3339();
                page.objects.push(Stored { key, size: meta.size, modified, ..Stored::default() });
            }
        }
        Ok(page)
    }

    fn address(&self, key: &str) -> String {
        format!("file://{}/{key}", self.path.display())
    }

    async fn lock_of(&self, _: &str, _: &str) -> Result<Option<Held>> {
        Ok(None)
    }
}

fn store_error(what: &str, error: object_store::Error) -> Error {
    let kind = match &error {
        object_store::Error::NotFound { .. } => ErrorKind::NotFound,
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => ErrorKind::Denied,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, format!("{what}: {error}")).because(error)
}
