//! The names on a disk, those that are seen now and those that are durable.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::Random;

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Node {
    Folder,
    File(usize),
}

#[derive(Debug, Clone)]
enum Change {
    Add(PathBuf, Node),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf, Node),
}

#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    now: BTreeMap<PathBuf, Node>,
    durable: BTreeMap<PathBuf, Node>,
    /// Changes that no sync of their folder has made durable, oldest first.
    pending: Vec<Change>,
}

impl Change {
    fn folder(&self) -> Option<&Path> {
        let (Self::Add(path, _) | Self::Remove(path) | Self::Rename(path, _, _)) = self;
        path.parent()
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, Node>) {
        match self {
            Self::Add(path, node) => drop(names.insert(path.clone(), *node)),
            Self::Remove(path) => drop(names.remove(path)),
            Self::Rename(from, to, node) => {
                names.remove(from);
                names.insert(to.clone(), *node);
            }
        }
    }
}

impl Names {
    fn get(&self, path: &Path) -> Option<Node> {
        self.now.get(path).copied()
    }

    /// The file of a name.
    pub fn file(&self, path: &Path) -> io::Result<usize> {
        match self.get(path) {
            Some(Node::File(inode)) => Ok(inode),
            Some(Node::Folder) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    pub fn check_folder(&self, path: &Path) -> io::Result<()> {
        match self.get(path) {
            Some(Node::Folder) => Ok(()),
            Some(Node::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
            None if path.parent().is_none() => Ok(()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Whether a name can be made.
    pub fn check_free(&self, path: &Path) -> io::Result<()> {
        self.check_folder(path.parent().unwrap_or(Path::new("/")))?;
        if self.now.contains_key(path) { Err(io::ErrorKind::AlreadyExists.into()) } else { Ok(()) }
    }

    /// The folders that have to be made for `path` to be one, outermost first.
    pub fn missing_folders(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let mut missing = Vec::new();
        for folder in path.ancestors().filter(|folder| folder.parent().is_some()) {
            match self.get(folder) {
                Some(Node::Folder) => break,
                Some(Node::File(_)) => return Err(io::ErrorKind::NotADirectory.into()),
                None => missing.insert(0, folder.to_owned()),
            }
        }
        Ok(missing)
    }

    pub fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.check_folder(path)?;
        let inside = self.now.keys().filter(|name| name.parent() == Some(path));
        Ok(inside.filter_map(|name| Some(name.file_name()?.to_string_lossy().into_owned())).collect())
    }

    pub fn files(&self) -> Vec<PathBuf> {
        let files = self.now.iter().filter(|(_, node)| **node != Node::Folder);
        files.map(|(path, _)| path.clone()).collect()
    }

    pub fn add(&mut self, path: &Path, node: Node) {
        self.change(Change::Add(path.to_owned(), node));
    }

    pub fn remove(&mut self, path: &Path) {
        self.change(Change::Remove(path.to_owned()));
    }

    pub fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        if from.parent() != to.parent() {
            return Err(io::Error::other("names are kept within their folder here"));
        }
        let node = Node::File(self.file(from)?);
        self.change(Change::Rename(from.to_owned(), to.to_owned(), node));
        Ok(())
    }

    pub fn put_durable(&mut self, path: &Path, node: Node) {
        self.now.insert(path.to_owned(), node);
        self.durable.insert(path.to_owned(), node);
    }

    pub fn take_durable(&mut self, path: &Path) {
        self.now.remove(path);
        self.durable.remove(path);
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.now);
        self.pending.push(change);
    }

    /// Makes the names in a folder durable.
    pub fn sync(&mut self, folder: &Path) {
        let durable = &mut self.durable;
        self.pending.retain(|change| {
            let inside = change.folder() == Some(folder);
            if inside {
                change.apply(durable);
            }
            !inside
        });
    }

    /// What a power failure leaves: of the pending changes none, all, the oldest, or any.
    pub fn after_crash(&self, random: &mut Random) -> Self {
        let mut found = self.durable.clone();
        let mood = random.below(4);
        let kept = random.below(self.pending.len() as u64 + 1) as usize;
        for (position, change) in self.pending.iter().enumerate() {
            let survives = match mood {
                0 => false,
                1 => true,
                2 => position < kept,
                _ => random.coin(),
            };
            if survives {
                change.apply(&mut found);
            }
        }
        let all = found.clone();
        let reachable = |path: &Path| {
            let mut above = path.ancestors().skip(1).filter(|folder| folder.parent().is_some());
            above.all(|folder| all.contains_key(folder))
        };
        found.retain(|path, _| reachable(path));
        Self { now: found.clone(), durable: found, pending: Vec::new() }
    }
}
