//! What proves it: checkpoints, verifications, alerts, gaps, locks, access.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use counterfoil_tlog::Note;
use serde::{Deserialize, Serialize};

use super::Listed;
use crate::error::ReportError;
use crate::moment::Moment;

/// Roots, checkpoints and segments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Integrity {
    /// The key under which checkpoints are signed: `Snapshot::verifier_key`.
    pub verifier_key: String,
    /// The state at the period's begin; none when there were no entries.
    pub begin: Option<Checkpoint>,
    /// The state at its end.
    pub end: Checkpoint,
    /// The newest checkpoint, where that of the end is not signed.
    pub newest: Option<Checkpoint>,
    /// The hashes that prove that the later state begins with the earlier: `prove_consistency(first, end)`, each in hexadecimal digits.
    pub consistency: Vec<String>,
    /// [`SEGMENTS`](crate::sql::SEGMENTS): those sealed up to the end of the period, newest first.
    pub segments: Listed<Segment>,
    /// The entries of the sealed segments: `first + count` of the newest, 0 without.
    pub sealed: u64,
    /// The evidence bundle beside the report, if one was written.
    pub bundle: Option<Evidence>,
}

impl Integrity {
    /// The checkpoint that is signed: that of the end, else the newest.
    pub fn signed(&self) -> &Checkpoint {
        self.newest.as_ref().unwrap_or(&self.end)
    }
}

/// An evidence bundle beside the report: the entries that it counts by name, with a proof for each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The file.
    pub file: String,
    /// How many entries it proves.
    pub entries: u64,
    /// How many more there are, older ones, for which it has no room.
    pub left_out: u64,
    /// How they were chosen: a condition in SQL.
    pub chosen: String,
    /// Entries under the checkpoint of its proofs.
    pub size: u64,
}

/// A state of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// How many entries it covers.
    pub size: u64,
    /// Its root, in hexadecimal digits.
    pub root: String,
    /// The note with its signatures, as it is; none where the ledger's key was not at hand to sign this size.
    pub note: Option<String>,
}

impl Checkpoint {
    /// The names under the note that are not that of the ledger: witnesses. Their signatures are not checked.
    pub fn witnesses(&self, origin: &str) -> Vec<String> {
        let note = self.note.as_ref().and_then(|note| Note::parse(note.as_bytes()).ok());
        let names = note.iter().flat_map(|note| note.signatures()).map(|one| one.name.to_string());
        names.filter(|name| name != origin).collect()
    }

    /// The checkpoint that a note states: its second line is the size, its third the root.
    ///
    /// # Errors
    /// [`ReportError::Rows`] when it states none. Signatures are not looked at.
    pub fn of(note: String) -> Result<Self, ReportError> {
        let mut lines = note.lines().skip(1);
        let size = lines.next().and_then(|line| line.parse().ok());
        let root = lines.next().and_then(|line| STANDARD.decode(line).ok()).filter(|root| root.len() == 32);
        let (Some(size), Some(root)) = (size, root) else {
            return Err(ReportError::Rows("the checkpoint states no size and root".to_owned()));
        };
        let root = root.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { size, root, note: Some(note) })
    }
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
    /// How many read the whole ledger.
    pub runs: u64,
    /// Those of them that found nothing wrong.
    pub clean: u64,
    /// Those of them that could not be run to their end.
    pub unfinished: u64,
    /// Those of them that were compared with a key or checkpoint from outside.
    pub anchored: u64,
    /// How many records there are of others: of what was new, of old parts, of the copy, of a table. One may stand for many runs.
    pub others: u64,
    /// Those of the others that found nothing wrong.
    pub others_clean: u64,
    /// Those of the others that could not be run to their end.
    pub others_unfinished: u64,
    /// When the last clean one of the whole ledger ended, in microseconds since 1970.
    pub last_clean_micros: Option<i64>,
    /// The longest time between two clean ones of the whole ledger.
    pub longest_pause_micros: Option<i64>,
    /// [`VERIFICATIONS`](crate::sql::VERIFICATIONS).
    #[serde(default = "Default::default")]
    pub listed: Listed<Run>,
}

/// One verification: an entry `ledger.verified`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// When it ended.
    pub ended_at: Moment,
    /// What was verified: `ledger`, `copy` (in an object store) or `table` (in PostgreSQL).
    pub subject: String,
    /// How much of it: `whole`, `new` (what no earlier one had seen) or `scrub` (old parts, read again).
    pub extent: String,
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
    /// Of those resolved, alerts that were wrong.
    pub false_positives: u64,
    /// Of these, raised by a drill.
    pub drills: u64,
    /// Open at the end, whenever they were raised.
    pub open: u64,
    /// [`ALERTS`](crate::sql::ALERTS): the open ones first.
    #[serde(default = "Default::default")]
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
    /// Whether a drill raised it: nothing had happened.
    pub drill: bool,
    /// When somebody took charge.
    pub acknowledged_at: Option<Moment>,
    /// When it was resolved, unless it was opened again.
    pub resolved_at: Option<Moment>,
    /// Whether it was resolved as wrong.
    pub false_positive: bool,
}

/// A day that somebody reviewed and signed: entries `ledger.review_signed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// The day, as `2026-11-24`.
    pub day: String,
    /// Who signed first.
    pub actor: String,
    /// When.
    pub signed_at: Moment,
    /// How many signatures it has.
    pub signatures: u64,
    /// The alerts that were open then.
    pub open_alerts: u64,
    /// What was noted.
    pub note: String,
}

/// What a verification of the whole ledger found while the report was gathered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// How many entries were read.
    pub entries: u64,
    /// What it was compared with.
    pub compared_with: Vec<String>,
    /// What is wrong.
    pub findings: Listed<Finding>,
    /// Why it could not be run to its end.
    pub fault: Option<String>,
}

/// Something that is wrong with the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// Its kind, as `counterfoil verify` names it.
    pub kind: String,
    /// File, byte and entry, as far as they are known.
    pub place: String,
    /// What is wrong, in a sentence.
    pub message: String,
}

/// Sources and the gaps in their sequences: `Status::sources`, as the ledger was when the report was written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sources {
    /// Programs that number their entries.
    pub numbered: u64,
    /// Those with gaps, the most missing first.
    pub with_gaps: Listed<SourceGaps>,
    /// Why it cannot be told what is missing.
    pub fault: Option<String>,
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
    /// What was erased, restored or pruned.
    pub removals: Removals,
}

/// What was removed or brought back in the period, by kind: so many of one kind hide none of another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Removals {
    /// [`ERASED`](crate::sql::ERASED): keys of a person's data that were destroyed.
    pub erased: Listed<Removal>,
    /// [`RESTORATIONS`](crate::sql::RESTORATIONS): the ledger came back from a copy.
    pub restored: Listed<Removal>,
    /// [`PRUNED`](crate::sql::PRUNED): local files that the copy holds.
    pub pruned: Listed<Removal>,
}

/// A copy under Object Lock: `ship::lock`'s answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Objects that nothing keeps from being deleted.
    pub unlocked: u64,
    /// Why its locks were not read back.
    pub fault: Option<String>,
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
