//! What a report says of the ledger's state beside its entries: checkpoints, a verification, sources, the copy.

use counterfoil::{ErrorKind, Result, Snapshot, SourceStatus, VerifyOptions};
use counterfoil_evidence::{Finding, FindingClass, Report as Verdict};
use counterfoil_report::Moment;
use counterfoil_report::report::{self, Check, Checkpoint, Copy, Listed, SourceGaps, Sources};
use counterfoil_ship::{Bucket, Location, Lock, LockMode, Settings};
use counterfoil_tlog::VerifierKey;

use super::answers::is_damage;
use crate::exit::Failure;
use crate::ledgers;
use crate::progress::{Progress, Unit};
use crate::verdict::crawl::{self, Trust};
use crate::view::View;

/// Findings that a report holds; the rest is counted.
const MAX_FINDINGS: usize = 100;

/// The checkpoint of a size: signed, or the root alone where the key is not at hand.
pub fn checkpoint(view: &View, size: u64) -> std::result::Result<Checkpoint, Failure> {
    let unsigned = |root: String| Checkpoint { size, root, note: None };
    match (view.checkpoint_at(size), view) {
        (Ok(note), _) => Ok(Checkpoint::of(note)?),
        (Err(error), View::Folder { snapshot, .. }) if no_key(error.kind) => {
            Ok(unsigned(snapshot.root_at(size)?.to_string()))
        }
        (Err(error), View::Service { .. }) if no_key(error.kind) => Err(Failure::from(error).advise(
            "This service signs nothing. Ask the one that writes the ledger, read its folder or its copy, or let the period end with the newest entry.",
        )),
        (Err(error), _) => Err(error.into()),
    }
}

fn no_key(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::Denied)
}

/// Verifies everything, as `counterfoil verify` does; what was found, and how grave it is.
pub fn check(view: &View) -> (Check, Option<FindingClass>) {
    match verified(view) {
        Ok(verdict) => (told(&verdict), verdict.class()),
        Err(failure) => (Check { fault: Some(failure.message()), ..Check::default() }, None),
    }
}

fn verified(view: &View) -> std::result::Result<Verdict, Failure> {
    let progress = Progress::new("verifying", Unit::Entries, Some(0));
    let watch = |done, total| progress.of(done, total);
    let note = view.checkpoint().as_bytes().to_vec();
    let options = VerifyOptions { checkpoint: Some(note.clone()), progress: Some(&watch), ..VerifyOptions::default() };
    match view {
        View::Folder { path, .. } => match ledgers::location(path)? {
            Some(location) => Ok(Bucket::open(&location, &Settings::from_environment())?.verify(&options)?),
            None => Ok(counterfoil::verify(path, &options)?),
        },
        View::Service { service, .. } => {
            let trust = Trust { keys: Vec::new(), checkpoint: None };
            Ok(crawl::verify(service, &note, &view.verifier_key()?, &trust, &watch)?)
        }
    }
}

fn told(verdict: &Verdict) -> Check {
    let finding = |one: &Finding| report::Finding {
        kind: one.kind.name().to_owned(),
        place: place(one),
        message: one.message.clone(),
    };
    let findings = verdict.findings.iter().take(MAX_FINDINGS).map(finding).collect();
    Check {
        entries: verdict.entries_checked,
        // The checkpoint that was given is this state's own.
        compared_with: verdict.compared_against.iter().filter(|what| !what.starts_with("the given")).cloned().collect(),
        findings: Listed { rows: findings, total: verdict.findings.len() as u64 },
        fault: None,
    }
}

fn place(finding: &Finding) -> String {
    let mut parts = Vec::new();
    parts.extend(finding.file.clone());
    parts.extend(finding.offset.map(|offset| format!("byte {offset}")));
    parts.extend(finding.index.map(|index| format!("entry {index}")));
    parts.join(", ")
}

