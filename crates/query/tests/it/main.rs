//! What a user of SQL over a ledger would notice.

mod answers;
mod fixture;
mod functions;
mod json;
mod limits;
mod pruning;
mod refusals;
mod review;
mod snapshots;
mod tampering;
