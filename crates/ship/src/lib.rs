//! A write-once copy of a ledger in an object store.
