//! Verifying on from where an earlier verification came to: what it has to remember of the entries it read.

use counterfoil_entry::{Fields, Timestamp};
use counterfoil_tlog::{CompactRange, Hash, LeafIndex, TreeSize, leaf_hash};
use serde::{Deserialize, Serialize};

use super::chain::Chain;
use super::edge::Edge;
use super::ids::IdWindow;
use super::seals::{SealedFile, SealedSegment};
use crate::create::config_digest;
use crate::error::{Error, Result};
use crate::incarnation::restored_digest;
use crate::layout::{Layout, SegmentFile};
use crate::own::{FileDigest, KEY_REGISTERED, KEY_REVOKED, parse_hash};
use crate::pruned::Pruned;
use crate::snapshot::Snapshot;
use crate::sources::{Ranges, SourceName};

const VERSION: u32 = 1;

/// How far a ledger was verified without a finding: the tree over these entries, and what the entries behind them are checked
/// against. Whoever goes on from it reads only what is new and believes that it is the one that was kept, as of a checkpoint:
/// it belongs outside the machine that is verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verified {
    version: u32,
    /// The digest of `ledger.toml`.
    ledger: String,
    /// How many entries were read: whole segments.
    size: u64,
    /// The root over them.
    root: String,
    /// The tree over them, as the roots of its complete subtrees.
    tree: Vec<String>,
    /// The hashes of the newest tile of each level above the leaves, and where each begins.
    edge: Vec<(u64, Vec<String>)>,
    recorded_at: Option<String>,
    sources: Vec<SourceMark>,
    /// Ids of the newest entries, 24 bytes each.
    ids: String,
    /// The ledger's own entries that later ones rest on.
    own: Vec<(u64, String)>,
    /// Segments whose `ledger.sealed` entry was not met yet.
    unsealed: Vec<SegmentMark>,
    /// Segments with signatures that were not checked yet.
    signed: Vec<u64>,
    /// What was verified of a copy beside its segments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    copy: Option<CopyMark>,
}

