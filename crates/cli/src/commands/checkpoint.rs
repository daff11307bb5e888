//! `counterfoil checkpoint`

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::exit::{Exit, Outcome};
use crate::output;
use crate::view::View;

/// Print the newest signed checkpoint
///
/// The C2SP signed note: origin, number of entries, root over all of them, signature. Keep it outside this machine:
/// `counterfoil verify --checkpoint FILE` later shows whether the ledger still extends what it signed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  counterfoil checkpoint audit > \"audit.checkpoint\"
  counterfoil verify audit --checkpoint audit.checkpoint

Exit codes: 0 printed, 7 no ledger there. Other exit codes: see `counterfoil --help`.")]
pub struct Checkpoint {
    /// The ledger's folder, or the URL of the service that holds it.
    ledger: PathBuf,
    /// Print the parts as JSON: origin, size, root (hex), note.
    #[arg(long)]
    json: bool,
}

impl Checkpoint {
    pub(super) fn run(self) -> Outcome {
        let view = View::of(&self.ledger)?;
        if self.json {
            output::json(&Parts {
                origin: view.origin()?.as_str(),
                size: view.size(),
                root: view.root()?.to_string(),
                note: view.checkpoint(),
            })?;
        } else {
            let mut out = output::raw_stdout();
            out.write_all(view.checkpoint().as_bytes())?;
            out.flush()?;
        }
        Ok(Exit::Good)
    }
}

#[derive(Serialize)]
struct Parts<'a> {
    origin: &'a str,
    size: u64,
    root: String,
    note: &'a str,
}
