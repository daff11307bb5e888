//! The ledger as its users see it.

mod basics;
mod crash;
mod pages;
mod trial;
