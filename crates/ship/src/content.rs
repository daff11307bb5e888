//! What an object is written from: bytes in memory, or a file that is read piece by piece.

use std::sync::Arc;

use bytes::Bytes;
use counterfoil::{Error, ErrorKind, Result};
use counterfoil_segment::ReadAt;

/// The content of an object.
pub type Content = Arc<dyn ReadAt>;

/// The bytes of a part of it.
pub fn piece(key: &str, content: &Content, start: u64, end: u64) -> Result<Bytes> {
    let mut bytes = vec![0; (end - start) as usize];
    content.read_at(start, &mut bytes).map_err(|error| {
        let kind = match counterfoil_segment::blocks::BlockMismatch::in_error(&error) {
            Some(_) => ErrorKind::Tampered,
            None => ErrorKind::Unavailable,
        };
        Error::new(kind, format!("{key}: what is to be shipped cannot be read: {error}")).because(error)
    })?;
    Ok(bytes.into())
}
