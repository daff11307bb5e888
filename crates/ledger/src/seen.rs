//! Finding the entry that a repeated submission was the first time.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};

use counterfoil_entry::{Draft, Fields};
use counterfoil_segment::index::Key;

use crate::error::{Error, ErrorKind, Result};
use crate::snapshot::Snapshot;
use crate::sources::{Ranges, SourceName, Sources};

/// An `id` is found again while at most this many entries came after it.
pub const ID_WINDOW: u64 = 1_000_000;

/// The keys by which the ledger knows a submission again. Memory is bounded by the id window, the tail and the sources.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    recent: Recent,
    pub sources: Sources,
}

/// What one entry is known by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Keys {
    pub recorder: Option<String>,
    pub id: Option<String>,
    pub sequence: Option<(String, u64)>,
}

impl Keys {
    /// The keys of a submission, if it has any.
    pub fn of_draft(draft: &Draft, recorder: Option<&str>) -> Option<Self> {
        let sequence = draft.source().map(|(source, sequence)| (source.to_string(), sequence));
        let id = draft.id().map(|id| id.to_string());
        (id.is_some() || sequence.is_some()).then(|| Self { recorder: recorder.map(str::to_owned), id, sequence })
    }

    /// The keys of a recorded entry, if it has any.
    pub fn of_fields(fields: &Fields<'_>) -> Option<Self> {
        let sequence = fields.source.as_ref().zip(fields.sequence);
        let sequence = sequence.map(|(source, sequence)| (source.to_string(), sequence));
        let id = fields.id.as_ref().map(|id| id.to_string());
        let recorder = fields.recorder.as_ref().map(|recorder| recorder.to_string());
        (id.is_some() || sequence.is_some()).then_some(Self { recorder, id, sequence })
    }

    /// The source and its number.
    pub fn source(&self) -> Option<(SourceName, u64)> {
        let (source, sequence) = self.sequence.as_ref()?;
        Some((SourceName { recorder: self.recorder.clone(), source: source.clone() }, *sequence))
    }
}

impl Seen {
    /// Knows nothing yet of the entries from `first` on, and leaves those before to the index files.
    pub fn starting_at(first: u64) -> Self {
        Self { recent: Recent { first, ..Recent::default() }, sources: Sources::default() }
    }

    /// Remembers a recorded entry.
    pub fn remember(&mut self, keys: &Keys, index: u64) {
        self.recent.remember(keys, index);
        if let Some((name, sequence)) = keys.source() {
            self.sources.insert(&name, sequence);
        }
    }

    /// Takes back what was remembered of an entry that was not recorded after all.
    pub fn take_back(&mut self, keys: &Keys, index: u64) {
        self.recent.take_back(keys, index);
        if let Some((name, sequence)) = keys.source() {
            self.sources.remove(&name, sequence);
        }
    }

    /// Lets go of what is beyond the id window and in segments up to `sealed_size`.
    pub fn forget_before(&mut self, sealed_size: u64, size: u64) {
        self.recent.forget_before(sealed_size.min(size.saturating_sub(ID_WINDOW)));
    }

    /// The index of the entry that these keys belong to already; `None` when they are new. `Conflict` when its id and
    /// its sequence belong to two entries.
    pub fn find(&self, keys: &Keys, snapshot: &Snapshot, get: &dyn Fn(u64) -> Result<Vec<u8>>) -> Result<Option<u64>> {
        let by_id = match &keys.id {
            Some(id) => self.find_id(keys, id, snapshot, get)?,
            None => None,
        };
        let by_sequence = match keys.source() {
            Some((name, sequence)) if self.sources.contains(&name, sequence) => {
                Some(self.find_sequence(keys, &name, sequence, snapshot, get)?)
            }
            _ => None,
        };
        match (by_id, by_sequence) {
            (Some(one), Some(other)) if one != other => Err(Error::new(
                ErrorKind::Conflict,
                format!("its id belongs to entry {one}, its source and sequence to entry {other}"),
            )),
            (by_id, by_sequence) => Ok(by_id.or(by_sequence)),
        }
    }

    fn find_id(
        &self,
        keys: &Keys,
        id: &str,
        snapshot: &Snapshot,
        get: &dyn Fn(u64) -> Result<Vec<u8>>,
    ) -> Result<Option<u64>> {
        let same = |index: u64| -> Result<bool> {
            let bytes = get(index)?;
            let found = Keys::of_fields(&Fields::split(&bytes)?);
            Ok(found.is_some_and(|found| found.id == keys.id && found.recorder == keys.recorder))
        };
        if let Some(index) = self.recent.find_id(keys, id)
            && same(index)?
        {
            return Ok(Some(index));
        }
        let oldest = snapshot.size().saturating_sub(ID_WINDOW);
        for segment in snapshot.segments().iter().rev() {
            if segment.first() + segment.count() <= oldest || segment.first() >= self.recent.first {
                continue;
            }
            for row in segment.lookup(Key::Id, id)?.into_iter().rev() {
                if same(segment.first() + row)? {
                    return Ok(Some(segment.first() + row));
                }
            }
        }
        Ok(None)
    }

