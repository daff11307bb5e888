//! `counterfoil`: record, prove and query audit trails from the command line.

mod arguments;
mod batches;
mod change;
mod commands;
mod compliance;
mod data_out;
mod evidence;
mod exit;
mod files;
mod json;
mod ledgers;
mod output;
mod progress;
mod recording;
mod remote;
mod rows;
mod signals;
mod table;
mod text;
mod trail;
mod verdict;
mod verifier_key;
mod view;
mod writer;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = arguments::Arguments::try_parse().unwrap_or_else(|error| {
        if let Some(hint) = arguments::hint() {
            output::note(hint);
        }
        error.exit()
    });
    counterfoil_ship::read_pruned(|_| counterfoil_ship::Settings::from_environment());
    match commands::run(arguments.command) {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(failure) => {
            output::tell(&failure);
            ExitCode::from(failure.code())
        }
    }
}
