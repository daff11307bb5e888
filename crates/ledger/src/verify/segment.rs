//! Checking one segment by itself: what its entries are, and whether its files agree with them.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::sync::Arc;

use counterfoil_entry::{Fields, Timestamp};
use counterfoil_evidence::{Finding, FindingKind};
use counterfoil_segment::blocks::{BLOCK_BYTES, BlockHashes};
use counterfoil_segment::{MAX_ROWS, ReadAt, Segment, SegmentError, SegmentMeta, index};
use counterfoil_tlog::{CompactRange, Hash, LeafHasher, LeafIndex, TreeSize, subtree_hash};

use super::batch::BatchLook;
use super::files::SegmentFiles;
use super::finding;
use super::scrub::wrong_end;
use crate::disk::Disk;
use crate::error::{Error, ErrorKind};
use crate::layout::{Layout, SegmentFile};
use crate::pruned::read_file;
use crate::seen::Keys;
use crate::tiles::{SealedEntry, Tiles};

const NODE_SPAN: usize = 256;

/// One of a segment's files as it was read.
pub(super) struct FileCheck {
    pub name: String,
    pub bytes: Arc<Vec<u8>>,
    pub blocks: BlockHashes,
}

/// What a segment's entries are.
#[derive(Default)]
pub(super) struct Entries {
    pub leaves: Vec<Hash>,
    /// Whether every leaf was derived from its row; if not, some were taken from the tiles.
    pub rebuilt: bool,
    padded: u64,
    /// Nodes over 256 leaves each.
    pub nodes: Vec<Hash>,
    /// The ledger's own entries: index and canonical bytes.
    pub own: Vec<(u64, Vec<u8>)>,
    /// Keys by which entries are known again, with their indices.
    pub keys: Vec<(Keys, u64)>,
    /// How many entries carry a signature.
    pub signed: u64,
    pub first_recorded_at: Option<Timestamp>,
    pub last_recorded_at: Option<Timestamp>,
    /// The first entry's canonical bytes, of the ledger's first segment.
    pub created: Option<Vec<u8>>,
}

/// A segment that was read.
pub(super) struct SegmentCheck {
    pub first: u64,
    pub meta: Option<SegmentMeta>,
    pub files: Option<[FileCheck; 3]>,
    pub entries: Entries,
    pub index: index::Builder,
    /// The segment's part of the tree up to each anchored size inside it.
    pub parts: Vec<CompactRange>,
    pub findings: Vec<Finding>,
    /// Why a pruned file cannot be had now: nothing is wrong with it as far as anybody knows.
    pub unreachable: Option<Error>,
}

impl SegmentCheck {
    /// Reads the segment's files and derives everything from its rows.
    pub fn run(disk: &dyn Disk, layout: &Layout, segment: &SegmentFiles, sizes: &[u64]) -> Self {
        let first = segment.first;
        let mut check = Self {
            first,
            meta: None,
            files: None,
            entries: Entries::default(),
            index: index::Builder::new(first),
            parts: Vec::new(),
            findings: Vec::new(),
            unreachable: None,
        };
        if segment.whole {
            check.files = check.read_files(disk, layout, segment.pruned);
        }
        if let Some(files) = check.files.take() {
            if segment.footer {
                check.check_footer(disk, layout, &files[0]);
            }
            let stored = stored_leaves(&files[1]);
            check.read_rows(&files[0], &stored);
            check.entries.pad_to(stored.len().max(check.entries.leaves.len()), &stored);
            check.files = Some(files);
        }
        check.entries.nodes = check.entries.leaves.chunks_exact(NODE_SPAN).map(subtree_hash).collect();
        check.index.sort();
        let end = first + check.entries.leaves.len() as u64;
        let inside = sizes.iter().filter(|size| **size > first && **size < end);
        check.parts = inside.map(|size| check.part(*size)).collect();
        check
    }

    /// One past the last entry that could be read.
    pub fn end(&self) -> u64 {
        self.first + self.entries.leaves.len() as u64
    }

