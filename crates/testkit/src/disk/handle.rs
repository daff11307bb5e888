//! An open file, and a held lock.

use std::fmt;
use std::io;
use std::path::PathBuf;

use counterfoil::{DiskFile, FolderLock};
use counterfoil_segment::ReadAt;

use super::{Fault, MemoryDisk};
use crate::Random;

/// An open file; it stays readable after its name is gone.
pub(super) struct MemoryFile {
    pub disk: MemoryDisk,
    pub inode: usize,
    pub path: PathBuf,
}

impl fmt::Debug for MemoryFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MemoryFile").field(&self.path).finish()
    }
}

impl ReadAt for MemoryFile {
    fn len(&self) -> u64 {
        self.disk.state().inodes[self.inode].len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let state = self.disk.state();
        state.check_alive()?;
        if state.inodes[self.inode].read(offset, buffer) { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

impl DiskFile for MemoryFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.state();
        let fault = state.next("write", &self.path, &format!("{offset}+{}", bytes.len()))?;
        if fault == Some(Fault::Tear) {
            let mut random = Random::new(state.trace.len() as u64);
            state.inodes[self.inode].tear(offset, bytes, &mut random);
        }
        if let Some(fault) = fault {
            return Err(state.strike(fault));
        }
        state.check_space(self.inode, offset + bytes.len() as u64)?;
        state.inodes[self.inode].write(offset, bytes);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        if let Err(error) = state.step("sync", &self.path, "") {
            state.inodes[self.inode].forget();
            return Err(error);
        }
        state.inodes[self.inode].sync();
        Ok(())
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.step("allocate", &self.path, &length.to_string())?;
        state.check_space(self.inode, length)?;
        if length > state.inodes[self.inode].len() {
            state.inodes[self.inode].set_length(length);
        }
        Ok(())
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.step("truncate", &self.path, &length.to_string())?;
        state.inodes[self.inode].set_length(length);
        Ok(())
    }
}

/// A locked folder.
#[derive(Debug)]
pub(super) struct MemoryLock {
    pub disk: MemoryDisk,
    pub path: PathBuf,
}

impl FolderLock for MemoryLock {}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        self.disk.state().locks.remove(&self.path);
    }
}
