//! Where things stand in a ledger's folder.

use std::path::{Path, PathBuf};

/// The digits of an index in a file name, so that names sort as numbers do.
const DIGITS: usize = 20;

/// The folder of a ledger and the names in it.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
}

/// The ending of [`Layout::footer`].
pub(crate) const FOOTER: &str = "footer";

/// The three files of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SegmentFile {
    /// The entries as Parquet.
    Parquet,
    /// Hashes of the tree, and the block digests of the other two.
    Tiles,
    /// Positions of entities, actors, traces, ids and sequences.
    Index,
}

impl SegmentFile {
    /// All three, in the order in which `ledger.sealed` lists them.
    pub const ALL: [Self; 3] = [Self::Parquet, Self::Tiles, Self::Index];

    /// The file name's ending.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Tiles => "tiles",
            Self::Index => "index",
        }
    }
}

impl Layout {
    /// The layout of the ledger in this folder.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The ledger's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `ledger.toml`.
    pub fn config(&self) -> PathBuf {
        self.root.join("ledger.toml")
    }

    /// `checkpoint`.
    pub fn checkpoint(&self) -> PathBuf {
        self.root.join("checkpoint")
    }

    /// `pruned.toml`.
    pub fn pruned(&self) -> PathBuf {
        self.root.join("pruned.toml")
    }

    /// `keys/`.
    pub fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    /// The ledger's signing key.
    pub fn signing_key(&self) -> PathBuf {
        self.keys().join("signing-key.pem")
    }

    /// `state/`.
    pub fn state(&self) -> PathBuf {
        self.root.join("state")
    }

    /// `journal/`.
    pub fn journals(&self) -> PathBuf {
        self.root.join("journal")
    }

    /// `segments/`.
    pub fn segments(&self) -> PathBuf {
        self.root.join("segments")
    }

    /// `attachments/`.
    pub fn attachments(&self) -> PathBuf {
        self.root.join("attachments")
    }

    /// The folders in the ledger's folder.
    pub fn folders(&self) -> [PathBuf; 5] {
        [self.journals(), self.segments(), self.attachments(), self.keys(), self.state()]
    }

    /// The journal file that starts at an index.
    pub fn journal(&self, first: u64) -> PathBuf {
        self.journals().join(format!("{first:0DIGITS$}.journal"))
    }

    /// One of a segment's files.
    pub fn segment(&self, first: u64, file: SegmentFile) -> PathBuf {
        self.segments().join(format!("{first:0DIGITS$}.{}", file.extension()))
    }

    /// The end of a segment's Parquet file, kept where the file itself was pruned.
    pub fn footer(&self, first: u64) -> PathBuf {
        self.segments().join(format!("{first:0DIGITS$}.{FOOTER}"))
    }

    /// A path as messages and findings print it: relative to the ledger's folder.
    pub fn relative(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }
}

/// Whether a name is that of a segment's file that is being written, or that a crash left.
pub fn is_temporary(name: &str) -> bool {
    let Some(name) = name.strip_suffix(".tmp") else { return false };
    let mut endings = SegmentFile::ALL.into_iter().map(SegmentFile::extension).chain([FOOTER]);
    endings.any(|ending| first_index(name, ending).is_some())
}

/// The index in a name such as `00000000000000262144.parquet`, when the name is exactly that. Segments and journal files
/// start at multiples of 256, below 2^62.
pub fn first_index(name: &str, extension: &str) -> Option<u64> {
    let digits = name.strip_suffix(extension)?.strip_suffix('.')?;
    if digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        digits.parse().ok().filter(|first: &u64| first.is_multiple_of(256) && *first < 1 << 62)
    } else {
        None
    }
}
