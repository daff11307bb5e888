//! `counterfoil import`

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use clap::Args;
use counterfoil::{Ledger, Receipt};
use counterfoil_entry::Draft;
use counterfoil_import::{Check, Import as Reading, ImportError, Map, Row, Totals, shipped_maps};
use serde::Serialize;

use crate::batches::MAX_BATCH_LINES;
use crate::exit::{Exit, Failure, Outcome};
use crate::files;
use crate::ledgers;
use crate::output::{self, DIM, styled};
use crate::progress::{Progress, Unit};
use crate::recording::Recorded;
use crate::text::{Counted, Grouped, Printable, entries};

/// Record the rows of a foreign log: CSV or JSON, plain or gzip
///
/// A map says how a row becomes an entry: which column becomes which member, constants, time formats and zones, who
/// counts as user, service or AI agent, and what to do with rows that lack something. The whole file is checked
/// first; if one row cannot become an entry, every such row is named and nothing is recorded. No row is dropped
/// silently, and values that the map fills in or shortens are counted in the summary.
///
/// Rows are recorded in batches of 1,000. If the disk fails in between, import the same file again: rows to which the
/// map gives `id`, or `source` and `sequence`, are not recorded twice.
#[derive(Debug, Args)]
#[command(
    after_help = format!("\
Maps that come with the program: {}. \
docs/guides/import.md explains how to write one.

Examples:
  counterfoil import audit RequestForPayment.csv.gz --map bpic2020-payments
  counterfoil import audit core-banking.csv --map maps/core-banking.toml

Exit codes: 0 all rows recorded, 2 the map is wrong or a row was refused (nothing is recorded), 4 another process is \
writing, 7 no such file or ledger. Other exit codes: see `counterfoil --help`.", shipped_names())
)]
pub struct Import {
    /// The ledger's folder.
    ledger: PathBuf,
    /// The file to import, plain or gzip.
    file: PathBuf,
    /// A map: a TOML file, or the name of one that comes with the program.
    #[arg(long, value_name = "MAP.toml|NAME")]
    map: String,
    /// Print the summary as JSON.
    #[arg(long)]
    json: bool,
}

fn shipped_names() -> String {
    let names: Vec<_> = shipped_maps().iter().map(|map| map.name).collect();
    names.join(", ")
}

impl Import {
    pub(super) fn run(self) -> Outcome {
        let map = load_map(&self.map)?;
        ledgers::check_folder(&self.ledger)?;
        self.check(&map)?;
        let ledger = ledgers::write(&self.ledger)?;
        let mut recorded = Recorded::nothing(ledger.snapshot().size());
        let result = self.record(&map, &ledger, &mut recorded);
        let closed = ledger.close();
        let totals = result?;
        closed?;
        self.tell(&recorded, &totals)?;
        Ok(Exit::Good)
    }

    /// Reads the whole file once, so that a file with a bad row leaves nothing behind.
    fn check(&self, map: &Map) -> Result<(), Failure> {
        let reading = self.open("checking", map)?;
        let accept = |row: &Row| Draft::parse(&row.json).map(|_| ()).map_err(|error| error.to_string());
        let check = reading.check(accept).map_err(|error| self.failure(&error))?;
        match check.totals.refused {
            0 => Ok(()),
            _ => Err(self.refusal(&check)),
        }
    }

    fn refusal(&self, check: &Check) -> Failure {
        let refused = check.totals.refused;
        let mut message = format!(
            "{}: {} of {} cannot become entries:",
            self.file.display(),
            Grouped(refused),
            Counted(check.totals.rows, "row", "rows")
        );
        for refusal in &check.refusals {
            let reason = Printable(&refusal.reason);
            let place = format!("row {} (line {})", Grouped(refusal.number), Grouped(refusal.line));
            message.push_str(&format!("\n  {place}: {reason}"));
        }
        let more = refused - check.refusals.len() as u64;
        if more > 0 {
            message.push_str(&format!("\n  and {} more", Grouped(more)));
        }
        Failure::invalid(message).advise(
            "Nothing was recorded. Correct the rows, or let the map fill what they lack with a declared constant.",
        )
    }

