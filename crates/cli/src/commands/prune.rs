//! `counterfoil prune`

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use counterfoil::{LetGo, Reader};
use counterfoil_server::PruneOutcome;
use counterfoil_ship::{Bucket, DEFAULT_LOCKED_DAYS, Keep, Location, Prune as Wanted, Retention, Settings};
use hyper::Method;
use serde_json::json;

use crate::exit::{Exit, Failure, Outcome};
use crate::ledgers;
use crate::output;
use crate::remote::{Call, Remote};
use crate::text::{Counted, Grouped, entries};
use crate::writer::Writer;

/// Let go of sealed segments on the local disk that a bucket holds under lock
///
/// First every byte of those segments is read from the bucket and held against the digests that the ledger's own trail has
/// of them, and the lock of every object is read back. Then the trail says it (`ledger.pruned`), and their Parquet files
/// are removed. Indexes and proofs stay. The other commands go on as before: what they need of a pruned segment they read
/// from the bucket, block by block, checked as on the disk; so they need its credentials.
///
/// Beside a service that has the ledger open, the service does it, with the copy that it keeps; it can also do so by itself
/// (`serve --prune-keep`).
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  counterfoil prune audit --bucket s3://bank-audit/payments --keep 90d --dry-run
  counterfoil prune audit --bucket s3://bank-audit/payments --keep 90d
  counterfoil prune audit --fetch

Exit codes: 0 pruned, or nothing to prune, 3 a lock is short or missing, 4 another process is writing, 5 not shipped yet \
or no answer, 11 the bucket holds something else. Other exit codes: see `counterfoil --help`.")]
pub struct Prune {
    /// The ledger's folder, or the URL of the service that holds it.
    ledger: PathBuf,
    /// The bucket that holds the segments: s3://BUCKET/PREFIX, or gs:// or az://.
    #[arg(long, value_name = "PLACE", required_unless_present = "fetch")]
    bucket: Option<Location>,
    /// What stays on the disk: what was recorded in so many days (90d), so many of the newest entries (1000000entries), or nothing
    /// (0).
    #[arg(long, value_name = "WHAT", default_value = "0")]
    keep: Keep,
    /// The retention that every object must have been written under, MODE[:DAYS] [default: the bucket's, or that of the service].
    #[arg(long, value_name = "MODE[:DAYS]")]
    retain: Option<String>,
    /// For how many days from now every object must be locked.
    #[arg(long, value_name = "DAYS", default_value_t = DEFAULT_LOCKED_DAYS)]
    locked_days: u32,
    /// Check everything and remove nothing.
    #[arg(long)]
    dry_run: bool,
    /// Bring back what was pruned.
    #[arg(long, conflicts_with_all = ["bucket", "keep", "retain", "locked_days", "dry_run"])]
    fetch: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

impl Prune {
    pub(super) fn run(self) -> Outcome {
        let retain = self.retain.as_deref().map(str::parse::<Retention>).transpose()?;
        if crate::remote::url(&self.ledger).is_none() {
            ledgers::check_folder_to_write(&self.ledger)?;
        }
        let service = Remote::of(&self.ledger)?;
        let outcome = match (&self.bucket, service) {
            (None, Some(service)) => service.ask(Call { method: Method::POST, ..Call::get("/api/v1/prune/fetch") })?,
            (None, None) => self.bring_back()?,
            (Some(bucket), Some(service)) => self.ask(bucket, &service)?,
            (Some(bucket), None) => self.let_go(bucket, retain)?,
        };
        self.tell(&outcome)?;
        Ok(Exit::Good)
    }

    fn ask(&self, place: &Location, service: &Remote) -> counterfoil::Result<PruneOutcome> {
        let asked = json!({
            "bucket": place.to_string(), "keep": self.keep.to_string(), "retain": self.retain,
            "locked_days": self.locked_days, "dry_run": self.dry_run,
        });
        service.ask(Call::post("/api/v1/prune", &asked))
    }

    fn let_go(&self, place: &Location, retain: Option<Retention>) -> Result<PruneOutcome, Failure> {
        let snapshot = Reader::open(&self.ledger)?.snapshot()?;
        let lock = retain.map(|retention| retention.lock(snapshot.retention_class())).transpose()?;
        let wanted = Wanted { keep: self.keep, lock, locked_days: self.locked_days };
        let found = Bucket::open(place, &Settings::from_environment())?.prunable(&snapshot, &wanted)?;
        if self.dry_run || found.segments == 0 {
            return Ok(PruneOutcome::of(&found, &LetGo::default()));
        }
        let ledger = self.open()?;
        let gone = ledger.prune(found.pruned.clone(), found.covered)?;
        ledger.close()?;
        Ok(PruneOutcome::of(&found, &gone))
    }

    fn bring_back(&self) -> Result<PruneOutcome, Failure> {
        let ledger = self.open()?;
        let back = ledger.fetch_pruned()?;
        ledger.close()?;
        Ok(PruneOutcome::back(&back))
    }

    fn open(&self) -> Result<Box<counterfoil::Ledger>, Failure> {
        match Writer::of(&self.ledger)? {
            Writer::Folder(ledger) => Ok(ledger),
            Writer::Service(_) => {
                let busy = counterfoil::ErrorKind::Busy;
                Err(Failure::new(busy, "a service has opened this ledger meanwhile").advise("Try again."))
            }
        }
    }

    fn tell(&self, outcome: &PruneOutcome) -> Result<(), Failure> {
        if self.json {
            return output::json(outcome);
        }
        let mut out = output::stdout();
        let PruneOutcome { segments: count, bytes, .. } = outcome;
        let moved = format!("{}, {} bytes", segments(*count), Grouped(*bytes));
        let (Some(place), Some(held)) = (&outcome.place, outcome.held) else {
            writeln!(out, "brought back {moved}")?;
            return Ok(out.flush()?);
        };
        writeln!(out, "to stay on the disk: {}", kept(self.keep))?;
        let until = outcome.locked_until.as_deref().map(|until| format!(", locked until {until}")).unwrap_or_default();
        let bytes = Grouped(outcome.held_bytes.unwrap_or_default());
        writeln!(out, "{place} holds {} of what may go, {bytes} bytes{until}", segments(held))?;
        match self.dry_run {
            true => writeln!(out, "nothing was removed: this was a dry run")?,
            false => writeln!(out, "removed {moved}, from the disk")?,
        }
        Ok(out.flush()?)
    }
}

/// What stays, as it was understood.
fn kept(keep: Keep) -> String {
    match keep {
        Keep::Entries(0) => "what is not sealed, and segments of a single block".to_owned(),
        Keep::Entries(count) => format!("the newest {}", entries(count)),
        Keep::Days(days) => format!("what was recorded in the last {}", Counted(days.into(), "day", "days")),
    }
}

fn segments(count: u64) -> String {
    Counted(count, "segment", "segments").to_string()
}
