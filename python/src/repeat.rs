//! Knowing a signed entry again by its `id`.
//!
//! A repeat of an unsigned entry is the same to the letter. One of a signed entry is not: it gets another number, time
//! and signature, and the ledger would call it a conflict.

use counterfoil::{Error, Ledger};
use counterfoil_entry::{Draft, Fields, Timestamp};
use pyo3::prelude::*;

use crate::error::raised;
use crate::source::draft;
use crate::unshipped::as_sent;

/// Whether an entry says what a recorded one says: all but its number, its signature, what the ledger set, and, where
/// `timeless`, its time.
fn same(draft: &Draft, recorded: &[u8], timeless: bool) -> Result<bool, Error> {
    let recorded = Fields::split(recorded)?;
    let mut bytes = Vec::new();
    draft.write_entry(recorded.recorded_at, recorded.recorder.as_deref(), &mut bytes);
    let mut again = Fields::split(&bytes)?;
    if timeless {
        again.timestamp = recorded.timestamp;
    }
    again.source.clone_from(&recorded.source);
    again.sequence = recorded.sequence;
    again.signature.clone_from(&recorded.signature);
    again.salt = recorded.salt;
    Ok(again == recorded)
}

/// Whether an entry says what an earlier one of the same commit says.
pub fn repeats(draft: &Draft, earlier: &Draft) -> Result<bool, Error> {
    let mut bytes = Vec::new();
    earlier.write_entry(Timestamp::from_micros(0), None, &mut bytes);
    same(draft, &bytes, draft.timestamp().is_none())
}

/// The recorded entry that this one repeats by its `id`, as it was submitted.
pub fn first_of(draft: &Draft, ledger: &Ledger) -> Result<Option<Draft>, Error> {
    if draft.id().is_none() || draft.signature().is_some() {
        return Ok(None);
    }
    for (_, recorded) in ledger.snapshot().history(&draft.entity_id())? {
        if same(draft, &recorded, draft.timestamp().is_none())?
            && let Some(json) = as_sent(&recorded)?
        {
            return Ok(Draft::parse(&json).ok());
        }
    }
    Ok(None)
}

/// Whether the signed entry in `line` says what the recorded entry says; the times may differ.
#[pyfunction]
pub fn is_repeat(line: &[u8], recorded: &[u8]) -> PyResult<bool> {
    draft(line, 0).and_then(|draft| same(&draft, recorded, true)).map_err(|error| raised(&error))
}
