//! Tampering with copies of the scratch ledger in each way that `verify` knows: each must be found, and named.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use counterfoil::{CreateOptions, Ledger, OpenOptions, VerifyOptions, verify};
use counterfoil_entry::Draft;
use counterfoil_evidence::{FindingKind, Report};
use counterfoil_tlog::{KeyType, Note, NoteSigner};

use crate::exit::Failure;

use super::checks::{Checks, TAMPERING};
use super::scratch::{Scratch, Stop};

/// The kinds of files that a ledger has, by how their names end.
const FILES: [&str; 6] = ["ledger.toml", "checkpoint", ".journal", ".parquet", ".tiles", ".index"];

/// Writes a file, also one that is to be read only.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A new file in its place: what others have open stays what it was.
    let beside = path.with_extension("drill");
    fs::write(&beside, bytes)?;
    fs::rename(beside, path)
}

/// Tries everything, each on a copy.
pub fn try_all(scratch: &Scratch, stop: &Stop, checks: &mut Checks) -> Result<(), Failure> {
    let exhibit = match Exhibit::of(scratch) {
        Ok(exhibit) => exhibit,
        Err(error) => {
            checks.failed(TAMPERING, "copies of the scratch ledger", error);
            return Ok(());
        }
    };
    for (name, change) in CHANGES {
        stop.check()?;
        checks.result(TAMPERING, name, exhibit.each_file(change));
    }
    for (name, wanted, forge) in FORGERIES {
        stop.check()?;
        checks.result(TAMPERING, name, exhibit.forged(wanted, forge));
    }
    Ok(())
}

/// What becomes of a file.
enum Changed {
    Gone,
    Bytes(Vec<u8>),
}

/// A change of one file, of which there are several; none where this one does not apply.
type Change = fn(&[u8], usize) -> Option<Changed>;

const CHANGES: [(&str, Change); 4] = [
    ("a flipped bit in each kind of file", |bytes, turn| {
        let mut changed = bytes.to_vec();
        let at = (bytes.len().saturating_sub(1)) * turn / 3;
        *changed.get_mut(at)? ^= 1;
        Some(Changed::Bytes(changed))
    }),
    ("a file cut short", |bytes, turn| (turn < 3).then(|| Changed::Bytes(bytes[..bytes.len() * turn / 3].to_vec()))),
    ("bytes added to a file", |bytes, turn| {
        (turn < 2).then(|| Changed::Bytes([bytes, &vec![0xa5; 1 + 700 * turn][..]].concat()))
    }),
    ("a file that is gone", |_, turn| (turn == 0).then_some(Changed::Gone)),
];

/// How often a change is made to one file.
const TURNS: usize = 4;

/// Changes a folder; a file may be named by how it ends.
type Forge = fn(&Exhibit, &Path) -> Result<(), String>;

const FORGERIES: [(&str, &[FindingKind], Forge); 9] = [
    ("two segments swapped", &[FindingKind::SegmentMetadata], |_, folder| {
        let [first, second] = segments(folder)?;
        let bytes = fs::read(&first).map_err(words)?;
        write(&first, &fs::read(&second).map_err(words)?).map_err(words)?;
        write(&second, &bytes).map_err(words)
    }),
    ("a segment twice", &[FindingKind::SegmentUnsealed], |_, folder| {
        for kind in ["parquet", "tiles", "index"] {
            let [first, _] = segments(folder)?;
            let copy = folder.join("segments").join(format!("{:020}.{kind}", 1 << 20));
            fs::copy(first.with_extension(kind), copy).map_err(words)?;
        }
        Ok(())
    }),
    ("a whole segment dropped", &[FindingKind::MissingFile], |_, folder| {
        let [first, _] = segments(folder)?;
        ["parquet", "tiles", "index"]
            .into_iter()
            .try_for_each(|kind| fs::remove_file(first.with_extension(kind)))
            .map_err(words)
    }),
    ("a strange file", &[FindingKind::UnexpectedFile], |_, folder| {
        fs::write(folder.join("segments").join("notes.txt"), "x").map_err(words)
    }),
    ("the last entries dropped", &[FindingKind::CheckpointAhead], |exhibit, folder| {
        let journal = only(folder, ".journal")?;
        let older = only(&exhibit.older, ".journal")?;
        write(&journal, &fs::read(older).map_err(words)?).map_err(words)
    }),
    ("the checkpoint signed with another key", &[FindingKind::CheckpointSignature], |exhibit, folder| {
        let note = fs::read(folder.join("checkpoint")).map_err(words)?;
        let text = String::from_utf8(note).map_err(words)?;
        let text = text.split("\n\n").next().unwrap_or_default().to_owned() + "\n";
        let mut note = Note::new(text).map_err(words)?;
        let name = exhibit.key.name().clone();
        note.sign(&NoteSigner::from_seed(name, KeyType::Ed25519, &[7; 32]).map_err(words)?).map_err(words)?;
        write(&folder.join("checkpoint"), note.to_string().as_bytes()).map_err(words)
    }),
    ("a whole ledger of the same name under another key", &[FindingKind::KeyMismatch], |exhibit, folder| {
        fs::remove_dir_all(folder).map_err(words)?;
        let create = CreateOptions::new(&exhibit.origin).map_err(words)?;
        let ledger = Ledger::create(folder, create, OpenOptions::default()).map_err(words)?;
        ledger.append(entry("never")?).map_err(words)?;
        ledger.close().map_err(words)
    }),
    ("the folder rolled back to an older copy", &[FindingKind::CheckpointAhead], |exhibit, folder| {
        fs::remove_dir_all(folder).and_then(|()| copy(&exhibit.older, folder)).map_err(words)
    }),
    ("another history told with the ledger's own key", &[FindingKind::Fork], |exhibit, folder| {
        fs::remove_dir_all(folder).and_then(|()| copy(&exhibit.older, folder)).map_err(words)?;
        go_on(folder, "forked")
    }),
];

