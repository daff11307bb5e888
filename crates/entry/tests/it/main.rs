//! What a user of the entry format would notice.

mod catalog;
mod cyberphone;
mod datasets;
mod drafts;
mod fields;
mod files;
mod json_suite;
mod numbers;
mod page;
mod properties;
mod refusals;
mod samples;
mod sealed;
mod signatures;
mod strings;
mod timestamps;
