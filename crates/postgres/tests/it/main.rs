//! The audit table as its application, its follower and its administrator see it, on a real PostgreSQL.

mod administrator;
mod attacks;
mod begin;
mod connect;
mod follow;
mod import;
mod install;
mod mistakes;
mod polling;
mod server;
mod shapes;
mod silence;
