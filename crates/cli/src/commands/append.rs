//! `counterfoil append`

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use clap::Args;
use counterfoil::{ErrorKind, Receipt};
use serde::Serialize;

use crate::batches::{Batch, BatchError, Batches, Patience, Strictness};
use crate::exit::{Exit, Failure, Outcome};
use crate::output;
use crate::progress::{Progress, Unit};
use crate::recording::Recorded;
use crate::text::{Grouped, entries};
use crate::writer::Writer;

/// Record entries from JSON lines
///
/// Reads one JSON object a line, from FILE or from standard input, and records them in their order. A batch of up to
/// 1,000 lines (or 4 MiB) is recorded at once: all of it or nothing. From a pipe a batch is what has arrived, so
/// entries of a live source are recorded as they come. When the command ends with exit code 0, every line is durable
/// and covered by a signed checkpoint. Blank lines are skipped.
///
/// WHAT A REFUSED LINE LEAVES: the batches before the line's batch stay recorded, nothing of its own batch is, and
/// nothing after it is read. The message names the line, the reason, how many entries were recorded and the line to
/// continue from. Correct the line and append from there. Entries that carry `id`, or `source` and `sequence`, may
/// simply be sent again: what is already recorded is answered with its first receipt and not recorded twice.
///
/// WHAT A FAILED DISK LEAVES: entries of the batch in flight may or may not be recorded (exit code 8). Run the
/// command again from the line that the message names; entries with `id`, or `source` and `sequence`, cannot be
/// doubled by it.
#[derive(Debug, Args)]
#[command(after_help = "\
Members of an entry: event_type, actor and entity_id are required; timestamp, actor_type, on_behalf_of, entity_type, \
old_value, new_value, outcome, reason, context, trace_id, id, source with sequence, and signature are optional. \
See `counterfoil catalog` for event types.

Examples:
  counterfoil append audit events.jsonl
  tail -F app.jsonl | counterfoil append audit -
  counterfoil append audit events.jsonl --strict --receipts > receipts.jsonl

Exit codes: 0 all recorded, 2 a line was refused, 3 a repeated id with other content, 4 another process is writing, \
5 the disk does not serve, 8 a write may not have reached the disk. Other exit codes: see `counterfoil --help`.")]
pub struct Append {
    /// The ledger's folder, or the URL of the service that holds it.
    ledger: PathBuf,
    /// The file of JSON lines; `-` or nothing is standard input.
    file: Option<PathBuf>,
    /// Print a receipt for each entry, a JSON line each: index, leaf_hash (hex), tree_size, recorded_at.
    #[arg(long)]
    receipts: bool,
    /// Refuse entries whose event type is not in the catalog, or that lack a member that their type requires.
    #[arg(long)]
    strict: bool,
    /// Print the summary as JSON.
    #[arg(long, conflicts_with = "receipts")]
    json: bool,
}

impl Append {
    pub(super) fn run(self) -> Outcome {
        let input = Input::open(self.file.as_deref())?;
        let ledger = Writer::of(&self.ledger)?;
        let progress = Progress::new("recording", Unit::Bytes, input.length);
        let strictness = if self.strict { Strictness::Catalogued } else { Strictness::Valid };
        let recorded = Recorded::nothing(ledger.size()?);
        let mut tally = Tally { input: input.name.clone(), recorded, last_line: 0 };
        if input.is_terminal {
            output::note("reading JSON lines; end with Ctrl-D");
        }
        let batches = read_ahead(input, strictness);
        let mut receipts = self.receipts.then(output::raw_stdout);
        let result = record(&ledger, &batches, &mut tally, |batch, answers| {
            progress.at(batch.read_bytes);
            match &mut receipts {
                Some(out) => write_receipts(out, answers),
                None => Ok(()),
            }
        });
        drop(progress);
        let closed = ledger.close();
        result?;
        closed?;
        self.tell(&tally.recorded)?;
        Ok(Exit::Good)
    }

    fn tell(&self, recorded: &Recorded) -> Result<(), Failure> {
        if self.json {
            output::json(recorded)
        } else if self.receipts {
            output::note(recorded.sentence());
            Ok(())
        } else {
            let mut out = output::stdout();
            writeln!(out, "{}", recorded.sentence())?;
            Ok(out.flush()?)
        }
    }
}

/// Where the lines come from.
struct Input {
    source: Box<dyn io::Read + Send>,
    name: String,
    length: Option<u64>,
    patience: Patience,
    is_terminal: bool,
}

impl Input {
    fn open(file: Option<&Path>) -> Result<Input, Failure> {
        match file.filter(|path| *path != Path::new("-")) {
            None => Ok(Input {
                source: Box::new(io::stdin()),
                name: "standard input".to_owned(),
                length: None,
                patience: Patience::TakeWhatIsThere,
                is_terminal: io::stdin().is_terminal(),
            }),
            Some(path) => {
                let failure = |error| Failure::file(path.display(), &error);
                let file = File::open(path).map_err(failure)?;
                let metadata = file.metadata().map_err(failure)?;
                if metadata.is_dir() {
                    return Err(Failure::invalid(format!("{} is a folder, not a file of JSON lines", path.display())));
                }
                let regular = metadata.is_file();
                Ok(Input {
                    source: Box::new(file),
                    name: path.display().to_string(),
                    length: regular.then_some(metadata.len()),
                    patience: if regular { Patience::WaitForFull } else { Patience::TakeWhatIsThere },
                    is_terminal: false,
                })
            }
        }
    }
}

