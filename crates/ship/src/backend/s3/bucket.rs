//! What a bucket of S3 does to keep objects.

use counterfoil::{Error, ErrorKind, Result};

use super::S3;
use crate::backend::Keeping;
use crate::backend::xml::Element;
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
