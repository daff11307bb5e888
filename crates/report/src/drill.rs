//! The outcome of a drill, on a page.

use serde::{Deserialize, Serialize};

use crate::moment::{Moment, grouped};
use crate::page::{Block, Page, Section, figure, heading, number, prose, table, words};
use crate::text::Text;

/// Checks of a part that are told with their particulars.
const MAX_TOLD: usize = 8;

/// What a drill found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drill {
    /// The ledger whose configuration was tried.
    pub origin: String,
    /// The ledger that it was tried on, gone since.
    pub scratch: String,
    /// When it began.
    pub started_at: Moment,
    /// How long it took.
    pub seconds: u64,
    /// Who held it.
    pub actor: String,
    /// The program's version.
    pub version: String,
    /// What was checked, in order.
    pub checks: Vec<Check>,
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Which part of the system it concerns.
    pub part: String,
    /// What should hold.
    pub name: String,
    /// What came of it.
    pub grade: Grade,
    /// The particulars.
    pub detail: String,
}

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// It does not hold.
    Failed,
    /// It could not be tried.
    NotExercised,
    /// It holds.
    Passed,
}

impl Grade {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Failed => "FAILED",
            Self::NotExercised => "not exercised",
            Self::Passed => "passed",
        }
    }
}

impl Drill {
    /// The checks of a grade.
    pub fn graded(&self, grade: Grade) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(move |check| check.grade == grade)
    }

    /// Whether nothing failed.
    pub fn passed(&self) -> bool {
        self.graded(Grade::Failed).next().is_none()
    }

    pub(crate) fn page(&self) -> Page {
        let count = |grade| grouped(self.graded(grade).count() as u64);
        let verdict = match self.passed() {
            true => "Everything that was exercised was stored, proven, detected and delivered.",
            false => "Something that should have held did not: see what failed.",
        };
        let held = format!(
            "Held by {} with Counterfoil {} in {} s, on the scratch ledger {}.",
            self.actor, self.version, self.seconds, self.scratch
        );
        let mut blocks = vec![prose(verdict), prose(held)];
        blocks.push(self.counts());
        for part in self.parts() {
            blocks.extend(self.held(part));
        }
        let sections = vec![Section { id: "outcome", title: "Outcome".into(), clauses: Vec::new(), blocks }];
        let failed = self.graded(Grade::Failed).map(|check| format!("FAILED: {}: {}", check.name, check.detail));
        let untried = self.graded(Grade::NotExercised).map(|check| format!("{}: {}", check.name, check.detail));
        Page {
            title: if self.passed() { "Drill: passed".into() } else { "Drill: FAILED".into() },
            subtitle: format!("Audit ledger {}, {}", self.origin, self.started_at).into(),
            running: format!("{}, {}", self.origin, self.started_at.date()).into(),
            written: self.started_at.rfc3339(),
            alarm: Vec::new(),
            figures: vec![
                figure(count(Grade::Passed), "checks passed"),
                figure(count(Grade::Failed), "failed"),
                figure(count(Grade::NotExercised), "not exercised"),
            ],
            missing: failed.chain(untried).map(Text::from).collect(),
            missing_title: "What failed or was not exercised".into(),
            sections,
        }
    }

    fn parts(&self) -> Vec<&str> {
        let mut parts: Vec<&str> = Vec::new();
        for check in &self.checks {
            if !parts.contains(&check.part.as_str()) {
                parts.push(&check.part);
            }
        }
        parts
    }

    fn of(&self, part: &str, grade: Grade) -> Vec<&Check> {
        self.graded(grade).filter(|check| check.part == part).collect()
    }

    fn counts(&self) -> Block {
        let grades = [Grade::Passed, Grade::Failed, Grade::NotExercised];
        let columns = vec![words("Part", 4), number("Passed"), number("FAILED"), number("Not exercised")];
        let parts = self.parts();
        table("By part", columns, &parts, parts.len() as u64, "parts", |part| {
            let counts = grades.iter().map(|grade| grouped(self.of(part, *grade).len() as u64));
            std::iter::once((*part).to_owned()).chain(counts).collect()
        })
    }

    /// What held in a part: with the particulars where it is little, so that all of it stays on a page.
    fn held(&self, part: &str) -> Vec<Block> {
        let held = self.of(part, Grade::Passed);
        if held.is_empty() {
            return Vec::new();
        }
        let told = |check: &&Check| match held.len() > MAX_TOLD {
            true => check.name.clone(),
            false => format!("{} ({})", check.name, check.detail),
        };
        let told: Vec<String> = held.iter().map(told).collect();
        vec![heading(part), prose(format!("Held: {}.", told.join("; ")))]
    }
}