/// The scratch ledger as it stands, an older copy of it, and what an outsider remembers.
struct Exhibit {
    ledger: PathBuf,
    older: PathBuf,
    trial: PathBuf,
    origin: String,
    key: counterfoil_tlog::VerifierKey,
    checkpoint: Vec<u8>,
}

impl Exhibit {
    fn of(scratch: &Scratch) -> Result<Self, String> {
        let (ledger, older) = (scratch.ledger(), scratch.path("older"));
        copy(&ledger, &older).map_err(words)?;
        go_on(&ledger, "remembered")?;
        let checkpoint = fs::read(ledger.join("checkpoint")).map_err(words)?;
        let (origin, key) = (scratch.origin().to_owned(), scratch.key.clone());
        Ok(Self { ledger, older, trial: scratch.path("trial"), origin, key, checkpoint })
    }

    /// A fresh copy to tamper with.
    fn fresh(&self) -> Result<PathBuf, String> {
        match fs::remove_dir_all(&self.trial) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(words(error)),
            _ => copy(&self.ledger, &self.trial).map_err(words)?,
        }
        Ok(self.trial.clone())
    }

    fn verify(&self) -> Result<Report, String> {
        let (checkpoint, keys) = (Some(self.checkpoint.clone()), vec![self.key.clone()]);
        verify(&self.trial, &VerifyOptions { checkpoint, keys, ..VerifyOptions::default() }).map_err(words)
    }

    /// Makes a change to a file of each kind; the verification must name the file each time.
    fn each_file(&self, change: Change) -> Result<String, String> {
        let folder = self.fresh()?;
        let mut tried = 0;
        for file in FILES {
            let path = only(&folder, file)?;
            let name = path.strip_prefix(&folder).unwrap_or(&path).display().to_string();
            let bytes = fs::read(&path).map_err(words)?;
            for changed in (0..TURNS).filter_map(|turn| change(&bytes, turn)) {
                match changed {
                    Changed::Gone => fs::remove_file(&path).map_err(words)?,
                    Changed::Bytes(changed) => write(&path, &changed).map_err(words)?,
                }
                tried += 1;
                let report = self.verify();
                write(&path, &bytes).map_err(words)?;
                let report = report?;
                // What is missing of the journal shows in the checkpoint that covers it.
                let names =
                    |found: &str| found == name || file == ".journal" && (found == "checkpoint" || found == "journal");
                if !report.findings.iter().any(|finding| finding.file.as_deref().is_some_and(names)) {
                    return Err(format!("{name}: it was not found ({} findings)", report.findings.len()));
                }
            }
        }
        Ok(format!("{tried} of {tried} found, in ledger.toml, checkpoint, journal, Parquet, tiles and index"))
    }

    fn forged(&self, wanted: &[FindingKind], forge: Forge) -> Result<String, String> {
        let folder = self.fresh()?;
        forge(self, &folder)?;
        let report = self.verify()?;
        let mut kinds: Vec<&str> = report.findings.iter().map(|finding| finding.kind.name()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let told = kinds.join(", ");
        let found = wanted.iter().all(|kind| report.findings.iter().any(|finding| finding.kind == *kind));
        match found && !report.is_clean() {
            true => Ok(format!("found: {told}")),
            false if report.is_clean() => Err("it was not found".to_owned()),
            false => Err(format!("found as something else: {told}")),
        }
    }
}

