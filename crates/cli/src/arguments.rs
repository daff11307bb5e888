//! The command line: what may be asked, and the pages that explain it.

use std::path::Path;

use clap::{Parser, Subcommand};

use crate::commands;
use crate::exit::EXIT_CODES;

/// An audit ledger for AI-driven finance workflows: record entries, prove them, query them.
///
/// A ledger is a folder. Every entry is durable, ordered and covered by a signed checkpoint before `append` answers;
/// anyone can query the entries with SQL, and anyone can check them without trusting whoever keeps the folder.
#[derive(Debug, Parser)]
#[command(
    name = "counterfoil",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    subcommand_required = true,
    after_help = START,
    after_long_help = format!("{START}\n\n{EXIT_CODES}")
)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const START: &str = "\
Examples:
  counterfoil init audit --origin bank.example/audit
  echo '{\"event_type\":\"manual_override\",\"actor\":\"maria\",\"entity_id\":\"INV-1\"}' |
    counterfoil append audit
  counterfoil query audit \\
    \"SELECT * FROM audit_log WHERE event_type = 'manual_override'\"
  counterfoil verify audit --key \"$(counterfoil key audit)\"";

/// The commands, in the order of a ledger's life.
#[derive(Debug, Subcommand)]
pub enum Command {
    Init(commands::init::Init),
    Append(commands::append::Append),
    Import(commands::import::Import),
    Query(commands::query::Query),
    History(commands::history::History),
    Export(commands::export::Export),
    Entry(commands::entry::Entry),
    Prove(commands::prove::Prove),
    Check(commands::check::Check),
    Checkpoint(commands::checkpoint::Checkpoint),
    Key(commands::key::Key),
    Verify(commands::verify::Verify),
    Monitor(commands::monitor::Monitor),
    Bundle(commands::bundle::Bundle),
    Status(commands::status::Status),
    Seal(commands::seal::Seal),
    Ship(commands::ship::Ship),
    Lake(commands::lake::Lake),
    Prune(commands::prune::Prune),
    Restore(commands::restore::Restore),
    Serve(Box<commands::serve::Serve>),
    Sink(commands::sink::Sink),
    Drill(Box<commands::drill::Drill>),
    Postgres(commands::postgres::Postgres),
    Rules(commands::rules::Rules),
    Token(commands::token::Token),
    Report(commands::report::Report),
    Document(commands::document::Document),
    Catalog(commands::catalog::Catalog),
    Completions(commands::completions::Completions),
    Man(commands::man::Man),
}

/// What may have been meant where `key new` and its like name a ledger of that name.
pub fn hint() -> Option<String> {
    let mut words = std::env::args().skip(1);
    let name = words.next().filter(|word| word == "key").and_then(|_| words.next())?;
    let is_ledger =
        ["new", "register", "revoke"].contains(&name.as_str()) && Path::new(&name).join("ledger.toml").exists();
    is_ledger.then(|| format!("for the key of the ledger in the folder {name}: counterfoil key ./{name}"))
}
