//! `counterfoil postgres`

mod check;
mod follow;
mod import;
mod install;

use clap::{Args, Subcommand};

use counterfoil_postgres::Dsn;

use crate::exit::Outcome;
use crate::output::{self, DIM, styled};
use crate::text::Printable;

pub use import::{TableOptions, import_table, is_database};

/// The table that install makes.
const AUDIT_TABLE: &str = "counterfoil.audit_log";

/// Says which database and table a command is about: what the address leaves out comes from elsewhere.
fn note_database(dsn: &Dsn, table: &str) {
    output::note(styled(DIM, Printable(&dsn.sentence(table))));
}

/// Follow an audit table in PostgreSQL, and check the table against the ledger
///
/// The application writes its audit rows in the transaction that they are about, into an append-only table; `follow` moves
/// every committed row into the ledger, once, in commit order; `check` names every row that somebody changed, removed,
/// inserted or backdated since, a database superuser included. docs/guides/postgres.md explains it for those who run
/// databases.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  counterfoil postgres install postgres://postgres@db.example/bank
  counterfoil postgres follow audit postgres://follower@db.example/bank
  counterfoil postgres check audit postgres://follower@db.example/bank

The password is taken from PGPASSWORD, where other users of the machine do not see it.

Exit codes: 0 done, for check: as recorded; 4 another process has the ledger open for writing, 5 rows are not moved yet or the server is silent, \
6 a right is missing, 9 ended by a signal, 11 the table was tampered with. Other exit codes: see `counterfoil --help`.")]
pub struct Postgres {
    #[command(subcommand)]
    command: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Make the audit table, or bring it up to date
    Install(install::Install),
    /// Move committed rows into a ledger, until it is stopped
    Follow(follow::Follow),
    /// Compare the table with the ledger, both ways
    Check(check::Check),
}

impl Postgres {
    pub(super) fn run(self) -> Outcome {
        match self.command {
            Act::Install(install) => install.run(),
            Act::Follow(follow) => follow.run(),
            Act::Check(check) => check.run(),
        }
    }
}
