//! `counterfoil prune`

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use counterfoil::{LetGo, Reader};
use counterfoil_ship::{Bucket, Keep, Location, Prunable, Prune as Wanted, Retention, Settings};
use serde::Serialize;

use crate::exit::{Exit, Failure, Outcome};
use crate::ledgers;
use crate::output;
use crate::text::{Counted, Grouped};
use crate::writer::Writer;

/// Let go of sealed segments on the local disk that a bucket holds under lock
///
/// First every byte of those segments is read from the bucket and held against the digests that the ledger's own trail has
/// of them, and the lock of every object is read back. Then the trail says it (`ledger.pruned`), and their Parquet files
/// are removed. Indexes and proofs stay. The other commands go on as before: what they need of a pruned segment they read
/// from the bucket, block by block, checked as on the disk; so they need its credentials.
///
/// A service that has the ledger open must be ended for the removal.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  counterfoil prune audit --bucket s3://bank-audit/payments --keep 90d --dry-run
  counterfoil prune audit --bucket s3://bank-audit/payments --keep 90d
  counterfoil prune audit --fetch

Exit codes: 0 pruned, or nothing to prune, 4 another process is writing, 5 not shipped yet or no answer, 10 a lock is \
short or missing, 11 the bucket holds something else. Other exit codes: see `counterfoil --help`.")]
pub struct Prune {
    /// The ledger's folder.
    ledger: PathBuf,
    /// The bucket that holds the segments: s3://BUCKET/PREFIX, or gs:// or az://.
    #[arg(long, value_name = "PLACE", required_unless_present = "fetch")]
    bucket: Option<Location>,
    /// What stays on the disk: what was recorded in so many days (90d), or so many of the newest entries.
    #[arg(long, value_name = "DAYS|ENTRIES", default_value = "0")]
    keep: Keep,
    /// The retention that every object must have been written under, MODE[:DAYS] [default: the bucket's].
    #[arg(long, value_name = "MODE[:DAYS]")]
    retain: Option<Retention>,
    /// For how many days from now every object must be locked.
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
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
        ledgers::check_folder_to_write(&self.ledger)?;
        match &self.bucket {
            None => self.bring_back()?,
            Some(bucket) => self.let_go(bucket)?,
        }
        Ok(Exit::Good)
    }

    fn let_go(&self, place: &Location) -> Result<(), Failure> {
        let snapshot = Reader::open(&self.ledger)?.snapshot()?;
        let lock = self.retain.map(|retention| retention.lock(snapshot.retention_class())).transpose()?;
        let wanted = Wanted { keep: self.keep, lock, locked_days: self.locked_days };
        let found = Bucket::open(place, &Settings::from_environment())?.prunable(&snapshot, &wanted)?;
        let gone = match self.dry_run || found.segments == 0 {
            true => LetGo::default(),
            false => {
                let ledger = self.writer()?;
                let gone = ledger.prune(found.pruned.clone(), found.covered)?;
                ledger.close()?;
                gone
            }
        };
        self.tell_gone(&found, &gone)
    }

    fn bring_back(&self) -> Result<(), Failure> {
        let ledger = self.writer()?;
        let back = ledger.fetch_pruned()?;
        ledger.close()?;
        if self.json {
            return output::json(&Told { segments: back.segments, bytes: back.bytes, ..Told::default() });
        }
        let mut out = output::stdout();
        writeln!(out, "brought back {}, {} bytes", segments(back.segments), Grouped(back.bytes))?;
        Ok(out.flush()?)
    }

    fn writer(&self) -> Result<Box<counterfoil::Ledger>, Failure> {
        match Writer::of(&self.ledger)? {
            Writer::Folder(ledger) => Ok(ledger),
            Writer::Service(_) => {
                let busy = counterfoil::ErrorKind::Busy;
                Err(Failure::new(busy, "a service has this ledger open").advise("End it, prune, and start it again."))
            }
        }
    }

    fn tell_gone(&self, found: &Prunable, gone: &LetGo) -> Result<(), Failure> {
        if self.json {
            return output::json(&Told {
                place: Some(&found.pruned.place),
                held: Some(found.segments),
                below: Some(found.pruned.below),
                locked_until: found.locked_until.as_deref(),
                segments: gone.segments,
                bytes: gone.bytes,
            });
        }
        let mut out = output::stdout();
        let until = found.locked_until.as_deref().map(|until| format!(", locked until {until}")).unwrap_or_default();
        let place = &found.pruned.place;
        writeln!(out, "{place} holds {}, {} bytes{until}", segments(found.segments), Grouped(found.bytes))?;
        let done = match self.dry_run {
            true => "nothing was removed: this was a dry run".to_owned(),
            false => format!("removed {} from the disk, {} bytes", segments(gone.segments), Grouped(gone.bytes)),
        };
        writeln!(out, "{done}")?;
        Ok(out.flush()?)
    }
}

fn segments(count: u64) -> String {
    Counted(count, "segment", "segments").to_string()
}

#[derive(Default, Serialize)]
struct Told<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<&'a str>,
    /// Segments that the place holds, byte for byte.
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    below: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locked_until: Option<&'a str>,
    segments: u64,
    bytes: u64,
}
