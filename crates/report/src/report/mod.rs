//! What a compliance report says, as figures. Each struct names the statement of [`sql`](crate::sql) or the call that fills
//! it; everything comes from one snapshot of the ledger, whose size is `end` or more.

mod activity;
mod alerts;
mod integrity;
mod keeping;
mod missing;

pub(crate) use integrity::quoted;
pub(crate) use keeping::class_in_words;

use serde::{Deserialize, Serialize};

use crate::clauses::{Of, annex, section};
use crate::error::ReportError;
use crate::moment::{Moment, grouped, percent};
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
    /// What was checked.
    pub verification: Verification,
    /// [`DRILLS`](crate::sql::DRILLS).
    pub drills: Listed<Drill>,
    /// None when no rules were in force: [`RULES`](crate::sql::RULES) is 0 and no alert was raised.
    pub alerts: Option<Alerts>,
    /// Where something is missing.
    pub sources: Sources,
    /// How long it is kept, and what keeps it.
    pub retention: Retention,
    /// Who looked.
    pub access: Access,
}

/// Ledger and period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Where the ledger lies, as the command was told: a folder or a service's URL.
    pub ledger: String,
    /// Its name: `Snapshot::origin`.
    pub origin: String,
    /// The first moment of the period.
    pub from: Moment,
    /// The first moment after it.
    pub to: Moment,
    /// When the report was written: the only clock in it.
    pub written: Moment,
    /// The version of the program.
    pub version: String,
    /// Entries before the period, so the index of its first: [`PERIOD`](crate::sql::PERIOD), else [`BEFORE`](crate::sql::BEFORE).
    pub first: u64,
    /// Entries up to the end of the period.
    pub end: u64,
    /// Entries in the ledger when the report was written: `Snapshot::size`.
    pub size: u64,
    /// The incarnations before this one, oldest first, where the ledger was restored: `LedgerConfig::earlier`.
    pub earlier_origins: Vec<String>,
}

impl Scope {
    fn entries(&self) -> u64 {
        self.end.saturating_sub(self.first)
    }
}

/// The steps of a chart over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A week, from Monday.
    Week,
    /// A month.
    Month,
    /// A year.
    Year,
}

impl Step {
    /// The step that makes a chart of some dozens of columns.
    pub fn of(from: Moment, to: Moment) -> Self {
        match to.micros().saturating_sub(from.micros()) / 86_400_000_000 {
            ..=3 => Self::Hour,
            4..=99 => Self::Day,
            100..=700 => Self::Week,
            701..=3_660 => Self::Month,
            _ => Self::Year,
        }
    }

    /// Its name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        }
    }
}

/// What happened in the period: [`ACTIVITY`](crate::sql::ACTIVITY), one row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Activity {
    /// Entries that programs recorded.
    pub entries: u64,
    /// Entries that the ledger wrote about itself.
    pub own: u64,
    /// Different actors.
    pub actors: u64,
    /// Different entities.
    pub entities: u64,
    /// Entries that their recorder signed.
    pub signed: u64,
    /// Entries of programs that do not number what they record, so that a missing one leaves no gap.
    pub unnumbered: u64,
    /// [`EVENT_TYPES`](crate::sql::EVENT_TYPES).
    pub event_types: Listed<Count>,
    /// [`ACTOR_TYPES`](crate::sql::ACTOR_TYPES); the empty name is for entries that do not say.
    pub actor_types: Listed<Count>,
    /// [`VOLUME`](crate::sql::VOLUME), with the step [`Step::of`] the period.
    pub volume: Vec<Volume>,
}

/// Entries of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Count {
    /// The kind.
    pub name: String,
    /// How many.
    pub entries: u64,
}

/// Entries of one step of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    /// When the step begins.
    pub start: Moment,
    /// How many.
    pub entries: u64,
}

/// Manual overrides and what was refused: [`OVERRIDES`](crate::sql::OVERRIDES), one row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overrides {
    /// Manual overrides.
    pub overrides: u64,
    /// Those without a reason.
    pub unreasoned: u64,
    /// Those that do not say whose decision they override.
    pub unattributed: u64,
    /// Entries that name a model and are no override.
    pub decisions: u64,
    /// [`OVERRIDES_BY_MODEL`](crate::sql::OVERRIDES_BY_MODEL).
    pub by_model: Listed<ModelRate>,
    /// [`OVERRIDES_BY_ACTOR`](crate::sql::OVERRIDES_BY_ACTOR).
    pub by_actor: Listed<Overrider>,
    /// [`DENIALS`](crate::sql::DENIALS).
    pub denials: Listed<Denial>,
}

