//! The services that can hold a copy, each as the same few acts: put once, read a version, list versions, tell locks.

mod azure;
mod folder;
mod gcs;
mod http;
mod listing;
mod s3;
mod xml;

use std::fmt;
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use counterfoil::{Error, ErrorKind, Result};

pub use s3::{add_page, profile};
pub use xml::Element;

use crate::content::Content;
use crate::location::{Location, Service};
use crate::lock::{Lock, LockMode};
use crate::settings::Settings;
use crate::store::{Stored, Written};

/// What is put in one request unless a shipper is told otherwise, and the part of a longer object: what shipping holds in
/// memory.
pub const DEFAULT_PART_BYTES: u64 = 64 << 20;
/// The least that every service takes as a part that is not the last.
pub const LEAST_PART_BYTES: u64 = 5 << 20;

/// A bucket of a service, or a folder. Keys are whole: they begin with the prefix of the copy.
#[async_trait]
pub trait Backend: fmt::Debug + Send + Sync {
    /// What the place does to keep objects; none where it does nothing of the kind, as a folder. `Invalid`, with what to run,
    /// for a bucket that could and does not.
    async fn keeping(&self) -> Result<Option<Keeping>>;

    /// Writes an object that is not there yet, under the lock that it is to have, as a whole or not at all. False when an
    /// object of that key exists.
    async fn put_new(&self, key: &str, content: &Content, written: &Written) -> Result<bool>;

    /// Puts content in the place of what has this tag. False when something else is there by now, or nothing.
    async fn put_over(&self, key: &str, bytes: Bytes, tag: &str) -> Result<bool>;

    /// The newest content of an object that changes, and its tag. None when there is none.
    async fn current(&self, key: &str) -> Result<Option<(Bytes, String)>>;

    /// The content of a version of an object, or a part of it.
    async fn get(&self, key: &str, version: Option<&str>, range: Option<Range<u64>>) -> Result<Bytes>;

    /// Objects whose keys begin with `prefix` and come behind `after`, in order: as many as one request gives.
    async fn page(&self, prefix: &str, after: &str) -> Result<Page>;

    /// What other programs call an object.
    fn address(&self, key: &str) -> String;

    /// The lock on a version. None when it has none.
    async fn lock_of(&self, key: &str, version: &str) -> Result<Option<Held>>;
}

/// Opens what a location names. Nothing is asked of it yet.
pub fn open(location: &Location, settings: &Settings) -> Result<Box<dyn Backend>> {
    Ok(match location {
        Location::Bucket { service: Service::S3, bucket, .. } => Box::new(s3::S3::new(bucket, settings)?),
        Location::Bucket { service: Service::Gcs, bucket, .. } => Box::new(gcs::Gcs::new(bucket, settings)?),
        Location::Bucket { service: Service::Azure, bucket, .. } => Box::new(azure::Azure::new(bucket, settings)?),
        Location::Folder { path } => Box::new(folder::Folder::new(path)?),
    })
}

/// What a bucket does to keep objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keeping {
    /// The lock of an object that asks for none.
    pub default: Option<Lock>,
    /// Whether each object may ask for its own.
    pub each: bool,
    /// What to say or to run where no lock is asked for and there is no default, or where none may be asked for.
    pub advice: String,
}

/// The lock on one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Who may end it early.
    pub mode: LockMode,
    /// When it ends, as RFC 3339 writes it.
    pub until: String,
    /// Whether it is kept beyond that.
    pub legal_hold: bool,
}

/// Some of the objects below a prefix, each in its oldest version.
#[derive(Debug, Default)]
pub struct Page {
    pub objects: Vec<Stored>,
    /// The key behind which the next page begins; none when this is the last.
    pub next: Option<String>,
}

/// Refuses an object that would need too many parts.
fn check_parts(key: &str, content: &Content, part_bytes: u64, most: u64) -> Result<()> {
    if content.len().div_ceil(part_bytes) <= most {
        return Ok(());
    }
    let message = format!("{key}: {} bytes are more than {most} parts of {part_bytes}", content.len());
    Err(Error::new(ErrorKind::Invalid, message))
}

/// Refuses to ask for an encryption that only S3 has.
fn refuse_encryption(settings: &Settings, service: &str) -> Result<()> {
    match settings.encryption()? {
        Some(_) => Err(Error::new(
            ErrorKind::Invalid,
            format!(
                "{service} encrypts every object, with the key that is set on the bucket: leave out --sse and AWS_SERVER_SIDE_ENCRYPTION"
            ),
        )),
        None => Ok(()),
    }
}
