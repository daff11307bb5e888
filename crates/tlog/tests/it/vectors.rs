//! Where the vectors are: the small ones beside the project's own test data, the large ones in `../shared`.

use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A file or folder under `testdata/tlog`.
pub fn testdata(path: &str) -> PathBuf {
    workspace().join("testdata/tlog").join(path)
}

/// A file under `vectors` of the shared folder. Where that folder is missing, a test leaves the case out and says so;
/// in CI that is a failure.
pub fn shared(path: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("COUNTERFOIL_SHARED").map_or_else(|| workspace().join("../shared"), PathBuf::from);
    let file = folder.join("vectors").join(path);
    if file.exists() {
        return Some(file);
    }
    assert!(std::env::var_os("CI").is_none(), "{} is missing", file.display());
    eprintln!("left out: {path} (no ../shared)");
    None
}

/// A JSON file as the wanted shape.
pub fn json<T: DeserializeOwned>(path: &Path) -> T {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All JSON files below a folder, sorted.
pub fn json_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
