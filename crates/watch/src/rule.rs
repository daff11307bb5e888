//! What is known of a rule beside how it matches.

use rsigma_parser::{CorrelationRule, Level, SigmaRule};
use serde::Serialize;

/// Which kind of document a rule is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleKind {
    /// A Sigma detection: looks at one entry.
    Detection,
    /// A Sigma correlation: looks at several within a time.
    Correlation,
    /// A detector of ours, for what Sigma cannot say.
    Detector,
}

/// A rule as its alerts name it.
#[derive(Debug, Clone, Serialize)]
pub struct RuleInfo {
    /// Its identity: the document's `id`, else its `name`, else its title.
    pub id: String,
    /// The name by which other documents may refer to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its title.
    pub title: String,
    /// The kind of document.
    pub kind: RuleKind,
    /// `informational`, `low`, `medium`, `high` or `critical`.
    pub level: &'static str,
    /// Who wrote it; every alert of it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// What it is for, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where more is written.
    pub references: Vec<String>,
    /// Clauses and tactics.
    pub tags: Vec<String>,
    /// When it fires without a cause for worry.
    pub falsepositives: Vec<String>,
    /// The file it stands in, below the folder.
    pub file: String,
    /// Its place among the file's documents, from 1.
    pub document: usize,
    /// Whether it only serves other rules and raises no alerts itself.
    pub base: bool,
}

/// Where a document stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file, below the folder.
    pub file: String,
    /// The document in it, from 1; 0 for the whole file.
    pub document: usize,
}

/// The level of a rule that names none.
const UNNAMED_LEVEL: Level = Level::Medium;

impl RuleInfo {
    pub(crate) fn of_detection(rule: &SigmaRule, place: &Place) -> Self {
        Self {
            id: rule.id.clone().unwrap_or_default(),
            name: rule.name.clone(),
            title: rule.title.clone(),
            kind: RuleKind::Detection,
            level: rule.level.unwrap_or(UNNAMED_LEVEL).as_str(),
            author: rule.author.clone(),
            description: rule.description.clone(),
            references: rule.references.clone(),
            tags: rule.tags.clone(),
            falsepositives: rule.falsepositives.clone(),
            file: place.file.clone(),
            document: place.document,
            base: false,
        }
    }

    pub(crate) fn of_correlation(rule: &CorrelationRule, place: &Place) -> Self {
        Self {
            id: rule.id.clone().unwrap_or_default(),
            name: rule.name.clone(),
            title: rule.title.clone(),
            kind: RuleKind::Correlation,
            level: rule.level.unwrap_or(UNNAMED_LEVEL).as_str(),
            author: rule.author.clone(),
            description: rule.description.clone(),
            references: rule.references.clone(),
            tags: rule.tags.clone(),
            falsepositives: rule.falsepositives.clone(),
            file: place.file.clone(),
            document: place.document,
            base: false,
        }
    }
}
