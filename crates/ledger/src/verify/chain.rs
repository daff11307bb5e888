//! The whole ledger, segment by segment: the tree that grows over them, and what only the whole can tell.

use counterfoil_entry::{Fields, Timestamp};
use counterfoil_evidence::{Finding, FindingKind, Report};
use counterfoil_segment::blocks::BlockHashes;
use counterfoil_segment::index::SourceState;
use counterfoil_tlog::{CompactRange, Hash, LeafIndex, TreeSize};

use super::anchor::Anchors;
use super::edge::Edge;
use super::files::Files;
use super::finding;
use super::ids::IdWindow;
use super::seals::{SealedFile, SealedSegment};
use super::segment::{Entries, FileCheck, SegmentCheck, trailer_blocks};
use crate::config::Config;
use crate::create::config_digest;
use crate::disk::Disk;
use crate::incarnation::restored_digest;
use crate::layout::{Layout, SegmentFile};
use crate::own::CREATED;
use crate::sealer::source_state;
use crate::seen::Keys;
use crate::sources::{SourceName, Sources};
use crate::tiles::{LevelHashes, Trailer, segment_root};

/// The state of a verification that goes through the ledger in order.
pub(super) struct Chain<'a> {
    pub config: &'a Config,
    pub config_text: &'a [u8],
    pub anchors: &'a Anchors,
    pub tree: CompactRange,
    pub edge: Edge,
    pub sources: Sources,
    pub ids: IdWindow,
    /// The segments that could be read, in order.
    pub segments: Vec<SealedSegment>,
    pub last_recorded_at: Option<Timestamp>,
    /// The ledger's own entries, for seals and keys.
    pub own: Vec<(u64, Vec<u8>)>,
    /// First indices of segments that hold signed entries.
    pub signed_segments: Vec<u64>,
    /// Signed entries of the tail: index, canonical bytes, journal file.
    pub signed_tail: Vec<(u64, Vec<u8>, String)>,
    pub entries_checked: u64,
    pub findings: Vec<Finding>,
    pub notices: Vec<String>,
    /// Whether entries are missing between the segments and the journal.
    pub cut: bool,
    /// How many entries an earlier verification read.
    pub resumed: u64,
}

impl<'a> Chain<'a> {
    pub fn new(config: &'a Config, config_text: &'a [u8], anchors: &'a Anchors) -> Self {
        Self {
            config,
            config_text,
            anchors,
            tree: CompactRange::new(LeafIndex(0)),
            edge: Edge::default(),
            sources: Sources::default(),
            ids: IdWindow::default(),
            segments: Vec::new(),
            last_recorded_at: None,
            own: Vec::new(),
            signed_segments: Vec::new(),
            signed_tail: Vec::new(),
            entries_checked: 0,
            findings: Vec::new(),
            notices: Vec::new(),
            cut: false,
            resumed: 0,
        }
    }

    /// The number of entries so far.
    pub fn size(&self) -> u64 {
        self.tree.end().0
    }

    /// Adds the next segment.
    pub fn join(&mut self, mut check: SegmentCheck) {
        self.findings.append(&mut check.findings);
        if check.entries.leaves.is_empty() {
            return;
        }
        self.continue_at(&check);
        if check.entries.signed > 0 {
            self.signed_segments.push(check.first);
        }
        let name = check.files.as_ref().map_or_else(|| "segments".to_owned(), |files| files[0].name.clone());
        let before = self.tree.hashes().to_vec();
        for part in &check.parts {
            let mut tree = self.tree.clone();
            if tree.append(part).is_ok() {
                self.check_anchors(&tree);
            }
        }
        let whole = check.part(check.end());
        self.tree.append(&whole).expect("a segment continues the tree");
        self.check_anchors(&self.tree.clone());
        self.note_entries(&check.entries, &name);
        self.check_meta(&check, &before, &name);
        self.check_derived(check);
    }

    /// Makes the tree end where a segment starts, also where what lies between is missing.
    fn continue_at(&mut self, check: &SegmentCheck) {
        let size = self.size();
        if check.first == size {
            return;
        }
        let kind = if check.first > size { FindingKind::MissingFile } else { FindingKind::IndexMismatch };
        let message = format!("a segment starts at {}, but the one before it ends at {size}", check.first);
        self.findings.push(finding(kind, "segments", Some(size), message));
        let before = check.meta.as_ref().map(|meta| meta.before.clone()).unwrap_or_default();
        let zeros = || vec![Hash([0; 32]); check.first.count_ones() as usize];
        let tree = CompactRange::from_parts(LeafIndex(0), TreeSize(check.first), before);
        self.tree = tree.unwrap_or_else(|_| {
            CompactRange::from_parts(LeafIndex(0), TreeSize(check.first), zeros()).expect("a hash a node")
        });
        self.edge = Edge::default();
    }

