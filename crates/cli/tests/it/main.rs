//! The binary as its users meet it: commands, output, messages and exit codes.

mod append;
mod bundle;
mod client_key;
#[path = "../../../ship/tests/it/cloud/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the tests of the crate that ships need more of it")]
mod cloud;
mod clouds;
mod drill;
mod export;
mod golden;
mod help;
mod history;
mod house;
mod import;
mod log_folder;
mod object_store;
mod pages;
mod place;
mod postgres;
#[allow(dead_code)]
#[path = "../../../postgres/tests/it/server.rs"]
mod postgres_server;
mod proof;
#[path = "../../../ship/tests/it/proxy.rs"]
#[allow(dead_code, reason = "the tests of the crate that ships need more of it")]
mod proxy;
mod pruned;
mod query;
mod refusal;
mod report;
mod rules;
#[path = "../../../ship/tests/it/server.rs"]
#[allow(dead_code, reason = "the tests of the crate that ships need more of it")]
mod s3;
mod service;
mod status;
mod verify;
