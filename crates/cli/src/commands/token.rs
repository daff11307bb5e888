//! `counterfoil token`

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use counterfoil::{Ledger, OpenOptions};
use counterfoil_entry::Timestamp;
use counterfoil_server::{LOCAL_ADMINISTRATOR, NewToken, Role, TokenRecord, Tokens};
use hyper::Method;
use serde::{Deserialize, Serialize};

use crate::exit::{Exit, Failure, Outcome};
use crate::ledgers;
use crate::output::{self, BOLD, styled};
use crate::remote::{self, Call, Remote};
use crate::text::Printable;

/// Make, list and revoke the tokens with which programs and people reach the service
///
/// A token belongs to one named principal, whose name stands as `recorder` in what it records. Only its SHA-256 is kept,
/// in the ledger's folder; a running service knows a new token, or a revoked one, at once.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  TOKEN=$(counterfoil token create audit --role writer --name invoice-service)
  counterfoil token create audit --role writer --name etl --prefix data_ \\
    --expires 2027-01-01T00:00:00Z
  counterfoil token list audit
  counterfoil token revoke audit invoice-service

Exit codes: 0 done, 2 a name, prefix or time that is none, 4 another process has the ledger open for writing, \
7 no such ledger or token. Other exit codes: see `counterfoil --help`.")]
pub struct Token {
    #[command(subcommand)]
    command: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Make a token; it is printed once, alone, on standard output
    Create(Create),
    /// List the tokens, without their secrets
    List(List),
    /// Revoke a token by its id, or all tokens of a principal by its name
    Revoke(Revoke),
}

#[derive(Debug, Args)]
struct Create {
    /// The ledger's folder, or the URL of the service that holds it.
    ledger: PathBuf,
    /// What its holder may do: writer records, reader reads, auditor reads and exports (and is recorded), admin does all.
    #[arg(long)]
    role: Role,
    /// The principal's stable name; by default the role's.
    #[arg(long)]
    name: Option<String>,
    /// Only event types that begin with this may be recorded; may be given more than once.
    #[arg(long = "prefix", value_name = "PREFIX")]
    prefixes: Vec<String>,
    /// When the token ends to hold, an RFC 3339 time.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    expires: Option<Timestamp>,
}

#[derive(Debug, Args)]
struct List {
    /// The ledger's folder, or the URL of the service that holds it.
    ledger: PathBuf,
    /// Print the list as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Revoke {
    /// The ledger's folder, or the URL of the service that holds it.
    ledger: PathBuf,
    /// The token's id, or the principal's name.
    id: String,
}

fn moment(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).map_err(|_| "give an RFC 3339 time such as 2027-01-01T00:00:00Z".to_owned())
}

impl Token {
    pub(super) fn run(self) -> Outcome {
        match self.command {
            Act::Create(create) => create.run(),
            Act::List(list) => list.run(),
            Act::Revoke(revoke) => revoke.run(),
        }
    }
}

impl Create {
    fn run(self) -> Outcome {
        let name = self.name.unwrap_or_else(|| self.role.name().to_owned());
        let token = match Remote::of(&self.ledger)? {
            Some(service) => {
                let expires_at = self.expires.map(|expiry| expiry.to_string());
                let wanted = serde_json::json!({
                    "name": name, "role": self.role, "prefixes": self.prefixes, "expires_at": expires_at,
                });
                service.ask::<Made>(Call::post("/api/v1/tokens", &wanted))?.token
            }
            None => {
                let ledger = open(&self.ledger)?;
                let new = NewToken { name, role: self.role, prefixes: self.prefixes, expires_at: self.expires };
                let (token, _) = Tokens::in_folder(&self.ledger)
                    .create(new, LOCAL_ADMINISTRATOR, |act| ledger.record_act(act).map(drop))?;
                ledger.close()?;
                token
            }
        };
        let mut out = output::raw_stdout();
        writeln!(out, "{token}")?;
        out.flush()?;
        Ok(Exit::Good)
    }
}

impl List {
    fn run(self) -> Outcome {
        let tokens = match remote::url(&self.ledger) {
            Some(url) => Remote::at(url)?.ask::<Listed>(Call::get("/api/v1/tokens"))?.tokens,
            None => {
                ledgers::check_folder(&self.ledger)?;
                Tokens::in_folder(&self.ledger).list()?.iter().map(Row::of).collect()
            }
        };
        if self.json {
            output::json(&tokens)?;
            return Ok(Exit::Good);
        }
        let mut out = output::stdout();
        if tokens.is_empty() {
            writeln!(out, "no tokens: nobody reaches the service but through the folder itself")?;
        }
        for token in &tokens {
            let until = token.expires_at.as_deref().map_or_else(String::new, |at| format!("  until {at}"));
            let only = match token.prefixes.as_slice() {
                [] => String::new(),
                prefixes => format!("  only {}", prefixes.join(", ")),
            };
            let name = styled(BOLD, Printable(&token.name));
            writeln!(
                out,
                "{}  {:<7}  {name}  since {}{until}{}",
                token.id,
                token.role,
                token.created_at,
                Printable(&only)
            )?;
        }
        out.flush()?;
        Ok(Exit::Good)
    }
}

impl Revoke {
    fn run(self) -> Outcome {
        match Remote::of(&self.ledger)? {
            Some(service) => {
                let path = format!("/api/v1/tokens/{}", remote::percent(&self.id));
                service.send(Call { method: Method::DELETE, ..Call::get(&path) })?;
            }
            None => {
                let ledger = open(&self.ledger)?;
                Tokens::in_folder(&self.ledger)
                    .revoke(&self.id, LOCAL_ADMINISTRATOR, |act| ledger.record_act(act).map(drop))?;
                ledger.close()?;
            }
        }
        output::note(format_args!("revoked {}", Printable(&self.id)));
        Ok(Exit::Good)
    }
}

/// The ledger itself, when no service holds it.
fn open(ledger: &Path) -> Result<Ledger, Failure> {
    ledgers::check_folder(ledger)?;
    Ledger::open(ledger, OpenOptions::default()).map_err(|error| ledgers::held(ledger, error))
}

#[derive(Deserialize)]
struct Made {
    token: String,
}

#[derive(Deserialize)]
struct Listed {
    tokens: Vec<Row>,
}

#[derive(Serialize, Deserialize)]
struct Row {
    id: String,
    name: String,
    role: Role,
    #[serde(default)]
    prefixes: Vec<String>,
    created_at: String,
    expires_at: Option<String>,
}

impl Row {
    fn of(record: &TokenRecord) -> Self {
        Self {
            id: record.id.clone(),
            name: record.name.clone(),
            role: record.role,
            prefixes: record.prefixes.clone(),
            created_at: record.created_at.clone(),
            expires_at: record.expires_at.clone(),
        }
    }
}
