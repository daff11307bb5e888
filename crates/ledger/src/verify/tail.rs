//! Checking the journal: every frame, every entry, and that it says the same as the segments where both speak.

use std::sync::Arc;

use counterfoil_entry::{Fields, OWN_PREFIX};
use counterfoil_evidence::{Finding, FindingKind};
use counterfoil_segment::ReadAt;
use counterfoil_tlog::{Hash, leaf_hash};

use super::anchor::Anchors;
use super::chain::Chain;
use super::files::{Files, JournalFile};
use super::finding;
use super::segment::Entries;
use crate::disk::Disk;
use crate::journal::{FramePlace, Journal, ScanEnd};
use crate::layout::{Layout, SegmentFile};
use crate::own::is_own;
use crate::recovery::is_torn_at;
use crate::tiles::Tiles;

/// Checks all journal files and adds what is not in segments to the chain.
pub(super) fn check(disk: &dyn Disk, layout: &Layout, files: &Files, anchors: &Anchors, chain: &mut Chain<'_>) {
    let mut before: Option<Journal> = None;
    for (position, JournalFile { first, file }) in files.journals.iter().enumerate() {
        let name = layout.relative(&layout.journal(*first));
        let file = match file {
            Ok(file) => file.clone(),
            Err(error) => {
                chain.findings.push(finding(FindingKind::FileUnreadable, &name, Some(*first), error.to_string()));
                continue;
            }
        };
        let mut journal = Journal::new(*first, name.clone(), file);
        let end = match journal.scan() {
            Ok(end) => end,
            Err(error) => {
                chain.findings.push(finding(FindingKind::FileUnreadable, &name, Some(*first), error.message));
                continue;
            }
        };
        let last = position + 1 == files.journals.len();
        if last && is_unused(&journal, before.as_ref(), anchors) {
            chain.notices.push(format!("{name}: it is not in use yet: the writer was stopped while it made it"));
            continue;
        }
        if !last && journal.end() == journal.first {
            let message = "it holds no entry, and a later journal file goes on";
            chain.findings.push(finding(FindingKind::UnexpectedFile, &name, None, message));
        }
        if last {
            set_aside_torn(&mut journal, anchors, chain);
        }
        check_end(&journal, &end, last, anchors, chain);
        if journal.first > chain.size() && journal.end() > journal.first {
            let message = format!("it starts at entry {first}, but what is before it ends at {}", chain.size());
            chain.cut = true;
            chain.findings.push(finding(FindingKind::FrameOutOfOrder, &name, Some(chain.size()), message));
            return;
        }
        let known = Known { disk, layout, files, before: before.as_ref() };
        for place in journal.frames(*first..u64::MAX) {
            check_frame(&journal, &place, &known, chain);
        }
        before = Some(journal);
    }
    if files.journals.is_empty() {
        chain.findings.push(finding(
            FindingKind::MissingFile,
            "journal",
            Some(chain.size()),
            "there is no journal file",
        ));
    }
}

/// What else says what an entry is.
struct Known<'a> {
    disk: &'a dyn Disk,
    layout: &'a Layout,
    files: &'a Files,
    before: Option<&'a Journal>,
}

impl Known<'_> {
    /// The leaf of an entry in the journal file before, or in a segment.
    fn leaf(&self, index: u64) -> Option<Hash> {
        if let Some(leaf) = self.before.and_then(|before| before.leaf(index)) {
            return Some(leaf);
        }
        let position = self.files.segments.partition_point(|segment| segment.first <= index).checked_sub(1)?;
        let path = self.layout.segment(self.files.segments[position].first, SegmentFile::Tiles);
        let file: Arc<dyn ReadAt> = self.disk.open(&path).ok()?;
        let tiles = Tiles::open(file, self.layout.relative(&path)).ok()?;
        tiles.hashes(0, index, 1).ok()?.first().copied()
    }
}

/// Whether a last journal file ends before the one in front of it, which still holds everything.
fn is_unused(journal: &Journal, before: Option<&Journal>, anchors: &Anchors) -> bool {
    before.is_some_and(|before| {
        (before.first..=before.end()).contains(&journal.first)
            && journal.end() < before.end()
            && anchors.published_size() <= before.end()
    })
}

