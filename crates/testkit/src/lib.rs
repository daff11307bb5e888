//! What tests break a ledger with: a file system in memory that loses, tears and refuses writes as a real one may, a
//! clock that steps, a signer that remembers what it signed, and entries with every member. All of it is seeded, so that
//! a failure can be had again.

mod clock;
mod disk;
mod entries;
pub mod fuzz;
mod random;
mod signer;

pub use clock::SimulatedClock;
pub use disk::{Fault, MemoryDisk};
pub use entries::Entries;
pub use random::Random;
pub use signer::RecordingSigner;
