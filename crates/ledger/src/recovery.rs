//! What the writer does with a folder before it goes on: finish what a crash left, refuse what no crash leaves.

use std::sync::Arc;

use crate::disk::DiskFile;
use crate::error::{Error, Result};
use crate::frame::{FrameError, HEADER_BYTES, MAX_FRAME_BYTES};
use crate::journal::{FramePlace, Journal, MAX_RESERVE_BYTES, ScanEnd, ZEROS};
use crate::layout::{SegmentFile, is_temporary};
use crate::load::{Loaded, Until, load, segment_firsts};
use crate::snapshot::Folder;

/// The unit in which a disk tears a write.
const SECTOR_BYTES: usize = 512;

/// A frame that a crash tore: it was never acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TornWrite {
    /// The journal file.
    pub file: String,
    /// Where the frame started.
    pub offset: u64,
    /// How many bytes were kept aside.
    pub bytes: u64,
    /// Where they were kept.
    pub kept: String,
}

/// Brings a folder into a state to go on from, and says what was torn.
pub(crate) fn recover(folder: &Arc<Folder>) -> Result<(Loaded, Option<TornWrite>)> {
    let mut torn = None;
    let loaded = loop {
        let loaded = load(folder.clone(), Until::End)?;
        match repair(folder, &loaded)? {
            Some(write) => torn = Some(write),
            None => break loaded,
        }
    };
    loaded.published()?;
    remove_leftovers(folder, &loaded)?;
    rewrite_last_frame(&loaded)?;
    Ok((loaded, torn))
}

/// Cuts a torn frame off the last journal file; `None` when nothing was torn.
fn repair(folder: &Folder, loaded: &Loaded) -> Result<Option<TornWrite>> {
    let journal = loaded.journals.last().expect("a folder has a journal file");
    let published = loaded.checkpoint.checkpoint.size.0;
    if let ScanEnd::Broken { offset, error } = &loaded.end {
        return set_aside(folder, journal, journal.end(), *offset, error, published).map(Some);
    }
    let Some(place) = journal.last_frame() else { return Ok(None) };
    let frame = journal.frame_bytes(&place)?;
    match place.header.check(&frame) {
        Ok(()) => Ok(None),
        Err(error) => set_aside(folder, journal, place.header.first, place.offset, &error, published).map(Some),
    }
}

/// Keeps the bytes of a torn frame, in front of which the journal ends at entry `end`, in a side file and clears its place.
/// Refuses anything that is not torn.
fn set_aside(
    folder: &Folder,
    journal: &Journal,
    end: u64,
    offset: u64,
    error: &FrameError,
    published: u64,
) -> Result<TornWrite> {
    let file = journal.file();
    let length = file.len();
    let last = last_nonzero(file.as_ref(), offset, length).map_err(|error| Error::io(&journal.name, error))?;
    let damaged = || Error::damaged(format!("{}: at byte {offset}: {error}", journal.name));
    if end < published || last - offset > (MAX_FRAME_BYTES + HEADER_BYTES) as u64 {
        return Err(damaged());
    }
    let mut bytes = vec![0; (last - offset) as usize];
    file.read_at(offset, &mut bytes).map_err(|error| Error::io(&journal.name, error))?;
    if !is_torn(&bytes, offset, frame_length(&bytes)) {
        return Err(damaged());
    }
    let side = folder.layout.state().join(format!("torn-{}-{offset}.frame", journal.first));
    let kept = folder.layout.relative(&side);
    let keep = || -> std::io::Result<()> {
        folder.disk.replace(&side, &bytes)?;
        file.write_at(offset, &vec![0; bytes.len()])?;
        file.sync()
    };
    keep().map_err(|error| Error::io(&kept, error))?;
    Ok(TornWrite { file: journal.name.clone(), offset, bytes: bytes.len() as u64, kept })
}