    /// The segment's part of the tree up to a size.
    pub fn part(&self, size: u64) -> CompactRange {
        let leaves = &self.entries.leaves[..(size - self.first) as usize];
        let nodes = &self.entries.nodes[..leaves.len() / NODE_SPAN];
        let mut range = CompactRange::new(LeafIndex(self.first));
        for (position, node) in nodes.iter().enumerate() {
            let begin = self.first + (position * NODE_SPAN) as u64;
            let part = CompactRange::from_parts(LeafIndex(begin), TreeSize(begin + NODE_SPAN as u64), vec![*node]);
            range.append(&part.expect("one complete subtree")).expect("it begins where the range ends");
        }
        range.extend(&leaves[nodes.len() * NODE_SPAN..]);
        range
    }

    fn read_files(&mut self, disk: &dyn Disk, layout: &Layout, pruned: bool) -> Option<[FileCheck; 3]> {
        let mut files = Vec::with_capacity(3);
        for file in SegmentFile::ALL {
            let path = layout.segment(self.first, file);
            let name = layout.relative(&path);
            match read_file(disk, layout, self.first, file) {
                Ok(bytes) => {
                    let blocks = BlockHashes::of(&bytes);
                    files.push(FileCheck { name, bytes: Arc::new(bytes), blocks });
                }
                Err(error) if pruned && matches!(error.kind, ErrorKind::Unavailable | ErrorKind::Denied) => {
                    self.unreachable = Some(error);
                    return None;
                }
                Err(error) => {
                    self.findings.push(finding(FindingKind::FileUnreadable, &name, None, error.message));
                }
            }
        }
        files.try_into().ok()
    }

    /// The end of a pruned Parquet file that is kept must be its end, from the start of a block on.
    fn check_footer(&mut self, disk: &dyn Disk, layout: &Layout, file: &FileCheck) {
        let path = layout.footer(self.first);
        let name = layout.relative(&path);
        match disk.read(&path) {
            Ok(kept)
                if file.bytes.ends_with(&kept)
                    && (file.bytes.len() - kept.len() as u64).is_multiple_of(BLOCK_BYTES as u64) => {}
            Ok(_) => self.findings.push(wrong_end(&name, &file.name, self.first)),
            Err(error) => {
                self.findings.push(finding(FindingKind::FileUnreadable, &name, None, error.to_string()));
            }
        }
    }

    fn read_rows(&mut self, file: &FileCheck, stored: &[Hash]) {
        let bytes: Arc<dyn ReadAt> = file.bytes.clone();
        let segment = match Segment::open(bytes) {
            Ok(segment) => segment,
            Err(error) => return self.unreadable(file, &error),
        };
        self.meta = Some(segment.meta().clone());
        if segment.meta().first != self.first {
            let message = format!("it is the segment that starts at {}, under another name", segment.meta().first);
            self.findings.push(finding(FindingKind::SegmentMetadata, &file.name, Some(self.first), message));
            return;
        }
        let mut entries = Entries::default();
        let (first, index, findings) = (self.first, &mut self.index, &mut self.findings);
        let batch = RefCell::new(BatchLook::default());
        let mut leaves = LeafHasher::default();
        let scanned = segment.scan_batches(
            0..segment.meta().count,
            &mut |columns| batch.borrow_mut().look(columns, index),
            &mut |at, bytes| {
                while (leaves.count() as u64) < at - first {
                    leaves.push_hash(entries.pad(leaves.count(), stored));
                }
                leaves.push(bytes);
                let row = batch.borrow().row(at);
                entries.note_time(at, row.recorded_at, &file.name, findings);
                if row.needs_reading || at == 0 {
                    entries.read(at, bytes, &file.name, findings);
                }
                ControlFlow::Continue(())
            },
        );
        match scanned {
            Ok(faults) => {
                for fault in &faults {
                    let at = Some(self.first + fault.row);
                    self.findings.push(finding(FindingKind::CellDisagrees, &file.name, at, fault.message.clone()));
                }
            }
            Err(error) => self.unreadable(file, &error),
        }
        entries.leaves = leaves.finish();
        entries.rebuilt = entries.leaves.len() as u64 == segment.meta().count && entries.padded == 0;
        entries.pad_to(segment.meta().count.min(MAX_ROWS) as usize, stored);
        self.entries = entries;
    }

