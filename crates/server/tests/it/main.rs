//! The service, as its clients see it.

mod pg;
mod tokens;
