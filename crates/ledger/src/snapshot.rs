//! One consistent state of a ledger: everything up to one signed checkpoint.

use std::ops::Range;
use std::sync::Arc;

use counterfoil_entry::Fields;
use counterfoil_segment::blocks::BlockCache;
use counterfoil_segment::index::Key;
use counterfoil_tlog::{Hash, HashReader, LeafIndex, Origin, TreeSize, VerifierKey};

use crate::config::Config;
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::journal::Journal;
use crate::layout::Layout;
use crate::own::SealedFacts;
use crate::pruned::Pruned;
use crate::sealed::Sealed;
use crate::sealed_segment::SealedSegment;

/// What every view of one folder shares.
#[derive(Debug)]
pub(crate) struct Folder {
    pub layout: Layout,
    pub config: Config,
    pub disk: Arc<dyn Disk>,
    pub blocks: Arc<BlockCache>,
}

/// What changes from commit to commit.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub size: u64,
    pub root: Hash,
    /// The signed note.
    pub checkpoint: Arc<str>,
    /// Ascending, without gaps, from 0.
    pub segments: Arc<[Arc<Sealed>]>,
    /// Ascending; the entries of a later file take the place of those in an earlier one.
    pub journals: Arc<[Arc<Journal>]>,
}

impl Head {
    /// Index of the first entry that is in no segment.
    pub fn sealed_size(&self) -> u64 {
        self.segments.last().map_or(0, |segment| segment.end())
    }
}

/// One consistent state of a ledger: everything up to one signed checkpoint. Cheap to clone; it stays readable while the
/// ledger goes on and seals.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub(crate) folder: Arc<Folder>,
    pub(crate) head: Arc<Head>,
}

impl Snapshot {
    /// The number of entries.
    pub fn size(&self) -> u64 {
        self.head.size
    }

    /// The tree's root over them.
    pub fn root(&self) -> Hash {
        self.head.root
    }

    /// The signed checkpoint, a C2SP note.
    pub fn checkpoint(&self) -> &str {
        &self.head.checkpoint
    }

    /// The ledger's name.
    pub fn origin(&self) -> &Origin {
        &self.folder.config.origin
    }

    /// The key that signs checkpoints.
    pub fn verifier_key(&self) -> &VerifierKey {
        &self.folder.config.verifier_key
    }

    /// The retention class of entries whose type names none.
    pub fn retention_class(&self) -> &str {
        &self.folder.config.retention_class
    }

    /// What of the folder was pruned, if anything was.
    pub fn pruned(&self) -> Result<Option<Pruned>> {
        Pruned::read(self.folder.disk.as_ref(), &self.folder.layout)
    }

    /// The segments, in order and without gaps from index 0.
    pub fn segments(&self) -> Vec<SealedSegment> {
        let positions = 0..self.head.segments.len();
        positions.map(|position| SealedSegment { snapshot: self.clone(), position }).collect()
    }

    /// The most entries of a segment.
    pub fn segment_span(&self) -> u64 {
        self.folder.config.segment_span
    }

    /// Index of the first entry of the tail, which no segment holds yet.
    pub fn sealed_size(&self) -> u64 {
        self.head.sealed_size().min(self.head.size)
    }

    /// Calls `each` with index and canonical bytes of the tail's entries in a range, in order; `Tampered` at the first frame
    /// with an entry that is not the one that was hashed.
    pub fn tail(&self, range: Range<u64>, each: &mut dyn FnMut(u64, &[u8])) -> Result<()> {
        let mut at = range.start.max(self.sealed_size());
        let end = range.end.min(self.head.size);
        let journals = &self.head.journals;
        for (position, journal) in journals.iter().enumerate() {
            let next = journals.get(position + 1).map_or(end, |next| next.first.min(end));
            if at < next {
                journal.for_each_checked(at..next, each)?;
                at = next;
            }
        }
        Ok(())
    }

    /// The canonical bytes of an entry. `NotFound` beyond the snapshot's size.
    pub fn entry(&self, index: u64) -> Result<Vec<u8>> {
        self.check_index(index)?;
        match self.segment_of(index) {
            Some(segment) => {
                let row = index - segment.first();
                let entry = segment.segment()?.entry(row);
                entry.map_err(|error| Error::segment(segment.name(), error))
            }
            None => {
                let bytes = self.journal_of(index)?.entry(index)?;
                self.check_bytes(index, &bytes).map(|()| bytes)
            }
        }
    }

    /// The canonical bytes of several entries, in the order asked for; what stands in one segment is read at once.
    pub fn entries(&self, indices: &[u64]) -> Result<Vec<Vec<u8>>> {
        let mut found = Vec::with_capacity(indices.len());
        for run in indices.chunk_by(|a, b| self.segment_position(*a) == self.segment_position(*b)) {
            match self.segment_of(run[0]) {
                Some(segment) => {
                    let mut rows: Vec<u64> = run.iter().map(|index| index - segment.first()).collect();
                    rows.sort_unstable();
                    rows.dedup();
                    let entries = segment.segment()?.entries(&rows);
                    let entries = entries.map_err(|error| Error::segment(segment.name(), error))?;
                    let row = |index: &u64| rows.binary_search(&(index - segment.first())).expect("asked for above");
                    found.extend(run.iter().map(|index| entries[row(index)].clone()));
                }
                None => {
                    for index in run {
                        found.push(self.entry(*index)?);
                    }
                }
            }
        }
        Ok(found)
    }

