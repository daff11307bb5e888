//! Reading entries in order.

use std::ops::{ControlFlow, Range};

use counterfoil::{Error, ErrorKind, Result, Snapshot};
use counterfoil_segment::SegmentError;

/// Takes an entry's index and canonical bytes.
pub(crate) type Visitor<'v> = dyn FnMut(u64, &[u8]) -> Result<ControlFlow<()>> + 'v;

/// Calls `each` with the index and the canonical bytes of entries in order, until it breaks. `Tampered` at the first that
/// is not the one that was hashed.
pub(crate) fn read(snapshot: &Snapshot, range: Range<u64>, each: &mut Visitor<'_>) -> Result<()> {
    let mut ended = Ok(ControlFlow::Continue(()));
    for segment in snapshot.segments() {
        let (first, end) = (segment.first(), segment.first() + segment.count());
        let (from, to) = (range.start.max(first), range.end.min(end));
        if from >= to || !matches!(ended, Ok(ControlFlow::Continue(()))) {
            continue;
        }
        let scanned = segment.segment()?.scan(from - first..to - first, &mut |index, bytes| {
            ended = each(index, bytes);
            if matches!(ended, Ok(ControlFlow::Continue(()))) {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        });
        let named = |kind, text: String| Error::new(kind, format!("{}: {text}", segment.name()));
        let faults = scanned.map_err(|error| named(kind_of(&error), error.to_string()))?;
        if let Some(fault) = faults.first() {
            return Err(named(ErrorKind::Tampered, fault.to_string()));
        }
    }
    snapshot.tail(range, &mut |index, bytes| {
        if matches!(ended, Ok(ControlFlow::Continue(()))) {
            ended = each(index, bytes);
        }
    })?;
    ended.map(drop)
}

fn kind_of(error: &SegmentError) -> ErrorKind {
    match error {
        SegmentError::Io(_) => ErrorKind::Unavailable,
        SegmentError::Block(_) | SegmentError::Fault(_) => ErrorKind::Tampered,
        _ => ErrorKind::Damaged,
    }
}
