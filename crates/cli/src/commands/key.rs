//! `counterfoil key`

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::exit::{Exit, Outcome};
use crate::{ledgers, output};

/// Print the key that verifies a ledger's checkpoints
///
/// One line, the C2SP verifier key: name, short id and public key. It is no secret. Keep it where whoever keeps the
/// ledger cannot change it, and give it to auditors: `verify --key` and `check --key` take it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  counterfoil key audit > audit.vkey
  counterfoil verify audit --key \"$(cat audit.vkey)\"

Exit codes: 0 printed, 7 no ledger there. Other exit codes: see `counterfoil --help`.")]
pub struct Key {
    /// The ledger's folder.
    ledger: PathBuf,
    /// Print the parts as JSON: vkey, name, id, public_key (hex).
    #[arg(long)]
    json: bool,
}

impl Key {
    pub(super) fn run(self) -> Outcome {
        let snapshot = ledgers::read(&self.ledger)?;
        let key = snapshot.verifier_key();
        if self.json {
            output::json(&Parts {
                vkey: key.to_string(),
                name: key.name().to_string(),
                id: key.id().to_string(),
                public_key: hex::encode(key.public_key()),
            })?;
        } else {
            let mut out = output::raw_stdout();
            writeln!(out, "{key}")?;
            out.flush()?;
        }
        Ok(Exit::Good)
    }
}

#[derive(Serialize)]
struct Parts {
    vkey: String,
    name: String,
    id: String,
    public_key: String,
}
