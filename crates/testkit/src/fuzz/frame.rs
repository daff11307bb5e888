//! Journal frames from strangers.

use counterfoil::frame::{FrameHeader, HEADER_BYTES, table, table_bytes};

/// A header that parses is within its limits, and its table fits or is refused.
pub fn frame(bytes: &[u8]) {
    let Some(first) = bytes.first_chunk::<HEADER_BYTES>() else { return };
    let Ok(header) = FrameHeader::parse(first) else { return };
    let _ = header.check(bytes);
    let end = HEADER_BYTES + table_bytes(header.count);
    if let Some(rows) = bytes.get(HEADER_BYTES..end).and_then(|bytes| table(&header, bytes).ok()) {
        assert_eq!(rows.len(), header.count as usize);
    }
}
