//! What must be there before a drill is held: whatever is missing is refused while nothing is done and nothing recorded.

use std::path::Path;

use counterfoil::{Disk, Error, ErrorKind, OsDisk, Reader};
use counterfoil_postgres::Connection;
use counterfoil_ship::{Location, Settings, Shipper};

use crate::commands::rules;
use crate::exit::Failure;
use crate::files;
use crate::ledgers;
use crate::remote::Remote;

use super::Drill;
use super::scratch::Stop;
use super::setup::Setup;

/// Refuses a drill that could not be held, or not recorded; the name is that of its copy.
pub fn check(drill: &Drill, setup: &Setup, name: &str, stop: &Stop) -> Result<(), Failure> {
    files::refuse_outputs(&[("--html", drill.html.as_deref()), ("--pdf", drill.pdf.as_deref())], false)?;
    setup.rules.as_deref().map(rules::refuse_missing).transpose()?;
    key(&drill.ledger)?;
    let copy = setup.ship.as_ref().and_then(|(to, _)| to.of_drill(name));
    copy.as_ref().map(bucket).transpose()?;
    if let Some(dsn) = &setup.postgres {
        Connection::open(dsn, &stop.patience()).map_err(|error| not_held("--postgres", error))?;
    }
    Ok(())
}

/// The outcome is recorded by the service that has the folder, or with the ledger's own key.
fn key(ledger: &Path) -> Result<(), Failure> {
    if Remote::in_folder(ledger)?.is_some() {
        return Ok(());
    }
    Reader::open(ledger)?.signer().map_err(|error| not_held("the outcome could not be recorded", error))?;
    let taken =
        |_| Error::new(ErrorKind::Busy, "another process has the ledger open: the outcome could not be recorded");
    OsDisk.lock(ledger).map(drop).map_err(taken).map_err(|error| ledgers::held(ledger, error))
}

/// The store answers. A bucket that lacks locks is no reason not to hold a drill: that is what it would find.
fn bucket(copy: &Location) -> Result<(), Failure> {
    let Location::Bucket { .. } = copy else { return Ok(()) };
    match Shipper::open_for_drill(copy, &Settings::from_environment(), None) {
        Err(error) if !matches!(error.kind, ErrorKind::Invalid | ErrorKind::Conflict) => Err(not_held("--ship", error)),
        _ => Ok(()),
    }
}

fn not_held(what: &str, error: Error) -> Failure {
    let failure = Failure::from(Error { message: format!("{what}: {}", error.message), ..error });
    failure.advise("The drill was not held, and nothing was recorded.")
}
