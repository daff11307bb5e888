//! Where the tests find their files.

use std::path::{Path, PathBuf};

pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the crate lies two folders deep")
}

pub fn testdata(name: &str) -> PathBuf {
    workspace().join("testdata/entry").join(name)
}

pub fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files of a folder by name, in order.
pub fn folder(path: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut files: Vec<_> = entries
        .map(|entry| {
            let entry = entry.expect("a readable folder");
            (entry.file_name().to_string_lossy().into_owned(), read(&entry.path()))
        })
        .collect();
    files.sort();
    files
}

/// A folder of the shared vectors and datasets; `None`, and a line on stderr, where there is none.
pub fn shared(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("COUNTERFOIL_SHARED").map_or_else(|| workspace().join("../shared"), PathBuf::from);
    let path = root.join(name);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var_os("CI").is_none(), "{} is missing, and CI is set", path.display());
    eprintln!("left out: {name} (no ../shared)");
    None
}
