//! Where a copy stands.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use counterfoil::{Error, ErrorKind};

/// A service that holds buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// S3 and what speaks its language.
    S3,
    /// Google Cloud Storage.
    Gcs,
    /// Azure Blob Storage, where buckets are called containers.
    Azure,
}

impl Service {
    const ALL: [Self; 3] = [Self::S3, Self::Gcs, Self::Azure];

    fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Gcs => "gs",
            Self::Azure => "az",
        }
    }
}

/// Where a copy stands: `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix` or `file:///folder`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A bucket.
    Bucket {
        /// Whose it is.
        service: Service,
        /// The bucket's name.
        bucket: String,
        /// What keys begin with, without a slash at either end; may be empty.
        prefix: String,
    },
    /// A folder, for tests and for disks that are carried away. It has no locks.
    Folder {
        /// The folder.
        path: PathBuf,
    },
}

impl Location {
    /// Whether a text is meant as a location rather than as a folder's path.
    pub fn is_meant_by(text: &str) -> bool {
        text.split_once("://").is_some_and(|(scheme, _)| scheme == "file" || service_of(scheme).is_some())
    }

    /// Whether this is the other place or below it.
    pub(crate) fn is_in(&self, other: &Self) -> bool {
        let below = |this: &str, other: &str| {
            other.is_empty() || this.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        match (self, other) {
            (
                Self::Bucket { service, bucket, prefix },
                Self::Bucket { service: other_service, bucket: other_bucket, prefix: other_prefix },
            ) => (service, bucket) == (other_service, other_bucket) && below(prefix, other_prefix),
            (Self::Folder { path }, Self::Folder { path: other }) => path.starts_with(other),
            _ => false,
        }
    }
}

fn service_of(scheme: &str) -> Option<Service> {
    Service::ALL.into_iter().find(|service| service.scheme() == scheme)
}

impl FromStr for Location {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let invalid = |reason: &str| Error::new(ErrorKind::Invalid, format!("{text}: {reason}"));
        if let Some(path) = text.strip_prefix("file://") {
            if !path.starts_with('/') {
                return Err(invalid("a folder is named by its whole path, as file:///mnt/copy"));
            }
            return Ok(Self::Folder { path: path.into() });
        }
        let named = text.split_once("://").and_then(|(scheme, rest)| Some((service_of(scheme)?, rest)));
        let places = "a copy stands at s3://bucket/prefix, gs://bucket/prefix, az://container/prefix or file:///folder";
        let (service, rest) = named.ok_or_else(|| invalid(places))?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._/=".contains(&byte));
        let prefix = prefix.trim_end_matches('/');
        if bucket.is_empty()
            || !plain(bucket)
            || !plain(prefix)
            || prefix.split('/').any(|part| part == "..")
            || prefix.starts_with('/')
        {
            return Err(invalid("a bucket's name and a prefix have letters, digits and - . _ = / only"));
        }
        Ok(Self::Bucket { service, bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bucket { service, bucket, prefix } if prefix.is_empty() => {
                write!(f, "{}://{bucket}", service.scheme())
            }
            Self::Bucket { service, bucket, prefix } => write!(f, "{}://{bucket}/{prefix}", service.scheme()),
            Self::Folder { path } => write!(f, "file://{}", path.display()),
        }
    }
}
