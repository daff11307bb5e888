//! Reading a ledger that another process may be writing.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use counterfoil_tlog::NoteSigner;

use crate::disk::{Disk, OsDisk};
use crate::error::{ErrorKind, Result};
use crate::load::{Until, load, open_folder, read_checkpoint};
use crate::snapshot::{Folder, Snapshot};

/// How often a state is read again when the writer moved files meanwhile.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(10);

/// A ledger opened for reading. It needs no key and takes no lock; it sees what the file `checkpoint` covers, which a
/// running writer renews within a second.
#[derive(Debug)]
pub struct Reader {
    folder: Arc<Folder>,
}

impl Reader {
    /// Opens the ledger in a folder. `NotFound` when it is none.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_on(path, Arc::new(OsDisk))
    }

    /// The same on another disk.
    pub fn open_on(path: impl AsRef<Path>, disk: Arc<dyn Disk>) -> Result<Self> {
        Ok(Self { folder: open_folder(path.as_ref(), disk)? })
    }

    /// The key in the ledger's folder, for whoever may read it. `NotFound` where an external signer has the key, `Denied`
    /// without the right to read it.
    pub fn signer(&self) -> Result<NoteSigner> {
        crate::keys::load(self.folder.disk.as_ref(), &self.folder.layout, &self.folder.config.origin)
    }

    /// Whether a snapshot is what `checkpoint` covers now: cheaper than a new one.
    pub fn is_current(&self, snapshot: &Snapshot) -> Result<bool> {
        let (_, note) = read_checkpoint(&self.folder)?;
        Ok(*note == *snapshot.checkpoint())
    }

    /// The state that `checkpoint` covers now. `Tampered` when the folder does not hold what its checkpoint signs.
    pub fn snapshot(&self) -> Result<Snapshot> {
        let mut tries = 1;
        loop {
            let found = load(self.folder.clone(), Until::Published).and_then(|loaded| loaded.published());
            match found {
                Err(error) if tries < TRIES && moved_meanwhile(error.kind) => {
                    tries += 1;
                    std::thread::sleep(PAUSE);
                }
                other => return other,
            }
        }
    }
}

/// Errors that a writer causes when it seals and drops a journal file while a reader lists the folder.
fn moved_meanwhile(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::Damaged | ErrorKind::Tampered)
}
