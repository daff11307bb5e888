//! Ships to a real S3 server with Object Lock, breaks what can be broken, and looks at what a user would notice.

mod basics;
mod faults;
mod figures;
mod lake;
mod proxy;
mod restore;
mod server;
mod shippers;
mod tamper;
