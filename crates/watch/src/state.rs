//! What a watcher remembers on the disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use counterfoil::{Disk, Error, ErrorKind, Result, Snapshot};
use serde::{Deserialize, Serialize};

use crate::engine::EngineState;

/// The version of the file's form.
const VERSION: u32 = 1;
/// The most bytes of the file.
const MAX_STATE_BYTES: u64 = 1 << 30;

/// Where a watcher is, and what its rules remember: one file, replaced as a whole.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct State {
    version: u32,
    origin: String,
    /// The first entry that it has not seen.
    pub cursor: u64,
    /// The leaf hash of the entry before.
    leaf: Option<String>,
    /// Which rules it watched with.
    pub rules: String,
    pub engine: EngineState,
}

/// The file of a ledger's watcher.
#[derive(Debug, Clone)]
pub(crate) struct StateFile {
    pub path: PathBuf,
    pub disk: Arc<dyn Disk>,
}

impl State {
    pub fn at(cursor: u64, rules: &str, engine: EngineState, snapshot: &Snapshot) -> Result<Self> {
        let leaf = cursor.checked_sub(1).map(|last| snapshot.leaf_hash(last)).transpose()?;
        Ok(Self {
            version: VERSION,
            origin: snapshot.origin().to_string(),
            cursor,
            leaf: leaf.map(|leaf| leaf.to_string()),
            rules: rules.to_owned(),
            engine,
        })
    }

    /// Refuses a ledger that this state is not of, or that has lost entries since.
    pub fn check(&self, snapshot: &Snapshot) -> Result<()> {
        let wrong = |what: String| Err(Error::new(ErrorKind::Tampered, format!("the state of the watcher {what}")));
        if self.version != VERSION {
            return wrong(format!("has version {}, and this program knows {VERSION}", self.version));
        }
        if self.origin != snapshot.origin().to_string() {
            return wrong(format!("is of the ledger {}", self.origin));
        }
        if self.cursor > snapshot.size() {
            return wrong(format!(
                "has seen {} entries, and the ledger has {}: it was rolled back",
                self.cursor,
                snapshot.size()
            ));
        }
        let leaf = self.cursor.checked_sub(1).map(|last| snapshot.leaf_hash(last)).transpose()?;
        match leaf.map(|leaf| leaf.to_string()) == self.leaf {
            true => Ok(()),
            false => wrong(format!("has seen another entry {}: the ledger is another one", self.cursor - 1)),
        }
    }
}

impl StateFile {
    /// The file in a ledger's folder.
    pub fn of(ledger: &Path, disk: Arc<dyn Disk>) -> Self {
        Self { path: ledger.join("state").join("watch").join("rules.json"), disk }
    }

    /// `None` when there is none yet.
    pub fn load(&self) -> Result<Option<State>> {
        let bytes = match self.disk.read_at_most(&self.path, MAX_STATE_BYTES) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|error| self.failed(&error))?,
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            let message = format!("{}: {error}; remove it to begin at the end of the ledger", self.path.display());
            Error::new(ErrorKind::Damaged, message)
        })
    }

    pub fn save(&self, state: &State) -> Result<()> {
        let bytes = serde_json::to_vec(state).expect("plain values are JSON");
        let folder = self.path.parent().expect("it has a folder");
        let saved = self.disk.create_folder(folder).and_then(|()| self.disk.replace(&self.path, &bytes));
        saved.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &std::io::Error) -> Error {
        Error::new(ErrorKind::Unavailable, format!("{}: {error}", self.path.display()))
    }
}
