//! Ships to a real S3 server with Object Lock, breaks what can be broken, and looks at what a user would notice.

mod access;
mod basics;
mod cloud;
mod cloud_faults;
mod clouds;
mod corpus;
mod faults;
mod figures;
mod foreign;
mod full;
mod lake;
mod large;
mod proxy;
mod prune;
mod restore;
mod resume;
mod server;
mod settings;
mod shippers;
mod stale;
mod tamper;