/// Whether what follows the last whole frame of a journal file looks like a write of which a part never arrived.
pub(crate) fn is_torn_at(journal: &Journal, offset: u64) -> bool {
    let file = journal.file();
    let Ok(end) = last_nonzero(file.as_ref(), offset, file.len()) else { return false };
    if end - offset > (MAX_FRAME_BYTES + HEADER_BYTES) as u64 {
        return false;
    }
    let mut bytes = vec![0; (end - offset) as usize];
    file.read_at(offset, &mut bytes).is_ok() && is_torn(&bytes, offset, frame_length(&bytes))
}

/// The length that a frame's header gives it, if it has one.
fn frame_length(bytes: &[u8]) -> Option<u64> {
    let header = bytes.first_chunk::<HEADER_BYTES>()?;
    crate::frame::FrameHeader::parse(header).ok().map(|header| header.total_bytes())
}

/// Whether bytes that end in the last one that is not zero are a write of which a part never arrived.
fn is_torn(bytes: &[u8], offset: u64, length: Option<u64>) -> bool {
    let cut_short = crate::frame::is_start(bytes) || length.is_some_and(|length| (bytes.len() as u64) < length);
    let lead = (SECTOR_BYTES - (offset as usize % SECTOR_BYTES)) % SECTOR_BYTES;
    let (first, rest) = bytes.split_at(lead.min(bytes.len()));
    let zero = |sector: &[u8]| !sector.is_empty() && sector.iter().all(|byte| *byte == 0);
    let missing = zero(first) || rest.chunks_exact(SECTOR_BYTES).any(zero);
    let fits = length.is_none_or(|length| bytes.len() as u64 <= length);
    fits && (cut_short || missing)
}

/// One past the last byte that is not zero; `to` where the file is longer than any writer makes it.
fn last_nonzero(file: &dyn DiskFile, from: u64, to: u64) -> std::io::Result<u64> {
    if to - from > MAX_RESERVE_BYTES {
        return Ok(to);
    }
    let mut end = to;
    let mut buffer = vec![0; 1 << 16];
    while end > from {
        let start = end.saturating_sub(1 << 16).max(from);
        let part = &mut buffer[..(end - start) as usize];
        file.read_at(start, part)?;
        if *part != ZEROS[..part.len()]
            && let Some(position) = part.iter().rposition(|byte| *byte != 0)
        {
            return Ok(start + position as u64 + 1);
        }
        end = start;
    }
    Ok(from)
}

/// Removes what a crash left between two steps: temporary files, part of a segment, journals that are sealed. Names that
/// a killed writer left are durable afterwards, and so is their removal.
fn remove_leftovers(folder: &Folder, loaded: &Loaded) -> Result<()> {
    let layout = &folder.layout;
    let mut leftovers = Vec::new();
    let segments = layout.segments();
    let names = folder.disk.list(&segments).map_err(|error| Error::io("segments", error))?;
    leftovers.extend(names.iter().filter(|name| is_temporary(name)).map(|name| segments.join(name)));
    leftovers.extend([layout.checkpoint().with_extension("tmp"), layout.pruned().with_extension("tmp")]);
    let (_, partial) = segment_firsts(folder)?;
    leftovers.extend(partial.iter().flat_map(|first| SegmentFile::ALL.map(|file| layout.segment(*first, file))));
    let journals = loaded.sealed_journals.iter().chain(&loaded.unused_roll);
    leftovers.extend(journals.map(|first| layout.journal(*first)));
    for path in leftovers {
        match folder.disk.remove(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io(layout.relative(&path), error));
            }
            _ => {}
        }
    }
    for parent in [layout.segments(), layout.journals(), layout.root().to_owned()] {
        folder.disk.sync_folder(&parent).map_err(|error| Error::io(layout.relative(&parent), error))?;
    }
    Ok(())
}

/// Writes the last frame again and syncs it: the crash may have come between its write and its sync.
fn rewrite_last_frame(loaded: &Loaded) -> Result<()> {
    let journal = loaded.journals.last().expect("a folder has a journal file");
    let Some(FramePlace { offset, .. }) = journal.last_frame() else { return Ok(()) };
    let frame = journal.frame_bytes(&journal.last_frame().expect("there is one"))?;
    let write = || {
        journal.file().write_at(offset, &frame)?;
        journal.file().sync()
    };
    write().map_err(|error| Error::io(&journal.name, error))
}
