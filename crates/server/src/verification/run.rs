//! One verification that ended, as it is recorded and told.

use std::collections::BTreeSet;

use counterfoil_entry::Timestamp;
use counterfoil_evidence::{Finding, Report};
use serde::{Deserialize, Serialize};

use super::kind::{Extent, Kind, Of};
use crate::moment::now;

/// Findings that an entry and an answer hold; the rest is counted.
const MAX_FINDINGS: usize = 100;

/// The most characters of a finding's message.
const MAX_MESSAGE: usize = 300;

/// One verification that ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Run {
    #[serde(default)]
    pub(crate) of: Of,
    #[serde(default)]
    pub(crate) extent: Extent,
    pub(crate) started_at: String,
    pub(crate) finished_at: String,
    pub(crate) verified: bool,
    pub(crate) tree_size: u64,
    pub(crate) anchored: bool,
    #[serde(default)]
    pub(crate) compared_against: Vec<String>,
    pub(crate) findings: Vec<Told>,
    pub(crate) findings_total: u64,
    /// How many entries, or rows of a table, were read for it.
    #[serde(default)]
    pub(crate) entries_checked: u64,
    /// How many of its kind it stands for: those that found nothing and are not recorded, and itself.
    #[serde(default = "one")]
    pub(crate) runs: u64,
    /// Rows of a table that were committed and are not in the ledger yet.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) not_moved: u64,
    /// The ledger's signed checkpoint that it was compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) checkpoint: Option<String>,
    /// Why it could not be run to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fault: Option<String>,
}

/// A finding as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) kind: String,
    pub(crate) class: String,
    pub(crate) file: Option<String>,
    pub(crate) offset: Option<u64>,
    pub(crate) index: Option<u64>,
    pub(crate) message: String,
}

fn one() -> u64 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Told {
    pub(crate) fn of(finding: &Finding) -> Self {
        Self {
            kind: finding.kind.name().to_owned(),
            class: finding.kind.class().name().to_owned(),
            file: finding.file.clone(),
            offset: finding.offset,
            index: finding.index,
            message: short(&finding.message),
        }
    }

    /// A finding that no verification of a ledger knows.
    pub(crate) fn other(kind: impl Into<String>, file: impl Into<String>, index: Option<u64>, message: &str) -> Self {
        let (kind, file) = (kind.into(), Some(file.into()));
        Self { kind, class: "tampered".to_owned(), file, offset: None, index, message: short(message) }
    }
}

fn short(message: &str) -> String {
    message.chars().take(MAX_MESSAGE).collect()
}

impl Run {
    /// One that began then and ends now, about which nothing is known yet.
    pub(crate) fn begun(kind: Kind, started_at: Timestamp, tree_size: u64) -> Self {
        Self {
            of: kind.of,
            extent: kind.extent,
            started_at: started_at.to_string(),
            finished_at: now().to_string(),
            verified: false,
            tree_size,
            anchored: false,
            compared_against: Vec::new(),
            findings: Vec::new(),
            findings_total: 0,
            entries_checked: 0,
            runs: 1,
            not_moved: 0,
            checkpoint: None,
            fault: None,
        }
    }

    /// The same with what a report says.
    pub(crate) fn reported(self, report: &Report) -> Self {
        // The checkpoint that it was compared with is the service's own: nothing from outside.
        let (tree_size, anchored, compared_against) = (report.size, false, report.compared_against.clone());
        let run = Self { tree_size, anchored, compared_against, entries_checked: report.entries_checked, ..self };
        run.with(report.findings.iter().map(Told::of))
    }

    /// The same with more findings.
    pub(crate) fn with(mut self, findings: impl IntoIterator<Item = Told>) -> Self {
        findings.into_iter().for_each(|finding| self.add(finding));
        self.verified = self.findings_total == 0 && self.fault.is_none();
        self
    }

    /// Adds a finding, or counts it where there are many.
    pub(super) fn add(&mut self, finding: Told) {
        self.findings_total += 1;
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(finding);
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        Kind { of: self.of, extent: self.extent }
    }

    /// When it began; never where that cannot be read.
    pub(crate) fn begun_at(&self) -> Timestamp {
        Timestamp::parse(&self.started_at).unwrap_or(Timestamp::from_micros(0))
    }

    /// When it ended; never where that cannot be read.
    pub(crate) fn ended(&self) -> Timestamp {
        Timestamp::parse(&self.finished_at).unwrap_or(Timestamp::from_micros(0))
    }

    /// Whether it came to what another came to: the same kinds of findings in the same files. A changed journal gives one more
    /// finding with each frame behind the change, also with the one that records this.
    pub(super) fn agrees_with(&self, other: &Self) -> bool {
        let kinds = |run: &Self| -> BTreeSet<_> {
            run.findings.iter().map(|finding| (finding.file.clone(), finding.kind.clone())).collect()
        };
        self.fault.is_some() == other.fault.is_some() && kinds(self) == kinds(other)
    }
}
