//! `counterfoil sink`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use counterfoil::Reader;
use counterfoil_sink::{Config, test};

use crate::exit::{Exit, Outcome};
use crate::ledgers;
use crate::output::{self, GREEN, styled};
use crate::text::Printable;

/// Try out where alerts are delivered
///
/// Sinks stand in the TOML file that `counterfoil serve --sinks FILE` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  counterfoil sink audit test mail --sinks sinks.toml
  counterfoil sink audit test mail --sinks /etc/counterfoil/sinks.toml

Exit codes: 0 the receiver took it, 2 the file is wrong, 5 the receiver did not take it, 7 no sink of that name. \
Other exit codes: see `counterfoil --help`.")]
pub struct Sink {
    /// The ledger's folder.
    ledger: PathBuf,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Send one message, marked as a test, about the newest entry, and say what the receiver answered
    Test {
        /// The sink's name.
        name: String,
        /// The file with the sinks.
        #[arg(long, value_name = "FILE", env = "COUNTERFOIL_SINKS")]
        sinks: PathBuf,
    },
}

impl Sink {
    pub(super) fn run(self) -> Outcome {
        use std::io::Write;
        ledgers::check_folder(&self.ledger)?;
        let Action::Test { name, sinks } = self.action;
        let config = Config::load(&sinks)?;
        let sink = config.sink(&name)?;
        sink.stays_out_of(&self.ledger)?;
        let answer = test(&config, &name, &Reader::open(&self.ledger)?.snapshot()?)?;
        let mut out = output::stdout();
        let address = Printable(&sink.address()).to_string();
        writeln!(out, "{} {name} ({address}): {answer}", styled(GREEN, "delivered"))?;
        out.flush()?;
        Ok(Exit::Good)
    }
}
