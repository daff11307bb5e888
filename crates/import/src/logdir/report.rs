//! What a verification of a log folder says.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// How the lines of a log are hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `hash` covers its own line; there is no `prev_hash`.
    HashOnly,
    /// `prev_hash` was added to a line that had its `hash`, so that no hash covers the link.
    LinkOutsideHash,
    /// `hash` covers the line with `prev_hash` and with the hash that it had before it was chained.
    ChainedAfterHashing,
    /// `hash` covers the line with its `prev_hash`.
    Chained,
}

const SPELLING: &str = "spaces, the order of members and other spellings of the same value within a line";
const TAIL: &str = "lines cut from the end of the newest file, or a newest file removed whole";
const REWRITTEN: &str = "the whole log rewritten with new hashes, since nothing outside it holds the last one";

impl Kind {
    /// Its name, in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::HashOnly => "hash-only",
            Kind::LinkOutsideHash => "link-outside-hash",
            Kind::ChainedAfterHashing => "chained-after-hashing",
            Kind::Chained => "chained",
        }
    }

    /// The changes that leave such a log without a finding.
    pub fn cannot_detect(self) -> &'static [&'static str] {
        match self {
            Kind::HashOnly => &[
                "lines dropped, anywhere",
                "lines put in another order",
                "lines repeated",
                "a line changed or made up together with its hash",
                SPELLING,
            ],
            Kind::LinkOutsideHash => &[
                "lines dropped or put in another order, when prev_hash is rewritten after them",
                "a line changed or made up together with its hash, when the next prev_hash is rewritten",
                TAIL,
                REWRITTEN,
                SPELLING,
            ],
            Kind::ChainedAfterHashing | Kind::Chained => &[TAIL, REWRITTEN, SPELLING],
        }
    }

    /// The kind that occurs most often; of equals the one that shows more.
    pub(super) fn most_common(kinds: impl Iterator<Item = Kind>) -> Option<Kind> {
        let mut counts = [0_u64; 4];
        for kind in kinds {
            counts[kind as usize] += 1;
        }
        [Kind::HashOnly, Kind::LinkOutsideHash, Kind::ChainedAfterHashing, Kind::Chained]
            .into_iter()
            .filter(|kind| counts[*kind as usize] > 0)
            .max_by_key(|kind| (counts[*kind as usize], *kind))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What kind of thing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingKind {
    /// The file could not be read to its end.
    Unreadable,
    /// The line is no JSON object.
    Malformed,
    /// A member stands twice in one object; the hash covers the last.
    DuplicateMember,
    /// The line has no hash.
    NoHash,
    /// The hash is not the line's.
    HashMismatch,
    /// The hash is right for another kind of log than the rest of the file.
    OtherKind,
    /// No line's hash is right in any known way.
    UnknownKind,
    /// The line of a chained log has no `prev_hash`.
    NoLink,
    /// `prev_hash` is not the hash of the line before.
    BrokenLink,
    /// A chain begins anew within a file.
    Restart,
    /// The first line names a line before it that is not there.
    HeadMissing,
}

impl FindingKind {
    /// Its name, in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            FindingKind::Unreadable => "unreadable",
            FindingKind::Malformed => "malformed",
            FindingKind::DuplicateMember => "duplicate-member",
            FindingKind::NoHash => "no-hash",
            FindingKind::HashMismatch => "hash-mismatch",
            FindingKind::OtherKind => "other-kind",
            FindingKind::UnknownKind => "unknown-kind",
            FindingKind::NoLink => "no-link",
            FindingKind::BrokenLink => "broken-link",
            FindingKind::Restart => "restart",
            FindingKind::HeadMissing => "head-missing",
        }
    }
}

/// One thing that is wrong with a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind of thing.
    pub kind: FindingKind,
    /// Name of the file within the folder.
    pub file: String,
    /// Line, from 1.
    pub line: u64,
    /// A sentence for people.
    pub message: String,
}

/// One file of a log folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileReport {
    /// Its name within the folder.
    pub name: String,
    /// Lines that are not blank.
    pub lines: u64,
    /// How its lines are hashed; none when no line's hash is right in any known way.
    pub kind: Option<Kind>,
    /// Whether a chain begins with its first line.
    pub starts_chain: bool,
    /// Hash of its last line: kept elsewhere, it anchors the log up to here.
    pub last_hash: Option<String>,
}

/// What a verification of a log folder says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The logs, in the order in which they were followed.
    pub files: Vec<FileReport>,
    /// What else is in the folder and was not looked at.
    pub left_out: Vec<String>,
    /// What is wrong, in order; at most 10,000 of them.
    pub findings: Vec<Finding>,
    /// How many more findings there are.
    pub more_findings: u64,
}

impl Report {
    /// The changes that would leave this folder without a finding.
    pub fn cannot_detect(&self) -> Vec<String> {
        let mut limits: Vec<String> = Vec::new();
        let kinds = self.files.iter().filter_map(|file| file.kind);
        for limit in kinds.flat_map(Kind::cannot_detect) {
            if !limits.iter().any(|known| known == limit) {
                limits.push((*limit).to_owned());
            }
        }
        let chains = self.files.iter().filter(|file| file.starts_chain).count();
        if chains > 1 {
            limits.push(format!(
                "the removal of one of the {chains} chains, or of the end of one: each begins anew with a file"
            ));
        }
        limits
    }
}

/// Why a folder cannot be verified at all.
#[derive(Debug, thiserror::Error)]
pub enum LogDirError {
    /// The folder cannot be listed.
    #[error("{}: {source}", dir.display())]
    Unreadable {
        /// The folder.
        dir: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// There is nothing to verify.
    #[error("{}: no log here (files called ….jsonl, ….ndjson, ….json or ….log, also rotated or gzipped)", .0.display())]
    NoLogs(PathBuf),
}
