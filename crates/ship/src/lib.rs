//! A write-once copy of a ledger in an object store: shipped, locked, checked, verified, restored.
//!
//! [`Shipper`] puts there what is not there yet; [`Bucket`] reads it, as a folder is read. docs/formats/bucket.md describes
//! the objects.

mod backend;
mod catalog;
mod chain;
mod content;
mod disk;
mod drill;
mod follow;
#[doc(hidden)]
pub mod fuzz;
mod judge;
mod keys;
mod lake;
mod link;
mod location;
mod lock;
mod memory;
mod nested;
mod newest;
mod prune;
mod pruned;
mod restore;
mod roots;
mod settings;
mod shipments;
mod shipper;
mod store;
mod verify;

pub use disk::BucketDisk;
pub use drill::Attempt;
pub use follow::{DEFAULT_BYTES, DEFAULT_SECONDS, Follower, Lag, OnSegments, Pace, Route};
pub use lake::{Lake, LakeTable};
pub use location::{Location, Service};
pub use lock::{Lock, LockFault, LockMode, LockReport, MAX_DAYS, ObjectLock, Retention};
pub use newest::newest_checkpoint;
pub use prune::{DEFAULT_LOCKED_DAYS, Keep, Prunable, Prune};
pub use pruned::read_pruned;
pub use restore::Restored;
pub use settings::{Encryption, Settings};
pub use shipper::{Shipped, Shipper};
pub use verify::{Bucket, Checkpoints};
