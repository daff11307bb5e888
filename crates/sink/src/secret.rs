//! Values that do not stand in the configuration itself.

use std::fmt;
use std::path::{Path, PathBuf};

use counterfoil::{Error, ErrorKind, Result};
use serde::Deserialize;

/// The most bytes of a configuration or a credential.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Where a credential is read from, anew at each connection.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "toml::Value")]
pub enum Secret {
    /// An environment variable.
    Env(String),
    /// A file; white space at its end is left out.
    File(PathBuf),
}

impl Secret {
    /// The value. `Invalid` when it is not there.
    pub fn read(&self, member: &str) -> Result<String> {
        let (value, place) = match self {
            Self::Env(name) => (std::env::var(name).map_err(|error| error.to_string()), format!("variable {name}")),
            Self::File(path) => (read_regular(path), path.display().to_string()),
        };
        let invalid = |reason: &str| Error::new(ErrorKind::Invalid, format!("{member}: {place}: {reason}"));
        let value = value.map_err(|reason| invalid(&reason))?;
        let value = value.trim_end();
        if value.is_empty() { Err(invalid("it is empty")) } else { Ok(value.to_owned()) }
    }
}

/// The text of a file that an operator wrote; anything but a regular file, or a link to one, could hang its reader.
pub(crate) fn read_regular(path: &Path) -> std::result::Result<String, String> {
    let words = |error: std::io::Error| error.to_string();
    let about = std::fs::metadata(path).map_err(words)?;
    if !about.is_file() || about.len() > MAX_FILE_BYTES {
        return Err(format!("it is no regular file of at most {MAX_FILE_BYTES} bytes"));
    }
    std::fs::read_to_string(path).map_err(words)
}

impl TryFrom<toml::Value> for Secret {
    type Error = &'static str;

    fn try_from(value: toml::Value) -> std::result::Result<Self, Self::Error> {
        const WANTED: &str = "a credential does not stand here: write { env = \"VARIABLE\" } or { file = \"/path\" }";
        let toml::Value::Table(table) = value else { return Err(WANTED) };
        let only = |name: &str| table.get(name).and_then(toml::Value::as_str).filter(|_| table.len() == 1);
        match (only("env"), only("file")) {
            (Some(name), _) => Ok(Self::Env(name.to_owned())),
            (_, Some(path)) => Ok(Self::File(path.into())),
            _ => Err(WANTED),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
        }
    }
}

/// An address: in the configuration, or where credentials are when it is one itself (a Slack webhook).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "toml::Value")]
pub enum Address {
    /// As it stands.
    Plain(String),
    /// Read as a credential is, and never shown.
    Secret(Secret),
}

impl Address {
    /// The address. `Invalid` when it is not there.
    pub fn read(&self) -> Result<String> {
        match self {
            Self::Plain(text) => Ok(text.clone()),
            Self::Secret(secret) => secret.read("address"),
        }
    }

    /// What may be shown of it: no path, no user, no query.
    pub fn shown(&self) -> String {
        let Self::Plain(text) = self else { return "(secret)".to_owned() };
        match url::Url::parse(text) {
            Ok(url) if url.has_host() => {
                let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
                format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
            }
            _ => text.clone(),
        }
    }
}

impl TryFrom<toml::Value> for Address {
    type Error = &'static str;

    fn try_from(value: toml::Value) -> std::result::Result<Self, Self::Error> {
        match value {
            toml::Value::String(text) => Ok(Self::Plain(text)),
            other => Secret::try_from(other).map(Self::Secret).map_err(
                |_| "write the address as a text, or { env = \"VARIABLE\" } or { file = \"/path\" } where it is secret",
            ),
        }
    }
}
