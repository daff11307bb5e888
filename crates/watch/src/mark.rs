//! How far the rules came, as the ledger says it: what of `state/` is believed.

use counterfoil::{Result, Snapshot, act_context};
use counterfoil_entry::{ActorType, Draft, EntryBuilder};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

/// The type of the entry.
const WATCHED: &str = "ledger.watched";
/// What it is about.
const ENTITY: &str = "rules";
/// Marks whose memory is believed: the file on the disk is written after its mark, so every crash in between leaves one more
/// mark without its file. An older memory makes the rules look again, and passes nothing over.
const BELIEVED: usize = 16;

/// What an entry says of how far the rules came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// The first entry that they have not seen; alerts about those before are in the ledger.
    pub cursor: u64,
    /// SHA-256 of the file that holds what they remember.
    pub state: String,
}

impl Mark {
    /// The mark of a file that was not written yet.
    pub fn of(cursor: u64, file: &[u8]) -> Self {
        Self { cursor, state: hex::encode(Sha256::digest(file)) }
    }

    /// Whether a file is the one that it speaks of.
    pub fn is_of(&self, file: &[u8]) -> bool {
        *self == Self::of(self.cursor, file)
    }

    /// Those that a memory may be of, newest first.
    pub fn newest(snapshot: &Snapshot) -> Result<Vec<Self>> {
        let marks = snapshot.newest_acts(ENTITY, &[WATCHED], BELIEVED)?;
        marks.iter().map(|(index, bytes)| act_context(*index, bytes)).collect()
    }

    /// The entry that says it.
    pub fn entry(&self) -> EntryBuilder {
        Draft::builder(WATCHED, "counterfoil", ENTITY)
            .actor_type(ActorType::Service)
            .entity_type("rules")
            .context(json!(self))
    }
}