/// The sources with gaps, the most missing first.
pub fn sources(view: &View, late_micros: Option<i64>, early_micros: Option<i64>) -> Result<Sources> {
    let known = match view.status() {
        Err(error) if is_damage(error.kind) => {
            return Ok(Sources { fault: Some(error.message), late_micros, early_micros, ..Sources::default() });
        }
        known => known?.sources,
    };
    let numbered = known.len() as u64;
    let mut with_gaps: Vec<SourceGaps> = known.into_iter().filter(|one| !one.gaps.is_empty()).map(gaps).collect();
    with_gaps.sort_by(|a, b| b.missing.cmp(&a.missing).then_with(|| a.source.cmp(&b.source)));
    let total = with_gaps.len() as u64;
    with_gaps.truncate(report_rows());
    Ok(Sources { numbered, with_gaps: Listed { rows: with_gaps, total }, fault: None, late_micros, early_micros })
}

fn report_rows() -> usize {
    usize::try_from(counterfoil_report::sql::MAX_LISTED).unwrap_or(usize::MAX)
}

fn gaps(source: SourceStatus) -> SourceGaps {
    let length = |(first, last): &(u64, u64)| (last - first).saturating_add(1);
    SourceGaps {
        missing: source.gaps.iter().map(length).fold(0, u64::saturating_add),
        source: source.source,
        recorder: source.recorder,
        last: source.last,
        gaps: source.gaps,
    }
}

/// The copy that a ledger is said to have, with its locks as they are read back now; why they were not, where that fails.
pub fn copy(view: &View, location: &str, shipped: u64, now: Moment) -> Copy {
    let told = Copy { location: location.to_owned(), shipped, ..Copy::default() };
    look_at(view, told.clone(), now).unwrap_or_else(|other| Copy { fault: Some(other.message()), ..told })
}

/// The copy at a place that somebody named, in the same way.
///
/// Errors: `Invalid` where the copy of another ledger stands there.
pub fn named_copy(view: &View, location: &str, now: Moment) -> std::result::Result<Copy, Failure> {
    look_at(view, Copy { location: location.to_owned(), ..Copy::default() }, now)
}

fn look_at(view: &View, mut copy: Copy, now: Moment) -> std::result::Result<Copy, Failure> {
    let opened = open(&copy.location);
    if let Ok((_, snapshot)) = &opened {
        refuse_other(view, &copy.location, snapshot)?;
        copy.shipped = snapshot.size();
    }
    let read = opened.and_then(|(bucket, snapshot)| read_back(&bucket, &snapshot, &mut copy, now));
    copy.fault = read.err().map(Failure::message);
    Ok(copy)
}

fn open(location: &str) -> std::result::Result<(Bucket, Snapshot), Failure> {
    let location: Location = location.parse()?;
    let bucket = Bucket::open(&location, &Settings::from_environment())?;
    let snapshot = bucket.reader()?.snapshot()?;
    Ok((bucket, snapshot))
}

/// Locks of another ledger's copy say nothing of this one.
fn refuse_other(view: &View, location: &str, snapshot: &Snapshot) -> std::result::Result<(), Failure> {
    let key = view.verifier_key()?;
    if *snapshot.origin() == view.origin()? && *snapshot.verifier_key() == key {
        return Ok(());
    }
    let of = |key: &VerifierKey| format!("{}+{}", key.name(), key.id());
    let (there, here) = (of(snapshot.verifier_key()), of(&key));
    let other = format!("{location} holds the copy of another ledger: its key is {there}, and this ledger's is {here}");
    Err(Failure::invalid(other).advise("Name the place to which this ledger was shipped, or leave --copy out."))
}

fn read_back(bucket: &Bucket, snapshot: &Snapshot, copy: &mut Copy, now: Moment) -> std::result::Result<(), Failure> {
    // Any lock that still holds will do: for how long it must, the operator knows.
    let locks = bucket.check_locks(snapshot, Some(Lock::new(LockMode::Governance, 1)?))?;
    let dates = || locks.locks.iter().filter_map(|found| found.lock.split_once(' '));
    let mut modes: Vec<String> = dates().map(|(mode, _)| mode.to_owned()).collect();
    modes.sort_unstable();
    modes.dedup();
    let moments: Vec<Moment> = dates().filter_map(|(_, until)| super::moment(until).ok()).collect();
    copy.checked_at = Some(now);
    copy.objects = locks.objects;
    copy.modes = modes;
    copy.first_end = moments.iter().min().copied();
    copy.last_end = moments.iter().max().copied();
    copy.unlocked = locks.faults.len() as u64;
    Ok(())
}
