//! An append-only audit table in PostgreSQL, followed into a ledger and checked against it.
//!
//! [`install`] makes the table: the application's transaction writes its audit row with its business change, or neither.
//! [`follow`] moves committed rows into a ledger, once each; [`check()`] compares both sides and names every row that
//! differs. A row has one form everywhere, the texts of its columns as PostgreSQL prints them ([`Row`]), whether it comes
//! through the replication stream or from a query, so that both sides can be compared exactly.

mod advice;
mod check;
mod compare;
mod contradiction;
mod differing;
mod drill;
mod dsn;
mod follow;
#[doc(hidden)]
pub mod fuzz;
mod import;
mod install;
mod moved;
mod notice;
mod patience;
mod pending;
mod pgoutput;
mod pgpass;
mod poll;
mod protection;
mod replication;
mod row;
mod server_error;
mod slot;
mod source;
mod tls;
mod wire;

pub use check::{CheckOptions, Checked, Difference, Finding, check};
pub use drill::{Held, Tried, drill};
pub use dsn::{Certificates, Dsn, Tls};
pub use follow::{Followed, Options, Progress, Way, follow};
pub use import::{ColumnMap, Imported, import};
pub use install::{Installed, SQL, install};
pub use patience::Patience;
pub use row::{Row, RowId};
pub use source::{Source, Trail};
pub use wire::Connection;
