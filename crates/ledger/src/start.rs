//! What a writer starts from: its lock on the folder, and the tree, the sources and the unsealed spans that are found there.

use std::path::Path;
use std::sync::Arc;

use counterfoil_tlog::{CompactRange, LeafIndex};
use crossbeam_channel::Sender;

use crate::disk::{FolderLock, is_network_file_system};
use crate::error::{Error, ErrorKind, Result};
use crate::options::OpenOptions;
use crate::shared::{SealJob, Shared};
use crate::snapshot::{Folder, Head, Snapshot};
use crate::sources::{Ranges, SourceName, Sources};

/// The tree of `end` entries, from the segments' hashes and the journal's.
pub(crate) fn tree_at(folder: &Arc<Folder>, head: &Head, sealed_size: u64, end: u64) -> Result<CompactRange> {
    let snapshot = Snapshot { folder: folder.clone(), head: Arc::new(Head { size: end, ..head.clone() }) };
    let mut tree = CompactRange::new(LeafIndex(0));
    let mut at = 0;
    for (level, index) in counterfoil_tlog::cover(0, sealed_size) {
        let hash = counterfoil_tlog::HashReader::node(&snapshot, level, index)?;
        let node_end = at + (1 << level);
        let node = CompactRange::from_parts(LeafIndex(at), counterfoil_tlog::TreeSize(node_end), vec![hash])?;
        tree.append(&node)?;
        at = node_end;
    }
    for (position, journal) in head.journals.iter().enumerate() {
        let next = head.journals.get(position + 1).map_or(end, |next| next.first);
        if tree.end().0 < next {
            journal.extend(&mut tree, next);
        }
    }
    Ok(tree)
}

/// The time of the last frame. Its root must be the tree's and its signature the ledger's: what stands behind the
/// published checkpoint is covered by nothing else, and the writer is about to sign it.
pub(crate) fn check_last_frame(folder: &Folder, head: &Head) -> Result<i64> {
    let newest = head.journals.iter().rev().find_map(|journal| Some((journal, journal.last_frame()?)));
    let Some((journal, place)) = newest else { return Ok(i64::MIN) };
    let header = place.header;
    if header.end() == head.size && header.root != head.root {
        let message = format!("{}: its entries do not have the root that its last frame names", journal.name);
        return Err(Error::tampered(message));
    }
    let frame = journal.frame_bytes(&place)?;
    folder.config.check_frame(&header, &frame).map_err(|error| {
        let message = format!("{}: its last frame was not written by the ledger: {error}", journal.name);
        Error::tampered(message).because(error)
    })?;
    Ok(header.time_micros)
}

/// Refuses a folder that does not extend a checkpoint which was handed out: what it signed next would be a second history.
pub(crate) fn must_extend(folder: &Arc<Folder>, head: &Head, note: &[u8]) -> Result<()> {
    let foreign = |error| Error::tampered(format!("the checkpoint to extend is not this ledger's: {error}"));
    let known = folder.config.open_checkpoint(note, &[]).map_err(foreign)?.checkpoint;
    let size = known.size.0;
    if size > head.size {
        return Err(Error::tampered(format!(
            "the ledger was rolled back: it signed a checkpoint of {size} entries, and the folder holds {}",
            head.size
        )));
    }
    let snapshot = Snapshot { folder: folder.clone(), head: Arc::new(head.clone()) };
    if size == 0 || counterfoil_tlog::root(&snapshot, known.size)? == known.root {
        return Ok(());
    }
    Err(Error::tampered(format!(
        "the folder is a fork: its first {size} entries are not those of the checkpoint that was signed over {size}"
    )))
}

pub(crate) fn sealed_sources(snapshot: &Snapshot) -> Result<Sources> {
    let mut sources = Sources::default();
    if let Some(newest) = snapshot.segments().last() {
        let states = newest.index()?.sources().map_err(|error| Error::segment(newest.name(), error))?;
        for state in states {
            let name = SourceName { recorder: state.recorder, source: state.source };
            sources.put(name, Ranges::from_parts(state.ranges));
        }
    }
    Ok(sources)
}

/// Hands to the sealer what an earlier run left unsealed.
pub(crate) fn queue_unsealed(shared: &Shared, snapshot: &Snapshot, jobs: &Sender<SealJob>) {
    let span = shared.folder.config.segment_span;
    let mut start = snapshot.sealed_size();
    for pair in snapshot.head.journals.windows(2) {
        while start < pair[1].first {
            let end = ((start / span + 1) * span).min(pair[1].first);
            *shared.waiting.lock().expect("no panic while held") += end - start;
            let _ = jobs.send(SealJob { journal: pair[0].clone(), range: start..end });
            start = end;
        }
    }
}

/// Locks the folder for this process.
pub(crate) fn lock_folder(folder: &Folder) -> Result<Box<dyn FolderLock>> {
    let root = folder.layout.root();
    folder.disk.lock(root).map_err(|error| match error.kind() {
        std::io::ErrorKind::WouldBlock => Error::new(
            ErrorKind::Busy,
            format!("{} is being written by another process; a ledger has one writer at a time", root.display()),
        ),
        _ => Error::io(root.display(), error),
    })
}

/// Refuses a folder where locks and syncs promise too little, unless that is allowed.
pub(crate) fn refuse_network_file_system(path: &Path, open: &OpenOptions) -> Result<()> {
    if open.allow_network_file_system || !is_network_file_system(path).unwrap_or(false) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{} is on a network file system, where a lock or a sync may not hold; allow it explicitly if you are sure",
        path.display()
    )))
}
