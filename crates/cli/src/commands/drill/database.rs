//! The audit table of PostgreSQL, in a database of the drill's own.

use counterfoil::{CreateOptions, Ledger, OpenOptions};
use counterfoil_postgres::{Dsn, Held, Tried};

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
        Ok(tried) => tried.into_iter().for_each(|one| grade(one, checks)),
        Err(Failure::Told { message, .. }) => checks.failed(DATABASE, format!("an audit table at {dsn}"), message),
        Err(Failure::Pipe) => {}
    }
}

fn grade(tried: Tried, checks: &mut Checks) {
    match tried.result {
        Held::Yes(detail) => checks.passed(DATABASE, tried.what, detail),
        Held::No(detail) => checks.failed(DATABASE, tried.what, detail),
        Held::Untried(why) => checks.untried(DATABASE, tried.what, why),
    }
}

/// The rows go to a ledger of their own.
fn drill(dsn: &Dsn, scratch: &Scratch, name: &str, stop: &Stop) -> Result<Vec<Tried>, Failure> {
    let folder = scratch.path("rows");
    let create = CreateOptions::new(&format!("{}/rows", scratch.origin()))?;
    Ledger::create(&folder, create, OpenOptions::default())?.close()?;
    let trail = WrittenTrail::of(&folder)?;
    let tried = counterfoil_postgres::drill(dsn, &format!("counterfoil_drill_{name}"), &trail, &stop.patience());
    trail.close()?;
    Ok(tried?)
}

#[cfg(test)]
mod tests {
    use counterfoil_report::drill::Grade;

    use super::*;

    #[test]
    fn a_table_that_gives_way_fails() {
        let graded = |result| {
            let mut checks = Checks::default();
            grade(Tried { what: "an UPDATE of a recorded row", result }, &mut checks);
            checks.only().0
        };
        assert_eq!(graded(Held::Yes(String::new())), Grade::Passed);
        assert_eq!(graded(Held::No(String::new())), Grade::Failed);
        assert_eq!(graded(Held::Untried(String::new())), Grade::NotExercised);
    }
}
