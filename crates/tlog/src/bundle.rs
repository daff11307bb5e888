//! Entry bundles: up to 256 entries, each behind its length in two bytes, big-endian (C2SP tlog-tiles, "Log entries").

use crate::Error;

/// The most bytes that an entry in a bundle may have.
pub const MAX_ENTRY_BYTES: usize = u16::MAX as usize;

/// The most entries of one bundle.
pub const MAX_ENTRIES: usize = 256;

/// Appends an entry to a bundle; [`Error::EntryTooLong`] beyond [`MAX_ENTRY_BYTES`].
pub fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), Error> {
    let length = u16::try_from(entry.len()).map_err(|_| Error::EntryTooLong(entry.len()))?;
    bundle.extend(length.to_be_bytes());
    bundle.extend(entry);
    Ok(())
}

/// The entries of a bundle, in order; [`Error::InvalidBundle`] when it is cut off or has more than [`MAX_ENTRIES`].
pub fn entries(bundle: &[u8]) -> Result<Vec<&[u8]>, Error> {
    let mut entries = Vec::new();
    let mut rest = bundle;
    while !rest.is_empty() {
        let cut_off = Error::InvalidBundle("it ends within an entry");
        let Some((length, bytes)) = rest.split_first_chunk::<2>() else { return Err(cut_off) };
        let Some((entry, bytes)) = bytes.split_at_checked(u16::from_be_bytes(*length).into()) else {
            return Err(cut_off);
        };
        if entries.len() == MAX_ENTRIES {
            return Err(Error::InvalidBundle("it has more than 256 entries"));
        }
        entries.push(entry);
        rest = bytes;
    }
    Ok(entries)
}
