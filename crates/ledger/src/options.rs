//! How a ledger is opened.

use std::sync::Arc;

use counterfoil_tlog::Signer;

use crate::clock::{Clock, SystemClock};
use crate::disk::{Disk, OsDisk};

/// How a ledger is opened.
#[derive(Clone)]
pub struct OpenOptions {
    /// Signs checkpoints in place of the key file in `keys/`, for a key that lives in a KMS or HSM.
    pub signer: Option<Arc<dyn Signer + Send + Sync>>,
    /// The disk.
    pub disk: Arc<dyn Disk>,
    /// The clocks.
    pub clock: Arc<dyn Clock>,
    /// Whether a network file system is accepted, where locks and syncs may promise less than the ledger needs.
    pub allow_network_file_system: bool,
    /// A checkpoint of this ledger that was kept elsewhere, a C2SP note. What the folder holds must extend it before anything
    /// is signed: a folder that was rolled back would sign a second history.
    pub extends: Option<Vec<u8>>,
    /// Called with the number of entries after each commit, on the committing thread: it must not wait.
    pub on_commit: Option<OnCommit>,
}

/// Sees how many entries a commit made durable.
pub type OnCommit = Arc<dyn Fn(u64) + Send + Sync>;

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            signer: None,
            disk: Arc::new(OsDisk),
            clock: Arc::new(SystemClock::default()),
            allow_network_file_system: false,
            extends: None,
            on_commit: None,
        }
    }
}
