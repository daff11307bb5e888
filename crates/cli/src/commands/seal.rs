//! `counterfoil seal`

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::exit::{Exit, Failure, Outcome};
use crate::output;
use crate::text::{Counted, Grouped, entries};
use crate::writer::Writer;

/// Seal the newest entries into a Parquet segment now
///
/// Full segments are sealed in the background while entries are recorded. This seals early, at the last multiple of
/// 256; what is beyond it stays in the journal. Use it before copying a ledger, or when no more entries are to come
/// for a while: sealed entries take less space and are queried faster.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  counterfoil seal audit

Exit codes: 0 sealed, or nothing to seal, 4 another process is writing. Other exit codes: see `counterfoil --help`.")]
pub struct Seal {
    /// The ledger's folder, or the URL of the service that holds it.
    ledger: PathBuf,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

impl Seal {
    pub(super) fn run(self) -> Outcome {
        let ledger = Writer::of(&self.ledger)?;
        let state = ledger.seal()?;
        let sealed = Sealed {
            newly_sealed: state.newly_sealed,
            sealed: state.sealed_size,
            segments: state.segments,
            in_journal: state.tree_size - state.sealed_size,
        };
        ledger.close()?;
        self.tell(&sealed)?;
        Ok(Exit::Good)
    }

    fn tell(&self, sealed: &Sealed) -> Result<(), Failure> {
        if self.json {
            return output::json(sealed);
        }
        let mut out = output::stdout();
        let done = match sealed.newly_sealed {
            0 => "nothing to seal yet".to_owned(),
            count => format!("sealed {}", entries(count)),
        };
        writeln!(
            out,
            "{done}; {} in {}, {} in the journal",
            Grouped(sealed.sealed),
            Counted(sealed.segments, "segment", "segments"),
            Grouped(sealed.in_journal)
        )?;
        Ok(out.flush()?)
    }
}

#[derive(Serialize)]
struct Sealed {
    newly_sealed: u64,
    sealed: u64,
    segments: u64,
    in_journal: u64,
}
