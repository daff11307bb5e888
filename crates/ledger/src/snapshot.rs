//! One consistent state of a ledger: everything up to one signed checkpoint.

use std::ops::Range;
use std::sync::Arc;

use counterfoil_entry::Fields;
use counterfoil_segment::blocks::BlockCache;
use counterfoil_segment::index::{Index, Key};
use counterfoil_segment::{ReadAt, Segment};
use counterfoil_tlog::{
    Checkpoint, Hash, HashReader, LeafIndex, Origin, Signer, Tile, TlogProof, TreeSize, VerifierKey, node_hash,
    subtree_hash,
};

use crate::config::Config;
use crate::disk::Disk;
use crate::error::{Error, ErrorKind, Result};
use crate::journal::Journal;
use crate::layout::Layout;
use crate::own::SealedFacts;
use crate::sealed::{OpenSegment, Sealed};

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

/// A sealed segment as a snapshot sees it. What is read from it is checked, block by block, against the digests in its
/// `ledger.sealed` entry, and that entry against the snapshot's root.
#[derive(Debug, Clone)]
pub struct SealedSegment {
    snapshot: Snapshot,
    position: usize,
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

    /// The leaf hash of an entry.
    pub fn leaf_hash(&self, index: u64) -> Result<Hash> {
        self.check_index(index)?;
        self.node(0, index)
    }

    /// The tree's root when it had `size` entries; `Tampered` when the stored hashes do not lead from it to the signed root.
    pub fn root_at(&self, size: u64) -> Result<Hash> {
        self.check_size(size)?;
        if size == self.head.size {
            return Ok(self.head.root);
        }
        let (old, new) = (TreeSize(size), TreeSize(self.head.size));
        let root = counterfoil_tlog::root(self, old)?;
        let proof = counterfoil_tlog::consistency_proof(self, old, new)?;
        let holds = counterfoil_tlog::verify_consistency(old, new, &proof, &root, &self.head.root);
        holds.map_err(|error| {
            Error::tampered(format!("the stored hashes of the first {size} entries do not lead to the signed root"))
                .because(error)
        })?;
        Ok(root)
    }

    /// The inclusion proof of an entry in the tree of `size` entries (RFC 6962, 2.1.1).
    pub fn prove_inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>> {
        self.check_size(size)?;
        let (index, size) = (LeafIndex(index), TreeSize(size));
        let proof = counterfoil_tlog::inclusion_proof(self, index, size)?;
        let root = self.root_at(size.0)?;
        let leaf = self.node(0, index.0)?;
        let holds = counterfoil_tlog::verify_inclusion(&leaf, index, size, &proof, &root);
        holds
            .map_err(|error| Error::tampered(format!("the stored hashes do not prove entry {index}")).because(error))?;
        Ok(proof)
    }

    /// The proof that the tree of `to` entries extends the one of `from` (RFC 6962, 2.1.2).
    pub fn prove_consistency(&self, from: u64, to: u64) -> Result<Vec<Hash>> {
        self.check_size(to)?;
        let (old, new) = (TreeSize(from), TreeSize(to));
        let proof = counterfoil_tlog::consistency_proof(self, old, new)?;
        let holds = counterfoil_tlog::verify_consistency(old, new, &proof, &self.root_at(from)?, &self.root_at(to)?);
        holds.map_err(|error| {
            Error::tampered(format!("the stored hashes do not prove that {to} entries extend {from}")).because(error)
        })?;
        Ok(proof)
    }

    /// The C2SP tlog-proof text of an entry under the snapshot's checkpoint.
    pub fn proof_text(&self, index: u64) -> Result<String> {
        self.proof_text_under(index, self.head.size, self.checkpoint())
    }

    /// The C2SP tlog-proof text of an entry under a checkpoint of an earlier size.
    pub fn proof_text_under(&self, index: u64, size: u64, checkpoint: &str) -> Result<String> {
        self.check_index(index)?;
        let proof = TlogProof {
            extra: None,
            index: LeafIndex(index),
            hashes: self.prove_inclusion(index, size)?,
            checkpoint: checkpoint.to_owned(),
        };
        Ok(proof.to_string())
    }

