//! The service, as its clients see it: a real process on ports of its own.

mod access;
mod acts;
mod alerts;
mod faults;
mod grpc;
mod ingest;
mod intruder;
mod monitor;
mod openapi;
mod pressure;
mod proving;
mod pruning;
mod read_only;
mod reading;
mod recording;
mod remote;
mod report;
mod running;
mod schedule;
mod searches;
pub mod shipping;
mod tls;

pub use running::{Running, signal, wait_for};
