//! Opening ledgers: to read beside whoever writes, or to write.

use std::path::Path;

use counterfoil::{Disk, ErrorKind, OsDisk, Reader, SealedSegment, Snapshot};
use counterfoil_segment::SegmentError;
use counterfoil_ship::{Bucket, Location, Settings};

use crate::exit::Failure;
use crate::text::Grouped;

/// Entries of a segment that are in memory at once.
const MAX_ENTRIES_AT_ONCE: usize = 8_192;

/// The ledger as its newest checkpoint on disk shows it; another process may be writing.
pub fn read(path: &Path) -> Result<Snapshot, Failure> {
    if let Some(location) = location(path)? {
        return Ok(Bucket::open(&location, &Settings::from_environment())?.reader()?.snapshot()?);
    }
    check_folder(path)?;
    Ok(Reader::open(path)?.snapshot()?)
}

/// Where a copy stands, if that is meant rather than a folder.
pub fn location(path: &Path) -> Result<Option<Location>, Failure> {
    match path.to_str().filter(|text| Location::is_meant_by(text)) {
        Some(text) => Ok(Some(text.parse()?)),
        None => Ok(None),
    }
}

/// The failure of opening a ledger, naming the service that holds it if one does.
pub fn held(path: &Path, error: counterfoil::Error) -> Failure {
    let busy = error.kind == ErrorKind::Busy;
    let failure = Failure::from(error);
    match service_url(path).filter(|_| busy) {
        Some(url) => failure.advise(format!("The service at {url} has it open: send requests there, or end it first.")),
        None => failure,
    }
}

/// Where the service that holds a folder answers, as it said when it started.
pub fn service_url(path: &Path) -> Option<String> {
    let text = OsDisk.read_small(&path.join("state").join("service.json")).ok()?;
    let note: serde_json::Value = serde_json::from_slice(&text).ok()?;
    Some(note["url"].as_str()?.to_owned())
}

/// Commands that read a copy where it is.
const OF_COPIES: &str =
    "query, history, export, entry, prove, checkpoint, key, verify, bundle, status, lake, restore, serve --read-only";

/// Commands that ask a service.
const OF_SERVICES: &str = "append, import, query, history, export, entry, prove, checkpoint, key, verify, monitor, bundle, status, \
                           seal, prune, token list";

/// Refuses a copy or a service where a folder is needed, and says who takes it.
pub fn refuse_elsewhere(path: &Path) -> Result<(), Failure> {
    let Some(text) = path.to_str() else { return Ok(()) };
    if Location::is_meant_by(text) {
        let copy = Failure::invalid(format!("{text} is the place of a copy, and this command needs a ledger's folder"));
        return Err(copy.advise(format!("A copy is taken by: {OF_COPIES}.")));
    }
    if crate::remote::url(path).is_some() {
        let service = Failure::invalid(format!("{text} is a service, and this command needs a ledger's folder"));
        return Err(service.advise(format!("A service is taken by: {OF_SERVICES}.")));
    }
    Ok(())
}

/// Refuses what is no ledger before anything tries to read it.
pub fn check_folder(path: &Path) -> Result<(), Failure> {
    refuse_elsewhere(path)?;
    let shown = path.display();
    let nothing = |message: String| Failure::new(ErrorKind::NotFound, message);
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let missing = nothing(format!("there is no folder {shown}"));
            Err(match looks_like_address(&shown.to_string()) {
                true => missing.advise("If this is the address of a service, write http:// or https:// before it."),
                false => missing,
            })
        }
        Err(error) => Err(Failure::file(shown, &error)),
        Ok(found) if !found.is_dir() => Err(nothing(format!("{shown} is a file, and a ledger is a folder"))),
        Ok(_) => match ["ledger.toml", "journal"].map(|name| path.join(name).try_exists()) {
            [Ok(false), Ok(false)] => Err(nothing(format!("{shown} is not a ledger: it holds no ledger.toml"))),
            [Err(error), _] if error.kind() == std::io::ErrorKind::PermissionDenied => {
                let denied =
                    Failure::new(ErrorKind::Denied, format!("{shown}: this user may not look into the folder"));
                Err(denied.advise("Run this as the user that owns the ledger."))
            }
            _ => Ok(()),
        },
    }
}

/// [`check_folder`] for commands that would go on in a new ledger.
pub fn check_folder_to_write(path: &Path) -> Result<(), Failure> {
    let refused = check_folder(path);
    match refused {
        Err(failure) if !path.exists() && !looks_like_address(&path.to_string_lossy()) => {
            Err(failure
                .advise(format!("Create a ledger there with: counterfoil init {} --origin ORIGIN", path.display())))
        }
        other => other,
    }
}

/// Whether a name that is no folder was most likely meant as the address of a service: with a scheme, or with a port.
fn looks_like_address(text: &str) -> bool {
    let port = text.rsplit_once(':').map(|(_, port)| port.trim_end_matches('/'));
    text.contains("://") || port.is_some_and(|port| port.parse::<u16>().is_ok())
}

/// An entry's canonical bytes; the message of a missing one says which there are.
pub fn entry(snapshot: &Snapshot, index: u64) -> Result<Vec<u8>, Failure> {
    check_index(snapshot.size(), index)?;
    Ok(snapshot.entry(index)?)
}

/// Refuses an index that the ledger does not have.
pub fn check_index(size: u64, index: u64) -> Result<(), Failure> {
    match size {
        size if index < size => Ok(()),
        0 => Err(Failure::new(ErrorKind::NotFound, "the ledger has no entries")),
        size => Err(Failure::new(
            ErrorKind::NotFound,
            format!("there is no entry {}: the ledger's entries are 0 to {}", Grouped(index), Grouped(size - 1)),
        )),
    }
}

/// What an error while reading a segment means.
pub fn segment(sealed: &SealedSegment, error: &SegmentError) -> Failure {
    let kind = match error {
        SegmentError::Io(_) => ErrorKind::Unavailable,
        SegmentError::Block(_) | SegmentError::Fault(_) => ErrorKind::Tampered,
        _ => ErrorKind::Damaged,
    };
    Failure::new(kind, format!("{}: {error}", sealed.name()))
}

/// What the ledger's own texts cannot be is damage.
pub fn tlog(error: counterfoil_tlog::Error) -> Failure {
    Failure::new(ErrorKind::Damaged, error.to_string())
}

/// Calls `each` with the canonical bytes of these entries, which must ascend. Entries that share a page share its
/// cost.
pub fn each_entry(
    snapshot: &Snapshot,
    indices: &[u64],
    mut each: impl FnMut(u64, &[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut rest = indices;
    for sealed in snapshot.segments() {
        let end = sealed.first() + sealed.count();
        let (here, later) = rest.split_at(rest.partition_point(|index| *index < end));
        rest = later;
        for page in here.chunks(MAX_ENTRIES_AT_ONCE) {
            let rows: Vec<u64> = page.iter().map(|index| index - sealed.first()).collect();
            let entries = sealed.segment()?.entries(&rows).map_err(|error| segment(&sealed, &error))?;
            page.iter().zip(&entries).try_for_each(|(index, entry)| each(*index, entry))?;
        }
    }
    rest.iter().try_for_each(|index| each(*index, &snapshot.entry(*index)?))
}
