//! The audit table of PostgreSQL, in a database of the drill's own.

use counterfoil::{CreateOptions, Ledger, OpenOptions};
use counterfoil_postgres::{Dsn, Held};

use crate::exit::Failure;
use crate::trail::WrittenTrail;

use super::checks::{Checks, DATABASE};
use super::scratch::{Scratch, Stop};
use super::setup::Setup;

pub fn try_out(setup: &Setup, scratch: &Scratch, name: &str, stop: &Stop, checks: &mut Checks) {
    let Some(dsn) = &setup.postgres else {
        return checks.untried(DATABASE, "an audit table", "none is named (--postgres DSN)");
    };
    match drill(dsn, scratch, name, stop) {
        Ok(tried) => {
            for one in tried {
                match one.result {
                    Held::Yes(detail) => checks.passed(DATABASE, one.what, detail),
                    Held::No(detail) => checks.failed(DATABASE, one.what, detail),
                    Held::Untried(why) => checks.untried(DATABASE, one.what, why),
                }
            }
        }
        Err(Failure::Told { message, .. }) => checks.failed(DATABASE, format!("an audit table at {dsn}"), message),
        Err(Failure::Pipe) => {}
    }
}

/// The rows go to a ledger of their own.
fn drill(dsn: &Dsn, scratch: &Scratch, name: &str, stop: &Stop) -> Result<Vec<counterfoil_postgres::Tried>, Failure> {
    let folder = scratch.path("rows");
    let create = CreateOptions::new(&format!("{}/rows", scratch.origin()))?;
    Ledger::create(&folder, create, OpenOptions::default())?.close()?;
    let trail = WrittenTrail::of(&folder)?;
    let tried = counterfoil_postgres::drill(dsn, &format!("counterfoil_drill_{name}"), &trail, &stop.patience());
    trail.close()?;
    Ok(tried?)
}
