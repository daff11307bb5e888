//! A ledger out of its copy.

use std::path::Path;

use counterfoil::{Disk, Error, ErrorKind, Layout, Ledger, OpenOptions, OsDisk, Result, VerifyOptions, continue_copy};
use counterfoil_evidence::{Finding, FindingClass, FindingKind, Report};
use counterfoil_segment::ReadAt;

use crate::disk::BucketDisk;
use crate::keys;
use crate::verify::Bucket;

/// The unit in which files are written.
const PIECE_BYTES: u64 = 8 << 20;

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The name of the ledger in the copy.
    pub origin: String,
    /// The name under which it goes on.
    pub continued_as: String,
    /// How many entries the copy held. Whoever has a receipt with this index or a higher one has an entry that was
    /// acknowledged and never shipped.
    pub entries: u64,
    /// The entries that a checkpoint of the ledger covers which the copy does not hold all of, where one is known: those from
    /// `entries` on were acknowledged, and are left out.
    pub ahead: Option<u64>,
    /// The files' bytes.
    pub bytes: u64,
    /// What was found beside the copy, and left there.
    pub beside_copy: Vec<String>,
}

impl Bucket {
    /// Brings the ledger back into a folder that is empty or not there yet: its files byte for byte, every leaf checked;
    /// then it goes on under a new name and key, which its first entry says.
    ///
    /// Errors: `Tampered` or `Damaged` when the copy does not verify, `Conflict` for a folder with something in it.
    pub fn restore(&self, path: &Path, options: &VerifyOptions<'_>, open: OpenOptions) -> Result<Restored> {
        self.bring_back(path, None, options, open)
    }

    /// [`restore`](Self::restore) of a copy that holds `entries`, though a checkpoint in it covers more: whoever kept that one put
    /// it there, and what it covers beyond is lost. The new ledger says so.
    ///
    /// Errors: also `Invalid` when the copy holds another number of entries.
    pub fn restore_up_to(
        &self,
        path: &Path,
        entries: u64,
        options: &VerifyOptions<'_>,
        open: OpenOptions,
    ) -> Result<Restored> {
        self.bring_back(path, Some(entries), options, open)
    }

    fn bring_back(
        &self,
        path: &Path,
        up_to: Option<u64>,
        options: &VerifyOptions<'_>,
        open: OpenOptions,
    ) -> Result<Restored> {
        let disk = OsDisk;
        refuse_occupied(path)?;
        let report = self.verify(options)?;
        // Anybody who may put objects can put something beside the copy; the copy itself is what was locked.
        let beside = |finding: &&Finding| finding.kind == FindingKind::UnexpectedFile;
        let beside_copy = report.findings.iter().filter(beside).map(ToString::to_string).collect();
        refuse_findings(&report, up_to)?;
        let ahead = self.newest_ahead(&report)?;
        let bytes = match self.bring_all(path) {
            Err(error) if error.kind == ErrorKind::Damaged => return Err(set_aside(path, &error.message)),
            bytes => bytes?,
        };
        self.check_written(path, &report, options)?;
        let config = disk.read_small(&Layout::new(path).config()).map_err(|error| io(path, error))?;
        let open = OpenOptions { disk: std::sync::Arc::new(disk), ..open };
        let (ahead, note) = ahead.unzip();
        let continued = continue_copy(path, &config, note, &open)?;
        Ledger::open(path, open)?.close()?;
        let (origin, continued_as) = (report.origin, continued.to_string());
        Ok(Restored { origin, continued_as, entries: report.size, ahead, bytes, beside_copy })
    }

    /// The checkpoint in the copy that covers most of what is not there, and how many entries it covers.
    fn newest_ahead(&self, report: &Report) -> Result<Option<(u64, String)>> {
        let ahead = report.findings.iter().filter_map(|finding| ahead(finding, report.size)).max();
        let Some(size) = ahead else { return Ok(None) };
        let note = self.checkpoints().of(size)?.and_then(|note| String::from_utf8(note).ok());
        Ok(note.map(|note| (size, note)))
    }

    /// Verifies what was written, before anything is added to it: what the bucket gave now may not be what it gave when it
    /// was verified. A folder that is not the copy gets a name that says so.
    fn check_written(&self, path: &Path, verified: &Report, options: &VerifyOptions<'_>) -> Result<()> {
        let options = VerifyOptions { progress: None, remember: None, resume: None, ..options.clone() };
        let written = counterfoil::verify(path, &options)?;
        let difference = match written.findings.first() {
            Some(finding) => finding.to_string(),
            None if (written.size, written.root) == (verified.size, verified.root) => return Ok(()),
            None => format!("it holds {} entries, the copy {}", written.size, verified.size),
        };
        Err(set_aside(path, &difference))
    }