type ReadBatch = Result<Batch, BatchError>;

/// Reads and checks the next batches in a thread of their own while the ledger records the one before.
fn read_ahead(input: Input, strictness: Strictness) -> Receiver<ReadBatch> {
    let (sender, receiver) = sync_channel(2);
    thread::spawn(move || {
        let mut batches = Batches::new(input.source, strictness, input.patience);
        loop {
            let next = match batches.next() {
                Ok(Some(batch)) => Ok(batch),
                Ok(None) => return,
                Err(error) => Err(error),
            };
            let last = next.is_err();
            if sender.send(next).is_err() || last {
                return;
            }
        }
    });
    receiver
}

fn record(
    ledger: &Writer,
    batches: &Receiver<ReadBatch>,
    tally: &mut Tally,
    mut answered: impl FnMut(&Batch, &[Receipt]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    for read in batches {
        let mut batch = read.map_err(|error| tally.refuse(error))?;
        let drafts = std::mem::take(&mut batch.drafts);
        let receipts = ledger.append_batch(drafts).map_err(|error| tally.fail(&batch, &error))?;
        tally.add(&batch, &receipts);
        answered(&batch, &receipts).map_err(|failure| tally.unheard(failure))?;
    }
    Ok(())
}

fn write_receipts(out: &mut impl Write, receipts: &[Receipt]) -> Result<(), Failure> {
    for receipt in receipts {
        let line = ReceiptLine {
            index: receipt.index,
            leaf_hash: receipt.leaf_hash.to_string(),
            tree_size: receipt.tree_size,
            recorded_at: receipt.recorded_at.to_string(),
        };
        output::json_line(out, &line)?;
    }
    Ok(out.flush()?)
}

#[derive(Serialize)]
struct ReceiptLine {
    index: u64,
    leaf_hash: String,
    tree_size: u64,
    recorded_at: String,
}

/// What was recorded so far, and up to which line.
struct Tally {
    /// What the lines are read from.
    input: String,
    recorded: Recorded,
    last_line: u64,
}

impl Tally {
    fn add(&mut self, batch: &Batch, receipts: &[Receipt]) {
        self.recorded.add(receipts);
        self.last_line = batch.last_line();
    }

    /// What stands in the ledger.
    fn state(&self) -> String {
        match self.recorded.acknowledged() {
            0 => "Nothing was recorded.".to_owned(),
            1 => format!("1 entry was recorded, up to line {}.", Grouped(self.last_line)),
            several => format!("{} were recorded, up to line {}.", entries(several), Grouped(self.last_line)),
        }
    }

    /// The input cannot be read on, or holds a line that is no acceptable entry.
    fn refuse(&self, error: BatchError) -> Failure {
        match error {
            BatchError::Read(error) => Failure::file(&self.input, &error).advise(self.state()),
            BatchError::Line { line, batch_first_line, reason } => {
                self.refuse_line(ErrorKind::Invalid, line, batch_first_line, &reason)
            }
        }
    }

    fn refuse_line(&self, kind: ErrorKind, line: u64, batch_first_line: u64, reason: &str) -> Failure {
        let (line, first) = (Grouped(line), Grouped(batch_first_line));
        Failure::new(kind, format!("{}, line {line}: {reason}", self.input)).advise(format!(
            "{} Nothing of the batch that begins with line {first} was recorded: correct line {line} and append from \
             line {first} on.",
            self.state()
        ))
    }

    /// The ledger refused a batch.
    fn fail(&self, batch: &Batch, error: &counterfoil::Error) -> Failure {
        let first = Grouped(batch.first_line());
        let unsure = matches!(error.kind, ErrorKind::Poisoned | ErrorKind::Unavailable);
        let place = error.position.and_then(|position| Some((position, *batch.lines.get(position)?)));
        if let Some((position, line)) = place.filter(|_| !unsure) {
            let counted = format!("entry {} of the batch: ", position + 1);
            let reason = error.message.strip_prefix(&counted).unwrap_or(&error.message);
            return self.refuse_line(error.kind, line, batch.first_line(), reason);
        }
        let lines = match batch.last_line() {
            last if last == batch.first_line() => format!("line {first}"),
            last => format!("lines {first} to {}", Grouped(last)),
        };
        let batch_state = if unsure {
            format!(
                "The batch of {lines} may or may not be recorded: when the cause is gone, append from line {first} on. \
                 Entries with `id`, or `source` and `sequence`, are not recorded twice."
            )
        } else {
            format!("Nothing of the batch of {lines} was recorded.")
        };
        Failure::new(error.kind, format!("{}, {lines}: {}", self.input, error.message))
            .advise(format!("{} {batch_state}", self.state()))
    }

    /// The receipts' reader went away: recording stops, and that must be said.
    fn unheard(&self, failure: Failure) -> Failure {
        let failure = match failure {
            Failure::Pipe => Failure::new(ErrorKind::Unavailable, "nobody reads the receipts any more"),
            told => told,
        };
        failure.advise(format!("Recording stopped. {}", self.state()))
    }
}
