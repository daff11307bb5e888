//! Imports and log folders, as a user meets them.

mod cloudtrail;
mod fixtures;
mod logdir;
mod maps;
mod payments;
mod python;
mod rows;
mod times;
