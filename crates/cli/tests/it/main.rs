//! The binary as its users meet it: commands, output, messages and exit codes.

mod append;
mod bundle;
mod client_key;
mod export;
mod golden;
mod help;
mod history;
mod house;
mod import;
mod log_folder;
mod place;
mod proof;
mod query;
mod refusal;
mod rules;
mod service;
mod status;
mod verify;
