//! What a reader of segments relies on.

mod blocks;
mod entries;
mod format_pages;
mod golden;
mod hostile;
mod index;
mod point_read;
mod round_trip;
mod splice;
