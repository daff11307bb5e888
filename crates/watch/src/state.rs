//! What a watcher remembers on the disk, and what of it is believed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use counterfoil::{Disk, Error, ErrorKind, Result, Snapshot};
use serde::{Deserialize, Serialize};

use crate::engine::EngineState;
use crate::mark::Mark;

/// The version of the file's form.
const VERSION: u32 = 2;
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

/// From where a watcher goes on.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// What the rules remember, as far as the ledger knows it.
    pub state: Option<State>,
    /// The first entry that they have not seen, where the ledger or a state says so.
    pub cursor: Option<u64>,
    /// What is wrong with it, in words.
    pub fault: Option<String>,
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

    /// The file's content.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("plain values are JSON")
    }

    /// Refuses a ledger that this state is not of, or that has lost entries since.
    fn check(&self, snapshot: &Snapshot) -> Result<()> {
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

    /// From where to go on. Whoever may write the file must not make the rules pass entries over: what the ledger has no mark
    /// of is not believed, and they look again from where it has one.
    pub fn recall(&self, snapshot: &Snapshot) -> Result<Memory> {
        let bytes = self.load()?;
        let (marks, unread) = match Mark::newest(snapshot) {
            Ok(marks) => (marks, None),
            Err(error) if bytes.is_none() => return Err(error),
            // What was tampered with is verification's to tell of; it must not keep the rules from watching.
            Err(error) => (Vec::new(), Some(format!("how far they came cannot be read in the ledger: {error}"))),
        };
        let state = bytes.as_deref().map(|bytes| self.parse(bytes));
        let known = match (&bytes, &state) {
            // That of an earlier version of this program.
            (Some(_), Some(Err(_))) => marks.is_empty(),
            (Some(bytes), _) => marks.is_empty() || marks.iter().any(|mark| mark.is_of(bytes)),
            (None, _) => marks.is_empty(),
        };
        if known {
            let state = state.transpose()?;
            state.as_ref().map_or(Ok(()), |state| state.check(snapshot))?;
            return Ok(Memory { cursor: state.as_ref().map(|state| state.cursor), state, fault: unread });
        }
        let why = match &state {
            Some(Ok(state)) => state.check(snapshot).map(|()| "is not the one that the ledger recorded")?,
            Some(Err(_)) => "cannot be read",
            None => "is gone",
        };
        let cursor = marks.first().map(|mark| mark.cursor);
        let from = cursor.unwrap_or_default();
        let fault = format!(
            "{} {why}: the rules look again from entry {from}, and counts and deadlines begin anew there",
            self.path.display()
        );
        Ok(Memory { state: None, cursor, fault: Some(fault) })
    }

    fn load(&self) -> Result<Option<Vec<u8>>> {
        match self.disk.read_at_most(&self.path, MAX_STATE_BYTES) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            // One that this program never wrote is none to go on from.
            Err(_) if self.disk.stamp(&self.path).is_ok_and(|stamp| stamp.length > MAX_STATE_BYTES) => {
                Ok(Some(Vec::new()))
            }
            read => read.map(Some).map_err(|error| self.failed(&error)),
        }
    }

    fn parse(&self, bytes: &[u8]) -> Result<State> {
        serde_json::from_slice(bytes).map_err(|error| {
            let message = format!("{}: {error}; remove it to begin at the end of the ledger", self.path.display());
            Error::new(ErrorKind::Damaged, message)
        })
    }

    pub fn save(&self, bytes: &[u8]) -> Result<()> {
        let folder = self.path.parent().expect("it has a folder");
        let saved = self.disk.create_folder(folder).and_then(|()| self.disk.replace(&self.path, bytes));
        saved.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &std::io::Error) -> Error {
        Error::new(ErrorKind::Unavailable, format!("{}: {error}", self.path.display()))
    }
}
