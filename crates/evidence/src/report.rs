//! The outcome of one verification.

use counterfoil_tlog::Hash;

use crate::{Finding, FindingClass};

/// What a verification looked at, what it compared that against, and everything it found wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The name of the ledger that was verified; empty where the name itself could not be read.
    pub origin: String,
    /// How many entries the verified state has.
    pub size: u64,
    /// The root over these entries; none where it could not be derived.
    pub root: Option<Hash>,
    /// How many entries were rebuilt and hashed.
    pub entries_checked: u64,
    /// How many sealed segments were read in full.
    pub segments_checked: u64,
    /// How many signatures on entries were checked.
    pub signatures_checked: u64,
    /// Whether the result rests on a key or checkpoint from outside what was verified. If not, it says only that
    /// the parts agree with one another.
    pub anchored: bool,
    /// What the result was compared against, each as a phrase for a person.
    pub compared_against: Vec<String>,
    /// What the reader should know and is nothing wrong, such as a gap in a source's sequence.
    pub notices: Vec<String>,
    /// Everything that was found wrong.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether nothing was found wrong.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// The gravest class among the findings; none when there are no findings.
    pub fn class(&self) -> Option<FindingClass> {
        self.findings.iter().map(|finding| finding.kind.class()).max()
    }

    /// Notes one thing found wrong.
    pub fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }
}
