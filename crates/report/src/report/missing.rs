//! What a report cannot show, in plain words. Nothing that is missing is left out silently.

use super::Report;
use crate::moment::{counted, grouped, lasting};
use crate::text::Text;

/// Runs of entries that are named.
const MAX_RUNS: usize = 8;
/// How late a last verification may be before the end of the period, as a part of the period.
const LATE_PART: i64 = 10;

/// What makes everything else doubtful: the ledger is not what was recorded.
pub(super) fn alarm(report: &Report) -> Vec<Text> {
    let (check, unread) = (&report.check, &report.unread);
    if check.findings.total == 0 && unread.is_empty() {
        return Vec::new();
    }
    let mut words = vec!["This ledger is damaged, or somebody changed it.".to_owned()];
    if check.findings.total > 0 {
        words.push(format!(
            "A verification while this report was written had {}; the section on verifications lists them. What follows was read \
             from this ledger all the same: treat it as an account of what is left, not of what happened.",
            counted(check.findings.total, "finding")
        ));
    }
    if !unread.is_empty() {
        let runs =
            unread.iter().take(MAX_RUNS).map(|(first, last)| format!("{} to {}", grouped(*first), grouped(*last)));
        let more = if unread.len() > MAX_RUNS { ", and more" } else { "" };
        words.push(format!(
            "Entries that could not be read, and that no figure below counts: {}{more}. Of the period these are {} of {}.",
            runs.collect::<Vec<_>>().join(", "),
            grouped(report.unread_entries()),
            counted(report.scope.entries(), "entry")
        ));
    }
    words.push(
        "Leave the folder as it is: it is evidence. The design document (counterfoil document) says what to do."
            .to_owned(),
    );
    words.into_iter().map(Text::from).collect()
}

/// What is missing, the gravest first.
pub(super) fn items(report: &Report) -> Vec<Text> {
    let mut items = Vec::new();
    items.extend(report.scope.unfinished());
    verification(report, &mut items);
    copy(report, &mut items);
    completeness(report, &mut items);
    review(report, &mut items);
    items.into_iter().map(Text::from).collect()
}

fn verification(report: &Report, items: &mut Vec<String>) {
    let verification = &report.verification;
    if let Some(fault) = &report.check.fault {
        items.push(format!("Whether the ledger is whole now: the verification could not be run to its end ({fault})."));
    }
    let wrong = verification.runs.saturating_sub(verification.clean + verification.unfinished);
    if wrong > 0 {
        items.push(format!(
            "That the ledger is whole: {} in the period found something wrong.",
            counted(wrong, "verification")
        ));
    }
    let wrong = verification.others.saturating_sub(verification.others_clean + verification.others_unfinished);
    if wrong > 0 {
        items.push(format!(
            "That every part, the copy and the table are whole: {} of these in the period found something wrong.",
            counted(wrong, "verification")
        ));
    }
    if verification.runs + verification.others == 0 {
        items.push("That the ledger was verified in the period: no verification is recorded. Run one now, and have the service run them (verify-every-minutes).".to_owned());
    } else if verification.clean == 0 {
        items
            .push("That the whole ledger was verified in the period: no clean verification read all of it.".to_owned());
    }
    if verification.runs > 0 && verification.anchored == 0 {
        items.push("That the whole ledger was not replaced by another one that agrees with itself: no verification of all of it was compared with a key or checkpoint that is kept elsewhere.".to_owned());
    }
    let unfinished = verification.unfinished + verification.others_unfinished;
    if unfinished > 0 {
        items.push(format!(
            "What {} would have found that could not be run to the end.",
            counted(unfinished, "verification")
        ));
    }
    if let Some(last) = verification.last_clean_micros.map(crate::Moment::from_micros) {
        let until = report.until().micros();
        let (length, since) = (until - report.scope.from.micros(), until - last.micros());
        if since > length / LATE_PART {
            items.push(format!(
                "That the whole ledger was verified within the last {} of the period: the last clean verification of all of it ended on {last}.",
                lasting(since)
            ));
        }
    }
    if report.drills.total == 0 {
        items.push("That tampering would be detected and reported: no drill was held in the period.".to_owned());
    }
    let failed = report.drills.rows.iter().filter(|drill| !drill.passed).count();
    if failed > 0 {
        items.push(format!("That every drill went well: {} failed.", counted(failed as u64, "drill")));
    }
}

