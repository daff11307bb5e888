//! Small files that a person names on the command line.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use counterfoil::ErrorKind;

use crate::exit::Failure;

/// The most bytes that are read of a named file.
const MAX_FILE_BYTES: u64 = 1 << 30;

/// Reads a whole file; `-` is standard input.
pub fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let failure = |error: io::Error| Failure::file(path.display(), &error);
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        io::stdin().lock().take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)
    } else {
        File::open(path).map_err(failure)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)
    };
    match read.map_err(failure)? as u64 {
        length if length > MAX_FILE_BYTES => Err(Failure::invalid(format!("{} is larger than 1 GiB", path.display()))),
        _ => Ok(bytes),
    }
}

/// Refuses a file that is there already, before work is done for it.
pub fn refuse_existing(path: &Path) -> Result<(), Failure> {
    match path.symlink_metadata() {
        Ok(_) => Err(already_there(path)),
        Err(_) => Ok(()),
    }
}

/// Writes a file that is not there yet, durably.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    write_with(path, 0o666, bytes)
}

/// [`write_new`], for its owner's eyes alone.
pub fn write_secret(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    write_with(path, 0o600, bytes)
}

/// Replaces a file so that a crash leaves the old or the new content, never a mixture.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let replaced = File::create(&name).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&name, path)?;
        File::open(folder)?.sync_all()
    });
    replaced.map_err(|error| Failure::file(path.display(), &error))
}

fn write_with(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), Failure> {
    let created = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let written = created.and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => already_there(path),
        _ => Failure::file(path.display(), &error),
    })
}

fn already_there(path: &Path) -> Failure {
    Failure::new(ErrorKind::Invalid, format!("{} is already there", path.display()))
        .advise("Name another file, or remove this one first.")
}