    fn unreadable(&mut self, file: &FileCheck, error: &SegmentError) {
        let kind = match error {
            SegmentError::Format(_) => FindingKind::SegmentMetadata,
            _ => FindingKind::SegmentUnreadable,
        };
        self.findings.push(finding(kind, &file.name, None, error.to_string()));
    }
}

impl Entries {
    /// Takes the leaves of rows that could not be rebuilt from the tiles, so that what follows keeps its place.
    fn pad_to(&mut self, count: usize, stored: &[Hash]) {
        while self.leaves.len() < count {
            let leaf = self.pad(self.leaves.len(), stored);
            self.leaves.push(leaf);
        }
    }

    fn pad(&mut self, position: usize, stored: &[Hash]) -> Hash {
        self.padded += 1;
        stored.get(position).copied().unwrap_or(Hash([0; 32]))
    }

    /// Takes an entry apart and learns from it what the whole ledger needs to know.
    fn read(&mut self, at: u64, bytes: &[u8], file: &str, findings: &mut Vec<Finding>) {
        match Fields::split(bytes) {
            Ok(fields) => self.note(at, bytes, &fields),
            Err(error) => findings.push(finding(FindingKind::EntryMalformed, file, Some(at), error.to_string())),
        }
    }

    /// Learns from an entry what the whole ledger needs to know.
    pub fn note(&mut self, at: u64, bytes: &[u8], fields: &Fields<'_>) {
        if fields.event_type.starts_with(counterfoil_entry::OWN_PREFIX) {
            self.own.push((at, bytes.to_vec()));
        }
        if let Some(keys) = Keys::of_fields(fields) {
            self.keys.push((keys, at));
        }
        self.signed += u64::from(fields.signature.is_some());
        if at == 0 {
            self.created = Some(bytes.to_vec());
        }
    }

    /// Notes when the next entry was recorded: never before the one in front of it.
    pub fn note_time(&mut self, at: u64, recorded_at: Timestamp, file: &str, findings: &mut Vec<Finding>) {
        if self.last_recorded_at.is_some_and(|last| recorded_at < last) {
            let message = format!("it was recorded at {recorded_at}, before the entry in front of it");
            findings.push(finding(FindingKind::RecordedAtBackwards, file, Some(at), message));
        }
        self.first_recorded_at.get_or_insert(recorded_at);
        self.last_recorded_at = Some(recorded_at);
    }

    /// The `ledger.sealed` entries among the ledger's own.
    pub fn sealed(&self) -> Vec<SealedEntry> {
        let sealed = self
            .own
            .iter()
            .filter(|(_, bytes)| Fields::split(bytes).is_ok_and(|fields| fields.event_type == crate::own::SEALED));
        sealed.map(|(index, canonical)| SealedEntry { index: *index, canonical: canonical.clone() }).collect()
    }
}

/// The leaf hashes that a segment's tiles hold.
fn stored_leaves(tiles: &FileCheck) -> Vec<Hash> {
    let bytes: Arc<dyn ReadAt> = tiles.bytes.clone();
    let stored = Tiles::open(bytes, tiles.name.clone()).and_then(|tiles| tiles.hashes(0, tiles.first, tiles.count));
    stored.unwrap_or_default()
}

/// The trailer's block digests of a segment's Parquet and index files, to name the block that is wrong.
pub(super) fn trailer_blocks(tiles: &FileCheck) -> Option<[BlockHashes; 2]> {
    let bytes: Arc<dyn ReadAt> = tiles.bytes.clone();
    let trailer = Tiles::open(bytes, tiles.name.clone()).ok()?.trailer().ok()?;
    Some([trailer.parquet, trailer.index])
}
