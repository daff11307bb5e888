//! `counterfoil import`

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use clap::{ArgGroup, Args};
use counterfoil::ErrorKind;
use counterfoil_entry::{Draft, EntryError};
use counterfoil_import::{Check, Import as Reading, ImportError, Map, Row, Totals, shipped_maps};
use counterfoil_tlog::{Hash, leaf_hash};
use serde::Serialize;

use crate::batches::MAX_BATCH_LINES;
use crate::commands::postgres::{TableOptions, import_table, is_database};
use crate::exit::{Exit, Failure, Outcome, exit_code};
use crate::files;
use crate::output::{self, DIM, styled};
use crate::progress::{Progress, Unit};
use crate::recording::Recorded;
use crate::text::{Counted, Grouped, Printable, did_you_mean, entries};
use crate::writer::Writer;

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
    group = ArgGroup::new("how").args(["map", "table"]).required(true),
    after_help = format!("\
Maps that come with the program: {}. \
docs/guides/import.md explains how to write one.

Examples:
  counterfoil import audit RequestForPayment.csv.gz --map bpic2020-payments
  counterfoil import audit core-banking.csv --map maps/core-banking.toml
  counterfoil import audit postgres:///bank --table trail --column actor=clerk

Exit codes: 0 all rows recorded, 2 the map is wrong or a row was refused (nothing is recorded), 4 another process is \
writing, 7 no such file or ledger. Other exit codes: see `counterfoil --help`.", shipped_names())
)]
pub struct Import {
    /// The ledger's folder, or the URL of the service that holds it.
    ledger: PathBuf,
    /// The file to import, plain or gzip; or a database, as postgres://USER@HOST/DATABASE with --table.
    file: PathBuf,
    /// A map: a TOML file, or the name of one that comes with the program.
    #[arg(long, value_name = "MAP.toml|NAME")]
    map: Option<String>,
    #[command(flatten)]
    table: TableOptions,
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
        if let Some(dsn) = is_database(&self.file) {
            return import_table(&self.ledger, dsn, &self.table, self.json);
        }
        let map = load_map(self.map())?;
        let file = self.open()?;
        let checked = self.check(&file, &map)?;
        let ledger = Writer::of(&self.ledger)?;
        let mut recorded = Recorded::nothing(ledger.size()?);
        let result = self.record(&file, &map, &ledger, &checked, &mut recorded);
        let closed = ledger.close();
        let totals = result?;
        closed?;
        self.tell(&recorded, &totals)?;
        Ok(Exit::Good)
    }

    fn map(&self) -> &str {
        self.map.as_deref().unwrap_or_default()
    }

    /// Reads the whole file once, so that a file with a bad row leaves nothing behind.
    fn check(&self, file: &File, map: &Map) -> Result<Seen, Failure> {
        let reading = self.read(file, "checking", map)?;
        let mut seen = Seen::default();
        let accept = |row: &Row| {
            seen.add(row);
            Draft::parse(&row.json).map(|_| ()).map_err(|error| error.to_string())
        };
        let check = reading.check(accept).map_err(|error| self.failure(&error))?;
        match check.totals.refused {
            0 => Ok(seen),
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

    /// Reads the file again and records its rows, which must be those that were checked.
    fn record(
        &self,
        file: &File,
        map: &Map,
        ledger: &Writer,
        checked: &Seen,
        recorded: &mut Recorded,
    ) -> Result<Totals, Failure> {
        let mut reading = self.read(file, "recording", map).map_err(|failure| self.changed(failure, recorded))?;
        let mut seen = Seen::default();
        let mut batch = Batch::default();
        for row in reading.by_ref() {
            let row = row.map_err(|error| self.changed(self.failure(&error), recorded))?;
            seen.add(&row);
            batch.add(&row).map_err(|error| self.changed(error.into(), recorded))?;
            if batch.drafts.len() == MAX_BATCH_LINES {
                batch.record(ledger, recorded)?;
            }
        }
        batch.record(ledger, recorded)?;
        if seen != *checked {
            return Err(self.changed(Failure::invalid(""), recorded));
        }
        Ok(reading.totals().clone())
    }

    /// What was refused in the second pass and not in the first; a disk that does not serve stays what it is.
    fn changed(&self, failure: Failure, recorded: &Recorded) -> Failure {
        if failure.code() != exit_code(ErrorKind::Invalid) {
            return failure;
        }
        let standing = match recorded.acknowledged() {
            1 => "1 entry is recorded".to_owned(),
            count => format!("{} are recorded", entries(count)),
        };
        let message = format!("{}: the file changed while it was imported; {standing}", self.file.display());
        Failure::invalid(message).advise("Import a copy that nobody writes to.")
    }

    fn open(&self) -> Result<File, Failure> {
        let shown = self.file.display();
        let pipe = || {
            Failure::invalid(format!("{shown}: import reads the file twice, so it cannot be a pipe"))
                .advise("Write it to a file first, and import that.")
        };
        if self.file == Path::new("-") {
            return Err(pipe());
        }
        let failure = |error: io::Error| Failure::file(&shown, &error);
        match std::fs::metadata(&self.file).map_err(failure)? {
            found if found.is_file() => File::open(&self.file).map_err(failure),
            found if found.is_dir() => Err(Failure::invalid(format!("{shown} is a folder, not a log file"))),
            _ => Err(pipe()),
        }
    }

    /// Reads the file from its start.
    fn read<'m>(&self, mut file: &File, what: &'static str, map: &'m Map) -> Result<Reading<'m>, Failure> {
        let failure = |error: io::Error| Failure::file(self.file.display(), &error);
        file.rewind().map_err(failure)?;
        let length = file.metadata().map_err(failure)?.len();
        let progress = Rc::new(Progress::new(what, Unit::Bytes, Some(length)));
        let name = self.file.file_name().unwrap_or_default().to_string_lossy();
        let reader = Box::new(Watched { file: file.try_clone().map_err(failure)?, read: 0, progress });
        Reading::open_named(reader, &name, map).map_err(|error| self.failure(&error))
    }

    fn failure(&self, error: &ImportError) -> Failure {
        match error {
            ImportError::Io(error) => Failure::file(self.file.display(), error),
            ImportError::Map(_) => Failure::invalid(format!("--map {}: {error}", self.map())),
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

/// Rows that are recorded together.
#[derive(Debug, Default)]
struct Batch {
    drafts: Vec<Draft>,
    /// Number and line of each row.
    places: Vec<(u64, u64)>,
}

impl Batch {
    fn add(&mut self, row: &Row) -> Result<(), EntryError> {
        self.drafts.push(Draft::parse(&row.json)?);
        self.places.push((row.number, row.line));
        Ok(())
    }

    fn record(&mut self, ledger: &Writer, recorded: &mut Recorded) -> Result<(), Failure> {
        if self.drafts.is_empty() {
            return Ok(());
        }
        let receipts = ledger.append_batch(std::mem::take(&mut self.drafts)).map_err(|error| {
            Failure::new(error.kind, self.named(&error)).advise(format!(
                "{} recorded before. Import the same file again when the cause is gone: rows with `id`, or `source` \
                 and `sequence`, are not recorded twice.",
                entries(recorded.acknowledged())
            ))
        })?;
        self.places.clear();
        recorded.add(&receipts);
        Ok(())
    }

    /// The message of an error with the row that it is about, if it is about one.
    fn named(&self, error: &counterfoil::Error) -> String {
        let place = error.position.and_then(|position| Some((position, self.places.get(position)?)));
        let Some((position, (number, line))) = place else {
            return error.message.clone();
        };
        let counted = format!("entry {} of the batch: ", position + 1);
        let reason = error.message.strip_prefix(&counted).unwrap_or(&error.message);
        format!("row {} (line {}): {reason}", Grouped(*number), Grouped(*line))
    }
}

/// The rows of one pass over the file: how many, and the digest of what they become.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    rows: u64,
    digest: Option<Hash>,
}

impl Seen {
    fn add(&mut self, row: &Row) {
        self.rows += 1;
        let before = self.digest.map(|digest| digest.0).unwrap_or_default();
        self.digest = Some(leaf_hash(&[&before[..], &row.json].concat()));
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
    let names = || shipped_maps().iter().map(|map| map.name);
    if !names().any(|known| name.strip_suffix(".toml").unwrap_or(name) == known) {
        let near = did_you_mean(name, names());
        let message = format!("--map {name}: no such file, and no map of this name comes with the program{near}");
        let advice = format!("Maps that come with the program: {}.", shipped_names());
        return Err(Failure::new(ErrorKind::NotFound, message).advise(advice));
    }
    Map::shipped(name).map_err(|error| named(error.to_string()))
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
