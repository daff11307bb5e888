//! What a compliance report says, as figures. Each struct names the statement of [`sql`](crate::sql) or the call that fills
//! it; everything comes from one snapshot of the ledger, whose size is `end` or more.

mod activity;
mod alerts;
mod figures;
mod integrity;
mod keeping;
mod missing;
mod proof;

pub use figures::{Activity, Count, Denial, ModelRate, Overrider, Overrides, Scope, Step, Volume};
pub(crate) use integrity::quoted;
pub(crate) use keeping::class_in_words;
pub use proof::{
    Access, AccessCount, Alert, Alerts, Check, Checkpoint, Copy, Drill, Evidence, Finding, Hold, Integrity, Removal,
    Removals, Retention, Review, Run, Segment, SourceGaps, Sources, TokenAct, Verification,
};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clauses::{Of, annex, section};
use crate::error::ReportError;
use crate::moment::{grouped, percent};
use crate::page::{Page, facts, figure, prose};

/// The first rows of a list, and how many there are. Statements answer at most [`MAX_LISTED`](crate::sql::MAX_LISTED) rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed<T> {
    /// The first rows.
    pub rows: Vec<T>,
    /// How many there are: column `total` of the first row, 0 without rows.
    pub total: u64,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), total: 0 }
    }
}

impl<T> From<Vec<T>> for Listed<T> {
    fn from(rows: Vec<T>) -> Self {
        let total = rows.len() as u64;
        Self { rows, total }
    }
}

impl<T: DeserializeOwned> Listed<T> {
    /// The rows of a statement's answer, each a JSON object of its columns.
    ///
    /// # Errors
    /// [`ReportError::Rows`] when a row is not what the statement answers.
    pub fn from_rows(rows: Vec<Value>) -> Result<Self, ReportError> {
        let total = rows.first().and_then(|row| row.get("total")).and_then(Value::as_u64);
        let without_total = |mut row: Value| {
            row.as_object_mut().map(|columns| columns.remove("total"));
            serde_json::from_value(row).map_err(|error| ReportError::Rows(error.to_string()))
        };
        let rows: Vec<T> = rows.into_iter().map(without_total).collect::<Result<_, _>>()?;
        let total = total.unwrap_or(rows.len() as u64);
        Ok(Self { rows, total })
    }
}

/// The one row of a statement's answer: the figures of [`Activity`], [`Overrides`], [`Verification`], [`Alerts`], without their lists.
///
/// # Errors
/// [`ReportError::Rows`] when it is not what the statement answers.
pub fn figures<T: DeserializeOwned>(row: Value) -> Result<T, ReportError> {
    serde_json::from_value(row).map_err(|error| ReportError::Rows(error.to_string()))
}

/// A compliance report before it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Of what.
    pub scope: Scope,
    /// What happened.
    pub activity: Activity,
    /// Where people stepped in, and what was refused.
    pub overrides: Overrides,
    /// What shows that nothing was changed.
    pub integrity: Integrity,
    /// What a verification found while this was gathered.
    pub check: Check,
    /// Runs of entries that could not be read, both ends included: no figure counts them.
    pub unread: Vec<(u64, u64)>,
    /// What was checked.
    pub verification: Verification,
    /// [`DRILLS`](crate::sql::DRILLS).
    pub drills: Listed<Drill>,
    /// None when no rules were in force: [`RULES`](crate::sql::RULES) is 0 and no alert was raised.
    pub alerts: Option<Alerts>,
    /// [`REVIEWS`](crate::sql::REVIEWS) of the days of the period, up to when the report was written.
    pub reviews: Listed<Review>,
    /// Where something is missing.
    pub sources: Sources,
    /// How long it is kept, and what keeps it.
    pub retention: Retention,
    /// Who looked.
    pub access: Access,
}