    /// Adds an entry of the tail to the tree.
    pub fn push(&mut self, leaf: Hash) {
        self.tree.push(leaf);
        if !self.anchors.of_size(self.size()).is_empty() {
            self.check_anchors(&self.tree.clone());
        }
    }

    /// Compares a tree with every signed head of its size.
    fn check_anchors(&mut self, tree: &CompactRange) {
        let size = tree.end().0;
        let root = tree.root().expect("a tree that begins at 0 has a root");
        for anchor in self.anchors.of_size(size) {
            if anchor.root != root {
                let message = format!("the first {size} entries do not have the root that it signs");
                let other_history = anchor.given || self.resumed > 0;
                let kind = if other_history { FindingKind::Fork } else { FindingKind::RootMismatch };
                self.findings.push(finding(kind, &anchor.name, None, message));
            }
        }
    }

    /// Learns from entries what the whole ledger needs, in order.
    pub fn note_entries(&mut self, entries: &Entries, name: &str) {
        if let (Some(last), Some(first)) = (self.last_recorded_at, entries.first_recorded_at)
            && first < last
        {
            let message = format!("it begins at {first}, before the last entry in front of it");
            self.findings.push(finding(FindingKind::RecordedAtBackwards, name, None, message));
        }
        self.last_recorded_at = entries.last_recorded_at.or(self.last_recorded_at);
        if let Some(created) = &entries.created {
            self.check_created(created, name);
        }
        for (keys, index) in &entries.keys {
            self.note_keys(keys, *index, name);
        }
        self.entries_checked += entries.leaves.len() as u64;
        self.own.extend(entries.own.iter().cloned());
    }

    fn note_keys(&mut self, keys: &Keys, index: u64, name: &str) {
        if let Some((source, sequence)) = &keys.sequence {
            let source_name = SourceName { recorder: keys.recorder.clone(), source: source.clone() };
            if !self.sources.insert(&source_name, *sequence) {
                let message = format!("sequence {sequence} of source {source:?} was recorded before");
                self.findings.push(finding(FindingKind::SequenceRepeat, name, Some(index), message));
            }
        }
        if let Some(id) = &keys.id
            && let Some(earlier) = self.ids.insert(&keys.recorder, id, index)
        {
            let message = format!("id {id:?} was recorded before, as entry {earlier}");
            self.findings.push(finding(FindingKind::DuplicateId, name, Some(index), message));
        }
    }

    /// The first entry must hold the digest of `ledger.toml`.
    fn check_created(&mut self, created: &[u8], name: &str) {
        let digest = Fields::split(created).ok().filter(|fields| fields.event_type == CREATED).and_then(|fields| {
            let context: serde_json::Value = serde_json::from_str(fields.context?).ok()?;
            Some(context.get("ledger_toml_sha256")?.as_str()?.to_owned())
        });
        match digest {
            None => {
                let message = "the first entry does not say how the ledger was created";
                self.findings.push(finding(FindingKind::EntryMalformed, name, Some(0), message));
            }
            Some(digest) if digest != config_digest(self.created_text().as_bytes()) => {
                let message = "it does not have the digest that the ledger's first entry holds";
                self.findings.push(finding(FindingKind::LedgerFileChanged, "ledger.toml", None, message));
            }
            Some(_) => {}
        }
    }

    /// `ledger.toml` as it was when the ledger was created.
    fn created_text(&self) -> String {
        match self.config.earlier.is_empty() {
            true => String::from_utf8_lossy(self.config_text).into_owned(),
            false => self.config.first_text(),
        }
    }

    /// A ledger that was restored from a copy says so in an entry, which holds the digest of its `ledger.toml`.
    fn check_restored(&mut self) {
        let mut digests = self.own.iter().filter_map(|(_, bytes)| restored_digest(bytes));
        let newest = digests.next_back();
        let Some(earlier) = self.config.earlier.last() else {
            if newest.is_some() {
                let message = "the ledger was restored under another name and key, and this file does not name them";
                self.findings.push(finding(FindingKind::LedgerFileChanged, "ledger.toml", None, message));
            }
            return;
        };
        if self.size() <= earlier.size {
            self.notices.push("the entry that says that the ledger was restored is not written yet".into());
        } else if newest != Some(config_digest(self.config_text)) {
            let message = "it does not have the digest that the entry of its restoration holds";
            self.findings.push(finding(FindingKind::LedgerFileChanged, "ledger.toml", None, message));
        }
    }

