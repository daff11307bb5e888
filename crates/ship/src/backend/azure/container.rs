//! What a container of Azure Blob Storage does to keep blobs.

use counterfoil::{Error, ErrorKind, Result};

use super::Azure;
use crate::backend::Keeping;
use crate::backend::http::Ask;

impl Azure {
    /// Refuses a container without immutability of single versions, which only an account that keeps versions can have.
    pub(super) async fn container(&self) -> Result<Keeping> {
        let Self { name, account, .. } = self;
        let ask = Ask { query: vec![("restype", "container")], ..Ask::default() };
        let answer = self.client.ask(&ask).await?.checked(&format!("container {name}"))?;
        if answer.header("x-ms-immutable-storage-with-versioning-enabled") != Some("true") {
            return Err(Error::new(
                ErrorKind::Invalid,
                format!(
                    "container {name} keeps nothing from being deleted: it has no version-level immutability. Make it so:\n  az storage account blob-service-properties update --account-name {account} --enable-versioning true\n  az storage container-rm create --storage-account {account} --name {name} --enable-vlw true\nA container that is there gets it by a migration: az storage container-rm migrate-vlw.",
                ),
            ));
        }
        // The policy that a container gives by itself is told to those who administer the account alone.
        let advice = format!(
            "no retention was asked for, and container {name} does not tell its own: say --retain compliance:2190"
        );
        Ok(Keeping { default: None, each: true, advice })
    }
}
