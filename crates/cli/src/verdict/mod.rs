//! Verdicts of verifications, for auditors and for programs.

pub mod crawl;
pub mod growth;
pub mod log_folder;
pub mod report;
