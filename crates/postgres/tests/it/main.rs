//! The audit table as its application, its follower and its administrator see it, on a real PostgreSQL.

mod administrator;
mod attacks;
mod connect;
mod follow;
mod import;
mod install;
mod polling;
mod server;