fn copy(report: &Report, items: &mut Vec<String>) {
    let Some(copy) = &report.retention.copy else {
        items.push("That the entries would survive the loss of the ledger's machine, or its owner: there is no copy under lock in an object store.".to_owned());
        return;
    };
    if copy.checked_at.is_none() {
        items.push("That the copy is locked: its locks were not read back.".to_owned());
    }
    if copy.unlocked > 0 {
        items.push(format!("That the whole copy is locked: there is no lock on {}.", counted(copy.unlocked, "object")));
    }
    if copy.shipped < report.scope.end {
        let short = counted(report.scope.end - copy.shipped, "entry");
        items.push(format!("That the copy holds the whole period: it lacked the last {short} when this was written."));
    }
}

fn completeness(report: &Report, items: &mut Vec<String>) {
    let (activity, sources) = (&report.activity, &report.sources);
    if sources.fault.is_some() {
        items.push("That every entry arrived: the numbers of the sources cannot be read.".to_owned());
    }
    if sources.with_gaps.total > 0 {
        let told = format!(
            "That every entry arrived: numbers are missing from {}.",
            counted(sources.with_gaps.total, "source")
        );
        items.push(told);
    }
    if activity.unnumbered > 0 {
        items.push(format!(
            "Whether one of the programs left something out among the {} that carry no number of their own.",
            counted(activity.unnumbered, "entry")
        ));
    }
    if activity.entries > activity.signed {
        items.push(format!(
            "Who recorded {} beyond the credential that was used: they are not signed by their recorder.",
            counted(activity.entries - activity.signed, "entry")
        ));
    }
    if !report.scope.earlier_origins.is_empty() {
        items.push(
            "What was recorded between the copy and the loss, since the ledger was restored from a copy once."
                .to_owned(),
        );
    }
    let erased = report.retention.removals.erased.total;
    if erased > 0 {
        items.push(format!(
            "What personal data stood in the entries that {} made unreadable.",
            counted(erased, "erasure")
        ));
    }
    if report.integrity.newest.is_some() {
        items.push(
            "A checkpoint signed at the end of the period: the ledger's key was not at hand. The root is named, and the newest checkpoint covers it."
                .to_owned(),
        );
    }
    if let Some(left) = report.integrity.bundle.as_ref().map(|bundle| bundle.left_out).filter(|left| *left > 0) {
        items.push(format!(
            "A proof for each entry that is singled out: the bundle has no room for the oldest {}.",
            grouped(left)
        ));
    }
    if report.scope.entries() == 0 {
        items.push("Whether anything happened: nothing was recorded in the period.".to_owned());
    }
}

fn review(report: &Report, items: &mut Vec<String>) {
    match &report.alerts {
        None => items.push("What a rule would have caught: no rules were in force.".to_owned()),
        Some(alerts) if alerts.open > 0 => {
            items.push(format!(
                "How {} will end that were open at the end of the period.",
                counted(alerts.open, "alert")
            ));
        }
        Some(_) => {}
    }
    let unsigned = super::alerts::unsigned_days(report);
    if unsigned > 0 {
        items.push(format!(
            "That somebody looked at every day: {} of the period without a signed review.",
            counted(unsigned, "day")
        ));
    }
    let overrides = &report.overrides;
    if overrides.unreasoned > 0 {
        items.push(format!(
            "Why {} of {} manual overrides were made: they carry no reason.",
            grouped(overrides.unreasoned),
            grouped(overrides.overrides)
        ));
    }
    if overrides.unattributed > 0 {
        items.push(format!("Which model {} concern: they name none.", counted(overrides.unattributed, "override")));
    }
}
