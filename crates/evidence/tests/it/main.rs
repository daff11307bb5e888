//! Findings, bundles and their documentation.

mod bundle;
mod documentation;
mod finding;
mod sample;
mod script;
