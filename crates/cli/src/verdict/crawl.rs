//! Verifying a ledger from outside: everything that a service serves under `/tlog` is read, hashed and compared with
//! its signed checkpoint. Nothing that the service says of itself is believed.

use counterfoil::Result;
use counterfoil_entry::Fields;
use counterfoil_evidence::{Finding, FindingKind, Report};
use counterfoil_tlog::{Checkpoint, CompactRange, LeafIndex, Origin, Tile, TilePath, VerifierKey, bundle, leaf_hash};

use crate::remote::{Call, Remote};

/// What is known from outside the service.
pub struct Trust {
    /// Keys that are trusted to be the ledger's; without any, the one that the service names.
    pub keys: Vec<VerifierKey>,
    /// A checkpoint that was kept elsewhere.
    pub checkpoint: Option<Vec<u8>>,
}

/// Reads the whole log of a service and reports everything that is wrong with it.
///
/// Errors: those of reaching the service.
pub fn verify(service: &Remote, named: &VerifierKey, trust: Trust, progress: &dyn Fn(u64, u64)) -> Result<Report> {
    let mut report = Report { origin: named.name().to_string(), anchored: !trust.keys.is_empty(), ..Report::default() };
    let keys = if trust.keys.is_empty() {
        report.compared_against.push("the key that the service itself names".into());
        vec![named.clone()]
    } else {
        report.compared_against.push(format!("{} given", if trust.keys.len() == 1 { "the key" } else { "the keys" }));
        trust.keys
    };
    let note = service.text(Call::get("/tlog/checkpoint"))?;
    let Some(newest) = open(&note, &keys, "the service's checkpoint", &mut report) else { return Ok(report) };
    report.compared_against.push(format!("the service's checkpoint of {} entries", newest.size.0));
    let older = match &trust.checkpoint {
        Some(bytes) => match open(bytes, &keys, "the given checkpoint", &mut report) {
            Some(older) => {
                report.anchored = true;
                report.compared_against.push(format!("the given checkpoint of {} entries", older.size.0));
                Some(older)
            }
            None => return Ok(report),
        },
        None => None,
    };
    if let Some(older) = older.as_ref().filter(|older| older.size > newest.size) {
        let message = format!(
            "the given checkpoint covers {} entries, and the service shows only {}",
            older.size.0, newest.size.0
        );
        report.add(Finding::new(FindingKind::CheckpointAhead, message));
    }
    let mut walk = Walk { tree: CompactRange::new(LeafIndex(0)), report, older };
    walk.entries(service, newest.size.0, progress)?;
    let Walk { tree, mut report, .. } = walk;
    let root = tree.root();
    report.size = newest.size.0;
    report.root = root;
    if tree.end() == newest.size && root != Some(newest.root) {
        let message = format!("the {} entries served do not have the root that was signed", newest.size.0);
        report.add(Finding::new(FindingKind::RootMismatch, message));
    }
    Ok(report)
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
            report.add(Finding::new(kind, format!("{what}: {error}")));
            None
        }
    }
}

struct Walk {
    tree: CompactRange,
    report: Report,
    older: Option<Checkpoint>,
}

impl Walk {
    fn entries(&mut self, service: &Remote, size: u64, progress: &dyn Fn(u64, u64)) -> Result<()> {
        for number in 0..size.div_ceil(256) {
            let width = (size - number * 256).min(256) as u16;
            let tile = Tile::new(0, number, width)?;
            let path = format!("/tlog/{}", TilePath::Entries(tile));
            let bytes = service.text(Call::get(&path))?;
            let entries = match bundle::entries(&bytes) {
                Ok(entries) if entries.len() == usize::from(width) => entries,
                Ok(_) | Err(_) => {
                    let message = "the bundle does not hold the entries that it should".to_owned();
                    self.report.add(Finding::new(FindingKind::FileTruncated, message).in_file(path));
                    return Ok(());
                }
            };
            for (at, entry) in entries.into_iter().enumerate() {
                self.entry(number * 256 + at as u64, entry);
            }
            progress(number * 256 + u64::from(width), size);
        }
        Ok(())
    }

    fn entry(&mut self, index: u64, canonical: &[u8]) {
        if let Err(error) = Fields::check(canonical) {
            let finding = Finding::new(FindingKind::EntryMalformed, error.to_string());
            self.report.add(Finding { index: Some(index), ..finding });
        }
        self.tree.push(leaf_hash(canonical));
        self.report.entries_checked += 1;
        let forked = |older: &&Checkpoint| older.size == self.tree.end() && self.tree.root() != Some(older.root);
        if self.older.as_ref().filter(forked).is_some() {
            let message = format!("the first {} entries are not those of the given checkpoint", index + 1);
            self.report.add(Finding::new(FindingKind::Fork, message));
        }
    }
}
