//! Sinks against real receivers.

mod config;
mod delivery;
mod doubles;
mod forged;
mod hostile;
mod kills;
mod receivers;
mod storm;
mod trail;
