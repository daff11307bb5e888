//! The scratch ledger is shipped beside the configured copy, verified there, and what is locked is tried.

use counterfoil::{Reader, VerifyOptions};
use counterfoil_ship::{Bucket, Location, Retention, Settings, Shipper};

use super::checks::{COPY, Checks};
use super::scratch::Scratch;
use super::setup::Setup;

pub fn try_out(setup: &Setup, scratch: &Scratch, name: &str, checks: &mut Checks) {
    let Some((to, retain)) = &setup.ship else {
        return checks.untried(COPY, "a copy under Object Lock", "none is configured (--ship s3://BUCKET/PREFIX)");
    };
    let Some(place) = to.of_drill(name) else {
        let why = format!("{to} fills its bucket: whatever is put beside it would be a finding of its verification");
        return checks.untried(COPY, "a copy under Object Lock", why);
    };
    if let Err(error) = ship(&place, retain.as_ref(), scratch, checks) {
        checks.failed(COPY, format!("a copy at {place}"), error.message);
    }
}

fn ship(
    place: &Location,
    retain: Option<&Retention>,
    scratch: &Scratch,
    checks: &mut Checks,
) -> counterfoil::Result<()> {
    let settings = Settings::from_environment();
    let snapshot = Reader::open(scratch.ledger())?.snapshot()?;
    let lock = retain.map(|retention| retention.lock(snapshot.retention_class())).transpose()?;
    let mut shipper = Shipper::open_for_drill(place, &settings, lock)?;
    let shipped = shipper.ship(&snapshot)?;
    checks.passed(
        COPY,
        format!("shipping to {place}"),
        format!("{} objects, {} entries", shipped.objects, shipped.size),
    );
    let options = VerifyOptions { keys: vec![scratch.key.clone()], ..VerifyOptions::default() };
    let report = Bucket::open(place, &settings)?.verify(&options)?;
    let verified = match report.findings.first() {
        None => Ok(format!("{} entries read from there", report.entries_checked)),
        Some(finding) => Err(finding.to_string()),
    };
    checks.result(COPY, "the copy verifies", verified);
    let attempts = shipper.try_to_destroy()?;
    if attempts.is_empty() {
        checks.untried(COPY, "the lock of the copy", format!("{place} has no Object Lock"));
    }
    for attempt in attempts {
        let result = if attempt.held { Ok(attempt.answer) } else { Err(attempt.answer) };
        checks.result(COPY, format!("refused: {}", attempt.what), result);
    }
    Ok(())
}