    fn record(&self, map: &Map, ledger: &Ledger, recorded: &mut Recorded) -> Result<Totals, Failure> {
        let mut reading = self.open("recording", map)?;
        let mut batch = Vec::with_capacity(MAX_BATCH_LINES);
        let append = |batch: &mut Vec<Draft>, recorded: &mut Recorded| -> Result<(), Failure> {
            let full = std::mem::replace(batch, Vec::with_capacity(MAX_BATCH_LINES));
            let receipts: Vec<Receipt> = ledger.append_batch(full).map_err(|error| {
                Failure::from(error).advise(format!(
                    "{} recorded before. Import the same file again when the cause is gone: rows with `id`, or \
                     `source` and `sequence`, are not recorded twice.",
                    entries(recorded.acknowledged())
                ))
            })?;
            recorded.add(&receipts);
            Ok(())
        };
        for row in reading.by_ref() {
            let row = row.map_err(|error| self.failure(&error))?;
            batch.push(Draft::parse(&row.json)?);
            if batch.len() == MAX_BATCH_LINES {
                append(&mut batch, recorded)?;
            }
        }
        if !batch.is_empty() {
            append(&mut batch, recorded)?;
        }
        Ok(reading.totals().clone())
    }

    fn open<'m>(&self, what: &'static str, map: &'m Map) -> Result<Reading<'m>, Failure> {
        let failure = |error: io::Error| Failure::file(self.file.display(), &error);
        let file = File::open(&self.file).map_err(failure)?;
        let metadata = file.metadata().map_err(failure)?;
        if metadata.is_dir() {
            return Err(Failure::invalid(format!("{} is a folder, not a log file", self.file.display())));
        }
        let progress = Rc::new(Progress::new(what, Unit::Bytes, metadata.is_file().then_some(metadata.len())));
        let name = self.file.file_name().unwrap_or_default().to_string_lossy();
        let reader = Box::new(Watched { file, read: 0, progress });
        Reading::open_named(reader, &name, map).map_err(|error| self.failure(&error))
    }

    fn failure(&self, error: &ImportError) -> Failure {
        match error {
            ImportError::Io(error) => Failure::file(self.file.display(), error),
            ImportError::Map(_) => Failure::invalid(format!("--map {}: {error}", self.map)),
            _ => Failure::invalid(format!("{}, {}", self.file.display(), Printable(&error.to_string()))),
        }
    }

    fn tell(&self, recorded: &Recorded, totals: &Totals) -> Result<(), Failure> {
        if self.json {
            return output::json(&Summary {
                recorded,
                rows: totals.rows,
                filled: totals.filled.iter().collect(),
                shortened: totals.shortened.iter().collect(),
                numbers_as_text: totals.numbers_as_text,
            });
        }
        let mut out = output::stdout();
        writeln!(out, "read {}; {}", Counted(totals.rows, "row", "rows"), recorded.sentence())?;
        for (member, count) in &totals.filled {
            writeln!(out, "{}", styled(DIM, format_args!("  {member} was absent and filled in {}", times(*count))))?;
        }
        for (member, count) in &totals.shortened {
            writeln!(out, "{}", styled(DIM, format_args!("  {member} was too long and shortened {}", times(*count))))?;
        }
        if totals.numbers_as_text > 0 {
            let count = Counted(totals.numbers_as_text, "number", "numbers");
            writeln!(out, "{}", styled(DIM, format_args!("  {count} that no JSON reader keeps exactly became text")))?;
        }
        Ok(out.flush()?)
    }
}

fn times(count: u64) -> Counted {
    Counted(count, "time", "times")
}

#[derive(Serialize)]
struct Summary<'a> {
    #[serde(flatten)]
    recorded: &'a Recorded,
    rows: u64,
    filled: std::collections::BTreeMap<&'a String, &'a u64>,
    shortened: std::collections::BTreeMap<&'a String, &'a u64>,
    numbers_as_text: u64,
}

/// A file where there is one of this name, else a map that comes with the program.
fn load_map(name: &str) -> Result<Map, Failure> {
    let path = Path::new(name);
    let named = |error| Failure::invalid(format!("--map {name}: {error}"));
    if path.is_file() {
        let text = String::from_utf8(files::read(path)?).map_err(|_| named("it is not UTF-8".to_owned()))?;
        return Map::parse(&text).map_err(|error| named(error.to_string()));
    }
    Map::shipped(name).map_err(|error| {
        Failure::new(counterfoil::ErrorKind::NotFound, format!("--map {name}: no such file, and {error}"))
    })
}

/// A file that tells how far it was read.
struct Watched {
    file: File,
    read: u64,
    progress: Rc<Progress>,
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.read += count as u64;
        self.progress.at(self.read);
        Ok(count)
    }
}
