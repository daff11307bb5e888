//! What the compliance report and the design document say, gathered from a ledger.

mod answers;
mod design;
mod gathering;
mod proof;
mod state;

pub use design::{Asked, describe};
pub use gathering::{Period, gather};
pub use proof::prove;

use std::path::Path;

use counterfoil_entry::Timestamp;
use counterfoil_report::Moment;

use crate::exit::Failure;
use crate::files;

/// Refuses outputs of a report or a document that could not be written.
pub fn refuse_outputs(
    html: Option<&Path>,
    pdf: Option<&Path>,
    bundle: Option<&Path>,
    json: bool,
) -> Result<(), Failure> {
    if bundle == Some(Path::new("-")) {
        let unnamed = Failure::invalid("--bundle - : what is written names its bundle by its file");
        return Err(unnamed.advise("Name a file for the bundle; --html - or --pdf - writes a page to standard output."));
    }
    files::refuse_outputs(&[("--html", html), ("--pdf", pdf), ("--bundle", bundle)], json)
}

/// Reads a moment: RFC 3339, or a date, which is its first moment in UTC.
pub fn moment(text: &str) -> Result<Moment, String> {
    let is_date = text.len() == 10;
    let whole = if is_date { format!("{text}T00:00:00Z") } else { text.to_owned() };
    let known = Timestamp::parse(&whole);
    known
        .map(Moment)
        .map_err(|_| "give a date such as 2026-07-01, or an RFC 3339 time, of the years 1678 to 2261".to_owned())
}
