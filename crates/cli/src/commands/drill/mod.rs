//! `counterfoil drill`

mod checks;
mod database;
mod detection;
mod outcome;
mod plan;
mod preconditions;
mod recording;
mod scenario;
mod scratch;
mod setup;
mod store;
mod tampering;

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use counterfoil::{ErrorKind, Reader};
use counterfoil_entry::Timestamp;
use counterfoil_ship::Location;

use crate::exit::{Exit, Failure, Outcome};
use crate::ledgers;
use crate::output;
use crate::remote;
use crate::signals;

use checks::Checks;
use outcome::Ended;
use plan::Plan;
use scratch::{Scratch, Stop};
use setup::Setup;

/// Prove on a scratch copy of the configuration that recording, proof, detection and delivery work
///
/// A service of its own is started on a scratch ledger, with the rules and sinks of the running configuration. A day's work is
/// recorded through its API: automated and human decisions, refused attempts, unusual changes, a missing entry, and an
/// example of every rule that carries one. Then the scratch ledger is tampered with in each way that `verify` knows. What is
/// not stored, proven, detected and delivered to every sink fails the drill. Its messages are marked as a drill. The
/// outcome is recorded in the ledger itself, as `ledger.drilled`.
///
/// What is configured is taken from the options, the environment and the file of settings, as `counterfoil serve` takes it;
/// beside a running service also from that.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  counterfoil drill audit --rules rules --sinks sinks.toml
  counterfoil drill audit --config /etc/counterfoil/serve.toml --html drill.html
  counterfoil drill audit --rules rules --ship s3://bank-audit/payments \\
    --postgres postgres://postgres@db.example/bank

Exit codes: 0 passed, 2 the call or a file of settings is wrong, 5 the drill FAILED, was interrupted, or the bucket or database does not \
answer, 6 the ledger's key may not be read, 7 no such ledger, folder or file. Other exit codes: see `counterfoil --help`.")]
pub struct Drill {
    /// The ledger's folder.
    ledger: PathBuf,
    /// The TOML file with the service's settings.
    #[arg(long, value_name = "FILE", env = "COUNTERFOIL_CONFIG")]
    config: Option<PathBuf>,
    /// The folder of the rules.
    #[arg(long, value_name = "DIR", env = "COUNTERFOIL_RULES")]
    rules: Option<PathBuf>,
    /// Where alerts are delivered: a TOML file with a [[sink]] table for each.
    #[arg(long, value_name = "FILE", env = "COUNTERFOIL_SINKS")]
    sinks: Option<PathBuf>,
    /// Where the copy is kept; the drill's own goes beside it, under BUCKET/PREFIX-drills, locked for ten minutes.
    #[arg(long, value_name = "LOCATION", env = "COUNTERFOIL_SHIP")]
    ship: Option<Location>,
    /// The retention of the copy's objects; of it the drill takes the mode.
    #[arg(long, value_name = "MODE[:DAYS]", env = "COUNTERFOIL_SHIP_RETAIN")]
    ship_retain: Option<String>,
    /// A PostgreSQL server that holds an audit table: the drill makes a database of its own there, and removes it.
    #[arg(long, value_name = "DSN", env = "COUNTERFOIL_POSTGRES")]
    postgres: Option<String>,
    /// Write the outcome as a page in HTML.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the outcome as a page in PDF.
    #[arg(long, value_name = "FILE")]
    pdf: Option<PathBuf>,
    /// Keep the scratch ledger and the log of its service in this folder, a new one.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Print the outcome as JSON.
    #[arg(long)]
    json: bool,
}

impl Drill {
    pub(super) fn run(self) -> Outcome {
        if let Some(url) = remote::url(&self.ledger) {
            return Err(Failure::invalid(format!(
                "{url}: a drill is held where the ledger's folder is: name the folder"
            )));
        }
        ledgers::check_folder_to_write(&self.ledger)?;
        let setup = Setup::of(&self)?;
        let origin = Reader::open(&self.ledger)?.snapshot()?.origin().to_string();
        let stop = Stop::of(signals::stop()?);
        let (started_at, since) = (now()?, Instant::now());
        let name = started_at.to_string()[..19].replace([':', '-'], "").to_ascii_lowercase();
        preconditions::check(&self, &setup, &name, &stop)?;
        let mut scratch = Scratch::create(self.keep.as_deref(), &format!("{origin}/drill/{name}"))?;
        let checks = hold(&setup, &mut scratch, &name, &stop)?;
        drop(scratch.end());
        let origin_of_scratch = scratch.origin().to_owned();
        drop(scratch);
        let ended = Ended::new(&origin, &origin_of_scratch, started_at, since.elapsed().as_secs(), checks);
        let recorded = ended.record(&self.ledger);
        ended.tell(recorded.as_ref().ok().copied(), self.json)?;
        let pages = ended.write_pages(self.html.as_deref(), self.pdf.as_deref());
        if ended.passed() {
            return recorded.and(pages).map(|()| Exit::Good);
        }
        [recorded.err(), pages.err()].iter().flatten().for_each(output::tell);
        Ok(Exit::Bad(ErrorKind::Unavailable))
    }
}

/// Holds the drill: everything is tried, whatever failed before. An error only when it was interrupted, or cannot be held at
/// all.
fn hold(setup: &Setup, scratch: &mut Scratch, name: &str, stop: &Stop) -> Result<Checks, Failure> {
    let mut checks = Checks::default();
    output::note("holding a drill; it takes about half a minute");
    let plan = Plan::of(setup, now()?, &mut checks);
    if let Some(service) = scratch.serve(setup, stop, &mut checks)? {
        let recorded = recording::record(&service, &plan, stop, &mut checks)?;
        detection::watch(&service, setup, &plan, stop, &mut checks)?;
        let closed = scratch.end();
        checks.result(checks::RECORDING, "the service ends in good order", closed);
        recording::read_back(scratch, &recorded, &mut checks);
        tampering::try_all(scratch, stop, &mut checks)?;
        store::try_out(setup, scratch, name, &mut checks);
    }
    stop.check()?;
    database::try_out(setup, scratch, name, stop, &mut checks);
    stop.check()?;
    Ok(checks)
}

fn now() -> Result<Timestamp, Failure> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let micros = since.ok().and_then(|since| i64::try_from(since.as_micros()).ok());
    let micros = micros.ok_or_else(|| Failure::new(ErrorKind::Unavailable, "the machine's clock is before 1970"))?;
    Ok(Timestamp::from_micros(micros))
}
