//! What is wrong with a rule.

use std::fmt;

use serde::Serialize;

use crate::rule::Place;

/// Something about a document that its author should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where it stands.
    #[serde(flatten)]
    pub place: Place,
    /// The rule's title, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Whether the document is left out for it; else it is only a warning.
    pub skipped: bool,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { file, document } = &self.place;
        match document {
            0 => write!(f, "{file}")?,
            number => write!(f, "{file}, document {number}")?,
        }
        if let Some(title) = &self.title {
            write!(f, " ({title})")?;
        }
        write!(f, ": {}", self.reason)
    }
}
