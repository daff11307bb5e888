//! What stands in the folder, and what should.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Arc;

use counterfoil_evidence::{Finding, FindingKind};
use sha2::{Digest, Sha256};

use super::finding;
use crate::disk::{Disk, DiskFile};
use crate::layout::{FOOTER, Layout, SegmentFile, first_index, is_temporary};
use crate::load::is_whole;
use crate::pruned::Pruned;

/// A segment as its file names announce it.
#[derive(Debug, Clone)]
pub(super) struct SegmentFiles {
    pub first: u64,
    /// Whether all three files are there, or all but a pruned one.
    pub whole: bool,
    /// Whether its Parquet file is not in the folder because it was pruned.
    pub pruned: bool,
    /// Whether the end of that file is kept.
    pub footer: bool,
}

/// A journal file, opened when it was listed: a writer that seals meanwhile may remove its name.
#[derive(Debug)]
pub(super) struct JournalFile {
    pub first: u64,
    pub file: io::Result<Arc<dyn DiskFile>>,
}

/// How often a listing is made anew because the writer removed a journal file in the middle of it.
const LISTINGS: usize = 20;

/// The files of a ledger's folder.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub segments: Vec<SegmentFiles>,
    pub journals: Vec<JournalFile>,
    /// Files that a segment lacks: its first index and the file's name.
    pub missing: Vec<(u64, String)>,
    /// What `pruned.toml` says.
    pub pruned: Option<Pruned>,
    attachments: Vec<String>,
}

const ROOT_FILES: [&str; 3] = ["ledger.toml", "checkpoint", "pruned.toml"];
/// What a crash may leave while one of them is replaced.
const ROOT_TEMPORARIES: [&str; 2] = ["checkpoint.tmp", "pruned.tmp"];
const ROOT_FOLDERS: [&str; 5] = ["state", "keys", "journal", "segments", "attachments"];

/// Whether what stands in the place of a temporary file is none. A writer may have renamed it meanwhile.
fn is_in_the_way(disk: &dyn Disk, path: &Path) -> bool {
    disk.open(path).is_err_and(|error| error.kind() != io::ErrorKind::NotFound)
}

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
            let temporary = ROOT_TEMPORARIES.contains(&name.as_str());
            if !known && (!temporary || is_in_the_way(disk, &layout.root().join(&name))) {
                findings.push(unexpected(&name));
            }
        }
        // A writer may seal meanwhile. What the opened journal files hold needs no newer segment; what they hold no more is in
        // one that was there before they were listed.
        let before = segment_starts(disk, layout);
        for _ in 0..LISTINGS {
            files.journals = journals(disk, layout);
            let gone =
                |journal: &JournalFile| matches!(&journal.file, Err(error) if error.kind() == io::ErrorKind::NotFound);
            if !files.journals.iter().any(gone) {
                break;
            }
        }
        for name in names(disk, layout, &layout.journals(), findings) {
            if first_index(&name, "journal").is_none() {
                findings.push(unexpected(&format!("journal/{name}")));
            }
        }
        files.list_segments(disk, layout, findings);
        let oldest = files.journals.first().map_or(u64::MAX, |journal| journal.first);
        let counts = |first: u64| before.contains(&first) || first < oldest;
        files.segments.retain(|segment| counts(segment.first));
        files.missing.retain(|(first, _)| counts(*first));
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
        let mut footers = BTreeSet::new();
        for name in names(disk, layout, &layout.segments(), findings) {
            let of = |file: SegmentFile| first_index(&name, file.extension()).map(|first| (first, file));
            let footer = first_index(&name, FOOTER);
            match SegmentFile::ALL.into_iter().find_map(of) {
                Some((first, file)) => found.entry(first).or_default().push(file),
                None if is_temporary(&name) => {}
                None if footer.is_some() => footers.extend(footer),
                None => findings.push(unexpected(&format!("segments/{name}"))),
            }
        }
        self.pruned = Pruned::read(disk, layout).unwrap_or_else(|error| {
            findings.push(finding(FindingKind::LedgerFileChanged, "pruned.toml", None, error.message));
            None
        });
        for (first, mut present) in found {
            present.sort_by_key(|file| SegmentFile::ALL.iter().position(|one| one == file));
            let whole = is_whole(first, &present, self.pruned.as_ref());
            for file in SegmentFile::ALL.into_iter().filter(|file| !whole && !present.contains(file)) {
                self.missing.push((first, layout.relative(&layout.segment(first, file))));
            }
            let pruned = whole && present.len() < SegmentFile::ALL.len();
            let footer = self.pruned.as_ref().is_some_and(|pruned| pruned.covers(first)) && footers.remove(&first);
            self.segments.push(SegmentFiles { first, whole, pruned, footer });
        }
        findings.extend(footers.iter().map(|first| unexpected(&layout.relative(&layout.footer(*first)))));
    }

    /// Whether a segment that was not listed, or not whole, was made meanwhile, out of entries that the opened journal files hold.
    pub fn came_later(&self, disk: &dyn Disk, layout: &Layout, first: u64) -> bool {
        let held = self.journals.first().is_some_and(|oldest| oldest.first <= first);
        held && SegmentFile::ALL.into_iter().all(|file| disk.open(&layout.segment(first, file)).is_ok())
    }

    /// How many entries there will be to check, as far as names and the checkpoint tell.
    pub fn expected_size(&self, published: u64) -> u64 {
        self.segments.last().map_or(published, |newest| published.max(newest.first))
    }

    /// Checks that every attachment has the content that its name is the digest of.
    pub fn check_attachments(&self, disk: &dyn Disk, layout: &Layout, findings: &mut Vec<Finding>) {
        for name in &self.attachments {
            let label = format!("attachments/{name}");
            match digest(disk, &layout.attachments().join(name)) {
                Ok(digest) if digest == *name => {}
                Ok(_) => {
                    let message = "its content does not have the digest that is its name";
                    findings.push(finding(FindingKind::AttachmentWrong, &label, None, message));
                }
                Err(error) => findings.push(finding(FindingKind::FileUnreadable, &label, None, error.to_string())),
            }
        }
    }
}

/// The SHA-256 of a file, read piece by piece.
fn digest(disk: &dyn Disk, path: &Path) -> io::Result<String> {
    const PIECE_BYTES: u64 = 1 << 20;
    let file = disk.open(path)?;
    let mut digest = Sha256::new();
    for start in (0..file.len()).step_by(PIECE_BYTES as usize) {
        let mut piece = vec![0; (file.len() - start).min(PIECE_BYTES) as usize];
        file.read_at(start, &mut piece)?;
        digest.update(&piece);
    }
    Ok(hex::encode(digest.finalize()))
}

/// The journal files, opened.
fn journals(disk: &dyn Disk, layout: &Layout) -> Vec<JournalFile> {
    let listed = disk.list(&layout.journals()).unwrap_or_default();
    let firsts = listed.iter().filter_map(|name| first_index(name, "journal"));
    firsts.map(|first| JournalFile { first, file: disk.open(&layout.journal(first)) }).collect()
}

/// Where the segments begin of which any file is there.
fn segment_starts(disk: &dyn Disk, layout: &Layout) -> BTreeSet<u64> {
    let listed = disk.list(&layout.segments()).unwrap_or_default();
    let start = |name: &String| SegmentFile::ALL.iter().find_map(|file| first_index(name, file.extension()));
    listed.iter().filter_map(start).collect()
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
