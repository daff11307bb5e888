//! `counterfoil postgres install`

use std::io::Write;

use clap::Args;
use counterfoil_postgres::{Connection, Dsn, Installed, SQL};

use super::{AUDIT_TABLE, note_database};
use crate::exit::{Exit, Outcome};
use crate::output::{self, DIM, styled};
use crate::signals;

#[derive(Debug, Args)]
pub struct Install {
    /// The database, as postgres://USER@HOST:PORT/DATABASE; a superuser, or who may create roles and schemas.
    #[arg(required_unless_present = "print")]
    dsn: Option<String>,
    /// Print the SQL and run nothing.
    #[arg(long)]
    print: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

impl Install {
    pub fn run(self) -> Outcome {
        let Some(dsn) = self.dsn.filter(|_| !self.print) else {
            let mut out = output::raw_stdout();
            out.write_all(SQL.as_bytes())?;
            out.flush()?;
            return Ok(Exit::Good);
        };
        let dsn = Dsn::parse(&dsn)?;
        let patience = signals::patience()?;
        note_database(&dsn, AUDIT_TABLE);
        let installed = counterfoil_postgres::install(&mut Connection::open(&dsn, &patience)?)?;
        if self.json {
            output::json(&installed)?;
            return Ok(Exit::Good);
        }
        tell(&installed)?;
        Ok(Exit::Good)
    }
}

fn tell(installed: &Installed) -> std::io::Result<()> {
    let mut out = output::stdout();
    let (version, server) = (installed.version, &installed.server);
    let done = match installed.replaced {
        None => format!("is made, version {version}"),
        Some(before) if before == version => format!("is of version {version}, as it should be"),
        Some(before) => format!("is brought from version {before} to {version}"),
    };
    writeln!(out, "counterfoil.audit_log {done} (PostgreSQL {server})")?;
    let mut hint = |text: &str| writeln!(out, "  {}", styled(DIM, text));
    hint("GRANT counterfoil_writer TO application;  SELECT counterfoil.audit('invoice_approved', 'INV-1', 'maria')")?;
    if installed.replication {
        hint("CREATE ROLE follower LOGIN REPLICATION PASSWORD '…';  GRANT counterfoil_reader TO follower")?;
    } else {
        hint(
            "wal_level is not logical: rows will be polled (set it and restart PostgreSQL for commit order and less delay)",
        )?;
        hint("CREATE ROLE follower LOGIN PASSWORD '…';  GRANT counterfoil_reader TO follower")?;
    }
    out.flush()
}