/// Leaves out a last frame of which a part never arrived: nobody was told that it was recorded.
fn set_aside_torn(journal: &mut Journal, anchors: &Anchors, chain: &mut Chain<'_>) {
    let Some(place) = journal.last_frame() else { return };
    let whole = journal.frame_bytes(&place).is_ok_and(|frame| place.header.check(&frame).is_ok());
    if !whole && place.header.first >= anchors.published_size() && is_torn_at(journal, place.offset) {
        journal.forget_last();
        chain.notices.push(cut_off(&journal.name, place.offset));
    }
}

fn cut_off(name: &str, offset: u64) -> String {
    format!("{name}: a commit was cut off at byte {offset}: it is being written now, or its writer was killed")
}

fn check_end(journal: &Journal, end: &ScanEnd, last: bool, anchors: &Anchors, chain: &mut Chain<'_>) {
    let ScanEnd::Broken { offset, error } = end else { return };
    if last && journal.end() >= anchors.published_size() && is_torn_at(journal, *offset) {
        chain.notices.push(cut_off(&journal.name, *offset));
        return;
    }
    let damaged = finding(FindingKind::FrameDamaged, &journal.name, Some(journal.end()), error.to_string());
    chain.findings.push(Finding { offset: Some(*offset), ..damaged });
}

fn check_frame(journal: &Journal, place: &FramePlace, known: &Known<'_>, chain: &mut Chain<'_>) {
    let at = |kind: FindingKind, index: Option<u64>, message: String| Finding {
        offset: Some(place.offset),
        ..finding(kind, &journal.name, index, message)
    };
    let header = place.header;
    match journal.frame_bytes(place) {
        Ok(bytes) => {
            if let Err(error) = header.check(&bytes) {
                chain.findings.push(at(FindingKind::FrameDamaged, Some(header.first), error.to_string()));
            }
            if let Err(error) = chain.config.check_frame(&header, &bytes) {
                let message = format!("its writer was not the ledger: {error}");
                chain.findings.push(at(FindingKind::FrameSignature, Some(header.first), message));
            }
        }
        Err(error) => chain.findings.push(at(FindingKind::FileUnreadable, Some(header.first), error.message)),
    }
    let recorded = journal.leaves(header.first..header.end());
    let mut own = false;
    let mut entries = Entries::default();
    let mut findings = Vec::new();
    let read = journal.for_each(header.first..header.end(), &mut |index, bytes| {
        let leaf = leaf_hash(bytes);
        if leaf != recorded[(index - header.first) as usize] {
            findings.push(at(
                FindingKind::LeafMismatch,
                Some(index),
                "its bytes are not those that were hashed".into(),
            ));
        }
        if index < chain.size() {
            own |= is_own(bytes);
            if known.leaf(index).is_some_and(|other| other != leaf) {
                let message = "it is another entry in a segment or an earlier journal file".to_owned();
                findings.push(at(FindingKind::LeafMismatch, Some(index), message));
            }
            return;
        }
        entries.leaves.push(leaf);
        match Fields::check(bytes) {
            Ok(fields) => {
                own |= fields.event_type.starts_with(OWN_PREFIX);
                if fields.recorded_at.micros() != header.time_micros {
                    let message = "its recorded_at is not the time of its frame".to_owned();
                    findings.push(at(FindingKind::EntryMalformed, Some(index), message));
                }
                entries.note_time(index, fields.recorded_at, &journal.name, &mut findings);
                entries.note(index, bytes, &fields);
                if fields.signature.is_some() {
                    chain.signed_tail.push((index, bytes.to_vec(), journal.name.clone()));
                }
            }
            Err(error) => findings.push(at(FindingKind::EntryMalformed, Some(index), error.to_string())),
        }
        chain.push(leaf);
    });
    if let Err(error) = read {
        findings.push(at(FindingKind::FileUnreadable, Some(header.first), error.message));
    }
    if own != header.own {
        let message = "its flag says otherwise than its entries whether one is the ledger's own".to_owned();
        findings.push(at(FindingKind::FrameDamaged, Some(header.first), message));
    }
    if chain.size() == header.end() && !entries.leaves.is_empty() && chain.tree.root() != Some(header.root) {
        let message = "the entries up to its end do not have the root that it names".to_owned();
        findings.push(at(FindingKind::RootMismatch, Some(header.end() - 1), message));
    }
    chain.findings.append(&mut findings);
    chain.note_entries(&entries, &journal.name);
}
