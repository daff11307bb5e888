//! The compliance report of a period and the design document of a ledger, as HTML and PDF.
//!
//! Whoever calls gathers the figures ([`report::Report`], by the statements of [`sql`]) or the configuration
//! ([`document::Document`]); this crate knows neither files nor clocks, and the same input gives the same bytes. Every text is
//! shown as it is, whoever wrote it: nothing is read as markup, and what could not be seen is written out.

mod chart;
mod clauses;
pub mod document;
pub mod drill;
mod error;
mod html;
mod moment;
mod page;
mod pdf;
pub mod report;
pub mod sql;
mod text;

pub use error::ReportError;
pub use moment::Moment;
pub use page::MAX_ROWS;
pub use text::MAX_CELL;

use document::Document;
use drill::Drill;
use report::Report;

/// A compliance report as one HTML file that loads nothing and runs nothing.
///
/// # Errors
/// [`ReportError::Contradiction`] when the figures cannot be of one snapshot.
pub fn report_html(report: &Report) -> Result<String, ReportError> {
    report.page().map(|page| html::html(&page))
}

/// A compliance report as PDF/A-2a and PDF/UA-1.
///
/// # Errors
/// [`ReportError::Contradiction`] when the figures cannot be of one snapshot; [`ReportError::Layout`].
pub fn report_pdf(report: &Report) -> Result<Vec<u8>, ReportError> {
    pdf::pdf(&report.page()?)
}

/// A design document as one HTML file that loads nothing and runs nothing.
pub fn document_html(document: &Document) -> String {
    html::html(&document.page())
}

/// A design document as PDF/A-2a and PDF/UA-1.
///
/// # Errors
/// [`ReportError::Layout`].
pub fn document_pdf(document: &Document) -> Result<Vec<u8>, ReportError> {
    pdf::pdf(&document.page())
}

/// The outcome of a drill as one HTML file that loads nothing and runs nothing.
pub fn drill_html(drill: &Drill) -> String {
    html::html(&drill.page())
}

/// The outcome of a drill as PDF/A-2a and PDF/UA-1.
///
/// # Errors
/// [`ReportError::Layout`].
pub fn drill_pdf(drill: &Drill) -> Result<Vec<u8>, ReportError> {
    pdf::pdf(&drill.page())
}