    fn check_meta(&mut self, check: &SegmentCheck, before: &[Hash], name: &str) {
        let Some(meta) = &check.meta else { return };
        let rest = &check.entries.leaves[check.entries.nodes.len() * 256..];
        let agrees = [
            ("origin", self.config.writers(0).any(|(origin, _)| meta.origin == origin.as_str())),
            ("first", meta.first == check.first),
            ("count", meta.count == check.end() - check.first),
            ("root", meta.root == segment_root(&check.entries.nodes, rest)),
            ("before", meta.before == before),
            ("after", meta.after == self.tree.hashes()),
        ];
        for (key, _) in agrees.into_iter().filter(|(_, agrees)| !agrees) {
            let message = format!("its metadata {key} is not what its entries and their place give");
            self.findings.push(finding(FindingKind::SegmentMetadata, name, None, message));
        }
    }

    /// Derives the tiles and the index file from the entries, for comparison with what was sealed.
    fn check_derived(&mut self, check: SegmentCheck) {
        let (first, end) = (check.first, check.end());
        let Entries { leaves, nodes, rebuilt, .. } = &check.entries;
        let root = segment_root(nodes, &leaves[nodes.len() * 256..]);
        let edge = &self.edge;
        let earlier = |level: u8, start: u64, count: u64| Ok(edge.hashes(level, start, count));
        let levels = LevelHashes::compute(first, leaves.clone(), nodes.clone(), earlier);
        let levels = levels.expect("the edge holds what was asked for");
        self.edge.take(&levels);
        let sealed = check.entries.sealed();
        let Some([parquet, tiles, index]) = check.files else { return };
        let states: Vec<SourceState> = self.sources.iter().map(|(name, ranges)| source_state(name, ranges)).collect();
        let expected_index = rebuilt.then(|| BlockHashes::of(&check.index.finish(&states)));
        let trailer = Trailer { parquet: parquet.blocks.clone(), index: index.blocks.clone(), sealed };
        let expected_tiles = rebuilt.then(|| BlockHashes::of(&levels.encode(&trailer)));
        let expected_parquet = trailer_blocks(&tiles).map(|[parquet, _]| parquet);
        let file = |check: FileCheck, kind, expected| SealedFile::new(check.name, kind, check.blocks, expected);
        self.segments.push(SealedSegment {
            first,
            count: end - first,
            root,
            files: vec![
                file(parquet, SegmentFile::Parquet, expected_parquet),
                file(tiles, SegmentFile::Tiles, expected_tiles),
                file(index, SegmentFile::Index, expected_index),
            ],
        });
    }

    /// Ends the verification: seals against files, and tree heads that were never reached.
    pub fn finish(&mut self, disk: &dyn Disk, layout: &Layout, files: &Files, report: &mut Report) {
        self.check_seals(disk, layout, files);
        self.check_pruned(files);
        self.check_reached();
        self.check_restored();
        self.report_gaps();
        report.size = self.size();
        report.root = self.tree.root();
        report.entries_checked = self.entries_checked;
        report.segments_checked = self.segments.iter().filter(|segment| segment.first >= self.resumed).count() as u64;
        report.findings.append(&mut self.findings);
        report.notices.append(&mut self.notices);
    }

    fn check_reached(&mut self) {
        let size = self.size();
        let published = self.anchors.published_size();
        if self.resumed > published {
            let message = format!(
                "it covers {published} entries, and {} were verified earlier: the ledger was rolled back",
                self.resumed
            );
            self.findings.push(finding(FindingKind::CheckpointAhead, "checkpoint", Some(published), message));
        }
        for (anchored, anchor) in self.anchors.iter().filter(|(anchored, _)| *anchored > size) {
            let message =
                format!("it covers {anchored} entries, but the folder holds {size}: the ledger was rolled back or cut");
            self.findings.push(finding(FindingKind::CheckpointAhead, &anchor.name, Some(size), message));
        }
        if published > 0 && size > published {
            let newer = match size - published {
                1 => "1 entry is".to_owned(),
                newer => format!("{newer} entries are"),
            };
            self.notices.push(format!(
                "{newer} newer than the folder's checkpoint, and readers of the folder see them once it is written anew"
            ));
        }
    }

    fn report_gaps(&mut self) {
        for (name, ranges) in self.sources.iter() {
            for (from, to) in ranges.gaps() {
                let source = &name.source;
                self.notices.push(match from == to {
                    true => format!("source {source:?}: sequence {from} is missing"),
                    false => format!("source {source:?}: sequences {from} to {to} are missing"),
                });
            }
        }
    }
}
