//! A folder of rules as files and their texts.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use counterfoil::{Error, ErrorKind, Result};
use sha2::{Digest, Sha256};

use crate::limits::{MAX_FILE_BYTES, MAX_FILES, MAX_FOLDER_DEPTH, MAX_FOLDERS};
use crate::problem::Problem;
use crate::rule::Place;

/// After this time a change shows in a file's time of modification.
const SETTLED: Duration = Duration::from_secs(3);

/// The texts of a folder's rules.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Texts {
    /// Each file's name below the folder, and its text; in order of the names.
    pub files: Vec<(String, String)>,
    /// Files that were left out.
    pub problems: Vec<Problem>,
}

/// A file of rules as it is found in its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    /// Its name below the folder.
    name: String,
    path: PathBuf,
    bytes: u64,
    modified: SystemTime,
    /// Whether its folder lies too deep.
    deep: bool,
}

/// Which files a folder held, without their texts: enough to tell cheaply that nothing changed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Stamp(Vec<Found>);

impl Stamp {
    /// Looks at a folder and its subfolders.
    pub fn of(folder: &Path) -> Result<Self> {
        let mut found = Vec::new();
        walk(folder, "", 0, &mut found, &mut 0).map_err(|error| {
            let kind = match error.kind() {
                io::ErrorKind::NotFound => ErrorKind::NotFound,
                io::ErrorKind::PermissionDenied => ErrorKind::Denied,
                io::ErrorKind::NotADirectory => ErrorKind::Invalid,
                _ => ErrorKind::Unavailable,
            };
            Error::new(kind, format!("{}: {error}", folder.display()))
        })?;
        found.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(Self(found))
    }

    /// Whether a file was written so lately that it may have changed again without showing.
    pub fn is_fresh(&self) -> bool {
        let old = |found: &Found| found.modified.elapsed().is_ok_and(|age| age > SETTLED);
        !self.0.iter().all(old)
    }
}

/// What a folder holds, its own files before those of its subfolders.
fn walk(folder: &Path, prefix: &str, depth: usize, found: &mut Vec<Found>, folders: &mut usize) -> io::Result<()> {
    let mut inner = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") || found.len() > MAX_FILES {
            continue;
        }
        let (name, path) = (format!("{prefix}{}", entry.file_name().to_string_lossy()), entry.path());
        // What vanishes meanwhile was not there; links are followed, as mounted configuration is made of them.
        let Ok(metadata) = fs::metadata(&path) else { continue };
        *folders += usize::from(metadata.is_dir());
        if metadata.is_dir() && depth < MAX_FOLDER_DEPTH && *folders <= MAX_FOLDERS {
            inner.push((name, path));
        } else if metadata.is_dir() || name.ends_with(".yml") || name.ends_with(".yaml") {
            let (bytes, deep) = (metadata.len(), metadata.is_dir());
            found.push(Found { name, path, bytes, modified: metadata.modified()?, deep });
        }
    }
    for (name, path) in inner {
        walk(&path, &format!("{name}/"), depth + 1, found, folders)?;
    }
    Ok(())
}

impl Texts {
    /// Reads every `.yml` and `.yaml` file of a folder and its subfolders.
    ///
    /// Errors: `NotFound`, `Denied` or `Unavailable` for the folder itself; what is wrong with one file is a problem.
    pub fn read(folder: &Path) -> Result<Self> {
        Ok(Self::of(&Stamp::of(folder)?))
    }

    pub(crate) fn of(stamp: &Stamp) -> Self {
        let mut texts = Self::default();
        for Found { name, path, deep, .. } in &stamp.0 {
            match deep {
                true => texts.skip(
                    name,
                    format!(
                        "folders are read {MAX_FOLDER_DEPTH} deep, and at most {MAX_FOLDERS} of them: this is one more"
                    ),
                ),
                false => texts.take(name, path),
            }
        }
        texts
    }

    fn take(&mut self, name: &str, path: &Path) {
        if self.files.len() == MAX_FILES {
            return self.skip(name, format!("a folder has at most {MAX_FILES} files of rules"));
        }
        if !fs::metadata(path).is_ok_and(|metadata| metadata.is_file()) {
            return self.skip(name, "it is no regular file".to_owned());
        }
        let read = fs::File::open(path).and_then(|file| {
            let mut text = String::new();
            file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text).map(|_| text)
        });
        match read {
            Ok(text) if text.len() as u64 > MAX_FILE_BYTES => {
                self.skip(name, format!("it is over the limit of {MAX_FILE_BYTES} bytes"));
            }
            Ok(text) => self.files.push((name.to_owned(), text)),
            Err(error) => self.skip(name, error.to_string()),
        }
    }

    fn skip(&mut self, name: &str, reason: String) {
        let place = Place { file: name.to_owned(), document: 0 };
        self.problems.push(Problem { place, title: None, skipped: true, reason });
    }

    /// SHA-256 over names and texts, in hexadecimal: which rules these are.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for (name, text) in &self.files {
            for part in [name, text] {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
            }
        }
        hex::encode(hash.finalize())
    }
}
