//! `counterfoil key`: the ledger's key, and the keys of clients that sign their entries.

mod client;

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::exit::{Exit, Outcome};
use crate::output;
use crate::view::View;

/// Print the key that verifies a ledger's checkpoints; manage the keys of clients that sign
///
/// `counterfoil key LEDGER` prints one line, the C2SP verifier key: name, short id and public key. It is no secret.
/// Keep it where whoever keeps the ledger cannot change it, and give it to auditors: `verify --key` and `check --key`
/// take it.
///
/// Clients may sign their entries with keys of their own. A ledger takes an entry with a signature only if the key
/// was registered for its actor; registering and revoking are entries themselves. (A ledger in a folder called `new`,
/// `register` or `revoke` is named `./new`.)
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
Examples:
  counterfoil key audit > audit.vkey
  counterfoil verify audit --key \"$(cat audit.vkey)\"
  counterfoil key new audit --actor invoice-bot -o invoice-bot.pem

Exit codes: 0 done, 4 another process is writing, 7 no such ledger or key. Other exit codes: see
`counterfoil --help`."
)]
pub struct Key {
    #[command(subcommand)]
    act: Option<Act>,
    /// The ledger's folder, or the URL of the service that holds it.
    #[arg(required = true)]
    ledger: Option<PathBuf>,
    /// Print the parts as JSON: vkey, name, id, public_key (hex).
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Act {
    New(client::New),
    Register(client::Register),
    Revoke(client::Revoke),
}

impl Key {
    pub(super) fn run(self) -> Outcome {
        match self.act {
            Some(Act::New(new)) => return new.run(),
            Some(Act::Register(register)) => return register.run(),
            Some(Act::Revoke(revoke)) => return revoke.run(),
            None => {}
        }
        let key = View::of(&self.ledger.expect("required without a subcommand"))?.verifier_key()?;
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
