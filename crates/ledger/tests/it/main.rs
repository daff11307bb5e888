//! The ledger as its users see it.

mod basics;
mod concurrency;
mod crash;
mod effort;
mod elsewhere;
mod exhibit;
mod forge;
mod forged;
mod idempotency;
mod in_the_way;
mod kill;
mod pages;
mod panics;
mod refusals;
mod resume;
mod room;
mod signatures;
mod simulation;

mod tamper;
mod trial;
