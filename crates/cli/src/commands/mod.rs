//! The commands, a file each.

use crate::arguments::Command;
use crate::exit::Outcome;

pub mod append;
pub mod bundle;
pub mod catalog;
pub mod check;
pub mod checkpoint;
pub mod completions;
pub mod document;
pub mod drill;
pub mod entry;
pub mod export;
pub mod history;
pub mod import;
pub mod init;
pub mod key;
pub mod lake;
pub mod man;
pub mod monitor;
pub mod postgres;
pub mod prove;
pub mod prune;
pub mod query;
pub mod report;
pub mod restore;
pub mod rules;
pub mod seal;
pub mod serve;
pub mod ship;
pub mod sink;
pub mod status;
pub mod token;
pub mod verify;

/// Does what the command line asks.
pub fn run(command: Command) -> Outcome {
    match command {
        Command::Init(command) => command.run(),
        Command::Append(command) => command.run(),
        Command::Import(command) => command.run(),
        Command::Query(command) => command.run(),
        Command::History(command) => command.run(),
        Command::Export(command) => command.run(),
        Command::Entry(command) => command.run(),
        Command::Prove(command) => command.run(),
        Command::Check(command) => command.run(),
        Command::Checkpoint(command) => command.run(),
        Command::Key(command) => command.run(),
        Command::Verify(command) => command.run(),
        Command::Monitor(command) => command.run(),
        Command::Bundle(command) => command.run(),
        Command::Status(command) => command.run(),
        Command::Seal(command) => command.run(),
        Command::Ship(command) => command.run(),
        Command::Lake(command) => command.run(),
        Command::Prune(command) => command.run(),
        Command::Restore(command) => command.run(),
        Command::Sink(command) => command.run(),
        Command::Drill(command) => command.run(),
        Command::Serve(command) => command.run(),
        Command::Postgres(command) => command.run(),
        Command::Rules(command) => command.run(),
        Command::Token(command) => command.run(),
        Command::Catalog(command) => command.run(),
        Command::Report(command) => command.run(),
        Command::Document(command) => command.run(),
        Command::Completions(command) => command.run(),
        Command::Man(command) => command.run(),
    }
}
