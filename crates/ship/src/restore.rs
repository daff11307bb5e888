//! A ledger out of its copy.

use std::path::Path;

use counterfoil::{Disk, Error, ErrorKind, Layout, Ledger, OpenOptions, OsDisk, Result, VerifyOptions, continue_copy};
use counterfoil_evidence::{Finding, FindingKind};
use counterfoil_segment::ReadAt;

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
        let disk = OsDisk;
        refuse_occupied(path)?;
        let report = self.verify(options)?;
        // Anybody who may put objects can put something beside the copy; the copy itself is what was locked.
        let beside = |finding: &&Finding| finding.kind == FindingKind::UnexpectedFile;
        let beside_copy = report.findings.iter().filter(beside).map(ToString::to_string).collect();
        if let Some(finding) = report.findings.iter().find(|finding| !beside(finding)) {
            let kind = match report.class() {
                Some(counterfoil_evidence::FindingClass::Damaged) => ErrorKind::Damaged,
                _ => ErrorKind::Tampered,
            };
            let count = report.findings.len();
            return Err(Error::new(
                kind,
                format!("the copy has {count} findings, nothing was restored; the first: {finding}"),
            ));
        }
        let (from, to) = (self.layout(), Layout::new(path));
        let mut bytes = 0;
        for folder in to.folders().iter().filter(|folder| **folder != to.keys()) {
            disk.create_folder(folder).map_err(|error| io(folder, error))?;
        }
        for folder in [from.segments(), from.attachments(), from.journals()] {
            let target = path.join(folder.file_name().expect("a folder has a name"));
            for name in self.disk().list(&folder).map_err(|error| io(&folder, error))? {
                bytes += self.bring(&folder.join(&name), &target.join(&name))?;
            }
            disk.sync_folder(&target).map_err(|error| io(&target, error))?;
        }
        bytes += self.bring(&from.checkpoint(), &to.checkpoint())?;
        let config = self.disk().read_small(&from.config()).map_err(|error| io(&from.config(), error))?;
        let open = OpenOptions { disk: std::sync::Arc::new(disk), ..open };
        let continued = continue_copy(path, &config, &open)?;
        Ledger::open(path, open)?.close()?;
        let (origin, continued_as) = (report.origin, continued.to_string());
        Ok(Restored { origin, continued_as, entries: report.size, bytes, beside_copy })
    }

    /// Copies one file; its length.
    fn bring(&self, from: &Path, to: &Path) -> Result<u64> {
        let source = self.disk().open(from).map_err(|error| io(from, error))?;
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
    Error::new(ErrorKind::Unavailable, format!("{}: {error}", path.display())).because(error)
}
