//! What the service keeps in the ledger's `state/`: small files, replaced whole, for the ledger's owner alone.
//!
//! Whoever may write there must lead the service to no other file, nor let it wait: no links are followed, and only regular
//! files are read.

use std::io::{ErrorKind, Result};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use counterfoil::{Disk, OsDisk};

/// Most bytes of one of the files.
const MAX_BYTES: u64 = 64 << 20;

/// The folder, made if it is not there.
pub(crate) fn folder(ledger: &Path) -> Result<PathBuf> {
    let folder = ledger.join("state");
    OsDisk.create_folder(&folder)?;
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700))?;
    Ok(folder)
}

/// The whole content of a file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    OsDisk.read_at_most(path, MAX_BYTES)
}

/// Replaces a file so that a crash leaves the old or the new content.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<()> {
    let beside = path.with_extension("tmp");
    remove(&beside)?;
    OsDisk.write_new(&beside, 0o600, content)?;
    OsDisk.rename(&beside, path)?;
    OsDisk.sync_folder(path.parent().expect("the file stands in a folder"))
}

/// Removes what has this name, if anything has.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match OsDisk.remove(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