impl Report {
    /// The report as a page.
    ///
    /// # Errors
    /// [`ReportError::Contradiction`] when the figures cannot be of one snapshot.
    pub(crate) fn page(&self) -> Result<Page, ReportError> {
        self.check()?;
        let report = Of::Report;
        let mut sections = vec![
            section(report, "scope", "Scope", self.scope_blocks()),
            section(report, "activity", "What was recorded", activity::blocks(self)),
            section(report, "overrides", "Overrides and refusals", activity::override_blocks(&self.overrides)),
            section(report, "integrity", "Evidence that nothing was changed", integrity::blocks(self)),
            section(report, "verification", "Verifications and drills", integrity::verification_blocks(self)),
            section(report, "alerts", "Alerts and reviews", alerts::blocks(self)),
            section(report, "gaps", "Gaps and clocks", alerts::gap_blocks(&self.sources)),
            section(report, "retention", "Retention and locks", keeping::blocks(self)),
            section(report, "access", "Access to the ledger", keeping::access_blocks(&self.access)),
        ];
        sections.push(annex(report, &sections));
        let scope = &self.scope;
        let so_far = if scope.over { "" } else { ", which was not over when this was written" };
        let period = format!("{} to {}{so_far}", scope.from, scope.to);
        Ok(Page {
            title: "Compliance report".into(),
            subtitle: format!("Audit ledger {}, {period}", scope.origin).into(),
            running: format!("{}, {} to {}", scope.origin, scope.from.date(), scope.to.date()).into(),
            written: scope.written.rfc3339(),
            alarm: missing::alarm(self),
            figures: self.figures(),
            missing: missing::items(self),
            missing_title: "What this report cannot show".into(),
            sections,
        })
    }

    fn check(&self) -> Result<(), ReportError> {
        let (scope, integrity) = (&self.scope, &self.integrity);
        let problem = if scope.first > scope.end || scope.end > scope.size {
            format!("first {}, end {}, size {}", scope.first, scope.end, scope.size)
        } else if scope.from >= scope.to {
            format!("a period from {} to {}", scope.from, scope.to)
        } else if scope.over != (scope.to <= scope.written) {
            format!("a period until {} that was written on {}", scope.to, scope.written)
        } else if integrity.end.size != scope.end {
            format!("the checkpoint covers {} entries and the period ends at {}", integrity.end.size, scope.end)
        } else if integrity.begin.as_ref().is_some_and(|begin| begin.size != scope.first) {
            format!("the first checkpoint is not of {} entries", scope.first)
        } else if self.activity.entries + self.activity.own + self.unread_entries() != scope.entries() {
            format!("{} entries in the period, {} counted", scope.entries(), self.activity.entries + self.activity.own)
        } else {
            return Ok(());
        };
        Err(ReportError::Contradiction(problem))
    }

    /// Until when something can be known: the end of the period, or when the report was written.
    pub(crate) fn until(&self) -> crate::Moment {
        self.scope.to.min(self.scope.written)
    }

    /// Entries of the period that could not be read.
    pub(crate) fn unread_entries(&self) -> u64 {
        let (first, end) = (self.scope.first, self.scope.end);
        let within = |(from, to): &(u64, u64)| (to + 1).min(end).saturating_sub((*from).max(first));
        self.unread.iter().map(within).sum()
    }

    fn figures(&self) -> Vec<crate::page::Figure> {
        let Overrides { overrides, unattributed, decisions, .. } = &self.overrides;
        let rate = percent(overrides.saturating_sub(*unattributed), *decisions);
        let verification = &self.verification;
        let open = self.alerts.as_ref().map_or("–".to_owned(), |alerts| grouped(alerts.open));
        vec![
            figure(grouped(self.activity.entries), "entries recorded in the period"),
            figure(grouped(*overrides), "manual overrides"),
            figure(rate, "of the models' decisions overridden"),
            figure(
                format!("{} of {}", grouped(verification.clean), grouped(verification.runs)),
                "verifications of the whole ledger found nothing wrong",
            ),
            figure(open, "alerts open at the end"),
            figure(grouped(self.scope.end), "entries under the last checkpoint"),
        ]
    }

    fn scope_blocks(&self) -> Vec<crate::page::Block> {
        let scope = &self.scope;
        let mut blocks = vec![
            prose(
                "A period is a span of the time of recording. That time never goes back, so the period is one unbroken run of \
                 entries, and the two checkpoints at its ends hold it fast.",
            ),
            facts([
                ("Ledger", scope.origin.clone()),
                ("Read from", scope.ledger.clone()),
                ("From", scope.from.to_string()),
                ("Up to, and not with", scope.to.to_string()),
                ("Counted until", self.until().to_string()),
                ("Entries at the begin", grouped(scope.first)),
                ("Entries at the end", grouped(scope.end)),
                ("In the period", grouped(scope.entries())),
                ("Root at the end", self.integrity.end.root.clone()),
                ("Entries when this was written", grouped(scope.size)),
                ("Written", format!("{}, by Counterfoil {}", scope.written, scope.version)),
            ]),
        ];
        if !scope.earlier_origins.is_empty() {
            let names = scope.earlier_origins.join(", ");
            blocks.push(prose(format!(
                "The ledger was restored from a copy and goes on under a new name. Its earlier names: {names}."
            )));
        }
        blocks
    }
}
