//! The service, as its clients see it: a real process on ports of its own.

mod access;
mod faults;
mod ingest;
mod openapi;
mod proving;
mod reading;
mod recording;
mod remote;
mod running;

pub use running::{Running, wait_for};
