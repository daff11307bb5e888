//! Reports and documents as their readers see them.

mod drill;
mod golden;
mod hostile;
mod large;
mod report;
mod sample;
mod statements;
mod wording;
