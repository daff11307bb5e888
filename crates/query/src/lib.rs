//! SQL over a ledger.
//!
//! [`Engine::query`] answers one PostgreSQL-flavoured statement over the table [`audit_log`](TABLE): the sealed segments
//! and the unsealed tail of one [`counterfoil::Snapshot`], so that an answer is about exactly the entries below one signed
//! checkpoint. Nothing is copied beforehand: segments are read through the ledger's own checked files, so a byte that
//! changed after sealing is an error of the kind `Tampered` and not an answer. SQL only reads, within [`Limits`].
//!
//! What the language offers stands in docs/guides/sql.md.

mod answer;
mod budget;
mod cause;
mod columns;
mod engine;
mod error;
mod fault;
mod guard;
mod guarded;
mod joined;
mod json;
mod limits;
mod lookup;
mod memory;
mod order;
mod pauses;
mod prune;
mod reader;
mod sealed;
mod session;
mod shape;
mod sizes;
mod source;
mod spans;
mod statement;
mod table;
mod tables;
mod tail;
mod wording;
mod workers;

pub use answer::{Answer, Batches};
pub use cause::{Cause, What};
pub use columns::{TABLE, schema};
pub use engine::{Engine, Order};
pub use limits::Limits;
pub use session::aside;
pub use source::{Sealed, Source};
pub use statement::{MAX_OPERATORS, MAX_SQL_BYTES, statements};
pub use tables::{Parameters, Prepared, Tables};
