//! The scratch ledger is shipped beside the configured copy, verified there, and what is locked is tried.

use counterfoil::{Reader, VerifyOptions};
use counterfoil_ship::{Attempt, Bucket, Location, Retention, Settings, Shipper};

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
    grade(place, shipper.try_to_destroy()?, checks);
    Ok(())
}

fn grade(place: &Location, attempts: Vec<Attempt>, checks: &mut Checks) {
    if attempts.is_empty() {
        checks.untried(COPY, "the lock of the copy", format!("{place} has no Object Lock"));
    }
    for attempt in attempts {
        let result = if attempt.held { Ok(attempt.answer) } else { Err(attempt.answer) };
        checks.result(COPY, format!("refused: {}", attempt.what), result);
    }
}

#[cfg(test)]
mod tests {
    use counterfoil_report::drill::Grade;

    use super::*;

    #[test]
    fn a_store_that_gives_way_fails() {
        let place: Location = "s3://bank-audit/payments".parse().expect("a place");
        let graded = |attempts| {
            let mut checks = Checks::default();
            grade(&place, attempts, &mut checks);
            checks.only().0
        };
        let attempt = |held| Attempt { what: "deleting a locked version", held, answer: "200".to_owned() };
        assert_eq!(graded(vec![attempt(true)]), Grade::Passed);
        assert_eq!(graded(vec![attempt(false)]), Grade::Failed);
        assert_eq!(graded(Vec::new()), Grade::NotExercised);
    }
}
