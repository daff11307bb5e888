//! The audit entry: strict parsing, canonical bytes, timestamps, signatures and the event catalog.
//!
//! A client's JSON becomes a [`Draft`] (checked, canonical); the ledger adds what only it may set and
//! [`Draft::write_entry`] gives the bytes that are hashed. [`Fields`] takes such bytes apart again.
//! Everything here is pure: no files, no network, no clock, no random source. The format is described
//! in `docs/formats/entry.md`.

mod builder;
pub mod canonical;
pub mod catalog;
mod draft;
mod error;
mod fields;
mod member;
mod reader;
mod rules;
mod sealed;
pub mod signature;
mod timestamp;

pub use builder::{ActorType, EntryBuilder, Outcome};
pub use canonical::ValueKind;
pub use draft::Draft;
pub use error::EntryError;
pub use fields::Fields;
pub use rules::check_recorder;
pub use signature::Signature;
pub use timestamp::{DateMemo, Timestamp};

/// Most bytes an entry's canonical form may take: an entry bundle (C2SP tlog-tiles) counts them in 16 bits.
pub const MAX_ENTRY_BYTES: usize = 65_535;

/// Most containers that may stand one inside the other, the entry itself included.
pub const MAX_DEPTH: usize = 64;

/// What an event type begins with when the ledger itself is the author.
pub const OWN_PREFIX: &str = "ledger.";
