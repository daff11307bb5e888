//! `counterfoil restore`

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use counterfoil::{OpenOptions, Reader, VerifyOptions};
use counterfoil_ship::{Bucket, Location, Settings};
use serde::Serialize;

use crate::exit::{Exit, Outcome};
use crate::files;
use crate::ledgers;
use crate::output;
use crate::text::{Counted, Grouped};
use crate::verifier_key;

/// Bring a lost ledger back from its copy
///
/// Every byte of the copy is verified first; one finding, and nothing is restored. The files come back byte for byte. The
/// ledger goes on under a new name, the old one with /2 behind it, and a new key, and its next entry says so: whatever
/// the lost ledger acknowledged behind the copy keeps its receipt, and nobody can sign it away. Register the new key
/// (`counterfoil key`) with whoever verifies.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  counterfoil restore s3://bank-audit/payments audit --key \"$(cat audit.vkey)\"
  counterfoil restore s3://bank-audit/payments audit --up-to 262144

Exit codes: 0 restored, 3 the folder is taken, 7 no copy there, 10 the copy is damaged, 11 it was tampered with. \
Other exit codes: see `counterfoil --help`.")]
pub struct Restore {
    /// Where the copy stands: s3://BUCKET/PREFIX, or gs:// or az://.
    from: Location,
    /// The new folder.
    ledger: PathBuf,
    /// A checkpoint that was kept elsewhere and that the copy must extend.
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// The verifier key that must have signed, or a file that holds it; may be given several times.
    #[arg(long, value_name = "VKEY")]
    key: Vec<String>,
    /// Bring back the entries that the copy holds, this many, although a checkpoint in it covers more: those are lost, and the
    /// ledger says so.
    #[arg(long, value_name = "ENTRIES")]
    up_to: Option<u64>,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

impl Restore {
    pub(super) fn run(self) -> Outcome {
        ledgers::refuse_elsewhere(&self.ledger)?;
        let copy = Bucket::open(&self.from, &Settings::from_environment())?;
        let keys = self.key.iter().map(|key| verifier_key::read(key)).collect::<Result<_, _>>()?;
        let checkpoint = self.checkpoint.as_deref().map(files::read).transpose()?;
        let options = VerifyOptions { checkpoint, keys, ..VerifyOptions::default() };
        let open = OpenOptions::default();
        let restored = match self.up_to {
            Some(entries) => copy.restore_up_to(&self.ledger, entries, &options, open)?,
            None => copy.restore(&self.ledger, &options, open)?,
        };
        if self.json {
            output::json(&Told {
                origin: &restored.origin,
                continued_as: &restored.continued_as,
                entries: restored.entries,
                ahead: restored.ahead,
                bytes: restored.bytes,
                beside_copy: &restored.beside_copy,
            })?;
            return Ok(Exit::Good);
        }
        let mut out = output::stdout();
        writeln!(
            out,
            "restored {} entries of {}; it goes on as {}\nentries from index {} on were never shipped: whoever holds a receipt for one can tell",
            Grouped(restored.entries),
            restored.origin,
            restored.continued_as,
            Grouped(restored.entries)
        )?;
        if let Some(ahead) = restored.ahead {
            let lost = Counted(ahead - restored.entries, "entry", "entries");
            let ahead = Grouped(ahead);
            writeln!(
                out,
                "left out: {lost} that a checkpoint of {ahead} covers; ledger.restored holds that checkpoint"
            )?;
        }
        let key = Reader::open(&self.ledger)?.snapshot()?.verifier_key().to_string();
        writeln!(out, "its new key, beside the old one: {key}")?;
        for finding in &restored.beside_copy {
            output::note(format!("left in the bucket: {finding}"));
        }
        out.flush()?;
        Ok(Exit::Good)
    }
}

#[derive(Serialize)]
struct Told<'a> {
    origin: &'a str,
    continued_as: &'a str,
    entries: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ahead: Option<u64>,
    bytes: u64,
    beside_copy: &'a [String],
}
