//! The socket in the ledger's folder: whoever may open it owns the ledger.

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

use crate::state;

/// Longest path that a socket's address holds, with room for its end.
const MAX_PATH_BYTES: usize = 100;

/// A listening socket that is gone from the folder when it is dropped.
pub(crate) struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Listens at `state/service.sock`; only the ledger's owner may connect.
    pub(crate) fn bind(ledger: &Path) -> io::Result<Self> {
        let folder = state::folder(ledger)?;
        let path = folder.join("service.sock");
        state::remove(&path)?;
        let listener = if path.as_os_str().len() < MAX_PATH_BYTES {
            UnixListener::bind(&path)?
        } else {
            let folder = std::fs::File::open(&folder)?;
            UnixListener::bind(format!("/proc/self/fd/{}/service.sock", folder.as_raw_fd()))?
        };
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        Ok(Self { listener, path })
    }

    pub(crate) async fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
