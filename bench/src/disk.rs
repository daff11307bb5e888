//! What a ledger takes on disk.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Bytes and files of a folder.
#[derive(Default)]
pub struct Usage {
    /// Allocated bytes.
    pub bytes: u64,
    /// Files.
    pub files: u64,
}

/// Adds up a folder and what is below it.
pub fn usage(folder: &Path) -> Usage {
    let mut usage = Usage::default();
    for entry in std::fs::read_dir(folder).expect("the folder can be listed") {
        let entry = entry.expect("an entry");
        let metadata = entry.metadata().expect("metadata");
        if metadata.is_dir() {
            let below = self::usage(&entry.path());
            usage.bytes += below.bytes;
            usage.files += below.files;
        } else {
            usage.bytes += metadata.blocks() * 512;
            usage.files += 1;
        }
    }
    usage
}
