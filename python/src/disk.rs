//! The operating system's disk, with a folder lock that a forked child can let go of.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use counterfoil::{Disk, DiskFile, FolderLock, OsDisk};

/// A disk for one ledger.
///
/// A lock belongs to the open folder, and a forked child inherits that. As long as the child lives nobody else could
/// take the folder over, even when the process that opened the ledger is long dead. [`ForkDisk::let_go`] closes the
/// child's copy and leaves the lock of the parent alone.
#[derive(Debug, Default, Clone)]
pub struct ForkDisk {
    folder: Arc<Mutex<Option<File>>>,
}

impl ForkDisk {
    /// Closes this process's copy of the locked folder. Does nothing while another thread was inside at the fork.
    pub fn let_go(&self) {
        if let Ok(mut folder) = self.folder.try_lock() {
            folder.take();
        }
    }
}

#[derive(Debug)]
struct Held(Arc<Mutex<Option<File>>>);

impl FolderLock for Held {}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Disk for ForkDisk {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        OsDisk.create_folder(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        OsDisk.list(path)
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        OsDisk.open(path)
    }

    fn open_writable(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        OsDisk.open_writable(path)
    }

    fn create(&self, path: &Path, mode: u32) -> io::Result<Arc<dyn DiskFile>> {
        OsDisk.create(path, mode)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        OsDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        OsDisk.remove(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        OsDisk.sync_folder(path)
    }

    fn is_link(&self, path: &Path) -> bool {
        OsDisk.is_link(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn FolderLock>> {
        let folder = File::open(path)?;
        match folder.try_lock() {
            Ok(()) => {
                self.folder.lock().unwrap_or_else(PoisonError::into_inner).replace(folder);
                Ok(Box::new(Held(self.folder.clone())))
            }
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}
