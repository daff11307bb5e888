//! What a bucket of S3 does to keep objects.

use counterfoil::{Error, ErrorKind, Result};
use http::{Method, StatusCode};

use super::{S3, about};
use crate::backend::http::Ask;
use crate::backend::xml::Element;
use crate::backend::{Held, Keeping};
use crate::lock::Lock;

impl S3 {
    /// Refuses a bucket without versions or Object Lock.
    pub(super) async fn bucket_lock(&self) -> Result<Keeping> {
        let name = &self.name;
        let versioning = self.configuration("versioning").await?;
        let enabled = versioning.is_some_and(|answer| answer.text("Status") == Some("Enabled"));
        let lock = self.configuration("object-lock").await?;
        let lock = lock.filter(|answer| answer.text("ObjectLockEnabled") == Some("Enabled"));
        let (true, Some(lock)) = (enabled, lock) else {
            let what = if enabled { "it has no Object Lock." } else { "it has no versioning." };
            return Err(Error::new(
                ErrorKind::Invalid,
                format!(
                    "bucket {name} keeps nothing from being deleted: {what} Make it so:\n  aws s3api create-bucket --bucket {name} --object-lock-enabled-for-bucket\nor for a bucket that is there:\n  aws s3api put-bucket-versioning --bucket {name} --versioning-configuration Status=Enabled\n  aws s3api put-object-lock-configuration --bucket {name} --object-lock-configuration '{{\"ObjectLockEnabled\":\"Enabled\"}}'",
                ),
            ));
        };
        let advice = format!(
            "bucket {name} has Object Lock but no default retention, and none was asked for. Say --retain compliance:2190, or run:\n  aws s3api put-object-lock-configuration --bucket {name} --object-lock-configuration '{{\"ObjectLockEnabled\":\"Enabled\",\"Rule\":{{\"DefaultRetention\":{{\"Mode\":\"COMPLIANCE\",\"Days\":2190}}}}}}'"
        );
        Ok(Keeping { default: default_lock(&lock), each: true, advice })
    }

    /// The lock of a version, when it is asked for and nothing else.
    pub(super) async fn asked_lock(&self, key: &str, version: &str) -> Result<Option<Held>> {
        let Some(retention) = self.property(key, version, "retention").await? else { return Ok(None) };
        let hold = self.property(key, version, "legal-hold").await?;
        let legal_hold = hold.is_some_and(|hold| hold.text("Status") == Some("ON"));
        let mode = retention.text("Mode").and_then(|mode| mode.parse().ok());
        let until = retention.text("RetainUntilDate").map(str::to_owned);
        Ok(mode.zip(until).map(|(mode, until)| Held { mode, until, legal_hold }))
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

    async fn configuration(&self, what: &'static str) -> Result<Option<Element>> {
        let answer = self.client.ask(&Self::about_bucket(vec![(what, "")])).await?;
        if answer.code().is_some_and(|code| code.contains("ObjectLockConfigurationNotFound")) {
            return Ok(None);
        }
        let answer = answer.checked(&format!("the {what} of bucket {}", self.name))?;
        Element::parse(&answer.body).map(Some)
    }
}

fn default_lock(configuration: &Element) -> Option<Lock> {
    let rule = configuration.child("Rule")?.child("DefaultRetention")?;
    let number = |name: &str| rule.text(name)?.parse::<u32>().ok();
    let days = number("Days").or_else(|| number("Years").map(|years| years.saturating_mul(365)))?;
    Lock::new(rule.text("Mode")?.parse().ok()?, days).ok()
}
