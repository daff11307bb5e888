//! Ids are unique among the newest entries.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};

use crate::seen::ID_WINDOW;

/// Ids of the newest entries.
#[derive(Default)]
pub(super) struct IdWindow {
    hashers: (RandomState, RandomState),
    indices: HashMap<(u64, u64), u64>,
    order: VecDeque<((u64, u64), u64)>,
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
        let key = (self.hashers.0.hash_one((recorder, id)), self.hashers.1.hash_one((recorder, id)));
        self.order.push_back((key, index));
        self.indices.insert(key, index)
    }
}