    fn find_sequence(
        &self,
        keys: &Keys,
        name: &SourceName,
        sequence: u64,
        snapshot: &Snapshot,
        get: &dyn Fn(u64) -> Result<Vec<u8>>,
    ) -> Result<u64> {
        let same = |index: u64| -> Result<bool> {
            let bytes = get(index)?;
            let found = Keys::of_fields(&Fields::split(&bytes)?);
            Ok(found.is_some_and(|found| found.sequence == keys.sequence && found.recorder == keys.recorder))
        };
        if let Some(index) = self.recent.find_sequence(name, sequence)
            && same(index)?
        {
            return Ok(index);
        }
        for segment in snapshot.segments().iter().rev() {
            let rows = segment.index()?.lookup_sequence(name.recorder.as_deref(), &name.source, sequence);
            for row in rows.map_err(|error| Error::segment(segment.name(), error))? {
                let index = segment.first() + u64::from(row);
                if same(index)? {
                    return Ok(index);
                }
            }
        }
        let source = &name.source;
        Err(Error::damaged(format!("sequence {sequence} of source {source:?} was recorded, but no entry has it")))
    }

    /// Takes over what the newest index file says of all sources.
    pub fn take_sources(&mut self, states: impl IntoIterator<Item = counterfoil_segment::index::SourceState>) {
        for state in states {
            let name = SourceName { recorder: state.recorder, source: state.source };
            self.sources.put(name, Ranges::from_parts(state.ranges));
        }
    }
}

/// Whether a submission has the same content as a recorded entry: all members but those that the ledger set, and but a
/// timestamp that the submission leaves to the ledger.
pub(crate) fn same_content(draft: &Draft, recorded: &[u8]) -> Result<bool> {
    let recorded = Fields::split(recorded)?;
    let mut bytes = Vec::new();
    draft.write_entry(recorded.recorded_at, recorded.recorder.as_deref(), &mut bytes);
    let mut again = Fields::split(&bytes)?;
    if draft.timestamp().is_none() {
        again.timestamp = recorded.timestamp;
    }
    Ok(again == recorded)
}

/// Keys of the newest entries, in generations of at most [`Recent::GENERATION`] entries. The maps hold hashes; who asks
/// compares the entry itself.
#[derive(Debug, Default)]
struct Recent {
    hasher: RandomState,
    generations: VecDeque<Generation>,
    /// Entries from here on are in the generations.
    first: u64,
}

#[derive(Debug)]
struct Generation {
    first: u64,
    indices: HashMap<u64, u64>,
}

impl Recent {
    const GENERATION: u64 = 262_144;

    fn remember(&mut self, keys: &Keys, index: u64) {
        let full = self.generations.back().is_none_or(|newest| index >= newest.first + Self::GENERATION);
        if full {
            self.generations.push_back(Generation { first: index, indices: HashMap::new() });
        }
        let hashes = self.hashes(keys);
        let newest = self.generations.back_mut().expect("one was pushed");
        for hash in hashes.into_iter().flatten() {
            newest.indices.insert(hash, index);
        }
    }

    fn take_back(&mut self, keys: &Keys, index: u64) {
        let hashes = self.hashes(keys);
        let Some(newest) = self.generations.back_mut() else { return };
        for hash in hashes.into_iter().flatten() {
            if newest.indices.get(&hash) == Some(&index) {
                newest.indices.remove(&hash);
            }
        }
    }

    fn hashes(&self, keys: &Keys) -> [Option<u64>; 2] {
        [
            keys.id.as_ref().map(|id| self.id_hash(keys, id)),
            keys.source().map(|(name, sequence)| self.sequence_hash(&name, sequence)),
        ]
    }

    fn forget_before(&mut self, index: u64) {
        while self.generations.len() > 1 && self.generations[1].first <= index {
            self.generations.pop_front();
            self.first = self.generations[0].first;
        }
    }

    fn find_id(&self, keys: &Keys, id: &str) -> Option<u64> {
        self.find(self.id_hash(keys, id))
    }

    fn find_sequence(&self, name: &SourceName, sequence: u64) -> Option<u64> {
        self.find(self.sequence_hash(name, sequence))
    }

    fn find(&self, hash: u64) -> Option<u64> {
        self.generations.iter().rev().find_map(|generation| generation.indices.get(&hash).copied())
    }

    fn id_hash(&self, keys: &Keys, id: &str) -> u64 {
        self.hasher.hash_one((0_u8, &keys.recorder, id))
    }

    fn sequence_hash(&self, name: &SourceName, sequence: u64) -> u64 {
        self.hasher.hash_one((1_u8, name, sequence))
    }
}
