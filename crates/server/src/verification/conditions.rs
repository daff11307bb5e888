//! What of verifications is a condition: what they found, that they are late, that they cannot be run.

use std::collections::{BTreeMap, BTreeSet};

use super::{Of, Told};
use crate::conditions::{Condition, first_of};
use crate::service::Service;

/// Verifications that could not be run, in a row, until somebody is told.
const MAX_FAULTS: u64 = 2;

/// Changed files, objects or rows that have an alert each; the others share one.
const MAX_FILES: usize = 20;

/// Indices that an alert names.
const MAX_INDICES: usize = 100;

/// What to do when something was changed.
const RUNBOOK: &str = "docs/guides/operating.md#something-was-changed";

/// Whether a condition of this id is one of these.
pub(crate) fn is_of_verifications(id: &str) -> bool {
    ["tampering", "verification-late", "verification-failed", "table-behind"].contains(&id)
}

/// What verifications found changed: a condition for each file, object or row.
pub(crate) fn tampering(service: &Service, held: &BTreeSet<String>, seen: &mut Vec<Condition>) {
    for (of, title) in [
        (Of::Ledger, "The verification found that the ledger was changed"),
        (Of::Copy, "The verification found that the copy was changed"),
        (Of::Table, "The verification found that the table in PostgreSQL was changed"),
    ] {
        let mut files: BTreeMap<String, Vec<Told>> = BTreeMap::new();
        let mut found = service.verifications.findings(of);
        if found.iter().any(|finding| !is_of_checkpoint(finding)) {
            // A root that is not the signed one follows from what was changed.
            found.retain(|finding| !is_of_checkpoint(finding));
        }
        for finding in found {
            files.entry(finding.file.clone().unwrap_or_default()).or_default().push(finding);
        }
        let of_file = |(file, findings): (String, Vec<Told>)| {
            let condition = Condition::new("tampering", title, "critical", changed(&findings));
            let indices =
                findings.iter().filter_map(|finding| finding.index).filter(|index| *index < service.snapshot().size());
            Condition {
                about: vec![("of", of.name().to_owned()), ("file", file)],
                indices: indices.take(MAX_INDICES).collect(),
                runbook: Some(RUNBOOK),
                ..condition
            }
        };
        let rest = first_of(files.into_iter().map(of_file).collect(), MAX_FILES, held, seen);
        if rest > 0 {
            let reason = format!(
                "{rest} more files or rows: GET /api/v1/verification and the page Integrity tell of them. {WHAT_TO_DO}"
            );
            let others = Condition::new("tampering", title, "critical", reason);
            let about = vec![("of", of.name().to_owned()), ("others", "all".to_owned())];
            seen.push(Condition { about, runbook: Some(RUNBOOK), ..others });
        }
    }
}

fn is_of_checkpoint(finding: &Told) -> bool {
    matches!(finding.file.as_deref(), Some("checkpoint" | "the given checkpoint"))
}

const WHAT_TO_DO: &str =
    "Keep everything as it is, mend nothing yet, and follow docs/guides/operating.md, Something was changed";

/// What is wrong with a file, and what to do.
fn changed(findings: &[Told]) -> String {
    let Some(first) = findings.first() else { return WHAT_TO_DO.to_owned() };
    let file = first.file.as_ref().map(|file| format!("{file}: ")).unwrap_or_default();
    let index = first.index.map(|index| format!(", entry {index}")).unwrap_or_default();
    let more = if findings.len() > 1 { format!(" (and {} more findings)", findings.len() - 1) } else { String::new() };
    format!("{file}{} ({}{index}){more}. {WHAT_TO_DO}", first.message, first.kind)
}

/// Verifications that are late or cannot be run, and a table whose rows do not arrive.
pub(crate) fn verification(service: &Service, seen: &mut Vec<Condition>) {
    for standing in service.verifications.standing() {
        let about = vec![("of", standing.of.name().to_owned()), ("extent", standing.extent.name().to_owned())];
        let what = format!("{} of the {}", standing.extent.name(), standing.of.name());
        if standing.late {
            let (age, every) = (standing.age_seconds, standing.every_seconds);
            let reason = format!(
                "{what}: the last ended {age} s ago, and one is due every {every} s: is the disk, the store or the database too slow?"
            );
            let late = Condition::new("verification-late", "A scheduled verification is late", "high", reason);
            seen.push(Condition { about: about.clone(), ..late });
        }
        if standing.faults >= MAX_FAULTS {
            let fault = standing.fault.unwrap_or_default();
            let reason = format!("{what}: {} in a row could not be run: {fault}", standing.faults);
            let failed =
                Condition::new("verification-failed", "A scheduled verification cannot be run", "high", reason);
            seen.push(Condition { about, ..failed });
        }
        if standing.not_moved > 0 {
            let reason = format!(
                "rows were committed and are not in the ledger ({}): does `counterfoil postgres follow` run?",
                standing.not_moved
            );
            seen.push(Condition::new("table-behind", "Rows of the table do not arrive in the ledger", "high", reason));
        }
    }
}
