//! How a store is reached and what it is asked to do with objects.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use counterfoil::{Error, ErrorKind, Result};

use crate::backend::profile;

/// How a store is reached: the variables that begin with `AWS_`, `GOOGLE_` or `AZURE_`, as other programs know them:
/// credentials, profile, region, endpoint, authorities, encryption; and those that name an emulator.
#[derive(Clone, Default)]
pub struct Settings(BTreeMap<String, String>);

impl Settings {
    /// Those of this process's environment. What it does not say comes from the profile in `~/.aws`.
    pub fn from_environment() -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| {
                FAMILIES.iter().any(|family| name.starts_with(family)) || EMULATORS.contains(&name.as_str())
            });
        let mut settings: Self = variables.collect();
        settings.take_profile(std::env::home_dir().as_deref());
        settings
    }

    /// Fills in what a profile says. Keys in the environment, a role of the machine or a web identity come before the
    /// profile `default`, but not before one that was asked for.
    pub(crate) fn take_profile(&mut self, home: Option<&std::path::Path>) {
        let file = |variable: &str, name: &str| {
            let place = self.get(variable).map(Into::into).or_else(|| Some(home?.join(".aws").join(name)));
            place.and_then(|place: std::path::PathBuf| std::fs::read_to_string(place).ok()).unwrap_or_default()
        };
        let credentials = file("AWS_SHARED_CREDENTIALS_FILE", "credentials");
        let config = file("AWS_CONFIG_FILE", "config");
        let name = self.get("AWS_PROFILE").unwrap_or("default").to_owned();
        let has_keys = self.get("AWS_ACCESS_KEY_ID").is_some();
        let has_role = ["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"];
        let has_role = has_role.iter().any(|name| self.get(name).is_some()) && self.get("AWS_PROFILE").is_none();
        for (name, value) in profile::read(&credentials, &config, &name) {
            let is_secret = !matches!(name, "AWS_REGION" | "AWS_ENDPOINT_URL" | "AWS_CA_BUNDLE");
            let is_known = self.get(name).is_some() || name == "AWS_REGION" && self.get("AWS_DEFAULT_REGION").is_some();
            if !is_known && !(is_secret && (has_keys || has_role)) {
                self.0.insert(name.to_owned(), value);
            }
        }
    }

    /// Refuses a profile that was asked for and gives no credentials: another identity must not take its place unsaid.
    pub(crate) fn check_profile(&self) -> Result<()> {
        match self.get("AWS_PROFILE") {
            Some(name) if self.get("AWS_ACCESS_KEY_ID").is_none() => Err(Error::new(
                ErrorKind::Invalid,
                format!(
                    "profile {name:?} has no aws_access_key_id in ~/.aws/credentials or ~/.aws/config; of profiles that log in or take a role, export the keys: eval \"$(aws configure export-credentials --profile {name} --format env)\""
                ),
            )),
            _ => Ok(()),
        }
    }

    /// The same settings, with objects encrypted by the store.
    pub fn with_encryption(mut self, encryption: &Encryption) -> Self {
        let (kind, key) = match encryption {
            Encryption::S3 => ("AES256", None),
            Encryption::Kms { key } => ("aws:kms", key.clone()),
        };
        self.0.insert(ENCRYPTION.to_owned(), kind.to_owned());
        self.0.remove(KEY_ID);
        self.0.extend(key.map(|key| (KEY_ID.to_owned(), key)));
        self
    }

    /// How objects are to be encrypted; none where the bucket's default counts.
    pub(crate) fn encryption(&self) -> Result<Option<Encryption>> {
        match self.get(ENCRYPTION) {
            None => Ok(None),
            Some("AES256") => Ok(Some(Encryption::S3)),
            Some("aws:kms") => Ok(Some(Encryption::Kms { key: self.get(KEY_ID).map(str::to_owned) })),
            Some(other) => {
                Err(Error::new(ErrorKind::Invalid, format!("{ENCRYPTION}: {other:?} is neither AES256 nor aws:kms")))
            }
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &String)> {
        self.0.iter()
    }
}

