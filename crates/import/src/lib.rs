//! Foreign logs as entries, and logs that carry their own hashes.
//!
//! A [`Map`] (a TOML text, see `docs/guides/import.md`) says how a row of a CSV file or a record of a JSON log becomes
//! an entry; [`Import`] reads a file through it, row by row, and yields entry JSON. Nothing is dropped silently: a row
//! that cannot become an entry is an error with its number and reason, a value that is filled in is counted.
//!
//! [`logdir`] verifies folders of JSON-lines logs whose lines carry `hash` and `prev_hash`.

mod error;
mod import;
mod input;
mod json;
pub mod logdir;
mod map;
mod number;
mod python;
mod record;
mod shipped;

pub use error::{ImportError, MapError};
pub use import::{Check, Import, Refusal, Row, Totals};
pub use map::Map;
pub use shipped::{ShippedMap, shipped_maps};
