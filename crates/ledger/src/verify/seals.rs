//! What `ledger.sealed` and `ledger.pruned` entries say, against the files that are there.

use std::collections::{HashMap, HashSet};

use counterfoil_evidence::{Finding, FindingKind};
use counterfoil_segment::blocks::{BLOCK_BYTES, BlockHashes};
use counterfoil_tlog::Hash;

use super::chain::Chain;
use super::files::Files;
use super::finding;
use crate::disk::Disk;
use crate::layout::{Layout, SegmentFile};
use crate::own::{FileDigest, SealedFacts};
use crate::pruned::Pruned;

/// What is known of a segment's files until its `ledger.sealed` entry is met.
pub(super) struct SealedFile {
    pub name: String,
    pub kind: SegmentFile,
    pub digest: FileDigest,
    /// What was read of it now; nothing of one that an earlier verification read.
    pub read: Option<ReadFile>,
}

pub(super) struct ReadFile {
    pub actual: BlockHashes,
    /// The file that the entries give, where they could all be rebuilt; for Parquet, what the trailer says.
    pub expected: Option<BlockHashes>,
}

impl SealedFile {
    /// The file that was read.
    pub fn new(name: String, kind: SegmentFile, actual: BlockHashes, expected: Option<BlockHashes>) -> Self {
        Self { name, kind, digest: FileDigest::of(&actual), read: Some(ReadFile { actual, expected }) }
    }

    /// Whether the entries, all of which could be rebuilt, give this very file.
    pub fn is_what_its_entries_give(&self) -> bool {
        self.read.as_ref().is_none_or(|read| read.expected.as_ref() == Some(&read.actual))
    }
}

pub(super) struct SealedSegment {
    pub first: u64,
    pub count: u64,
    pub root: Hash,
    pub files: Vec<SealedFile>,
}

impl SealedSegment {
    /// Whether an entry seals exactly this segment.
    pub fn is_sealed_by(&self, facts: &SealedFacts) -> bool {
        let files = self.files.iter().all(|file| file.digest == facts.file(file.kind));
        files && (self.first, self.count, self.root) == (facts.first, facts.count, facts.root)
    }
}

