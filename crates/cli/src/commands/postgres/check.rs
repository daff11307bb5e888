//! `counterfoil postgres check`

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use counterfoil::ErrorKind;
use counterfoil_postgres::{CheckOptions, Checked, Difference, Dsn, Finding};
use serde::Serialize;

use super::{AUDIT_TABLE, note_database};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, BOLD, GREEN, RED, YELLOW, styled};
use crate::signals;
use crate::text::{Counted, Printable};
use crate::trail::ReadTrail;

#[derive(Debug, Args)]
pub struct Check {
    /// The ledger's folder; whoever follows may be at work.
    ledger: PathBuf,
    /// The database, as postgres://USER@HOST:PORT/DATABASE.
    dsn: String,
    /// The replication slot of this ledger's follower.
    #[arg(long, default_value = "counterfoil")]
    slot: String,
    /// How long to wait for a follower at work to catch up.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    patience: u64,
    /// What the follower noticed before this entry was looked into: do not name it again.
    #[arg(long, value_name = "INDEX", default_value_t = 0)]
    looked_into: u64,
    /// Print one JSON object a finding, and last the summary.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Summary<'a> {
    verified: bool,
    #[serde(flatten)]
    checked: &'a Checked,
}

impl Check {
    pub fn run(self) -> Outcome {
        let dsn = Dsn::parse(&self.dsn)?;
        let patience = signals::patience()?;
        let trail = ReadTrail::of(&self.ledger)?;
        note_database(&dsn, AUDIT_TABLE);
        let options =
            CheckOptions { slot: self.slot.clone(), patience_seconds: self.patience, looked_into: self.looked_into };
        let mut out = output::stdout();
        // The verdict stands, whoever reads it: a reader that went away does not end the comparison.
        let mut written = Ok(());
        let checked = counterfoil_postgres::check(&dsn, &trail, &options, &patience, &mut |finding| {
            if written.is_ok() {
                written = self.write(&mut out, &finding);
            }
            Ok(())
        })?;
        let exit = match checked.findings.is_empty() {
            true => Exit::Good,
            false if checked.is_tampered() => Exit::Bad(ErrorKind::Tampered),
            false => Exit::Bad(ErrorKind::Unavailable),
        };
        match (written.and_then(|()| self.conclude(&mut out, &checked, exit)), exit) {
            (Err(Failure::Pipe), Exit::Bad(_)) => Ok(exit),
            (Err(failure), _) => Err(failure),
            (Ok(()), _) => Ok(exit),
        }
    }

    fn write(&self, out: &mut output::Out, finding: &Finding) -> Result<(), Failure> {
        if self.json {
            return output::json_line(out, finding);
        }
        let style = if finding.difference == Difference::NotMoved { YELLOW } else { RED };
        let kind = serde_json::to_value(finding.difference).unwrap_or_default();
        let kind = kind.as_str().unwrap_or_default().replace('_', "-");
        writeln!(out, "{}  {}", styled(style, format_args!("{kind:<11}")), Printable(&finding.message))?;
        Ok(())
    }

    fn conclude(&self, out: &mut output::Out, checked: &Checked, exit: Exit) -> Result<(), Failure> {
        if self.json {
            output::json_line(out, &Summary { verified: exit == Exit::Good, checked })?;
            return Ok(out.flush()?);
        }
        let rows = Counted(checked.rows, "row", "rows");
        let count = Counted(checked.findings.values().sum(), "finding", "findings");
        let source = Printable(&checked.source);
        match exit {
            Exit::Good => writeln!(out, "{} {rows} of {source}: as recorded", styled(GREEN, "verified"))?,
            Exit::Bad(ErrorKind::Unavailable) => {
                writeln!(out, "{} {source}: {rows}, {count}", styled(YELLOW.bold(), "NOT MOVED YET"))?;
            }
            Exit::Bad(_) => {
                writeln!(out, "{} {source}: {rows}, {count}", styled(RED.bold(), "TAMPERED"))?;
                writeln!(
                    out,
                    "{}",
                    styled(BOLD, "The ledger holds what was recorded: counterfoil entry LEDGER INDEX")
                )?;
            }
        }
        Ok(out.flush()?)
    }
}
