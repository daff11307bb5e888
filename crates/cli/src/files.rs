//! Small files that a person names on the command line.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use counterfoil::ErrorKind;

use crate::exit::Failure;
use crate::output;

/// The most bytes that are read of a named file.
const MAX_FILE_BYTES: u64 = 1 << 30;

/// What names standard output, and standard input.
const STANDARD: &str = "-";

/// Reads a whole file; `-` is standard input.
pub fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let failure = |error: io::Error| Failure::file(path.display(), &error);
    let mut bytes = Vec::new();
    let read = if path == Path::new(STANDARD) {
        io::stdin().lock().take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)
    } else {
        File::open(path).map_err(failure)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)
    };
    match read.map_err(failure)? as u64 {
        length if length > MAX_FILE_BYTES => Err(Failure::invalid(format!("{} is larger than 1 GiB", path.display()))),
        _ => Ok(bytes),
    }
}

/// Refuses outputs that could not be written, before work is done for them: what is there already, two of one name, two on
/// standard output, which is `-` and may be taken by JSON.
pub fn refuse_outputs(outputs: &[(&'static str, Option<&Path>)], json: bool) -> Result<(), Failure> {
    let mut stdout = json.then_some("--json");
    let mut taken: Vec<(&str, PathBuf)> = Vec::new();
    for (option, path) in outputs.iter().filter_map(|(option, path)| Some((*option, (*path)?))) {
        if path == Path::new(STANDARD) {
            if let Some(other) = stdout.replace(option) {
                let both = format!("{other} and {option} {STANDARD} both write to standard output");
                return Err(Failure::invalid(both).advise("Name a file for one of them."));
            }
            continue;
        }
        refuse_existing(path)?;
        refuse_unwritable(option, path)?;
        let place = folder(path).canonicalize().unwrap_or_default().join(path.file_name().unwrap_or_default());
        if let Some((other, _)) = taken.iter().find(|(_, taken)| *taken == place) {
            let same = format!("{other} and {option} name the same file, {}", path.display());
            return Err(Failure::invalid(same).advise("Give each a file of its own."));
        }
        taken.push((option, place));
    }
    Ok(())
}

/// Writes an output: a new file, durably, or standard output for `-`.
pub fn write_output(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if path != Path::new(STANDARD) {
        return write_new(path, bytes);
    }
    let mut out = output::raw_stdout();
    out.write_all(bytes)?;
    Ok(out.flush()?)
}

/// Refuses a file that is there already, before work is done for it.
fn refuse_existing(path: &Path) -> Result<(), Failure> {
    match path.symlink_metadata() {
        Ok(_) => Err(already_there(path)),
        Err(_) => Ok(()),
    }
}

/// Refuses a file that could not be written where it is named, before work is done for it. What is there stays as it is.
pub fn refuse_unwritable(option: &str, path: &Path) -> Result<(), Failure> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let tried = match path.is_dir() {
        true => Err(io::ErrorKind::IsADirectory.into()),
        false => OpenOptions::new().write(true).create_new(true).open(&beside).and_then(|_| fs::remove_file(&beside)),
    };
    let refused = |error| Failure::invalid(format!("{option} {}: {error}", path.display()));
    tried.map_err(|error| refused(error).advise("Nothing was done: name a file in a folder that this user may write."))
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
    let replaced = File::create(&name).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&name, path)?;
        File::open(folder(path))?.sync_all()
    });
    replaced.map_err(|error| Failure::file(path.display(), &error))
}

/// The folder of a file.
fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
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
