//! What a bucket of Google Cloud Storage does to keep objects.

use counterfoil::{Error, ErrorKind, Result};
use serde::Deserialize;

use super::{Gcs, parsed};
use crate::backend::Keeping;
use crate::backend::http::Ask;
use crate::lock::{Lock, LockMode};

const DAY: u64 = 86_400;

/// A bucket, as far as it is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Bucket {
    versioning: Versioning,
    object_retention: Option<ObjectRetention>,
    retention_policy: Option<RetentionPolicy>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Versioning {
    enabled: bool,
}

#[derive(Debug, Deserialize)]
struct ObjectRetention {
    mode: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RetentionPolicy {
    /// In seconds.
    retention_period: String,
    #[serde(default)]
    is_locked: bool,
}

impl Bucket {
    /// Whether each object may have a retention of its own.
    pub fn locks_each(&self) -> bool {
        self.object_retention.as_ref().is_some_and(|retention| retention.mode == "Enabled")
    }

    /// Who may end the retention that the bucket's policy gives every object.
    pub fn policy_mode(&self) -> Option<LockMode> {
        let locked = self.retention_policy.as_ref()?.is_locked;
        Some(if locked { LockMode::Compliance } else { LockMode::Governance })
    }

    fn policy(&self) -> Option<Lock> {
        let seconds: u64 = self.retention_policy.as_ref()?.retention_period.parse().ok()?;
        Lock::new(self.policy_mode()?, u32::try_from(seconds / DAY).ok()?).ok()
    }

    /// Refuses a bucket where what is locked could be lost from sight: without versions, or without locks.
    pub fn keeping(&self, name: &str) -> Result<Keeping> {
        let default = self.policy();
        let each = self.locks_each();
        // A policy alone refuses that anything is put on top: there are no versions to keep.
        let kept = if each { self.versioning.enabled } else { default.is_some() };
        if !kept {
            let what = if each { "it keeps no versions." } else { "it has no object retention." };
            return Err(Error::new(
                ErrorKind::Invalid,
                format!(
                    "bucket {name} keeps nothing from being deleted: {what} Make it so:\n  gcloud storage buckets create gs://{name} --enable-per-object-retention\n  gcloud storage buckets update gs://{name} --versioning\nFor a bucket that is there, object retention is enabled in the console, under Protection.",
                ),
            ));
        }
        let advice = match default {
            Some(Lock { mode, days, .. }) => format!(
                "bucket {name} gives every object the {days} days of its own policy ({mode}) and takes no retention of single objects: leave out --retain"
            ),
            None => format!(
                "bucket {name} has no policy of its own, and no retention was asked for: say --retain compliance:2190"
            ),
        };
        Ok(Keeping { default, each, advice })
    }
}

impl Gcs {
    /// What the bucket is; it is asked once.
    pub(super) async fn bucket(&self) -> Result<&Bucket> {
        let ask = async {
            let query = vec![("fields", "versioning,objectRetention,retentionPolicy")];
            let ask = Ask { path: vec!["storage", "v1", "b", &self.name], query, ..Ask::default() };
            let what = format!("bucket {}", self.name);
            parsed(&what, &self.client.ask(&ask).await?.checked(&what)?.body)
        };
        self.bucket.get_or_try_init(|| ask).await
    }
}
