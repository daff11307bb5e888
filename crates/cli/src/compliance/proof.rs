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
    let chosen = |newest: &[u64]| match newest.first() {
        Some(oldest) if newest.len() < indices.len() => format!("index >= {oldest} AND ({condition})"),
        _ => condition.clone(),
    };
    let fitting = fit(&indices, |newest| evidence::bundle(view, &chosen(newest), newest, size))?;
    let Some((newest, text)) = fitting else { return Ok(None) };
    files::write_new(file, &text)?;
    let entries = Bundle::parse(&text).map_or(newest.len(), |bundle| bundle.entries.len()) as u64;
    let left_out = (indices.len() - newest.len()) as u64;
    let file = file.display().to_string();
    Ok(Some(Evidence { file, entries, left_out, chosen: chosen(newest), size }))
}

/// Entries that fit into a bundle, and the bundle.
type Fitting<'a> = (&'a [u64], Vec<u8>);

/// The bundle of the newest entries that fit into one: the older half is left out until it does. None without entries.
fn fit(
    indices: &[u64],
    mut bundle: impl FnMut(&[u64]) -> Result<Vec<u8>, Failure>,
) -> Result<Option<Fitting<'_>>, Failure> {
    let mut newest = &indices[indices.len().saturating_sub(MAX_BUNDLE_ENTRIES)..];
    while !newest.is_empty() {
        match bundle(newest) {
            Err(failure) if evidence::is_too_large(&failure) && newest.len() > 1 => {
                newest = &newest[newest.len() / 2..]
            }
            done => return done.map(|text| Some((newest, text))),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_trimmed_from_the_oldest() {
        let indices: Vec<u64> = (0..100).collect();
        let at_most = |most: usize| {
            move |newest: &[u64]| match newest.len() > most {
                true => Err(Failure::invalid("too many bytes")),
                false => Ok(Vec::new()),
            }
        };
        let kept = |most| fit(&indices, at_most(most)).ok().flatten().map(|(newest, _)| newest.to_vec());
        assert_eq!(kept(100), Some(indices.clone()));
        assert_eq!(kept(30), Some(indices[75..].to_vec()));
        assert_eq!(kept(1), Some(vec![99]));
        assert!(fit(&indices, at_most(0)).is_err(), "an entry that is too large alone is told");
        assert!(fit(&[], at_most(0)).is_ok_and(|none| none.is_none()));
        let other = fit(&indices, |_| Err(Failure::new(counterfoil::ErrorKind::Denied, "no")));
        assert!(other.is_err(), "what is wrong otherwise is no matter of size");
    }
}
