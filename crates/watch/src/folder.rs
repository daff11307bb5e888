//! A folder of rules as files and their texts.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use counterfoil::{Error, ErrorKind, Result};
use sha2::{Digest, Sha256};

use crate::limits::{MAX_FILE_BYTES, MAX_FILES, MAX_FOLDER_DEPTH};
use crate::problem::Problem;
use crate::rule::Place;

/// The texts of a folder's rules.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Texts {
    /// Each file's name below the folder, and its text; in order of the names.
    pub files: Vec<(String, String)>,
    /// Files that were left out.
    pub problems: Vec<Problem>,
}

impl Texts {
    /// Reads every `.yml` and `.yaml` file of a folder and its subfolders.
    ///
    /// Errors: `NotFound`, `Denied` or `Unavailable` for the folder itself; what is wrong with one file is a problem.
    pub fn read(folder: &Path) -> Result<Self> {
        let mut texts = Self::default();
        texts.walk(folder, "", 0).map_err(|error| {
            let kind = match error.kind() {
                io::ErrorKind::NotFound => ErrorKind::NotFound,
                io::ErrorKind::PermissionDenied => ErrorKind::Denied,
                io::ErrorKind::NotADirectory => ErrorKind::Invalid,
                _ => ErrorKind::Unavailable,
            };
            Error::new(kind, format!("{}: {error}", folder.display()))
        })?;
        texts.files.sort_unstable();
        Ok(texts)
    }

    fn walk(&mut self, folder: &Path, prefix: &str, depth: usize) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let kind = entry.file_type()?;
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            if kind.is_dir() {
                match depth < MAX_FOLDER_DEPTH {
                    true => self.walk(&entry.path(), &format!("{name}/"), depth + 1)?,
                    false => self.skip(&name, format!("folders are read {MAX_FOLDER_DEPTH} deep, and this is deeper")),
                }
            } else if name.ends_with(".yml") || name.ends_with(".yaml") {
                self.take(&name, &entry.path());
            }
        }
        Ok(())
    }

    fn take(&mut self, name: &str, path: &Path) {
        if self.files.len() == MAX_FILES {
            return self.skip(name, format!("a folder has at most {MAX_FILES} files of rules"));
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
