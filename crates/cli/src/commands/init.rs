//! `counterfoil init`

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use counterfoil::{CreateOptions, DEFAULT_RETENTION_CLASS, DEFAULT_SEGMENT_SPAN, Ledger, OpenOptions};
use serde::Serialize;

use crate::exit::{Exit, Failure, Outcome};
use crate::ledgers;
use crate::output::{self, BOLD, styled};

/// Create a ledger
///
/// Makes the folder, a signing key readable by its owner alone, and the first entry, `ledger.created`. Nothing that
/// is there already is overwritten.
///
/// The origin names the ledger for ever, in every checkpoint and proof: use a name that is yours, such as
/// bank.example/audit. Keep the key that is printed (also: `counterfoil key LEDGER`) outside this machine: whoever
/// has it can verify the ledger without trusting whoever keeps the folder.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  counterfoil init audit --origin bank.example/audit
  counterfoil init audit --origin bank.example/audit \\
    --segment-span 65536 --retention-class payments_7y

Exit codes: 0 created, 2 the origin or span cannot be used, 3 the folder holds something already, 6 no right to write \
there. Other exit codes: see `counterfoil --help`.")]
pub struct Init {
    /// The folder to create; an empty one may be there.
    ledger: PathBuf,
    /// The ledger's name: a URL without scheme, without spaces and `+`.
    #[arg(long)]
    origin: String,
    /// Entries in a sealed segment: 256 times a power of two, up to 1,048,576.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_SEGMENT_SPAN)]
    segment_span: u64,
    /// The retention class of entries whose event type names none.
    #[arg(long, value_name = "CLASS", default_value = DEFAULT_RETENTION_CLASS, value_parser = NonEmptyStringValueParser::new())]
    retention_class: String,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

impl Init {
    pub(super) fn run(self) -> Outcome {
        if let Some((scheme, name)) = self.origin.split_once("://") {
            return Err(Failure::invalid(format!(
                "origin {:?}: leave {scheme}:// out; an origin is a name, such as {}",
                self.origin,
                if name.is_empty() { "bank.example/audit" } else { name }
            )));
        }
        ledgers::refuse_elsewhere(&self.ledger)?;
        let mut options = CreateOptions::new(&self.origin)?;
        options.retention_class = self.retention_class.clone();
        options.segment_span = self.segment_span;
        let ledger = Ledger::create(&self.ledger, options, OpenOptions::default())?;
        let snapshot = ledger.snapshot();
        let created = Created {
            origin: snapshot.origin().to_string(),
            folder: self.ledger.display().to_string(),
            key: snapshot.verifier_key().to_string(),
            entries: snapshot.size(),
        };
        ledger.close()?;
        self.tell(&created)?;
        Ok(Exit::Good)
    }

    fn tell(&self, created: &Created) -> Result<(), Failure> {
        if self.json {
            return output::json(created);
        }
        let mut out = output::stdout();
        writeln!(out, "created the ledger {} in {}", styled(BOLD, &created.origin), created.folder)?;
        writeln!(out, "key  {}", created.key)?;
        Ok(out.flush()?)
    }
}

#[derive(Serialize)]
struct Created {
    origin: String,
    folder: String,
    key: String,
    entries: u64,
}
