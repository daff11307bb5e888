//! What a sink remembers: how far it has read, what it gathers, what it is sending. A file in the ledger's folder.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};

use counterfoil::{Disk, Error, ErrorKind, OsDisk, Result, Snapshot};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Entries that go in one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Parcel {
    /// What they have in common.
    pub key: String,
    /// The entries, or the first of them when there are more than a message holds.
    pub listed: Vec<u64>,
    /// Their bytes.
    pub bytes: u64,
    /// How many it stands for.
    pub count: u64,
    /// The last one it stands for.
    pub last: u64,
    /// When it is to go, in milliseconds since 1970.
    pub due_ms: u64,
}

impl Parcel {
    /// The same for the same entries: a receiver may know a repeat by it.
    pub fn dedup_key(&self, origin: &str) -> String {
        format!("{origin}#{}-{}", self.listed[0], self.last)
    }

    /// Whether it can have come about.
    fn is_sound(&self) -> bool {
        let ends = self.listed.last().is_some_and(|listed| *listed <= self.last);
        ends && self.listed.is_sorted_by(|one, next| one < next) && self.count >= self.listed.len() as u64
    }
}

/// What a sink remembers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    /// The first entry that was not looked at.
    pub next: u64,
    /// What still grows, in the order of first entries.
    #[serde(default)]
    pub gathering: Vec<Parcel>,
    /// What is being sent, in order. It does not change any more, so that a repeat is the same message.
    #[serde(default)]
    pub outbox: VecDeque<Parcel>,
    /// When a message with these things in common went last.
    #[serde(default)]
    pub sent_ms: BTreeMap<String, u64>,
    /// Messages that were refused for good.
    #[serde(default)]
    pub dead_letters: u64,
}

impl State {
    /// Entries that were read and are not delivered.
    pub fn waiting(&self) -> u64 {
        self.parcels().map(|parcel| parcel.count).fold(0, u64::saturating_add)
    }

    pub fn parcels(&self) -> impl Iterator<Item = &Parcel> {
        self.gathering.iter().chain(&self.outbox)
    }

    /// The first entry that may not have been delivered.
    pub fn first_waiting(&self) -> u64 {
        self.parcels().map(|parcel| parcel.listed[0]).fold(self.next, u64::min)
    }

    /// The same, unless its messages are of entries that the ledger does not have although it has what was read.
    pub fn within(self, snapshot: &Snapshot) -> Result<Self> {
        let size = snapshot.size();
        if self.next <= size && self.parcels().any(|parcel| parcel.last >= size) {
            return Err(Error::new(ErrorKind::Damaged, "its state holds messages of entries that are not there"));
        }
        Ok(self)
    }

    /// Of the messages that gather and wait.
    pub fn digest(&self) -> String {
        let messages = serde_json::to_vec(&(&self.gathering, &self.outbox)).expect("texts and numbers are JSON");
        hex::encode(Sha256::digest(messages))
    }
}

/// Where a sink's files are.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    folder: PathBuf,
    name: String,
}

/// Most bytes of a sink's state.
const MAX_BYTES: u64 = 64 << 20;

impl Store {
    /// The files of a sink; the folder is made if it is not there.
    pub fn new(folder: &Path, name: &str) -> Result<Self> {
        let made = std::fs::create_dir_all(folder);
        made.map_err(|error| Error::new(ErrorKind::Unavailable, format!("{}: {error}", folder.display())))?;
        Ok(Self { folder: folder.to_owned(), name: name.to_owned() })
    }

    /// What was remembered; none for a new sink. `Damaged` for a file that cannot be read.
    pub fn load(&self) -> Result<Option<State>> {
        let path = self.path("json");
        let failed = |kind, reason: String| Error::new(kind, format!("{}: {reason}", path.display()));
        let text = match OsDisk.read_at_most(&path, MAX_BYTES) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(ErrorKind::Unavailable, error.to_string())),
        };
        let mend = "restore it, or remove it to begin as a new sink does";
        let state = serde_json::from_slice::<State>(&text).map_err(|error| error.to_string());
        let state = state.and_then(|state| {
            let sound = state.parcels().all(Parcel::is_sound);
            if sound { Ok(Some(state)) } else { Err("it holds messages that no sink makes".to_owned()) }
        });
        state.map_err(|error| failed(ErrorKind::Damaged, format!("{error}: {mend}")))
    }

    /// Remembers.
    pub fn save(&self, state: &State) -> Result<()> {
        let text = serde_json::to_vec(state).expect("texts and numbers are JSON");
        let saved = OsDisk.replace(&self.path("json"), &text);
        saved.map_err(|error| {
            Error::new(ErrorKind::Unavailable, format!("{}: {error}", self.path("json").display())).because(error)
        })
    }

    pub fn path(&self, extension: &str) -> PathBuf {
        self.folder.join(format!("{}.{extension}", self.name))
    }
}