/// A model's entries, and how many of its decisions were overridden.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelRate {
    /// `context.model_version`.
    pub model: String,
    /// Entries with that model that are no override.
    pub decisions: u64,
    /// Overrides that name it.
    pub overridden: u64,
    /// Those without a reason.
    pub unreasoned: u64,
}

/// Who overrode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overrider {
    /// The actor.
    pub actor: String,
    /// How often.
    pub overrides: u64,
    /// How often without a reason.
    pub unreasoned: u64,
}

/// Acts that were refused or failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Denial {
    /// What was tried.
    pub event_type: String,
    /// `denied` or `failure`.
    pub outcome: String,
    /// How often.
    pub entries: u64,
    /// By how many actors.
    pub actors: u64,
}

/// Roots, checkpoints and segments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Integrity {
    /// The key under which checkpoints are signed: `Snapshot::verifier_key`.
    pub verifier_key: String,
    /// The state at the period's begin: `checkpoint_at(first)`; none when there were no entries.
    pub begin: Option<Checkpoint>,
    /// The state at its end: `checkpoint_at(end)`.
    pub end: Checkpoint,
    /// The hashes that prove that the later state begins with the earlier: `prove_consistency(first, end)`, each in hexadecimal digits.
    pub consistency: Vec<String>,
    /// [`SEGMENTS`](crate::sql::SEGMENTS): those sealed up to the end of the period, newest first.
    pub segments: Listed<Segment>,
    /// The entries of the sealed segments: `first + count` of the newest, 0 without.
    pub sealed: u64,
    /// What the evidence bundle beside the report is called, if one was written.
    pub bundle: Option<String>,
}

/// A signed state of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// How many entries it covers.
    pub size: u64,
    /// Its root, in hexadecimal digits.
    pub root: String,
    /// The note with its signatures, as it is.
    pub note: String,
}

/// A sealed segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// The index of its first entry.
    pub first: u64,
    /// How many it holds.
    pub count: u64,
    /// The root over its own leaves, in hexadecimal digits.
    pub root: String,
    /// When it was sealed.
    pub sealed_at: Moment,
}

/// Verifications that ended in the period: [`VERIFICATION`](crate::sql::VERIFICATION), one row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verification {
    /// How many.
    pub runs: u64,
    /// Those that found nothing wrong.
    pub clean: u64,
    /// Those that could not be run to their end.
    pub unfinished: u64,
    /// Those that were compared with a key or checkpoint from outside.
    pub anchored: u64,
    /// The longest time between two clean ones.
    pub longest_pause_micros: Option<i64>,
    /// [`VERIFICATIONS`](crate::sql::VERIFICATIONS).
    pub listed: Listed<Run>,
}

/// One verification: an entry `ledger.verified`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// When it ended.
    pub ended_at: Moment,
    /// Whether nothing was found wrong.
    pub verified: bool,
    /// Whether it was compared with something from outside.
    pub anchored: bool,
    /// How many entries it looked at.
    pub size: u64,
    /// How much was found wrong.
    pub findings: u64,
    /// Why it could not be run to its end.
    pub fault: Option<String>,
}

/// One drill: an entry `ledger.drilled`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drill {
    /// When it ended.
    pub ended_at: Moment,
    /// Whether everything was stored, proven, detected and delivered.
    pub passed: bool,
    /// How much was checked.
    pub checks: u64,
    /// How much of it failed.
    pub failed: u64,
    /// Who ran it.
    pub actor: String,
}

/// Alerts as they stood at the end of the period: [`ALERT_FIGURES`](crate::sql::ALERT_FIGURES), one row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alerts {
    /// Raised in the period.
    pub raised: u64,
    /// Of these, somebody took charge.
    pub acknowledged: u64,
    /// Of these, resolved.
    pub resolved: u64,
    /// Open at the end, whenever they were raised.
    pub open: u64,
    /// [`ALERTS`](crate::sql::ALERTS): the open ones first.
    pub listed: Listed<Alert>,
}

/// One alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    /// The index of its entry.
    pub index: u64,
    /// When it was raised.
    pub raised_at: Moment,
    /// The rule's title.
    pub title: String,
    /// How grave it is.
    pub level: String,
    /// How many entries caused it.
    pub entries: u64,
    /// When somebody took charge.
    pub acknowledged_at: Option<Moment>,
    /// When it was resolved.
    pub resolved_at: Option<Moment>,
}