/// How far the chain of a copy's journal objects was verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CopyMark {
    /// The number in the key of the newest journal object.
    pub journal: u64,
    /// Its SHA-256.
    pub digest: String,
    /// The size of the newest checkpoint.
    pub checkpoint: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct SourceMark {
    recorder: Option<String>,
    source: String,
    ranges: Vec<(u64, u64)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct SegmentMark {
    first: u64,
    count: u64,
    root: String,
    /// Length and block root of its three files.
    files: Vec<(u64, String)>,
}

impl Verified {
    /// How many entries were verified.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root over them.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// The same, of a copy.
    pub fn of_copy(self, mark: CopyMark) -> Self {
        Self { copy: Some(mark), ..self }
    }

    /// What was verified of a copy; `Invalid` when it was a folder that was verified.
    pub fn copy_mark(&self) -> Result<&CopyMark> {
        let message = "the earlier verification was of a folder, not of a copy: verify the whole copy once";
        self.copy.as_ref().ok_or_else(|| Error::invalid(message))
    }

    /// The same at the end of a verification, when every signature was checked.
    pub(super) fn with_signatures_checked(mut self) -> Self {
        self.signed.clear();
        self
    }

    /// Whether a ledger that is known to be right agrees: the tree is the one over its first entries, and the entries of the ledger
    /// itself that later ones rest on are its own. For who keeps the state where others may write: what it says of ids and
    /// sequences is believed all the same, until a whole verification.
    pub fn agrees_with(&self, snapshot: &Snapshot) -> Result<bool> {
        if self.size > snapshot.size() || snapshot.root_at(self.size)?.to_string() != self.root {
            return Ok(false);
        }
        for (index, text) in &self.own {
            if *index >= self.size || leaf_hash(text.as_bytes()) != snapshot.leaf_hash(*index)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads what [`to_text`](Self::to_text) wrote; `Invalid` when it is something else.
    pub fn parse(text: &[u8]) -> Result<Self> {
        let invalid = |reason: String| Error::invalid(format!("this is no state of an earlier verification: {reason}"));
        let state: Self = serde_json::from_slice(text).map_err(|error| invalid(error.to_string()))?;
        if state.version != VERSION {
            return Err(invalid(format!("its version is {}", state.version)));
        }
        Ok(state)
    }

    /// The state as a file holds it.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).expect("plain values are JSON") + "\n"
    }
}

impl Chain<'_> {
    /// What to remember at the end of a segment; nothing once there is a finding, or where a segment's files are not those that
    /// its entries give.
    pub(super) fn remember(&self) -> Option<Verified> {
        let unsealed = self.unsealed()?;
        if !self.findings.is_empty() || self.size() == 0 {
            return None;
        }
        let sources = self.sources.iter().map(|(name, ranges)| SourceMark {
            recorder: name.recorder.clone(),
            source: name.source.clone(),
            ranges: ranges.parts().to_vec(),
        });
        let own = self.own.iter().filter(|(_, bytes)| is_needed(bytes));
        Some(Verified {
            version: VERSION,
            ledger: config_digest(self.config_text),
            size: self.size(),
            root: self.tree.root()?.to_string(),
            tree: self.tree.hashes().iter().map(Hash::to_string).collect(),
            edge: self.edge.levels().iter().map(|(start, hashes)| (*start, texts(hashes))).collect(),
            recorded_at: self.last_recorded_at.map(|time| time.to_string()),
            sources: sources.collect(),
            ids: self.ids.encode(),
            own: own.map(|(index, bytes)| (*index, String::from_utf8_lossy(bytes).into_owned())).collect(),
            unsealed,
            signed: self.signed_segments.clone(),
            copy: None,
        })
    }

    /// Goes on behind what was verified.
    pub(super) fn resume(&mut self, state: &Verified, layout: &Layout) -> Result<()> {
        if state.ledger != config_digest(self.config_text) {
            let message = "the earlier verification was of another ledger.toml: verify the whole ledger again";
            return Err(Error::invalid(message));
        }
        let broken =
            || Error::invalid("the state of the earlier verification is damaged: verify the whole ledger again");
        let tree =
            CompactRange::from_parts(LeafIndex(0), TreeSize(state.size), hashes(&state.tree).ok_or_else(broken)?);
        self.tree = tree.map_err(|_| broken())?;
        if self.tree.root().map(|root| root.to_string()).as_ref() != Some(&state.root) {
            return Err(broken());
        }
        let levels = state.edge.iter().map(|(start, level)| Some((*start, hashes(level)?))).collect::<Option<_>>();
        self.edge = Edge::from_levels(levels.ok_or_else(broken)?);
        let time = state.recorded_at.as_deref().map(Timestamp::parse).transpose();
        self.last_recorded_at = time.map_err(|_| broken())?;
        for mark in &state.sources {
            let name = SourceName { recorder: mark.recorder.clone(), source: mark.source.clone() };
            self.sources.put(name, Ranges::from_parts(mark.ranges.clone()));
        }
        self.ids = IdWindow::decode(&state.ids).ok_or_else(broken)?;
        self.own = state.own.iter().map(|(index, text)| (*index, text.clone().into_bytes())).collect();
        let segments = state.unsealed.iter().map(|mark| mark.read(layout)).collect::<Option<_>>();
        self.segments = segments.ok_or_else(broken)?;
        self.signed_segments = state.signed.clone();
        self.resumed = state.size;
        Ok(())
    }

    /// The segments whose `ledger.sealed` entry was not met; nothing if one that was met says something else.
    fn unsealed(&self) -> Option<Vec<SegmentMark>> {
        let facts = self.sealed_facts();
        let mut unsealed = Vec::new();
        for segment in &self.segments {
            let agrees = segment.files.iter().all(SealedFile::is_what_its_entries_give);
            match facts.get(&segment.first) {
                Some(facts) if agrees && segment.is_sealed_by(facts) => {}
                None if agrees => unsealed.push(SegmentMark::of(segment)),
                _ => return None,
            }
        }
        Some(unsealed)
    }
}

/// Whether an entry of the ledger itself matters to entries behind it: keys of clients, what was restored and pruned.
fn is_needed(bytes: &[u8]) -> bool {
    let is_key =
        Fields::split(bytes).is_ok_and(|fields| matches!(fields.event_type.as_ref(), KEY_REGISTERED | KEY_REVOKED));
    is_key || restored_digest(bytes).is_some() || Pruned::of_entry(bytes).is_some()
}

impl SegmentMark {
    fn of(segment: &SealedSegment) -> Self {
        let files = segment.files.iter().map(|file| (file.digest.length, file.digest.block_root.to_string()));
        let SealedSegment { first, count, root, .. } = segment;
        Self { first: *first, count: *count, root: root.to_string(), files: files.collect() }
    }

    fn read(&self, layout: &Layout) -> Option<SealedSegment> {
        let mut files = Vec::new();
        for (kind, (length, root)) in SegmentFile::ALL.into_iter().zip(&self.files) {
            let name = layout.relative(&layout.segment(self.first, kind));
            let digest = FileDigest { length: *length, block_root: parse_hash(root)? };
            files.push(SealedFile { name, kind, digest, read: None });
        }
        let whole = files.len() == SegmentFile::ALL.len();
        whole.then_some(SealedSegment { first: self.first, count: self.count, root: parse_hash(&self.root)?, files })
    }
}

fn texts(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(Hash::to_string).collect()
}

fn hashes(texts: &[String]) -> Option<Vec<Hash>> {
    texts.iter().map(|text| parse_hash(text)).collect()
}