/// What the names of variables begin with that say how a store is reached.
const FAMILIES: [&str; 3] = ["AWS_", "GOOGLE_", "AZURE_"];
const EMULATORS: [&str; 2] = ["STORAGE_EMULATOR_HOST", "AZURITE_BLOB_STORAGE_URL"];
const ENCRYPTION: &str = "AWS_SERVER_SIDE_ENCRYPTION";
const KEY_ID: &str = "AWS_SSE_KMS_KEY_ID";

impl FromIterator<(String, String)> for Settings {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(settings: T) -> Self {
        Self(settings.into_iter().collect())
    }
}

/// Values may be secrets.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// How a store encrypts what it keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encryption {
    /// With keys of its own (SSE-S3).
    S3,
    /// With a key of the key service (SSE-KMS).
    Kms {
        /// The key's id or ARN; none for the account's default.
        key: Option<String>,
    },
}

impl Encryption {
    pub(crate) fn headers(&self) -> Vec<(&'static str, String)> {
        const HEADER: &str = "x-amz-server-side-encryption";
        match self {
            Self::S3 => vec![(HEADER, "AES256".to_owned())],
            Self::Kms { key } => {
                let key = key.iter().map(|key| ("x-amz-server-side-encryption-aws-kms-key-id", key.clone()));
                [(HEADER, "aws:kms".to_owned())].into_iter().chain(key).collect()
            }
        }
    }
}

/// `s3`, `kms` or `kms:KEY`.
impl FromStr for Encryption {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.split_once(':') {
            None if text == "s3" => Ok(Self::S3),
            None if text == "kms" => Ok(Self::Kms { key: None }),
            Some(("kms", key)) if !key.is_empty() => Ok(Self::Kms { key: Some(key.to_owned()) }),
            _ => Err(Error::new(ErrorKind::Invalid, format!("{text:?} is no encryption: s3, kms or kms:KEY"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Settings;

    fn settings(pairs: &[(&str, &str)], home: &std::path::Path) -> Settings {
        let pairs = pairs.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let mut settings: Settings = pairs.collect();
        settings.take_profile(Some(home));
        settings
    }

    #[test]
    fn a_profile_fills_in_what_the_environment_does_not_say() {
        let home = tempfile::TempDir::new().unwrap();
        std::fs::create_dir(home.path().join(".aws")).unwrap();
        let write = |name: &str, text: &str| std::fs::write(home.path().join(".aws").join(name), text).unwrap();
        write("credentials", "[default]\naws_access_key_id = D\n[audit]\naws_access_key_id = A\n");
        write("config", "[profile audit]\nregion = eu-central-1\n[profile login]\nsso_session = x\n");
        let read = |pairs: &[(&str, &str)], name: &str| settings(pairs, home.path()).get(name).map(str::to_owned);
        let key = "AWS_ACCESS_KEY_ID";
        assert_eq!(read(&[], key).as_deref(), Some("D"));
        assert_eq!(read(&[("AWS_PROFILE", "audit")], key).as_deref(), Some("A"));
        assert_eq!(read(&[("AWS_PROFILE", "audit")], "AWS_REGION").as_deref(), Some("eu-central-1"));
        assert_eq!(read(&[("AWS_PROFILE", "audit"), ("AWS_REGION", "mine")], "AWS_REGION").as_deref(), Some("mine"));
        assert_eq!(read(&[(key, "E")], key).as_deref(), Some("E"));
        // A web identity is not overtaken by a default profile, and neither is a profile that gives no keys.
        assert_eq!(read(&[("AWS_WEB_IDENTITY_TOKEN_FILE", "t")], key), None);
        let refused = settings(&[("AWS_PROFILE", "login")], home.path()).check_profile().unwrap_err();
        assert!(refused.message.contains("export-credentials --profile login"), "{refused}");
        assert!(settings(&[("AWS_PROFILE", "audit")], home.path()).check_profile().is_ok());
    }
}