    /// Writes all files of the copy; their length.
    fn bring_all(&self, path: &Path) -> Result<u64> {
        let (disk, source) = (OsDisk, self.disk().unkept());
        let (from, to) = (self.layout(), Layout::new(path));
        let mut bytes = 0;
        for folder in to.folders().iter().filter(|folder| **folder != to.keys()) {
            disk.create_folder(folder).map_err(|error| io(folder, error))?;
        }
        for folder in [from.segments(), from.attachments(), from.journals()] {
            let target = path.join(folder.file_name().expect("a folder has a name"));
            for name in source.list(&folder).map_err(|error| io(&folder, error))? {
                bytes += bring(&source, &folder.join(&name), &target.join(&name))?;
            }
            disk.sync_folder(&target).map_err(|error| io(&target, error))?;
        }
        bring(&source, &from.config(), &to.config())?;
        Ok(bytes + bring(&source, &from.checkpoint(), &to.checkpoint())?)
    }
}

/// The entries that a checkpoint covers, where that is what a finding is about: more than there are.
fn ahead(finding: &Finding, entries: u64) -> Option<u64> {
    let size = keys::numbered(finding.file.as_deref()?, keys::CHECKPOINTS)?;
    (finding.kind == FindingKind::CheckpointAhead && size > entries).then_some(size)
}

/// Refuses a copy that does not verify; whoever says how many entries it holds may have those without the rest.
fn refuse_findings(report: &Report, up_to: Option<u64>) -> Result<()> {
    let entries = report.size;
    if let Some(up_to) = up_to.filter(|up_to| *up_to != entries) {
        let message = format!("the copy holds {entries} entries, not {up_to}: nothing was restored");
        return Err(Error::new(ErrorKind::Invalid, message));
    }
    let counts = |finding: &&Finding| finding.kind != FindingKind::UnexpectedFile;
    let hurts = |finding: &&Finding| counts(finding) && (up_to.is_none() || ahead(finding, entries).is_none());
    let Some(finding) = report.findings.iter().find(hurts) else { return Ok(()) };
    let kind = match report.class() {
        Some(FindingClass::Damaged) => ErrorKind::Damaged,
        _ => ErrorKind::Tampered,
    };
    let mut message =
        format!("the copy has {} findings, nothing was restored; the first: {finding}", report.findings.len());
    if report.findings.iter().filter(counts).all(|finding| ahead(finding, entries).is_some()) {
        message
            .push_str(&format!(". Entries behind the first {entries} are lost: --up-to {entries} brings these back"));
    }
    Err(Error::new(kind, message))
}

/// Gives a folder that is not the copy a name that says so.
fn set_aside(path: &Path, difference: &str) -> Error {
    let aside = path.with_added_extension("not-the-copy");
    let kept = if std::fs::rename(path, &aside).is_ok() { &aside } else { path };
    let message = format!(
        "the bucket gave something else than when it was verified, and no ledger was made of it; {} holds what it gave: {difference}",
        kept.display()
    );
    Error::new(ErrorKind::Tampered, message)
}

/// Copies one file; its length.
fn bring(disk: &BucketDisk, from: &Path, to: &Path) -> Result<u64> {
    let source = disk.open(from).map_err(|error| io(from, error))?;
    let target = OsDisk.create(to, 0o644).map_err(|error| io(to, error))?;
    let length = source.len();
    let mut at = 0;
    while at < length {
        let mut piece = vec![0; (length - at).min(PIECE_BYTES) as usize];
        source.read_at(at, &mut piece).map_err(|error| io(from, error))?;
        target.write_at(at, &piece).map_err(|error| io(to, error))?;
        at += piece.len() as u64;
    }
    target.sync().map_err(|error| io(to, error))?;
    Ok(length)
}

fn refuse_occupied(path: &Path) -> Result<()> {
    match std::fs::read_dir(path).map(|mut entries| entries.next().is_some()) {
        Ok(true) => Err(Error::new(
            ErrorKind::Conflict,
            format!("{} is not empty; a ledger needs its own folder", path.display()),
        )),
        _ => Ok(()),
    }
}

fn io(path: &Path, error: std::io::Error) -> Error {
    let kind = match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(inner) => inner.kind,
        None => ErrorKind::Unavailable,
    };
    Error::new(kind, format!("{}: {error}", path.display())).because(error)
}
