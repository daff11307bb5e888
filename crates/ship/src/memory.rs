//! What a shipper remembers of a place from run to run: where the chain ends. Without it the chain is read from its start.

use std::path::{Path, PathBuf};

use counterfoil::{Disk, OsDisk};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::location::Location;

/// The file in which it is remembered.
#[derive(Debug, Clone)]
pub struct Memory {
    path: PathBuf,
    to: String,
}

/// The end of the chain, which is looked for in the place before it is believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remembered {
    to: String,
    /// The number in the key of the newest journal object.
    pub journal: u64,
    /// Its SHA-256.
    pub digest: String,
    /// The size of the newest checkpoint.
    pub checkpoint: u64,
}

impl Memory {
    /// That of a place, in a ledger's state folder.
    pub fn of(state: &Path, to: &Location) -> Self {
        let to = to.to_string();
        let name = hex::encode(&Sha256::digest(&to)[..8]);
        Self { path: state.join(format!("copy-{name}.json")), to }
    }

    /// What is remembered; nothing where there is no such file, or another one.
    pub fn read(&self) -> Option<Remembered> {
        let remembered: Remembered = serde_json::from_slice(&OsDisk.read_small(&self.path).ok()?).ok()?;
        (remembered.to == self.to).then_some(remembered)
    }

    /// Remembers it, as far as the folder can be written: it saves work and decides nothing.
    pub fn write(&self, journal: u64, digest: &[u8; 32], checkpoint: u64) {
        let remembered = Remembered { to: self.to.clone(), journal, digest: hex::encode(digest), checkpoint };
        let text = serde_json::to_string(&remembered).expect("plain values are JSON") + "\n";
        let _ = OsDisk.replace(&self.path, text.as_bytes());
    }
}