/// The first file whose name ends so, in the ledger's order.
fn only(folder: &Path, ending: &str) -> Result<PathBuf, String> {
    let place = match ending {
        ".journal" => folder.join("journal"),
        ".parquet" | ".tiles" | ".index" => folder.join("segments"),
        name => return Ok(folder.join(name)),
    };
    let listed = fs::read_dir(&place).map_err(words)?;
    let mut found: Vec<PathBuf> = listed.filter_map(|entry| Some(entry.ok()?.path())).collect();
    found.retain(|path| path.to_string_lossy().ends_with(ending));
    found.sort();
    found.into_iter().next().ok_or_else(|| format!("the scratch ledger has no {ending} file"))
}

fn segments(folder: &Path) -> Result<[PathBuf; 2], String> {
    let segment = |first: u64| folder.join("segments").join(format!("{first:020}.parquet"));
    let both = [segment(0), segment(256)];
    match both.iter().all(|path| path.exists()) {
        true => Ok(both),
        false => Err("the scratch ledger has less than two segments".to_owned()),
    }
}

/// Records an entry with the ledger's own key.
fn go_on(folder: &Path, name: &str) -> Result<(), String> {
    let ledger = Ledger::open(folder, OpenOptions::default()).map_err(words)?;
    ledger.append(entry(name)?).map_err(words)?;
    ledger.close().map_err(words)
}

fn entry(name: &str) -> Result<Draft, String> {
    Draft::builder("note", "drill", name).build().map_err(words)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let (entry, to) = (entry?.path(), to.to_owned());
        let to = to.join(entry.file_name().expect("it was listed"));
        match entry.is_dir() {
            true => copy(&entry, &to)?,
            false if entry.is_file() => drop(fs::copy(&entry, &to)?),
            false => {}
        }
    }
    Ok(())
}

fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ledger of two segments and a tail.
    fn scratch() -> Scratch {
        let scratch = Scratch::create(None, "bank.example/audit/drill/test").expect("a scratch ledger");
        let ledger = Ledger::open(scratch.ledger(), OpenOptions::default()).expect("it opens");
        for _ in 0..2 {
            let drafts = (0..300).map(|number| entry(&number.to_string())).collect::<Result<Vec<_>, _>>();
            ledger.append_batch(drafts.expect("entries")).expect("they are recorded");
            ledger.seal().expect("it is sealed");
        }
        ledger.close().expect("it closes");
        scratch
    }

    #[test]
    fn what_verification_does_not_find_fails() {
        let scratch = scratch();
        let exhibit = Exhibit::of(&scratch).expect("an exhibit");
        let untouched = exhibit.forged(&[FindingKind::Fork], |_, _| Ok(()));
        assert_eq!(untouched, Err("it was not found".to_owned()));
        assert!(exhibit.forged(&[], |_, _| Ok(())).is_err(), "whatever kind is wanted");
        let other = exhibit.forged(&[FindingKind::Fork], |_, folder| {
            fs::write(folder.join("segments").join("notes.txt"), "x").map_err(words)
        });
        assert!(other.is_err_and(|told| told.starts_with("found as something else: unexpected-file")));
        let same: Change = |bytes, turn| (turn == 0).then(|| Changed::Bytes(bytes.to_vec()));
        assert!(exhibit.each_file(same).is_err_and(|told| told.starts_with("ledger.toml: it was not found")));
    }

    #[test]
    fn each_change_and_forgery_is_found_by_its_kind() {
        let scratch = scratch();
        let exhibit = Exhibit::of(&scratch).expect("an exhibit");
        for (name, change) in CHANGES {
            assert!(exhibit.each_file(change).is_ok_and(|told| told.contains("found, in ledger.toml")), "{name}");
        }
        for (name, wanted, forge) in FORGERIES {
            assert!(!wanted.is_empty(), "{name}: whatever is found would do");
            let told = exhibit.forged(wanted, forge);
            assert!(told.is_ok(), "{name}: {told:?}");
        }
    }
}
