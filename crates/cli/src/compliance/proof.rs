//! The evidence bundle beside a report or a document.

use std::path::Path;

use counterfoil_evidence::{Bundle, MAX_BUNDLE_ENTRIES};
use counterfoil_query::Limits;
use counterfoil_report::report::Evidence;

use crate::exit::Failure;
use crate::view::View;
use crate::{evidence, files};

/// Writes the bundle of the entries for which a condition holds, under the checkpoint of a size; none when there are none. When
/// there are more than it holds, the newest.
pub fn prove(view: &View, condition: String, size: u64, file: &Path) -> Result<Option<Evidence>, Failure> {
    let limits = Limits { rows: u64::MAX, ..Limits::default() };
    let mut indices = view.select(&condition, limits)?;
    indices.retain(|index| *index < size);
    let left_out = indices.len().saturating_sub(MAX_BUNDLE_ENTRIES);
    let indices = &indices[left_out..];
    let Some(oldest) = indices.first() else { return Ok(None) };
    let chosen = if left_out > 0 { format!("index >= {oldest} AND ({condition})") } else { condition };
    let text = evidence::bundle(view, &chosen, indices, size)?;
    files::write_new(file, &text)?;
    let entries = Bundle::parse(&text).map_or(indices.len(), |bundle| bundle.entries.len()) as u64;
    let file = file.display().to_string();
    Ok(Some(Evidence { file, entries, left_out: left_out as u64, chosen, size }))
}
