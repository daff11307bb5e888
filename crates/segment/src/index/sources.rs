use super::varint;

/// What was seen of one source when the segment's last entry was committed, in the whole ledger so far.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceState {
    /// The principal that submitted the source's entries, if they were submitted under one.
    pub recorder: Option<String>,
    /// The name of the source.
    pub source: String,
    /// The sequences seen: inclusive ranges, ascending, with a gap between any two.
    pub ranges: Vec<(u64, u64)>,
}

/// Writes the states, ordered by recorder and source.
pub(super) fn write(sources: &[SourceState], out: &mut Vec<u8>) {
    let mut ordered: Vec<&SourceState> = sources.iter().collect();
    ordered.sort_unstable();
    varint::write(ordered.len() as u64, out);
    for state in ordered {
        match &state.recorder {
            Some(recorder) => {
                varint::write(recorder.len() as u64 + 1, out);
                out.extend_from_slice(recorder.as_bytes());
            }
            None => varint::write(0, out),
        }
        varint::write(state.source.len() as u64, out);
        out.extend_from_slice(state.source.as_bytes());
        varint::write(state.ranges.len() as u64, out);
        let mut at = 0;
        for (from, to) in &state.ranges {
            varint::write(from.wrapping_sub(at), out);
            varint::write(to - from, out);
            at = *to;
        }
    }
}

/// The inverse of [`write`]; `None` for anything that it does not write.
pub(super) fn read(mut bytes: &[u8]) -> Option<Vec<SourceState>> {
    let bytes = &mut bytes;
    let mut states = Vec::new();
    for _ in 0..varint::read(bytes)? {
        let recorder = match varint::read(bytes)? {
            0 => None,
            length => Some(text(length - 1, bytes)?),
        };
        let length = varint::read(bytes)?;
        let source = text(length, bytes)?;
        let state = SourceState { recorder, source, ranges: ranges(bytes)? };
        if states.last().is_some_and(|last| *last >= state) {
            return None;
        }
        states.push(state);
    }
    bytes.is_empty().then_some(states)
}

fn ranges(bytes: &mut &[u8]) -> Option<Vec<(u64, u64)>> {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for _ in 0..varint::read(bytes)? {
        let gap = varint::read(bytes)?;
        let from = match ranges.last() {
            Some((_, to)) => to.checked_add(gap).filter(|_| gap > 1)?,
            None => gap,
        };
        ranges.push((from, from.checked_add(varint::read(bytes)?)?));
    }
    Some(ranges)
}

fn text(length: u64, bytes: &mut &[u8]) -> Option<String> {
    let (text, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
    *bytes = rest;
    String::from_utf8(text.to_vec()).ok()
}
