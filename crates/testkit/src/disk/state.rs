//! All of a disk: names, files, locks, and the fault that is planned.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::Fault;
use super::content::Inode;
use super::names::Names;
use crate::Random;

#[derive(Debug, Clone, Default)]
pub(super) struct State {
    pub names: Names,
    pub inodes: Vec<Inode>,
    pub locks: BTreeSet<PathBuf>,
    pub capacity: Option<u64>,
    pub trace: Vec<String>,
    pub plan: Option<(u64, Fault)>,
    pub struck: bool,
    pub killed: bool,
}

impl State {
    /// A new, empty file.
    pub fn add(&mut self) -> usize {
        self.inodes.push(Inode::default());
        self.inodes.len() - 1
    }

    /// A new file whose content is durable.
    pub fn add_durable(&mut self, data: Vec<u8>) -> usize {
        self.inodes.push(Inode::durable(data));
        self.inodes.len() - 1
    }

    pub fn check_alive(&self) -> io::Result<()> {
        if self.killed { Err(io::Error::other("the process was killed")) } else { Ok(()) }
    }

    /// Counts an operation and gives it the fault that is planned for it.
    pub fn step(&mut self, what: &str, path: &Path, more: &str) -> io::Result<()> {
        match self.next(what, path, more)? {
            None => Ok(()),
            Some(fault) => Err(self.strike(fault)),
        }
    }

    /// Counts an operation; the fault that is planned for it.
    pub fn next(&mut self, what: &str, path: &Path, more: &str) -> io::Result<Option<Fault>> {
        self.check_alive()?;
        self.trace.push(format!("{what} {} {more}", path.display()));
        let due = self.plan.filter(|(number, _)| *number == self.trace.len() as u64);
        Ok(due.map(|(_, fault)| fault))
    }

    /// The error of a fault that happens now.
    pub fn strike(&mut self, fault: Fault) -> io::Error {
        self.struck = true;
        match fault {
            Fault::InputOutput => io::Error::other("input/output error"),
            Fault::NoSpace => io::ErrorKind::StorageFull.into(),
            Fault::Tear | Fault::Kill => {
                self.killed = true;
                io::Error::other("the process was killed")
            }
        }
    }

    /// Refuses growth for which there is no space.
    pub fn check_space(&self, inode: usize, end: u64) -> io::Result<()> {
        let Some(capacity) = self.capacity else { return Ok(()) };
        let used: u64 = self.inodes.iter().map(Inode::len).sum();
        let more = end.saturating_sub(self.inodes[inode].len());
        if used + more > capacity { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    pub fn after_crash(&self, random: &mut Random) -> Self {
        Self {
            names: self.names.after_crash(random),
            inodes: self.inodes.iter().map(|inode| inode.after_crash(random)).collect(),
            capacity: self.capacity,
            ..Self::default()
        }
    }

    pub fn after_kill(&self) -> Self {
        Self { names: self.names.clone(), inodes: self.inodes.clone(), capacity: self.capacity, ..Self::default() }
    }
}
