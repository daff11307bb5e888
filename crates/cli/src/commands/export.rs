//! `counterfoil export`

use std::io::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use counterfoil::{ErrorKind, Snapshot};
use counterfoil_query::Limits;

use crate::exit::{Exit, Failure, Outcome};
use crate::ledgers;
use crate::output;
use crate::progress::{Progress, Unit};
use crate::rows::{self, RowFormat};
use crate::view::View;

/// Write entries to standard output, all or those that match
///
/// jsonl writes the canonical bytes of each entry, a line each, in order: what was hashed, byte for byte. csv and
/// parquet write the columns of the table audit_log. The output is everything up to one checkpoint; an exit code
/// other than 0 means that it is not whole.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  counterfoil export audit --format jsonl > entries.jsonl
  counterfoil export audit --format parquet --where \"entity_type = 'invoice'\" \\
    > invoices.parquet

Exit codes: 0 written in full, 2 the predicate is wrong, 7 no ledger there, 10 or 11 what was read is damaged or \
tampered with. Other exit codes: see `counterfoil --help`.")]
pub struct Export {
    /// The ledger's folder, or the URL of the service that holds it.
    ledger: PathBuf,
    /// What to write.
    #[arg(long, value_enum)]
    format: ExportFormat,
    /// Only entries for which this SQL condition over the columns of audit_log holds.
    #[arg(long = "where", value_name = "PREDICATE")]
    predicate: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ExportFormat {
    /// Canonical entries, a line each.
    Jsonl,
    /// Comma-separated, with a header line.
    Csv,
    /// Parquet, zstd.
    Parquet,
}

impl Export {
    pub(super) fn run(self) -> Outcome {
        let format = match self.format {
            ExportFormat::Jsonl => None,
            ExportFormat::Csv => Some(RowFormat::Csv),
            ExportFormat::Parquet => Some(RowFormat::Parquet),
        };
        format.map_or(Ok(()), rows::refuse_binary_on_terminal)?;
        let view = View::of(&self.ledger)?;
        let total = self.predicate.is_none().then(|| view.size());
        let progress = Progress::new("exporting", Unit::Entries, total);
        match format {
            Some(format) => {
                let answer = view.rows(self.predicate.as_deref())?;
                rows::write(answer, format, |rows| progress.at(rows))?;
            }
            None => self.write_lines(&view, &progress)?,
        }
        Ok(Exit::Good)
    }

    fn write_lines(&self, view: &View, progress: &Progress) -> Result<(), Failure> {
        let mut lines = Lines { out: output::raw_stdout(), written: 0, progress, failed: None };
        match (&self.predicate, view) {
            (None, View::Folder { snapshot, .. }) => lines.all(snapshot)?,
            (None, View::Service { .. }) => view.each_entry(0..view.size(), |_, entry| lines.write(entry))?,
            (Some(predicate), _) => {
                view.each_entry(view.select(predicate, Limits::NONE)?, |_, entry| lines.write(entry))?;
            }
        }
        Ok(lines.out.flush()?)
    }
}

/// Lines on their way out.
struct Lines<'p, W> {
    out: W,
    written: u64,
    progress: &'p Progress,
    failed: Option<Failure>,
}

impl<W: Write> Lines<'_, W> {
    fn write(&mut self, entry: &[u8]) -> Result<(), Failure> {
        self.out.write_all(entry)?;
        self.out.write_all(b"\n")?;
        self.written += 1;
        if self.written.is_multiple_of(1_024) {
            self.progress.at(self.written);
        }
        Ok(())
    }

    /// Writes from inside a scan, which is stopped after a failure.
    fn visit(&mut self, entry: &[u8]) -> ControlFlow<()> {
        match self.write(entry) {
            Ok(()) => ControlFlow::Continue(()),
            Err(failure) => {
                self.failed = Some(failure);
                ControlFlow::Break(())
            }
        }
    }

    fn all(&mut self, snapshot: &Snapshot) -> Result<(), Failure> {
        for segment in snapshot.segments() {
            let scanned = segment.segment()?.scan(0..segment.count(), &mut |_, entry| self.visit(entry));
            if let Some(failure) = self.failed.take() {
                return Err(failure);
            }
            let faults = scanned.map_err(|error| ledgers::segment(&segment, &error))?;
            if let Some(fault) = faults.first() {
                return Err(Failure::new(ErrorKind::Tampered, format!("{}, {fault}", segment.name())));
            }
        }
        snapshot.tail(snapshot.sealed_size()..snapshot.size(), &mut |_, entry| {
            if self.failed.is_none() {
                let _ = self.visit(entry);
            }
        })?;
        self.failed.take().map_or(Ok(()), Err)
    }
}
