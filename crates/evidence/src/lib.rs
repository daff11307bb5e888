//! Evidence bundles and the findings of a verification.
//!
//! A [`Finding`] is one thing that a verification found wrong; a [`Report`] holds all of them, with what was checked
//! and what it was compared against. A [`Bundle`] holds entries, their proofs and a checkpoint in one file and is
//! verified offline. A [`KeyRing`] knows which keys may sign entries at each point of a ledger.
//!
//! Everything here is pure: bytes in, findings out. No files, network, clock or random source.

mod build;
mod bundle;
mod crawl;
mod finding;
mod keys;
mod report;
mod verify;

pub use build::BundleSource;
pub use bundle::{
    BUNDLE_FORMAT, Bundle, BundleError, MAX_BUNDLE_BYTES, MAX_BUNDLE_ENTRIES, MAX_PROOF_HASHES, ProvenEntry,
};
pub use crawl::Crawl;
pub use finding::{Finding, FindingClass, FindingKind, UnknownKind};
pub use keys::{KEY_REGISTERED, KEY_REVOKED, KeyRing};
pub use report::Report;
