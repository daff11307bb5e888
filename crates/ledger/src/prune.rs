//! Letting go of segments that a bucket holds, and fetching them back.

use crate::error::{Error, Result};
use crate::layout::SegmentFile;
use crate::ledger::Ledger;
use crate::pruned::{self, LetGo, Pruned};
use crate::snapshot::{Folder, Snapshot};

impl Ledger {
    /// Removes the Parquet files of the segments in front of `pruned.below`, which stand at `pruned.place` in a copy whose
    /// newest checkpoint covers `covered` entries; the caller has made sure of that. Tiles and indexes stay, so that
    /// proofs and lookups need no network.
    ///
    /// The trail says it first, then `pruned.toml`, then the files go: after a crash between two of these every file is
    /// still in the folder or can be read from the place, and calling again goes on.
    ///
    /// Errors: `Invalid` for an index where no segment ends, or another place than the one pruned to before.
    pub fn prune(&self, pruned: Pruned, covered: u64) -> Result<LetGo> {
        let snapshot = self.snapshot();
        let folder = &snapshot.folder;
        let pruned = merged(folder, &snapshot, pruned)?;
        let mut firsts = Vec::new();
        let mut going = LetGo::default();
        for segment in snapshot.segments().iter().filter(|segment| pruned.covers(segment.first())) {
            if let Ok(file) = folder.disk.open(&folder.layout.segment(segment.first(), SegmentFile::Parquet)) {
                firsts.push(segment.first());
                going.segments += 1;
                going.bytes += file.len();
            }
        }
        if !firsts.is_empty() {
            self.append_own(vec![pruned.draft(covered, &going)])?;
            pruned.write(folder.disk.as_ref(), &folder.layout)?;
            pruned::remove(folder.disk.as_ref(), &folder.layout, &firsts)?;
        }
        Ok(going)
    }

    /// Brings every pruned Parquet file back into the folder, each block checked against what was sealed.
    ///
    /// Errors: `Unavailable` when the place does not answer; what came back stays, and calling again goes on.
    pub fn fetch_pruned(&self) -> Result<LetGo> {
        let snapshot = self.snapshot();
        let folder = &snapshot.folder;
        let (disk, layout) = (folder.disk.as_ref(), &folder.layout);
        let mut back = LetGo::default();
        let Some(pruned) = Pruned::read(disk, layout)? else { return Ok(back) };
        for segment in snapshot.segments().iter().filter(|segment| pruned.covers(segment.first())) {
            if disk.open(&layout.segment(segment.first(), SegmentFile::Parquet)).is_err() {
                back.bytes += pruned::bring_back(disk, layout, segment.first(), segment.parquet()?.as_ref())?;
                back.segments += 1;
            }
        }
        disk.sync_folder(&layout.segments()).map_err(|error| Error::io("segments", error))?;
        disk.remove(&layout.pruned()).map_err(|error| Error::io("pruned.toml", error))?;
        disk.sync_folder(layout.root()).map_err(|error| Error::io("pruned.toml", error))?;
        Ok(back)
    }
}

/// What `pruned.toml` is to say, with what it says already.
fn merged(folder: &Folder, snapshot: &Snapshot, mut pruned: Pruned) -> Result<Pruned> {
    let ends = snapshot.segments().iter().any(|segment| segment.first() + segment.count() == pruned.below);
    if pruned.below > 0 && !ends {
        return Err(Error::invalid(format!("no segment ends before entry {}", pruned.below)));
    }
    if let Some(before) = Pruned::read(folder.disk.as_ref(), &folder.layout)? {
        if before.place != pruned.place {
            let place = before.place;
            let message = format!(
                "segments were pruned to {place}: fetch them back (counterfoil prune --fetch) before another place"
            );
            return Err(Error::invalid(message));
        }
        pruned.below = pruned.below.max(before.below);
    }
    Ok(pruned)
}
