//! What a verification of each kind does.

use std::sync::Mutex;

use counterfoil::{Error, ErrorKind, Receipt, Result, Snapshot, Verified, VerifyOptions};
use counterfoil_entry::Draft;
use counterfoil_evidence::Report;
use counterfoil_postgres::{CheckOptions, Difference, Patience, Trail};
use counterfoil_ship::{Bucket, Location, Lock};

use super::Progress;
use super::kind::{Extent, Kind, Of};
use super::run::{Run, Told};
use crate::access::LOCAL_ADMINISTRATOR;
use crate::service::Service;
use crate::settings::Ship;

/// How a table is named in findings.
const TABLE: &str = "counterfoil.audit_log";

/// Runs a verification to its end.
pub(super) fn carry_out(service: &Service, kind: Kind, progress: &Progress) -> Run {
    let run = Run::begun(kind, progress.started_at, service.snapshot().size());
    let outcome = match kind.of {
        Of::Ledger => ledger(service, kind, progress, run.clone()),
        Of::Copy => copy(service, kind, run.clone()),
        Of::Table => table(service, run.clone()),
    };
    let finished_at = crate::moment::now().to_string();
    match outcome {
        Ok(run) => {
            if run.findings_total > 0 {
                tracing::error!(%kind, findings = run.findings_total, "the verification found that something was changed");
            }
            Run { finished_at, ..run }
        }
        Err(error) => {
            tracing::error!(%kind, detail = error.message, "the verification could not be run");
            Run { finished_at, fault: Some(error.message), ..run }
        }
    }
}

fn ledger(service: &Service, kind: Kind, progress: &Progress, run: Run) -> Result<Run> {
    let checkpoint = service.snapshot().checkpoint().to_owned();
    let count = |checked, total| progress.note(checked, total);
    let options = VerifyOptions { progress: Some(&count), ..options(&checkpoint) };
    let report =
        on_from_the_last(service, kind, &service.snapshot(), options, &|options| service.backing.verify(options))?;
    let run = run.reported(&report);
    let checkpoint = run.verified.then_some(checkpoint);
    Ok(Run { checkpoint, ..run })
}

/// Verifies the copy, as far as it is known to be, against the ledger's own checkpoint of that size; of everything also the locks.
fn copy(service: &Service, kind: Kind, run: Run) -> Result<Run> {
    let (Some(ship), Some(shipping)) = (&service.settings.ship, service.backing.shipping()) else { return Ok(run) };
    let shipped = shipping.lag().shipped;
    if shipped == 0 {
        return Ok(Run { tree_size: 0, ..run.with([]) });
    }
    let checkpoint = service.backing.checkpoint_at(shipped)?;
    let snapshot = service.snapshot();
    let opened = match kind.extent {
        Extent::New => service.verifications.copy.lock().expect("no panic while held").take(),
        _ => None,
    };
    let bucket = match opened {
        Some(mut bucket) => bucket.refresh().map(|_| bucket)?,
        None => Bucket::open(&ship.to, &ship.settings)?,
    };
    let report = on_from_the_last(service, kind, &snapshot, options(&checkpoint), &|options| bucket.verify(options))?;
    let mut run = run.reported(&report);
    if kind.extent == Extent::Whole && matches!(ship.to, Location::Bucket { .. }) {
        run = run.with(unlocked(&bucket, ship, &snapshot)?);
    }
    if run.verified {
        *service.verifications.copy.lock().expect("no panic while held") = Some(bucket);
    }
    Ok(run)
}

/// Objects of the copy that are not locked as they should be.
fn unlocked(bucket: &Bucket, ship: &Ship, snapshot: &Snapshot) -> Result<Vec<Told>> {
    let lock = ship.retain.map(|retain| retain.lock(snapshot.retention_class())).transpose()?;
    let locks = bucket.check_locks(snapshot, lock.map(|lock| Lock { legal_hold: ship.legal_hold, ..lock }))?;
    let told = |fault: &counterfoil_ship::LockFault| Told::other("object-lock", &*fault.key, None, &fault.message);
    Ok(locks.faults.iter().map(told).collect())
}

