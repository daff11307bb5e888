//! The service: a ledger behind HTTP, standard ingest, the PostgreSQL protocol and a console in the browser.
//!
//! [`run`] opens a ledger and answers until it is told to end. What it answers stands in docs/formats/http.md; who may
//! ask what is decided in one place, [`Right`]. Durable means here what it means in the ledger: no receipt and no success
//! of any protocol before the entries are synced and a signed checkpoint covers them.

mod access;
mod api;
mod asked;
mod backing;
mod body;
mod conditions;
mod console;
mod health;
pub mod in_force;
mod inbox;
mod ingest;
mod lake;
mod life;
mod listen;
mod metrics;
mod moment;
mod open_alerts;
mod pg;
mod problem;
mod processors;
mod pruning;
mod readers;
mod receivers;
mod recording;
mod routes;
mod searches;
mod served;
mod service;
mod settings;
mod shipping;
mod state;
mod tlog;
mod upkeep;
mod verification;
mod watched;
mod watching;

pub use access::{LOCAL_ADMINISTRATOR, NewToken, Principal, Right, Role, TOKEN_PREFIX, TokenRecord, Tokens};
pub use api::drills::Drilled;
pub use api::keys::Sealed;
pub use life::{Announcement, run};
pub use pruning::PruneOutcome;
pub use served::Served;
pub use settings::{Ack, Postgres, Schedule, Settings, Ship, TlogPublic, Tls};
