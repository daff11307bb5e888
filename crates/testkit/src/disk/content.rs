//! A file's bytes: as they read now, and as they would read after a power failure.

use std::collections::BTreeSet;

use crate::Random;

/// The unit that a disk writes in whole or not at all.
pub(super) const SECTOR: u64 = 512;

/// Bytes followed by zeros up to a length, so that reserved space costs nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Bytes {
    data: Vec<u8>,
    pub length: u64,
}

/// A file.
#[derive(Debug, Clone, Default)]
pub(super) struct Inode {
    now: Bytes,
    durable: Bytes,
    /// Sectors that the next sync makes durable.
    dirty: BTreeSet<u64>,
    /// Sectors that a failed sync forgot: only writing them again makes them durable.
    forgotten: BTreeSet<u64>,
}

impl Bytes {
    pub fn new(mut data: Vec<u8>) -> Self {
        let length = data.len() as u64;
        data.truncate(data.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
        Self { data, length }
    }

    pub fn read(&self, offset: u64, buffer: &mut [u8]) -> bool {
        if offset.checked_add(buffer.len() as u64).is_none_or(|end| end > self.length) {
            return false;
        }
        let start = (offset as usize).min(self.data.len());
        let stored = (self.data.len() - start).min(buffer.len());
        buffer[..stored].copy_from_slice(&self.data[start..start + stored]);
        buffer[stored..].fill(0);
        true
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) {
        let end = offset as usize + bytes.len();
        if self.data.len() < end {
            self.data.resize(end, 0);
        }
        self.data[offset as usize..end].copy_from_slice(bytes);
        self.length = self.length.max(end as u64);
    }

    fn set_length(&mut self, length: u64) {
        self.data.truncate(length as usize);
        self.length = length;
    }

    /// Takes over one sector of another version of the file.
    fn take_sector(&mut self, other: &Self, sector: u64) {
        let start = sector * SECTOR;
        let end = (start + SECTOR).min(other.data.len() as u64);
        if start < end {
            let length = self.length;
            self.write(start, &other.data[start as usize..end as usize]);
            self.length = length;
        }
        let zeros = (end.max(start) as usize).min(self.data.len())..((start + SECTOR) as usize).min(self.data.len());
        self.data[zeros].fill(0);
    }
}

impl Inode {
    pub fn durable(data: Vec<u8>) -> Self {
        let bytes = Bytes::new(data);
        Self { now: bytes.clone(), durable: bytes, ..Self::default() }
    }

    pub fn len(&self) -> u64 {
        self.now.length
    }

    pub fn read(&self, offset: u64, buffer: &mut [u8]) -> bool {
        self.now.read(offset, buffer)
    }

    pub fn write(&mut self, offset: u64, bytes: &[u8]) {
        self.now.write(offset, bytes);
        if !bytes.is_empty() {
            self.touch(offset, offset + bytes.len() as u64);
        }
    }

    /// The part of a write, from its start, that a tear lets through.
    pub fn tear(&mut self, offset: u64, bytes: &[u8], random: &mut Random) {
        let sectors = (offset + bytes.len() as u64).div_ceil(SECTOR) - offset / SECTOR;
        let end = (offset / SECTOR + random.below(sectors + 1)) * SECTOR;
        let kept = end.saturating_sub(offset).min(bytes.len() as u64) as usize;
        self.write(offset, &bytes[..kept]);
    }

    pub fn set_length(&mut self, length: u64) {
        let end = (self.now.data.len() as u64).max(length.min(self.now.length));
        self.now.set_length(length);
        if length < end {
            self.touch(length, end);
        }
    }

    fn touch(&mut self, start: u64, end: u64) {
        for sector in start / SECTOR..end.div_ceil(SECTOR) {
            self.forgotten.remove(&sector);
            self.dirty.insert(sector);
        }
    }

    pub fn sync(&mut self) {
        for sector in std::mem::take(&mut self.dirty) {
            self.durable.take_sector(&self.now, sector);
        }
        self.durable.set_length(self.now.length);
    }

    /// What a sync that fails does to the sectors that it should have written.
    pub fn forget(&mut self) {
        self.forgotten.append(&mut self.dirty);
    }

    /// What a power failure leaves.
    pub fn after_crash(&self, random: &mut Random) -> Self {
        let mut found = self.durable.clone();
        let mood = random.below(4);
        let sectors: Vec<u64> = self.dirty.union(&self.forgotten).copied().collect();
        let kept = random.below(sectors.len() as u64 + 1) as usize;
        for (position, sector) in sectors.iter().enumerate() {
            let survives = match mood {
                0 => false,
                1 => true,
                2 => position < kept,
                _ => random.coin(),
            };
            if survives {
                found.take_sector(&self.now, *sector);
            }
        }
        let grown = match mood {
            0 => false,
            1 => true,
            _ => random.coin(),
        };
        found.set_length(if grown { self.now.length } else { self.durable.length });
        Self { now: found.clone(), durable: found, ..Self::default() }
    }

    pub fn alter(&mut self, change: impl FnOnce(&mut Vec<u8>)) {
        let mut data = std::mem::take(&mut self.now.data);
        data.resize(self.now.length as usize, 0);
        change(&mut data);
        *self = Self::durable(data);
    }
}
