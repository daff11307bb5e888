//! What a verification compares against: the folder's own checkpoint, and what was given from outside.

use std::collections::BTreeMap;

use counterfoil_evidence::{FindingKind, Report};
use counterfoil_segment::Segment;
use counterfoil_tlog::{Hash, Note, VerifierKey};

use super::VerifyOptions;
use super::files::Files;
use super::finding;
use super::resume::Verified;
use crate::config::Config;
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::layout::{Layout, SegmentFile};
use crate::pruned::open_file;

/// A signed tree head that the entries must lead to.
#[derive(Debug, Clone)]
pub(super) struct Anchor {
    /// Where it came from, as the report names it.
    pub name: String,
    pub root: Hash,
    /// Whether it was kept elsewhere, so that another root means another history.
    pub given: bool,
}

/// All tree heads that the entries must lead to, by size.
#[derive(Debug, Default)]
pub(super) struct Anchors {
    heads: BTreeMap<u64, Vec<Anchor>>,
    /// Their sizes, ascending.
    pub sizes: Vec<u64>,
    published: u64,
}

impl Anchors {
    /// Reads the folder's checkpoint, the ones inside its segments, and those given; wrong signatures are findings.
    pub fn read(
        folder: (&dyn Disk, &Layout, &Config),
        published: std::io::Result<Vec<u8>>,
        files: &Files,
        options: &VerifyOptions<'_>,
        report: &mut Report,
    ) -> Result<Self> {
        let (disk, layout, config) = folder;
        let mut anchors = Self::default();
        let keys = trusted_keys(config, options, report);
        match published {
            Ok(bytes) => anchors.add_own(&bytes, config, &keys, "checkpoint", report),
            Err(error) => {
                let kind = FindingKind::MissingFile;
                report.add(finding(kind, "checkpoint", None, format!("it cannot be read: {error}")));
            }
        }
        anchors.add_given(config, &keys, options, report)?;
        let resumed = options.resume.as_ref().map_or(0, Verified::size);
        for segment in files.segments.iter().filter(|segment| segment.whole && segment.first >= resumed) {
            anchors.add_sealed(disk, layout, config, segment.first, report);
        }
        if let Some(earlier) = &options.resume {
            let (size, root) = (earlier.size(), earlier.root());
            report.compared_against.push(format!("an earlier verification of {size} entries, of root {root}"));
        }
        report.anchored = options.checkpoint.is_some() || !options.keys.is_empty() || options.resume.is_some();
        anchors.sizes = anchors.heads.keys().copied().collect();
        Ok(anchors)
    }

    /// The size in the folder's checkpoint.
    pub fn published_size(&self) -> u64 {
        self.published
    }

    /// The tree heads of a size.
    pub fn of_size(&self, size: u64) -> &[Anchor] {
        self.heads.get(&size).map_or(&[], Vec::as_slice)
    }

    /// The tree heads with their sizes, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &Anchor)> {
        self.heads.iter().flat_map(|(size, anchors)| anchors.iter().map(|anchor| (*size, anchor)))
    }

    fn add(&mut self, size: u64, anchor: Anchor) {
        self.heads.entry(size).or_default().push(anchor);
    }

    fn add_own(&mut self, bytes: &[u8], config: &Config, keys: &[VerifierKey], name: &str, report: &mut Report) {
        match config.open_checkpoint(bytes, keys) {
            Ok(opened) => {
                let size = opened.checkpoint.size.0;
                if !is_own_form(bytes) {
                    let message = "it is signed, but not in the one form that this ledger writes";
                    report.add(finding(FindingKind::CheckpointMalformed, name, None, message));
                }
                self.published = size;
                report.compared_against.push(format!("the folder's checkpoint of {size} entries"));
                self.add(size, Anchor { name: name.to_owned(), root: opened.checkpoint.root, given: false });
            }
            Err(error) => report.add(finding(checkpoint_kind(&error), name, None, error.to_string())),
        }
    }

    fn add_given(
        &mut self,
        config: &Config,
        keys: &[VerifierKey],
        options: &VerifyOptions<'_>,
        report: &mut Report,
    ) -> Result<()> {
        let Some(bytes) = &options.checkpoint else { return Ok(()) };
        let name = "the given checkpoint";
        match config.open_checkpoint(bytes, keys) {
            Ok(opened) => {
                let size = opened.checkpoint.size.0;
                report.compared_against.push(format!("the given checkpoint of {size} entries"));
                self.add(size, Anchor { name: name.to_owned(), root: opened.checkpoint.root, given: true });
                Ok(())
            }
            Err(error @ counterfoil_tlog::Error::MalformedNote(_)) => {
                Err(Error::invalid(format!("{name}: {error}")).because(error))
            }
            Err(error) => {
                report.add(finding(checkpoint_kind(&error), name, None, error.to_string()));
                Ok(())
            }
        }
    }

    /// The checkpoint in a segment's metadata.
    fn add_sealed(&mut self, disk: &dyn Disk, layout: &Layout, config: &Config, first: u64, report: &mut Report) {
        let path = layout.segment(first, SegmentFile::Parquet);
        let name = layout.relative(&path);
        let Ok(file) = open_file(disk, layout, first, SegmentFile::Parquet) else { return };
        let Ok(segment) = Segment::open(file) else { return };
        match config.open_checkpoint(segment.meta().checkpoint.as_bytes(), &[]) {
            Ok(opened) => {
                let size = opened.checkpoint.size.0;
                self.add(size, Anchor { name, root: opened.checkpoint.root, given: false });
            }
            Err(error) => report.add(finding(checkpoint_kind(&error), &name, None, error.to_string())),
        }
    }
}

/// The keys that a checkpoint must be signed with; none where the folder itself names them.
fn trusted_keys(config: &Config, options: &VerifyOptions<'_>, report: &mut Report) -> Vec<VerifierKey> {
    if options.keys.is_empty() {
        report.compared_against.push("the key that the folder itself names".into());
        return Vec::new();
    }
    for key in &options.keys {
        report.compared_against.push(format!("the given key {key}"));
    }
    if !options.keys.contains(&config.verifier_key) {
        let given: Vec<String> = options.keys.iter().map(ToString::to_string).collect();
        let message = format!(
            "the ledger names the key {}, which is none of those given, {}: the key was changed, or the given key is \
             not this ledger's",
            config.verifier_key,
            given.join(", ")
        );
        report.add(finding(FindingKind::KeyMismatch, "ledger.toml", None, message));
    }
    options.keys.clone()
}

/// Whether a note is exactly what the ledger writes: one signature line, in canonical form.
fn is_own_form(bytes: &[u8]) -> bool {
    Note::parse(bytes).is_ok_and(|note| note.signatures().len() == 1 && note.to_string().as_bytes() == bytes)
}

fn checkpoint_kind(error: &counterfoil_tlog::Error) -> FindingKind {
    match error {
        counterfoil_tlog::Error::WrongOrigin { .. } => FindingKind::OriginMismatch,
        counterfoil_tlog::Error::MalformedCheckpoint(_) | counterfoil_tlog::Error::MalformedNote(_) => {
            FindingKind::CheckpointMalformed
        }
        _ => FindingKind::CheckpointSignature,
    }
}
