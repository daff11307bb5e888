//! A file system in memory that keeps apart what was written and what would survive.

mod content;
mod handle;
mod names;
mod state;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use counterfoil::{Disk, DiskFile, FolderLock};

use handle::{MemoryFile, MemoryLock};
use names::Node;
use state::State;

use crate::Random;

/// What happens at the operation that was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It fails with EIO and does nothing. Like Linux, a failed sync forgets what it should have written: a later sync
    /// that succeeds does not make it durable.
    InputOutput,
    /// It fails with ENOSPC and does nothing.
    NoSpace,
    /// A write reaches the file in part, by 512-byte sectors from its start, and the process is killed.
    Tear,
    /// The process is killed just before: this operation and all later ones fail.
    Kill,
}

/// A file system in memory. Clones are the same file system, as seen by several users.
///
/// - A file's content and length are durable after [`DiskFile::sync`], a name after [`Disk::sync_folder`] of the folder
///   it stands in. [`MemoryDisk::crash`] gives what a reboot after a power failure would find.
/// - Operations that change something are counted from 1; one of them can be made to fail, tear or kill.
#[derive(Clone)]
pub struct MemoryDisk(Arc<Mutex<State>>);

impl Default for MemoryDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryDisk {
    /// An empty disk of unlimited size.
    pub fn new() -> Self {
        Self::from(State::default())
    }

    /// An empty disk on which files take at most this many bytes together.
    pub fn with_capacity(bytes: u64) -> Self {
        Self::from(State { capacity: Some(bytes), ..State::default() })
    }

    /// A disk with the files and folders that stand under `root` on the real one, all of them durable.
    ///
    /// # Errors
    /// Those of reading.
    pub fn load(root: &Path) -> io::Result<Self> {
        let mut state = State::default();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            state.names.put_durable(&folder, Node::Folder);
            for entry in std::fs::read_dir(&folder)? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let inode = state.add_durable(std::fs::read(&path)?);
                    state.names.put_durable(&path, Node::File(inode));
                }
            }
        }
        Ok(Self::from(state))
    }

    /// Puts a file in place behind everybody's back, durably.
    pub fn put(&self, path: &Path, data: Vec<u8>) {
        let mut state = self.state();
        let inode = state.add_durable(data);
        state.names.put_durable(path, Node::File(inode));
    }

    /// Takes a name away behind everybody's back, durably.
    pub fn take(&self, path: &Path) {
        self.state().names.take_durable(path);
    }

    fn from(state: State) -> Self {
        Self(Arc::new(Mutex::new(state)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no panic while held")
    }

    /// Changes how many bytes all files together may take.
    pub fn set_capacity(&self, bytes: u64) {
        self.state().capacity = Some(bytes);
    }

    /// Lets operation `number` from now on have a fault.
    pub fn plan(&self, number: u64, fault: Fault) {
        let mut state = self.state();
        state.plan = Some((state.trace.len() as u64 + number, fault));
    }

    /// How many operations there were.
    pub fn operations(&self) -> u64 {
        self.state().trace.len() as u64
    }

    /// What each operation was, oldest first.
    pub fn trace(&self) -> Vec<String> {
        self.state().trace.clone()
    }

    /// Whether the planned fault has happened.
    pub fn is_struck(&self) -> bool {
        self.state().struck
    }

    /// The disk after a power failure at this moment. What was not synced survives in whole, in part or not at all, as
    /// the seed decides.
    pub fn crash(&self, seed: u64) -> Self {
        Self::from(self.state().after_crash(&mut Random::new(seed)))
    }

    /// The disk after the process was killed at this moment: everything written is still there, and still not durable.
    /// Counts and plans begin anew.
    pub fn restart(&self) -> Self {
        Self::from(self.state().after_kill())
    }

    /// The paths of all files, sorted.
    pub fn files(&self) -> Vec<PathBuf> {
        self.state().names.files()
    }

    /// Changes a file's bytes behind everybody's back, durably.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn alter(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        let mut state = self.state();
        let inode = state.names.file(path)?;
        state.inodes[inode].alter(change);
        Ok(())
    }
}

impl fmt::Debug for MemoryDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryDisk").field("operations", &self.operations()).finish_non_exhaustive()
    }
}

impl Disk for MemoryDisk {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        let missing = self.state().names.missing_folders(path)?;
        for folder in missing {
            let mut state = self.state();
            state.step("create folder", &folder, "")?;
            state.names.add(&folder, Node::Folder);
        }
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let state = self.state();
        state.check_alive()?;
        state.names.list(path)
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let state = self.state();
        state.check_alive()?;
        let inode = state.names.file(path)?;
        Ok(Arc::new(MemoryFile { disk: self.clone(), inode, path: path.to_owned() }))
    }

    fn open_writable(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.open(path)
    }

    fn create(&self, path: &Path, _mode: u32) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        state.names.check_free(path)?;
        state.step("create", path, "")?;
        let inode = state.add();
        state.names.add(path, Node::File(inode));
        Ok(Arc::new(MemoryFile { disk: self.clone(), inode, path: path.to_owned() }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.names.file(from)?;
        state.step("rename", from, &format!("to {}", to.display()))?;
        state.names.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.check_alive()?;
        state.names.file(path)?;
        state.step("remove", path, "")?;
        state.names.remove(path);
        Ok(())
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.names.check_folder(path)?;
        state.step("sync folder", path, "")?;
        state.names.sync(path);
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn FolderLock>> {
        let mut state = self.state();
        state.check_alive()?;
        state.names.check_folder(path)?;
        if !state.locks.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(MemoryLock { disk: self.clone(), path: path.to_owned() }))
    }
}
