//! The rows of one hash.
//!
//! A group is, in varints: the distance of its hash from the hash before it in the block; twice the number of rows,
//! and one more when runs follow; the zigzag distance of its first row from the first row of the group before it;
//! then the gaps to the other rows, each less one, or pairs of (gap less one, further rows in the run).

use super::varint;

/// Where a group stands in relation to the one before it in its block: that one's hash and first row.
#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    pub hash: u64,
    pub row: u32,
}

/// Appends the group of `hash`, whose rows ascend and are not empty.
pub(super) fn write(place: &mut Place, hash: u64, rows: &[u32], out: &mut Vec<u8>) {
    let runs = run_lengths(rows);
    let plain_bytes: usize = gaps(rows).map(varint::length).sum();
    let run_bytes: usize = runs.iter().map(|(gap, more)| varint::length(*gap) + varint::length(*more)).sum();
    let as_runs = run_bytes < plain_bytes;
    varint::write(hash - place.hash, out);
    varint::write((rows.len() as u64) << 1 | u64::from(as_runs), out);
    varint::write(varint::zigzag(i64::from(rows[0]) - i64::from(place.row)), out);
    if as_runs {
        runs.iter().for_each(|(gap, more)| {
            varint::write(*gap, out);
            varint::write(*more, out);
        });
    } else {
        gaps(rows).for_each(|gap| varint::write(gap, out));
    }
    *place = Place { hash, row: rows[0] };
}

/// The distances between neighbouring rows, each less one.
fn gaps(rows: &[u32]) -> impl Iterator<Item = u64> {
    rows.windows(2).map(|pair| u64::from(pair[1] - pair[0] - 1))
}

/// The rows after the first as runs of equal gaps: the gap, and how many more rows have it than one.
fn run_lengths(rows: &[u32]) -> Vec<(u64, u64)> {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for gap in gaps(rows) {
        match runs.last_mut() {
            Some((last, more)) if *last == gap => *more += 1,
            _ => runs.push((gap, 0)),
        }
    }
    runs
}

/// Takes a group off the front of a block and gives its hash; its rows go to `rows` when `wanted` says so of the hash.
/// `None` when the bytes are no group, or a row is not below `row_count`.
pub(super) fn read(
    place: &mut Place,
    bytes: &mut &[u8],
    row_count: u32,
    wanted: impl FnOnce(u64) -> bool,
    rows: &mut Vec<u32>,
) -> Option<u64> {
    let hash = place.hash.checked_add(varint::read(bytes)?)?;
    let header = varint::read(bytes)?;
    let (count, as_runs) = (header >> 1, header & 1 == 1);
    let first = i64::from(place.row).checked_add(varint::unzigzag(varint::read(bytes)?))?;
    let row = u32::try_from(first).ok().filter(|row| *row < row_count)?;
    if count == 0 || count > u64::from(row_count) {
        return None;
    }
    *place = Place { hash, row };
    let mut rows = wanted(hash).then_some(rows);
    if let Some(rows) = &mut rows {
        rows.push(row);
    }
    let (mut left, mut row) = (count - 1, u64::from(row));
    while left > 0 {
        let gap = varint::read(bytes)?;
        let steps = if as_runs { varint::read(bytes)?.checked_add(1)? } else { 1 };
        left = left.checked_sub(steps)?;
        let end = gap.checked_add(1)?.checked_mul(steps)?.checked_add(row).filter(|end| *end < u64::from(row_count))?;
        if let Some(rows) = &mut rows {
            rows.extend((1..=steps).map(|step| (row + (gap + 1) * step) as u32));
        }
        row = end;
    }
    Some(hash)
}
