//! Ids are unique among the newest entries.

use std::collections::{HashMap, VecDeque};

use sha2::{Digest, Sha256};

use crate::seen::ID_WINDOW;

const KEY_BYTES: usize = 16;

/// The first bytes of the SHA-256 of a recorder and an id.
type Key = [u8; KEY_BYTES];

/// Ids of the newest entries.
#[derive(Default)]
pub(super) struct IdWindow {
    indices: HashMap<Key, u64>,
    order: VecDeque<(Key, u64)>,
}

impl IdWindow {
    /// Adds an id; the entry that has it already, if one does.
    pub fn insert(&mut self, recorder: &Option<String>, id: &str, index: u64) -> Option<u64> {
        while let Some((key, oldest)) = self.order.front().copied()
            && oldest + ID_WINDOW < index
        {
            self.order.pop_front();
            self.indices.remove(&key);
        }
        let key = key(recorder.as_deref(), id);
        self.order.push_back((key, index));
        self.indices.insert(key, index)
    }

    /// The ids as a text: keys and indices, oldest first.
    pub fn encode(&self) -> String {
        let bytes = self.order.iter().flat_map(|(key, index)| key.iter().copied().chain(index.to_le_bytes()));
        hex::encode(bytes.collect::<Vec<u8>>())
    }

    /// The inverse of [`encode`](Self::encode).
    pub fn decode(text: &str) -> Option<Self> {
        let bytes = hex::decode(text).ok()?;
        let records = bytes.chunks_exact(KEY_BYTES + 8);
        let mut window = Self::default();
        if !records.remainder().is_empty() {
            return None;
        }
        for record in records {
            let (key, index) = record.split_first_chunk::<KEY_BYTES>()?;
            let index = u64::from_le_bytes(index.try_into().ok()?);
            window.order.push_back((*key, index));
            window.indices.insert(*key, index);
        }
        Some(window)
    }
}

fn key(recorder: Option<&str>, id: &str) -> Key {
    let mut digest = Sha256::new();
    // No recorder is another one than any name.
    digest.update(recorder.map_or(u64::MAX, |name| name.len() as u64).to_le_bytes());
    digest.update(recorder.unwrap_or_default());
    digest.update(id);
    *digest.finalize().first_chunk().expect("it has 32 bytes")
}
