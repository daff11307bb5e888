//! Verdicts of verifications, for auditors and for programs.

pub mod crawl;
pub mod log_folder;
pub mod report;
