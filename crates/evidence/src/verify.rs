//! Checking a bundle offline.

use std::collections::HashSet;

use counterfoil_entry::{EntryError, Fields, Timestamp};
use counterfoil_tlog::{Checkpoint, Error, LeafIndex, Note, VerifierKey, leaf_hash, verify_inclusion};

use crate::{Bundle, Finding, FindingKind, KeyRing, ProvenEntry, Report};

impl Bundle {
    /// Checks everything in the bundle and collects what is wrong: the checkpoint's signature, that each entry is
    /// canonical and proven to be at its index, order, `recorded_at`, sequences, and signatures on entries.
    ///
    /// `trusted` are the ledger's keys as the caller knows them. Without any, the bundle's own key is used, and the
    /// report says that it is not anchored: then its parts agree with one another, and anybody can make such a bundle.
    pub fn verify(&self, trusted: &[VerifierKey]) -> Report {
        let mut report = Report { origin: self.origin.to_string(), anchored: !trusted.is_empty(), ..Report::default() };
        report.notices.push(
            "A bundle proves that its entries are in the ledger. That no others belong to its scope, it cannot prove."
                .to_owned(),
        );
        report.notices.push(format!("The bundle's scope, said and not proven: {}", self.scope));
        let checkpoint = self.check_checkpoint(trusted, &mut report);
        let mut order = Order::default();
        let mut ring = KeyRing::default();
        for (entry, list) in self.in_order() {
            let fields = check_entry(entry, list, checkpoint.as_ref(), &mut report);
            let Some(fields) = fields else { continue };
            let place = |finding: Finding| finding.at_index(entry.index);
            if list == List::Keys {
                report.findings.extend(ring.observe(&fields).err().map(place));
                continue;
            }
            report.entries_checked += 1;
            report.findings.extend(order.observe(entry.index, &fields).into_iter().map(place));
            if fields.signature.is_some() {
                report.signatures_checked += 1;
                report.findings.extend(ring.check(&self.origin, &fields).err().map(place));
            }
        }
        report.findings.extend(out_of_order(&self.entries));
        report.findings.extend(out_of_order(&self.keys));
        report
    }

    /// Checks the checkpoint's signature. What it says is returned also when nothing vouches for it, so that the
    /// entries can be checked against it all the same.
    fn check_checkpoint(&self, trusted: &[VerifierKey], report: &mut Report) -> Option<Checkpoint> {
        let own = std::slice::from_ref(&self.vkey);
        let keys = if trusted.is_empty() { own } else { trusted };
        report.compared_against.push(match trusted {
            [] => "the key inside the bundle, which nobody vouches for".to_owned(),
            [key] => format!("the key {key}"),
            several => format!("{} given keys", several.len()),
        });
        if !keys.contains(&self.vkey) {
            let message = format!("the bundle names the key {}, which is none of the given keys", self.vkey);
            report.add(Finding::new(FindingKind::KeyMismatch, message));
        }
        if let Err(error) = Checkpoint::open(self.checkpoint.as_bytes(), &self.origin, keys, &[]) {
            let message = format!("the checkpoint: {error}");
            report.add(Finding::new(checkpoint_kind(&error), message));
        }
        let note = Note::parse(self.checkpoint.as_bytes()).ok()?;
        let checkpoint: Checkpoint = note.text().parse().ok()?;
        report.size = checkpoint.size.0;
        report.root = Some(checkpoint.root);
        Some(checkpoint)
    }

    /// The entries and the key entries together, by index; a key's registration comes before what it signed.
    fn in_order(&self) -> Vec<(&ProvenEntry, List)> {
        let keys = self.keys.iter().map(|entry| (entry, List::Keys));
        let mut all: Vec<_> = keys.chain(self.entries.iter().map(|entry| (entry, List::Entries))).collect();
        all.sort_by_key(|(entry, _)| entry.index);
        all
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum List {
    Keys,
    Entries,
}

fn checkpoint_kind(error: &Error) -> FindingKind {
    match error {
        Error::InvalidSignature { .. } | Error::NoTrustedSignature => FindingKind::CheckpointSignature,
        Error::WrongOrigin { .. } => FindingKind::OriginMismatch,
        _ => FindingKind::CheckpointMalformed,
    }
}

fn check_entry<'a>(
    entry: &'a ProvenEntry,
    list: List,
    checkpoint: Option<&Checkpoint>,
    report: &mut Report,
) -> Option<Fields<'a>> {
    let mut found = |kind, message: String| report.add(Finding::new(kind, message).at_index(entry.index));
    if let Some(checkpoint) = checkpoint {
        let leaf = leaf_hash(entry.canonical.as_bytes());
        let index = LeafIndex(entry.index);
        if entry.index >= checkpoint.size.0 {
            let message = format!("the checkpoint covers {} entries only", checkpoint.size);
            found(FindingKind::OutsideCheckpoint, message);
        } else if let Err(error) = verify_inclusion(&leaf, index, checkpoint.size, &entry.proof, &checkpoint.root) {
            found(FindingKind::ProofInvalid, error.to_string());
        }
    }
    match Fields::check(entry.canonical.as_bytes()) {
        Err(error) => {
            found(entry_kind(&error), error.to_string());
            None
        }
        Ok(fields) if list == List::Keys && !KeyRing::concerns(&fields) => {
            found(FindingKind::UnexpectedEntry, "stands among the key entries and is none".to_owned());
            None
        }
        Ok(fields) => Some(fields),
    }
}

/// The finding for an entry that [`Fields::check`] refuses.
fn entry_kind(error: &EntryError) -> FindingKind {
    match error {
        EntryError::NotCanonical { .. } => FindingKind::EntryNotCanonical,
        _ => FindingKind::EntryMalformed,
    }
}

/// What must hold from one entry to the next, also where others stand between them.
#[derive(Default)]
struct Order {
    index: Option<u64>,
    recorded_at: Option<Timestamp>,
    sequences: HashSet<(Option<String>, String, u64)>,
}

impl Order {
    fn observe(&mut self, index: u64, fields: &Fields<'_>) -> Vec<Finding> {
        let mut findings = Vec::new();
        if self.index.replace(index) == Some(index) {
            return findings;
        }
        if let Some(before) = self.recorded_at.filter(|before| *before > fields.recorded_at) {
            let message = format!("recorded at {}, after an entry of {before}", fields.recorded_at);
            findings.push(Finding::new(FindingKind::RecordedAtBackwards, message));
        }
        self.recorded_at = Some(fields.recorded_at);
        if let (Some(source), Some(sequence)) = (&fields.source, fields.sequence) {
            let recorder = fields.recorder.as_deref().map(str::to_owned);
            if !self.sequences.insert((recorder, source.to_string(), sequence)) {
                let message = format!("sequence {sequence} of source {source} stands in an earlier entry too");
                findings.push(Finding::new(FindingKind::SequenceRepeat, message));
            }
        }
        findings
    }
}

fn out_of_order(entries: &[ProvenEntry]) -> impl Iterator<Item = Finding> {
    entries.windows(2).filter(|pair| pair[0].index >= pair[1].index).map(|pair| {
        let message = if pair[0].index == pair[1].index {
            "stands twice".to_owned()
        } else {
            format!("stands after entry {}", pair[0].index)
        };
        Finding::new(FindingKind::DuplicateEntry, message).at_index(pair[1].index)
    })
}
