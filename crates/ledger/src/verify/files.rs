//! What stands in the folder, and what should.

use std::collections::BTreeMap;

use counterfoil_evidence::{Finding, FindingKind};
use sha2::{Digest, Sha256};

use super::finding;
use crate::disk::Disk;
use crate::layout::{Layout, SegmentFile, first_index, is_temporary};

/// A segment as its file names announce it.
#[derive(Debug, Clone)]
pub(super) struct SegmentFiles {
    pub first: u64,
    /// Whether all three files are there.
    pub whole: bool,
}

/// The files of a ledger's folder.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub segments: Vec<SegmentFiles>,
    pub journals: Vec<u64>,
    /// Files that a segment lacks: its first index and the file's name.
    pub missing: Vec<(u64, String)>,
    attachments: Vec<String>,
}

const ROOT_FILES: [&str; 2] = ["ledger.toml", "checkpoint"];
const ROOT_FOLDERS: [&str; 5] = ["state", "keys", "journal", "segments", "attachments"];

impl Files {
    /// Lists the folder. Names that no ledger makes are findings; so are files of a segment that are missing.
    pub fn list(disk: &dyn Disk, layout: &Layout, findings: &mut Vec<Finding>) -> Self {
        let mut files = Self::default();
        for link in layout.folders().iter().filter(|folder| disk.is_link(folder)) {
            let message = "it is a symbolic link: a ledger's folder holds its own files";
            findings.push(finding(FindingKind::UnexpectedFile, &layout.relative(link), None, message));
        }
        for name in names(disk, layout, layout.root(), findings) {
            let known = ROOT_FILES.contains(&name.as_str()) || ROOT_FOLDERS.contains(&name.as_str());
            if !known && name != "checkpoint.tmp" {
                findings.push(unexpected(&name));
            }
        }
        files.list_segments(disk, layout, findings);
        for name in names(disk, layout, &layout.journals(), findings) {
            match first_index(&name, "journal") {
                Some(first) => files.journals.push(first),
                None => findings.push(unexpected(&format!("journal/{name}"))),
            }
        }
        for name in names(disk, layout, &layout.attachments(), findings) {
            let digest = name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            match digest {
                true => files.attachments.push(name),
                false => findings.push(unexpected(&format!("attachments/{name}"))),
            }
        }
        files
    }

    fn list_segments(&mut self, disk: &dyn Disk, layout: &Layout, findings: &mut Vec<Finding>) {
        let mut found: BTreeMap<u64, Vec<SegmentFile>> = BTreeMap::new();
        for name in names(disk, layout, &layout.segments(), findings) {
            let of = |file: SegmentFile| first_index(&name, file.extension()).map(|first| (first, file));
            match SegmentFile::ALL.into_iter().find_map(of) {
                Some((first, file)) => found.entry(first).or_default().push(file),
                None if is_temporary(&name) => {}
                None => findings.push(unexpected(&format!("segments/{name}"))),
            }
        }
        for (first, present) in found {
            for file in SegmentFile::ALL.into_iter().filter(|file| !present.contains(file)) {
                self.missing.push((first, layout.relative(&layout.segment(first, file))));
            }
            self.segments.push(SegmentFiles { first, whole: present.len() == SegmentFile::ALL.len() });
        }
    }

    /// How many entries there will be to check, as far as names and the checkpoint tell.
    pub fn expected_size(&self, published: u64) -> u64 {
        self.segments.last().map_or(published, |newest| published.max(newest.first))
    }

    /// Checks that every attachment has the content that its name is the digest of.
    pub fn check_attachments(&self, disk: &dyn Disk, layout: &Layout, findings: &mut Vec<Finding>) {
        for name in &self.attachments {
            let label = format!("attachments/{name}");
            match disk.read(&layout.attachments().join(name)) {
                Ok(bytes) if hex::encode(Sha256::digest(&bytes)) == *name => {}
                Ok(_) => {
                    let message = "its content does not have the digest that is its name";
                    findings.push(finding(FindingKind::AttachmentWrong, &label, None, message));
                }
                Err(error) => findings.push(finding(FindingKind::FileUnreadable, &label, None, error.to_string())),
            }
        }
    }
}

/// Whether a folder without `ledger.toml` was a ledger once: more than the one entry of a ledger that was being made.
pub(super) fn hold_a_ledger(disk: &dyn Disk, layout: &Layout) -> bool {
    let published = disk.read_small(&layout.checkpoint()).ok().and_then(|note| {
        let text = String::from_utf8(note).ok()?;
        text.lines().nth(1)?.parse::<u64>().ok()
    });
    let sealed = disk.list(&layout.segments()).is_ok_and(|names| !names.is_empty());
    sealed || published.is_some_and(|size| size > 1)
}

fn names(disk: &dyn Disk, layout: &Layout, folder: &std::path::Path, findings: &mut Vec<Finding>) -> Vec<String> {
    disk.list(folder).unwrap_or_else(|error| {
        let label = layout.relative(folder);
        findings.push(finding(FindingKind::MissingFile, &label, None, format!("the folder cannot be listed: {error}")));
        Vec::new()
    })
}

fn unexpected(name: &str) -> Finding {
    finding(FindingKind::UnexpectedFile, name, None, "no ledger makes a file of this name here")
}