    /// A checkpoint of an earlier size, signed now. It says nothing that the newest one does not already bind.
    pub fn checkpoint_at(&self, size: u64, signer: &dyn Signer) -> Result<String> {
        if signer.verifier_key() != self.verifier_key() {
            return Err(Error::new(ErrorKind::Denied, "this is not the key that signs the ledger's checkpoints"));
        }
        let checkpoint = Checkpoint::new(self.origin().clone(), TreeSize(size), self.root_at(size)?);
        Ok(checkpoint.sign(signer)?.to_string())
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

    fn check_index(&self, index: u64) -> Result<()> {
        if index < self.head.size {
            return Ok(());
        }
        let size = self.head.size;
        Err(Error::not_found(format!("there is no entry {index}: the ledger has {size} entries, counted from 0")))
    }

    fn check_size(&self, size: u64) -> Result<()> {
        if size <= self.head.size {
            return Ok(());
        }
        Err(Error::not_found(format!("there is no size {size}: the ledger has {} entries", self.head.size)))
    }

    /// What the `ledger.sealed` entry of a segment says, once its place in the tree is proven.
    fn sealed_facts(&self, position: usize) -> Result<SealedFacts> {
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

    fn check_leaf(&self, index: u64, canonical: &[u8]) -> Result<()> {
        let proof = self.prove_inclusion(index, self.size())?;
        let leaf = counterfoil_tlog::leaf_hash(canonical);
        let holds =
            counterfoil_tlog::verify_inclusion(&leaf, LeafIndex(index), TreeSize(self.size()), &proof, &self.head.root);
        holds.map_err(|error| {
            Error::tampered(format!("entry {index}, which seals a segment, is not in the tree")).because(error)
        })
    }

    /// The hashes of a tile (C2SP tlog-tiles), as many as it is wide. `NotFound` when the tree has not that many.
    pub fn tile(&self, tile: Tile) -> Result<Vec<Hash>> {
        let complete = |size: u64| size.checked_shr(8 * u32::from(tile.level())).unwrap_or(0);
        let first = tile.index().checked_mul(256);
        let end = first.and_then(|first| first.checked_add(u64::from(tile.width())));
        let (Some(first), Some(end)) = (first, end.filter(|end| *end <= complete(self.size()))) else {
            return Err(Error::not_found(format!("the ledger has {} entries and not this tile", self.size())));
        };
        let sealed_end = complete(self.sealed_size()).clamp(first, end);
        let mut hashes = match sealed_end - first {
            0 => Vec::new(),
            sealed => self.tile_hashes(tile.level(), first, sealed)?,
        };
        for index in sealed_end..end {
            hashes.push(self.node(8 * tile.level(), index)?);
        }
        Ok(hashes)
    }

    /// Hashes of a tile level out of the segments.
    fn tile_hashes(&self, level: u8, start: u64, count: u64) -> Result<Vec<Hash>> {
        let mut hashes = Vec::with_capacity(count as usize);
        let mut at = start;
        while at < start + count {
            let last_leaf = ((at + 1) << (8 * level)) - 1;
            let position = self.head.segments.partition_point(|segment| segment.end() <= last_leaf);
            let segment = &self.head.segments[position];
            let complete = segment.end() >> (8 * level);
            let end = complete.min(start + count);
            hashes.extend(segment.tiles(&self.folder)?.hashes(level, at, end - at)?);
            at = end;
        }
        Ok(hashes)
    }
}

impl HashReader for Snapshot {
    type Error = Error;

    fn node(&self, level: u8, index: u64) -> Result<Hash> {
        let end = (index + 1) << level;
        if end > self.head.size {
            return Err(Error::not_found(format!("there is no node {index} of level {level} in the tree")));
        }
        if let Some(hash) = self.head.journals.iter().rev().find_map(|journal| journal.node(level, index)) {
            return Ok(hash);
        }
        if end > self.head.sealed_size() {
            if level == 0 {
                return Err(Error::damaged(format!("no journal file holds entry {index}")));
            }
            let (left, right) = (self.node(level - 1, 2 * index)?, self.node(level - 1, 2 * index + 1)?);
            return Ok(node_hash(&left, &right));
        }
        let within = level % 8;
        let hashes = self.tile_hashes(level / 8, index << within, 1 << within)?;
        Ok(subtree_hash(&hashes))
    }
}

impl From<counterfoil_tlog::Error> for Error {
    fn from(error: counterfoil_tlog::Error) -> Self {
        Self::invalid(error.to_string()).because(error)
    }
}

impl SealedSegment {
    fn sealed(&self) -> &Sealed {
        &self.snapshot.head.segments[self.position]
    }

    /// Index of the first entry.
    pub fn first(&self) -> u64 {
        self.sealed().first
    }

    /// How many entries it holds.
    pub fn count(&self) -> u64 {
        self.sealed().count
    }

    /// The Parquet file's name in the ledger's folder.
    pub fn name(&self) -> String {
        self.sealed().name(&self.snapshot.folder)
    }

    fn open(&self) -> Result<&OpenSegment> {
        self.sealed().open(&self.snapshot.folder, || self.snapshot.sealed_facts(self.position))
    }

    /// The Parquet file; every block is checked when it is read.
    pub fn parquet(&self) -> Result<Arc<dyn ReadAt>> {
        Ok(self.open()?.parquet.clone())
    }

    /// The segment behind the file, opened once.
    pub fn segment(&self) -> Result<&Segment> {
        Ok(&self.open()?.segment)
    }

    /// The index file beside it.
    pub fn index(&self) -> Result<&Index> {
        Ok(&self.open()?.index)
    }

    /// Rows whose key may have this value, ascending.
    pub fn lookup(&self, key: Key, value: &str) -> Result<Vec<u64>> {
        let rows = self.index()?.lookup(key, value);
        let rows = rows.map_err(|error| Error::segment(self.name(), error))?;
        Ok(rows.into_iter().map(u64::from).collect())
    }
}
