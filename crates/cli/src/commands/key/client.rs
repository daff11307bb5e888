//! `counterfoil key new`, `register` and `revoke`: keys with which clients sign their entries.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use counterfoil::ClientKey;
use serde::Serialize;

use crate::exit::{Exit, Failure, Outcome};
use crate::writer::Writer;
use crate::{files, output};

/// Make a key for a client and register it
///
/// Writes the private key (PKCS#8 PEM, readable by its owner alone) to a new file and records the public key in the
/// ledger for the actors it may sign for.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  counterfoil key new audit --actor invoice-bot -o invoice-bot.pem

Exit codes: 0 registered, 2 the file is there already, 4 another process is writing. Other exit codes: see
`counterfoil --help`.")]
pub struct New {
    /// The ledger's folder, or the URL of the service that holds it.
    ledger: PathBuf,
    #[command(flatten)]
    actors: Actors,
    /// The new file for the private key.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Print what was registered as JSON.
    #[arg(long)]
    json: bool,
}

/// Register a client's public key
///
/// From then on entries that the key signed for its actors are taken. Registering a known key again replaces its
/// actors.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  openssl genpkey -algorithm ed25519 -out bot.pem
  openssl pkey -in bot.pem -pubout -out bot.pub
  counterfoil key register audit bot.pub --actor invoice-bot

Exit codes: 0 registered, 2 no such key, 4 another process is writing. Other exit codes: see `counterfoil --help`.")]
pub struct Register {
    /// The ledger's folder, or the URL of the service that holds it.
    ledger: PathBuf,
    /// The Ed25519 public key: 64 hex digits, or a file with it in PEM; `-` is standard input.
    #[arg(value_name = "PUBLIC_KEY")]
    key: String,
    #[command(flatten)]
    actors: Actors,
    /// Print what was registered as JSON.
    #[arg(long)]
    json: bool,
}

/// Revoke a client's key
///
/// Entries that it signs are refused from now on. What it signed before stays valid.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  counterfoil key revoke audit 5f0c…e1

Exit codes: 0 revoked, 4 another process is writing, 7 the key is not registered. Other exit codes: see
`counterfoil --help`.")]
pub struct Revoke {
    /// The ledger's folder, or the URL of the service that holds it.
    ledger: PathBuf,
    /// The key's id: the SHA-256 of the public key in hex, as registering printed it.
    #[arg(value_name = "KEY_ID")]
    key_id: String,
    /// Print what was revoked as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[group(required = true)]
struct Actors {
    /// An actor whose entries the key may sign; may be given several times.
    #[arg(long = "actor", value_name = "ACTOR", value_parser = NonEmptyStringValueParser::new())]
    actors: Vec<String>,
    /// The key may sign for every actor.
    #[arg(long, conflicts_with = "actors")]
    any_actor: bool,
}

impl New {
    pub(super) fn run(self) -> Outcome {
        if self.output.as_os_str() == "-" {
            return Err(Failure::invalid("a private key is not written to standard output: name a new file with -o"));
        }
        let ledger = Writer::of(&self.ledger)?;
        let (key, pem) = ClientKey::generate()?;
        files::write_secret(&self.output, pem.as_bytes())?;
        let index = ledger.register_key(&key, &self.actors.actors)?;
        ledger.close()?;
        Change::new(&key, index).tell(self.json, "registered", Some(&self.actors))
    }
}

impl Register {
    pub(super) fn run(self) -> Outcome {
        let key = read_key(&self.key)?;
        let ledger = Writer::of(&self.ledger)?;
        let index = ledger.register_key(&key, &self.actors.actors)?;
        ledger.close()?;
        Change::new(&key, index).tell(self.json, "registered", Some(&self.actors))
    }
}

impl Revoke {
    pub(super) fn run(self) -> Outcome {
        let ledger = Writer::of(&self.ledger)?;
        let index = ledger.revoke_key(&self.key_id)?;
        ledger.close()?;
        let change = Change { key_id: self.key_id, public_key: None, index };
        change.tell(self.json, "revoked", None)
    }
}

fn read_key(text: &str) -> Result<ClientKey, Failure> {
    if let Some(key) = ClientKey::from_hex(text) {
        return Ok(key);
    }
    if text != "-" && !text.contains(['/', '.']) && !std::path::Path::new(text).exists() {
        return Err(Failure::invalid(format!("{text:?} is neither a public key in 64 hex digits nor a file")));
    }
    let pem = files::read(text.as_ref())?;
    let key = std::str::from_utf8(&pem).ok().and_then(ClientKey::from_pem);
    key.ok_or_else(|| {
        Failure::invalid(format!("{text}: it is no Ed25519 public key in PEM"))
            .advise("Take it from a private key with: openssl pkey -in KEY.pem -pubout")
    })
}

#[derive(Serialize)]
struct Change {
    key_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<String>,
    index: u64,
}

impl Change {
    fn new(key: &ClientKey, index: u64) -> Self {
        Self { key_id: key.id(), public_key: Some(hex::encode(key.key.as_bytes())), index }
    }

    fn tell(&self, json: bool, done: &str, actors: Option<&Actors>) -> Outcome {
        if json {
            output::json(self)?;
            return Ok(Exit::Good);
        }
        let mut out = output::stdout();
        let actors = match actors {
            None => String::new(),
            Some(actors) if actors.any_actor => " for every actor".to_owned(),
            Some(actors) => format!(" for {}", actors.actors.join(", ")),
        };
        writeln!(out, "{done} key {}{actors} (entry {})", self.key_id, crate::text::Grouped(self.index))?;
        out.flush()?;
        Ok(Exit::Good)
    }
}
