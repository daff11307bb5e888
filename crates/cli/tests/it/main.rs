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
mod object_store;
mod place;
mod postgres;
#[allow(dead_code)]
#[path = "../../../postgres/tests/it/server.rs"]
mod postgres_server;
mod proof;
mod query;
mod refusal;
#[allow(dead_code)]
#[path = "../../../ship/tests/it/server.rs"]
mod s3_server;
mod service;
mod status;
mod verify;