/// Compares the table with the ledger, both ways.
fn table(service: &Service, run: Run) -> Result<Run> {
    let Some(postgres) = &service.settings.postgres else { return Ok(run) };
    let options =
        CheckOptions { slot: postgres.slot.clone(), looked_into: postgres.looked_into, ..CheckOptions::default() };
    let (mut run, mut not_moved) = (run, 0);
    let checked =
        counterfoil_postgres::check(&postgres.dsn, &Own(service), &options, &Patience::default(), &mut |finding| {
            let file = finding.row.map_or_else(|| TABLE.to_owned(), |row| format!("{TABLE}, row {row}"));
            match finding.difference {
                Difference::NotMoved => not_moved += 1,
                other => run.add(Told::other(name(other), file, finding.index, &finding.message)),
            }
            Ok(())
        })?;
    let compared_against = vec![format!("the rows of {}", checked.source)];
    let run = Run { entries_checked: checked.rows, not_moved, compared_against, ..run };
    Ok(run.with([]))
}

fn name(difference: Difference) -> String {
    let name = serde_json::to_value(difference).unwrap_or_default();
    format!("row-{}", name.as_str().unwrap_or_default().replace('_', "-"))
}

fn options(checkpoint: &str) -> VerifyOptions<'_> {
    // One thread: writers and readers go on meanwhile.
    VerifyOptions { checkpoint: Some(checkpoint.as_bytes().to_vec()), threads: 1, ..VerifyOptions::default() }
}

/// Verifies everything, or what came since the last that found nothing, and keeps how far this one came.
fn on_from_the_last(
    service: &Service,
    kind: Kind,
    snapshot: &Snapshot,
    options: VerifyOptions<'_>,
    verify: &dyn Fn(&VerifyOptions<'_>) -> Result<Report>,
) -> Result<Report> {
    let kept = service.verifications.kept(kind.of);
    let resume = if kind.extent == Extent::New { kept.read(service, kind.of, snapshot)? } else { None };
    if kind.extent == Extent::New && resume.is_none() && service.verifications.leaves_it_to_the_whole(kind.of) {
        let message = "no verification of everything has ended without a finding yet, and this one goes on from there";
        return Err(Error::new(ErrorKind::Unavailable, message));
    }
    let before = resume.as_ref().map(Verified::size);
    let reached = Mutex::new(None);
    let remember = |state| *reached.lock().expect("no panic while held") = Some(state);
    let options = VerifyOptions { resume, remember: Some(&remember), ..options };
    let everything = |options| verify(&VerifyOptions { resume: None, ..options }).map(|report| (report, None));
    let (report, before) = match verify(&options) {
        // Such as one from before the ledger was restored.
        Err(error) if error.kind == ErrorKind::Invalid && before.is_some() => {
            tracing::warn!(%kind, detail = error.message, "everything is read again");
            everything(options)?
        }
        // What was kept is a hint that anybody may have written: nothing is told that everything does not bear out.
        Ok(report) if !report.is_clean() && before.is_some() => everything(options)?,
        verified => (verified?, before),
    };
    let reached = reached.into_inner().expect("no panic while held").filter(|_| report.is_clean());
    if let Some(state) = reached {
        kept.write(service, kind.of, before, state);
    }
    Ok(report)
}

/// The served ledger as the comparison with a table reads it.
struct Own<'a>(&'a Service);

impl Trail for Own<'_> {
    fn append(&self, _: Vec<Draft>) -> Result<Vec<Receipt>> {
        Err(Error::new(ErrorKind::Denied, "a comparison records nothing"))
    }

    fn snapshot(&self) -> Result<Snapshot> {
        Ok(self.0.snapshot())
    }

    fn recorder(&self) -> Option<&str> {
        Some(LOCAL_ADMINISTRATOR)
    }
}
