//! Reading a spool for shipping.

use counterfoil::{Error, ErrorKind, Snapshot};
use counterfoil_entry::{Fields, OWN_PREFIX};

/// The index to go on from, and index and JSON of entries.
pub type Unshipped = (u64, Vec<(u64, Vec<u8>)>);

/// Entries that are read from the ledger at a time.
const STEP: u64 = 256;

/// Client entries from `start` on: at most `most` of them, and no more once they have `most_bytes` bytes.
pub fn read(snapshot: &Snapshot, start: u64, most: usize, most_bytes: usize) -> Result<Unshipped, Error> {
    let mut found = Vec::new();
    let (mut at, mut bytes) = (start, 0);
    while at < snapshot.size() {
        let indices: Vec<u64> = (at..(at + STEP).min(snapshot.size())).collect();
        for (index, canonical) in indices.iter().zip(snapshot.entries(&indices)?) {
            if found.len() >= most || bytes >= most_bytes {
                return Ok((at, found));
            }
            at = index + 1;
            if let Some(json) = as_sent(&canonical)? {
                bytes += json.len();
                found.push((*index, json));
            }
        }
    }
    Ok((at, found))
}

/// An entry without `recorded_at`: its time stays as `timestamp`. None for the spool ledger's own acts.
pub fn as_sent(canonical: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    let fields = Fields::split(canonical)?;
    if fields.event_type.starts_with(OWN_PREFIX) {
        return Ok(None);
    }
    let member = format!(",\"recorded_at\":\"{}\"", fields.recorded_at);
    // Members are in order and `actor`, which every entry has, comes before. A text cannot contain the member's bare
    // quotes, but an object inside `context` could: `context` comes before too, so the last place is the member's.
    let place = canonical.windows(member.len()).rposition(|window| window == member.as_bytes());
    let place = place.ok_or_else(|| Error {
        kind: ErrorKind::Internal,
        message: "a spooled entry has no recorded_at".to_owned(),
        position: None,
        source: None,
    })?;
    let mut json = Vec::with_capacity(canonical.len());
    json.extend_from_slice(&canonical[..place]);
    json.extend_from_slice(&canonical[place + member.len()..]);
    Ok(Some(json))
}