impl Chain<'_> {
    /// What the `ledger.sealed` entries say, by the first index of the segment.
    pub(super) fn sealed_facts(&self) -> HashMap<u64, SealedFacts> {
        let sealed = self.own.iter().filter_map(|(_, bytes)| SealedFacts::read(bytes).ok().flatten());
        sealed.map(|facts| (facts.first, facts)).collect()
    }

    /// Each segment's files must be those that its `ledger.sealed` entry names, and each such entry must have its segment.
    pub(super) fn check_seals(&mut self, disk: &dyn Disk, layout: &Layout, files: &Files) {
        let facts = self.sealed_facts();
        let segments = std::mem::take(&mut self.segments);
        let newest = segments.last().map(|segment| segment.first);
        let read: HashSet<u64> = segments.iter().map(|segment| segment.first).collect();
        let unread = facts.keys().copied().filter(|first| !read.contains(first));
        let (later, gone): (Vec<u64>, Vec<u64>) = unread.partition(|first| files.came_later(disk, layout, *first));
        for (first, name) in &files.missing {
            if later.contains(first) {
                continue;
            }
            if self.cut || facts.contains_key(first) || newest.is_some_and(|newest| *first < newest) {
                let message = format!("the segment that starts at {first} lacks this file");
                self.findings.push(finding(FindingKind::MissingFile, name, Some(*first), message));
            } else {
                self.notices.push(format!("{name} is not there yet: the writer was stopped while it sealed"));
            }
        }
        for segment in &segments {
            match facts.get(&segment.first) {
                Some(facts) => self.check_sealed(segment, facts),
                None if newest == Some(segment.first) => {
                    self.notices.push(format!(
                        "{} awaits the entry that seals it; until then the journal holds its entries",
                        segment.files[0].name
                    ));
                }
                None => {
                    let message = "no entry seals this segment";
                    self.findings.push(finding(FindingKind::SegmentUnsealed, &segment.files[0].name, None, message));
                }
            }
        }
        for first in later {
            let message = format!(
                "the segment that starts at {first} was sealed meanwhile; its entries were checked in the journal"
            );
            self.notices.push(message);
        }
        for first in gone {
            if files.missing.iter().all(|(missing, _)| *missing != first) {
                let message = "an entry seals this segment, but it cannot be read";
                let name = format!("segments/{first:020}.*");
                self.findings.push(finding(FindingKind::MissingFile, &name, Some(first), message));
            }
        }
        self.segments = segments;
    }

    /// A Parquet file that is not here must be one that the trail says was pruned; also where it was verified earlier.
    pub(super) fn check_pruned(&mut self, files: &Files) {
        let Some(pruned) = &files.pruned else { return };
        let entries = self.own.iter().filter_map(|(_, bytes)| Pruned::of_entry(bytes));
        let below = entries.filter(|entry| entry.place == pruned.place).map(|entry| entry.below).max().unwrap_or(0);
        let elsewhere = files.segments.iter().filter(|segment| segment.pruned).map(|segment| segment.first);
        let (mut known, unknown): (Vec<u64>, Vec<u64>) = elsewhere.partition(|first| *first < below);
        known.retain(|first| *first >= self.resumed);
        for first in unknown {
            let name = format!("segments/{first:020}.parquet");
            let message = format!("it is missing, and no entry says that it was pruned to {}", pruned.place);
            self.findings.push(finding(FindingKind::MissingFile, &name, Some(first), message));
        }
        let place = &pruned.place;
        match known[..] {
            [] => {}
            [first] => self.notices.push(format!("the segment that starts at {first} was pruned: read from {place}")),
            [first, .., last] => {
                let count = known.len();
                let message =
                    format!("{count} segments, those that start at {first} to {last}, were pruned: read from {place}");
                self.notices.push(message);
            }
        }
    }

    fn check_sealed(&mut self, segment: &SealedSegment, facts: &SealedFacts) {
        if (facts.count, facts.root) != (segment.count, segment.root) {
            let message = "its entries are not those that its ledger.sealed entry names";
            self.findings.push(finding(FindingKind::SegmentMetadata, &segment.files[0].name, None, message));
        }
        for file in &segment.files {
            let sealed = facts.file(file.kind);
            let rebuilt = file.read.as_ref().and_then(|read| Some((&read.actual, read.expected.as_ref()?)));
            if file.digest != sealed {
                self.findings.push(changed(file, sealed));
            } else if rebuilt.is_some_and(|(actual, expected)| expected != actual) {
                let (kind, message) = match file.kind {
                    SegmentFile::Index => (FindingKind::IndexFileWrong, "it is not the index that its entries give"),
                    _ => (FindingKind::TileWrong, "it does not hold what the entries give"),
                };
                self.findings.push(finding(kind, &file.name, None, message));
            }
        }
    }
}

/// What is wrong with a file that does not have its sealed digest.
pub(super) fn changed(file: &SealedFile, sealed: FileDigest) -> Finding {
    let length = file.digest.length;
    if length < sealed.length {
        let message = format!("it has {length} bytes; {} were sealed", sealed.length);
        return finding(FindingKind::FileTruncated, &file.name, None, message);
    }
    if length > sealed.length {
        let message = format!("it has {length} bytes; {} were sealed", sealed.length);
        return finding(FindingKind::FileExtended, &file.name, None, message);
    }
    let read = file.read.as_ref().and_then(|read| Some((&read.actual, read.expected.as_ref()?)));
    let known = read.filter(|(_, expected)| FileDigest::of(expected) == sealed);
    let block = known.and_then(|(actual, expected)| {
        let pairs = actual.encode();
        let position = pairs.chunks(32).zip(expected.encode().chunks(32)).position(|(one, other)| one != other);
        position.map(|block| block as u64 * BLOCK_BYTES as u64)
    });
    let message = match block {
        Some(offset) => format!("the {BLOCK_BYTES} bytes from {offset} on are not those that were sealed"),
        None => "it is not the file that was sealed".to_owned(),
    };
    Finding { offset: block, ..finding(FindingKind::BlockMismatch, &file.name, None, message) }
}
