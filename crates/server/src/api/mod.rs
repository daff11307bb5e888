//! `/api/v1`: a file for each resource.

pub(crate) mod alerts;
pub(crate) mod bundles;
pub(crate) mod drills;
pub(crate) mod entries;
pub(crate) mod keys;
pub(crate) mod listing;
pub(crate) mod proofs;
pub(crate) mod prune;
pub(crate) mod query;
pub(crate) mod reviews;
pub(crate) mod searches;
pub(crate) mod sending;
pub(crate) mod session;
pub(crate) mod settings;
pub(crate) mod sql;
pub(crate) mod status;
pub(crate) mod stream;
pub(crate) mod tokens;
pub(crate) mod verification;
pub(crate) mod watch;
