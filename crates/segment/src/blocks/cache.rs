use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

/// How many locks the cache is spread over.
const SHARDS: usize = 16;

/// Verified blocks of many files, kept in memory up to a budget that the files share.
///
/// When a shard is full it drops blocks that were not asked for since its hand last passed them (the clock rule).
#[derive(Debug)]
pub struct BlockCache {
    shards: Vec<Mutex<Shard>>,
    shard_budget: usize,
    next_file: AtomicU64,
}

/// The name of a block: its file's number in this cache, and its position in the file.
pub(super) type BlockKey = (u64, u64);

#[derive(Debug, Default)]
struct Shard {
    slots: Vec<Slot>,
    places: HashMap<BlockKey, usize>,
    hand: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Slot {
    key: BlockKey,
    bytes: Bytes,
    used: bool,
}

impl BlockCache {
    /// A cache that holds at most `budget_bytes` of blocks.
    pub fn new(budget_bytes: usize) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { shards, shard_budget: budget_bytes / SHARDS, next_file: AtomicU64::new(0) }
    }

    /// The bytes of all blocks held now.
    pub fn held_bytes(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).bytes).sum()
    }

    /// A number that no other file of this cache has.
    pub(super) fn number_file(&self) -> u64 {
        self.next_file.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn get(&self, key: BlockKey) -> Option<Bytes> {
        self.shard(key).lock().unwrap_or_else(PoisonError::into_inner).get(key)
    }

    pub(super) fn insert(&self, key: BlockKey, bytes: Bytes) {
        if bytes.len() <= self.shard_budget {
            self.shard(key).lock().unwrap_or_else(PoisonError::into_inner).insert(key, bytes, self.shard_budget);
        }
    }

    fn shard(&self, (file, block): BlockKey) -> &Mutex<Shard> {
        &self.shards[(file.wrapping_mul(7).wrapping_add(block) % SHARDS as u64) as usize]
    }
}

impl Shard {
    fn get(&mut self, key: BlockKey) -> Option<Bytes> {
        let slot = &mut self.slots[*self.places.get(&key)?];
        slot.used = true;
        Some(slot.bytes.clone())
    }

    fn insert(&mut self, key: BlockKey, bytes: Bytes, budget: usize) {
        if self.places.contains_key(&key) {
            return;
        }
        while self.bytes + bytes.len() > budget {
            self.drop_one();
        }
        self.bytes += bytes.len();
        self.places.insert(key, self.slots.len());
        self.slots.push(Slot { key, bytes, used: false });
    }

    /// Moves the hand to the next block that was not used since it last passed, and drops that block.
    fn drop_one(&mut self) {
        loop {
            self.hand %= self.slots.len();
            let slot = &mut self.slots[self.hand];
            if !std::mem::take(&mut slot.used) {
                break;
            }
            self.hand += 1;
        }
        let dropped = self.slots.swap_remove(self.hand);
        self.bytes -= dropped.bytes.len();
        self.places.remove(&dropped.key);
        if let Some(moved) = self.slots.get(self.hand) {
            self.places.insert(moved.key, self.hand);
        }
    }
}
