//! Verifying a ledger from outside: every entry that a log serves is hashed and compared with its signed checkpoint. Nothing that
//! the log says of itself is believed.

use counterfoil_entry::Fields;
use counterfoil_tlog::{Checkpoint, CompactRange, LeafIndex, Note, Origin, Tile, VerifierKey, bundle, leaf_hash};

use crate::finding::{Finding, FindingKind};
use crate::report::Report;

/// The verification of one log. The caller fetches what [`next`](Self::next) names and hands it to [`add`](Self::add).
#[derive(Debug)]
pub struct Crawl {
    tree: CompactRange,
    report: Report,
    newest: Option<Checkpoint>,
    /// The checkpoint that was kept elsewhere.
    older: Option<Checkpoint>,
}

impl Crawl {
    /// Begins with the log's checkpoint. `named` is the key that the log names: it is believed only if there are no `given`
    /// ones, which the caller trusts. `kept` is a checkpoint that was kept elsewhere.
    pub fn new(checkpoint: &[u8], named: &VerifierKey, given: &[VerifierKey], kept: Option<&[u8]>) -> Self {
        let mut report = Report { origin: named.name().to_string(), anchored: !given.is_empty(), ..Report::default() };
        report.compared_against.push(match given.len() {
            0 => "the key that the service itself names".to_owned(),
            1 => "the given key".to_owned(),
            _ => "the given keys".to_owned(),
        });
        let keys = if given.is_empty() { std::slice::from_ref(named) } else { given };
        let newest = open(checkpoint, keys, "the service's checkpoint", &mut report);
        if let Some(newest) = &newest {
            report.compared_against.push(format!("the service's checkpoint of {} entries", newest.size));
        }
        let older = kept.and_then(|note| open(note, keys, "the given checkpoint", &mut report));
        if let Some(older) = &older {
            report.anchored = true;
            report.compared_against.push(format!("the given checkpoint of {} entries", older.size));
        }
        if let (Some(newest), Some(older)) = (&newest, &older)
            && older.size > newest.size
        {
            let (older, newest) = (older.size, newest.size);
            let message = format!("the given checkpoint covers {older} entries, and the service shows only {newest}");
            report.add(Finding::new(FindingKind::CheckpointAhead, message));
        }
        Self { tree: CompactRange::new(LeafIndex(0)), report, newest, older }
    }

    /// How many entries the checkpoint covers; 0 when it has no good signature.
    pub fn size(&self) -> u64 {
        self.newest.as_ref().map_or(0, |newest| newest.size.0)
    }

    /// How many entries were hashed.
    pub fn checked(&self) -> u64 {
        self.tree.end().0
    }

    /// The entry bundle that comes next; `None` when there is nothing more to read.
    pub fn next(&self) -> Option<Tile> {
        let left = self.size().saturating_sub(self.checked());
        if left == 0 {
            return None;
        }
        Tile::new(0, self.checked() / 256, left.min(256) as u16).ok()
    }

    /// Takes in the entry bundle that [`next`](Self::next) named. False when it does not hold what it should: nothing after it
    /// can be placed then.
    pub fn add(&mut self, bytes: &[u8]) -> bool {
        let width = self.next().map_or(0, |tile| usize::from(tile.width()));
        let entries = match bundle::entries(bytes) {
            Ok(entries) if entries.len() == width => entries,
            _ => {
                let message = format!("the bundle at entry {} does not hold the {width} entries", self.checked());
                self.report.add(Finding::new(FindingKind::FileTruncated, message).at_index(self.checked()));
                return false;
            }
        };
        for canonical in entries {
            self.entry(canonical);
        }
        true
    }

    fn entry(&mut self, canonical: &[u8]) {
        let index = self.checked();
        if let Err(error) = Fields::check(canonical) {
            self.report.add(Finding::new(FindingKind::EntryMalformed, error.to_string()).at_index(index));
        }
        self.tree.push(leaf_hash(canonical));
        self.report.entries_checked += 1;
        let reached = self.older.as_ref().filter(|older| older.size == self.tree.end());
        if reached.is_some_and(|older| self.tree.root() != Some(older.root)) {
            let message = format!("the first {} entries are not those of the given checkpoint", index + 1);
            self.report.add(Finding::new(FindingKind::Fork, message));
        }
    }

    /// Compares the root with the signed one.
    pub fn finish(mut self) -> Report {
        self.report.root = self.newest.as_ref().and_then(|_| self.tree.root());
        if let Some(newest) = &self.newest {
            self.report.size = newest.size.0;
            if self.tree.end() == newest.size && self.report.root != Some(newest.root) {
                let message = format!("the {} entries served do not have the root that was signed", newest.size);
                self.report.add(Finding::new(FindingKind::RootMismatch, message));
            }
        }
        self.report
    }
}

/// A checkpoint with a signature of a trusted key; a finding when it has none.
fn open(note: &[u8], keys: &[VerifierKey], what: &str, report: &mut Report) -> Option<Checkpoint> {
    let origin: Origin = report.origin.parse().ok()?;
    match Checkpoint::open(note, &origin, keys, &[]) {
        Ok(opened) => Some(opened.checkpoint),
        Err(error) => {
            let kind = match &error {
                counterfoil_tlog::Error::WrongOrigin { .. } => FindingKind::OriginMismatch,
                counterfoil_tlog::Error::MalformedCheckpoint(_) => FindingKind::CheckpointMalformed,
                _ => FindingKind::CheckpointSignature,
            };
            let mut message = format!("{what}: {error}");
            if let (counterfoil_tlog::Error::NoTrustedSignature, Ok(signed)) = (&error, Note::parse(note)) {
                let join = |names: Vec<String>| names.join(", ");
                let by = join(signed.signatures().iter().map(|line| format!("{}+{}", line.name, line.id)).collect());
                let given = join(keys.iter().map(ToString::to_string).collect());
                message += &format!(
                    "; it is signed by {by}, and {given} was given: another log is served, or the given \
                     key is not this ledger's"
                );
            }
            report.add(Finding::new(kind, message));
            None
        }
    }
}