/// Sources and the gaps in their sequences: `Status::sources`, as the ledger was when the report was written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sources {
    /// Programs that number their entries.
    pub numbered: u64,
    /// Those with gaps, the most missing first.
    pub with_gaps: Listed<SourceGaps>,
    /// [`CLOCK`](crate::sql::CLOCK): the most that an entry was recorded after it happened.
    pub late_micros: Option<i64>,
    /// The most that one claims to have happened after it was recorded.
    pub early_micros: Option<i64>,
}

/// A source with gaps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceGaps {
    /// The source.
    pub source: String,
    /// The credential under which it records.
    pub recorder: Option<String>,
    /// Its highest number.
    pub last: u64,
    /// The first runs of missing numbers, both ends included.
    pub gaps: Vec<(u64, u64)>,
    /// How many numbers are missing altogether.
    pub missing: u64,
}

/// How long entries are kept, and what keeps them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// The copy in an object store, as `ship --check` read it back; none without one.
    pub copy: Option<Copy>,
    /// [`HOLDS`](crate::sql::HOLDS) in force at the end of the period.
    pub holds: Listed<Hold>,
    /// [`REMOVALS`](crate::sql::REMOVALS): what was pruned, erased or restored.
    pub removals: Listed<Removal>,
}

/// A copy under Object Lock: `ship::lock`'s answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Copy {
    /// Where it lies.
    pub location: String,
    /// How many entries it holds.
    pub shipped: u64,
    /// When its locks were read back; none if they were not.
    pub checked_at: Option<Moment>,
    /// The objects that were looked at.
    pub objects: u64,
    /// The modes found, such as `COMPLIANCE`.
    pub modes: Vec<String>,
    /// When the first lock ends.
    pub first_end: Option<Moment>,
    /// When the last lock ends.
    pub last_end: Option<Moment>,
    /// Objects under a legal hold.
    pub held: u64,
    /// Objects with no lock, or one that is too short.
    pub unlocked: u64,
}

/// A legal hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// On what.
    pub scope: String,
    /// Since when.
    pub placed_at: Moment,
    /// By whom.
    pub actor: String,
}

/// Something that was removed, made unreadable or brought back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Removal {
    /// When.
    pub at: Moment,
    /// What: the event type.
    pub event_type: String,
    /// By whom.
    pub actor: String,
    /// Of what.
    pub scope: String,
    /// Why.
    pub reason: String,
}

/// Who looked, took away, was refused, and who may.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// [`ACCESS`](crate::sql::ACCESS).
    pub acts: Listed<AccessCount>,
    /// [`TOKENS`](crate::sql::TOKENS).
    pub tokens: Listed<TokenAct>,
}

/// What one actor did to the ledger, of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessCount {
    /// The event type.
    pub act: String,
    /// Who.
    pub actor: String,
    /// How often.
    pub times: u64,
    /// When last.
    pub last_at: Moment,
}

/// A token made or revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenAct {
    /// When.
    pub at: Moment,
    /// The event type.
    pub act: String,
    /// Whose token.
    pub name: String,
    /// Its role.
    pub role: String,
    /// By whom.
    pub actor: String,
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
            section(report, "alerts", "Alerts", alerts::blocks(self)),
            section(report, "gaps", "Gaps and clocks", alerts::gap_blocks(&self.sources)),
            section(report, "retention", "Retention and locks", keeping::blocks(self)),
            section(report, "access", "Access to the ledger", keeping::access_blocks(&self.access)),
        ];
        sections.push(annex(report, &sections));
        let scope = &self.scope;
        let period = format!("{} to {}", scope.from, scope.to);
        Ok(Page {
            title: "Compliance report".into(),
            subtitle: format!("Audit ledger {}, {period}", scope.origin).into(),
            running: format!("{}, {} to {}", scope.origin, scope.from.date(), scope.to.date()).into(),
            written: scope.written.rfc3339(),
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
        } else if integrity.end.size != scope.end {
            format!("the checkpoint covers {} entries and the period ends at {}", integrity.end.size, scope.end)
        } else if integrity.begin.as_ref().is_some_and(|begin| begin.size != scope.first) {
            format!("the first checkpoint is not of {} entries", scope.first)
        } else if self.activity.entries + self.activity.own != scope.entries() {
            format!("{} entries in the period, {} counted", scope.entries(), self.activity.entries + self.activity.own)
        } else {
            return Ok(());
        };
        Err(ReportError::Contradiction(problem))
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
                "verifications found nothing wrong",
            ),
            figure(open, "alerts open at the end"),
            figure(grouped(self.scope.end), "entries under the checkpoint at the end"),
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
                ("Period", format!("from {} up to, and not with, {}", scope.from, scope.to)),
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
            blocks.push(prose(format!("The ledger was restored from a copy and goes on under a new name. Its earlier names: {names}.")));
        }
        blocks
    }
}
