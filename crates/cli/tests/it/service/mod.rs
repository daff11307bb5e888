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
mod read_only;
mod reading;
mod recording;
mod remote;
mod running;
mod shipping;
mod tls;

pub use running::{Running, signal, wait_for};