    /// Refuses bytes from the journal that are not those that were hashed.
    fn check_bytes(&self, index: u64, bytes: &[u8]) -> Result<()> {
        if counterfoil_tlog::leaf_hash(bytes) == self.node(0, index)? {
            return Ok(());
        }
        Err(Error::tampered(format!("entry {index} in the journal is not the one that was hashed")))
    }

    /// The entries of one entity, oldest first, each with its index.
    pub fn history(&self, entity_id: &str) -> Result<Vec<(u64, Vec<u8>)>> {
        let mut found = Vec::new();
        for segment in self.segments() {
            for row in segment.lookup(Key::EntityId, entity_id)? {
                found.push((segment.first() + row, self.entry(segment.first() + row)?));
            }
        }
        self.tail(self.sealed_size()..self.size(), &mut |index, bytes| found.push((index, bytes.to_vec())))?;
        found.retain(|(_, bytes)| Fields::split(bytes).is_ok_and(|fields| fields.entity_id == entity_id));
        Ok(found)
    }

    /// The newest of the ledger's own acts about an entity that are of one of these types, newest first, each with its index.
    pub fn newest_acts(&self, entity_id: &str, event_types: &[&str], most: usize) -> Result<Vec<(u64, Vec<u8>)>> {
        let is_one = |bytes: &[u8]| {
            Fields::split(bytes)
                .is_ok_and(|fields| fields.entity_id == entity_id && event_types.contains(&fields.event_type.as_ref()))
        };
        let mut found = self.own_tail_entries()?;
        found.retain(|(_, bytes)| is_one(bytes));
        found.reverse();
        found.truncate(most);
        found.iter().try_for_each(|(index, bytes)| self.check_bytes(*index, bytes))?;
        for segment in self.segments().into_iter().rev() {
            for row in segment.lookup(Key::EntityId, entity_id)?.into_iter().rev() {
                if found.len() == most {
                    return Ok(found);
                }
                let index = segment.first() + row;
                found.push((index, self.entry(index)?));
                found.pop_if(|(_, bytes)| !is_one(bytes));
            }
        }
        Ok(found)
    }

    /// Which segment an index belongs to; one past the last for the tail.
    fn segment_position(&self, index: u64) -> usize {
        self.head.segments.partition_point(|segment| segment.end() <= index)
    }

    pub(crate) fn segment_of(&self, index: u64) -> Option<SealedSegment> {
        let position = self.segment_position(index);
        let inside = index < self.sealed_size();
        inside.then(|| SealedSegment { snapshot: self.clone(), position })
    }

    fn journal_of(&self, index: u64) -> Result<&Arc<Journal>> {
        let newest = self.head.journals.iter().rev().find(|journal| journal.first <= index);
        newest.ok_or_else(|| Error::damaged(format!("no journal file holds entry {index}")))
    }

    pub(crate) fn check_index(&self, index: u64) -> Result<()> {
        if index < self.head.size {
            return Ok(());
        }
        let size = self.head.size;
        Err(Error::not_found(format!("there is no entry {index}: the ledger has {size} entries, counted from 0")))
    }

    /// What the `ledger.sealed` entry of a segment says, once its place in the tree is proven.
    pub(crate) fn sealed_facts(&self, position: usize) -> Result<SealedFacts> {
        let first = self.head.segments[position].first;
        for later in &self.head.segments[position + 1..] {
            for sealed in later.tiles(&self.folder)?.trailer()?.sealed {
                match SealedFacts::read(&sealed.canonical)? {
                    Some(facts) if facts.first == first => {
                        self.check_leaf(sealed.index, &sealed.canonical)?;
                        return Ok(facts);
                    }
                    _ => {}
                }
            }
        }
        for (index, canonical) in self.own_tail_entries()? {
            match SealedFacts::read(&canonical)? {
                Some(facts) if facts.first == first => {
                    self.check_leaf(index, &canonical)?;
                    return Ok(facts);
                }
                _ => {}
            }
        }
        Err(Error::tampered(format!("no ledger.sealed entry speaks of the segment that starts at {first}")))
    }

    /// The tail's entries in frames that hold acts of the ledger.
    pub(crate) fn own_tail_entries(&self) -> Result<Vec<(u64, Vec<u8>)>> {
        let mut found = Vec::new();
        for journal in self.head.journals.iter() {
            for place in journal.frames(self.sealed_size()..self.size()) {
                if place.header.own {
                    let range = place.header.first.max(self.sealed_size())..place.header.end().min(self.size());
                    journal.for_each(range, &mut |index, bytes| found.push((index, bytes.to_vec())))?;
                }
            }
        }
        Ok(found)
    }

    pub(crate) fn check_leaf(&self, index: u64, canonical: &[u8]) -> Result<()> {
        let proof = self.prove_inclusion(index, self.size())?;
        let leaf = counterfoil_tlog::leaf_hash(canonical);
        let holds =
            counterfoil_tlog::verify_inclusion(&leaf, LeafIndex(index), TreeSize(self.size()), &proof, &self.head.root);
        holds.map_err(|error| {
            Error::tampered(format!("entry {index} of the ledger itself is not in the tree")).because(error)
        })
    }
}
