//! Letting go of segments that a bucket holds, and fetching them back.

use std::collections::HashSet;
use std::io::ErrorKind::NotFound;
use std::sync::Arc;

use counterfoil_entry::check_recorder;
use counterfoil_segment::blocks::BLOCK_BYTES;

use crate::error::{Error, Result};
use crate::layout::SegmentFile;
use crate::ledger::Ledger;
use crate::own;
use crate::pruned::{self, LetGo, OnlyInCopy, Pruned};
use crate::sealed::Sealed;
use crate::sealed_segment::SealedSegment;
use crate::shared::lock;
use crate::snapshot::{Folder, Snapshot};

impl Ledger {
    /// Removes the Parquet files of the segments in front of `pruned.below`, which stand at `pruned.place` in a copy whose
    /// newest checkpoint covers `covered` entries; the caller has made sure of that. Tiles, indexes and the ends of the
    /// files stay, so that proofs, lookups and what a query can leave out need no network.
    ///
    /// The trail says it first, then `pruned.toml`, then the files go: after a crash between two of these every file is
    /// still in the folder or can be read from the place, and calling again goes on. Whoever reads a file meanwhile reads on.
    /// A file of a single block stays: nothing would be gained.
    ///
    /// Errors: `Invalid` for an index where no segment ends, or another place than the one pruned to before.
    pub fn prune(&self, pruned: Pruned, covered: u64) -> Result<LetGo> {
        self.prune_as(own::ACTOR, pruned, covered)
    }

    /// [`prune`](Self::prune) as an act of a principal: its name becomes the entry's `actor`.
    pub fn prune_as(&self, principal: &str, pruned: Pruned, covered: u64) -> Result<LetGo> {
        check_recorder(principal)?;
        let _alone = self.pruning.lock().expect("no panic while held");
        let snapshot = self.snapshot();
        let folder = &snapshot.folder;
        let below = pruned.below;
        let pruned = merged(folder, &snapshot, pruned)?;
        let (mut leaving, mut going) = (Vec::new(), LetGo::default());
        let segments = snapshot.segments().into_iter().filter(|segment| segment.first() < below);
        for segment in segments.filter(SealedSegment::may_go) {
            going.add(segment.count(), segment.parquet()?.len());
            leaving.push(segment);
        }
        let Some(first) = leaving.first().map(SealedSegment::first) else { return Ok(going) };
        let (disk, layout) = (folder.disk.as_ref(), &folder.layout);
        // Signed is what was asked for and compared, whatever the file says of before.
        let compared = Pruned { below, place: pruned.place.clone() };
        self.append_own(vec![compared.draft(principal, first, covered, &going)])?;
        pruned.write(disk, layout)?;
        for segment in &leaving {
            keep_footer(segment)?;
        }
        disk.sync_folder(&layout.segments()).map_err(|error| Error::io("segments", error))?;
        pruned::remove(disk, layout, leaving.iter().map(|gone| layout.segment(gone.first(), SegmentFile::Parquet)))?;
        self.reopen(|segment| pruned.covers(segment.first));
        Ok(going)
    }

    /// Brings every pruned Parquet file back into the folder, each block checked against what was sealed.
    ///
    /// Errors: `Unavailable` when the place does not answer; what came back stays, and calling again goes on.
    pub fn fetch_pruned(&self) -> Result<LetGo> {
        let _alone = self.pruning.lock().expect("no panic while held");
        let snapshot = self.snapshot();
        let folder = &snapshot.folder;
        let (disk, layout) = (folder.disk.as_ref(), &folder.layout);
        let mut back = LetGo::default();
        let Some(pruned) = Pruned::read(disk, layout)? else { return Ok(back) };
        let covered = || snapshot.segments().into_iter().filter(|segment| pruned.covers(segment.first()));
        for segment in covered().filter(|segment| !segment.is_here()) {
            let path = layout.segment(segment.first(), SegmentFile::Parquet);
            back.add(segment.count(), pruned::write_whole(disk, layout, &path, segment.parquet()?.as_ref(), 0)?);
        }
        disk.sync_folder(&layout.segments()).map_err(|error| Error::io("segments", error))?;
        pruned::remove(disk, layout, covered().map(|segment| layout.footer(segment.first())))?;
        disk.remove(&layout.pruned()).map_err(|error| Error::io("pruned.toml", error))?;
        disk.sync_folder(layout.root()).map_err(|error| Error::io("pruned.toml", error))?;
        self.reopen(|segment| pruned.covers(segment.first));
        Ok(back)
    }

    /// Has whoever reads from now on open these segments anew: a removed file takes its place on the disk until nobody has
    /// it open.
    fn reopen(&self, which: impl Fn(&Sealed) -> bool) {
        let _sequencer = lock(&self.sequencer);
        self.shared.update_head(|head| {
            let again = |segment: &Arc<Sealed>| match which(segment) {
                true => Arc::new(Sealed::new(segment.first, segment.count)),
                false => segment.clone(),
            };
            head.segments = head.segments.iter().map(again).collect();
        });
    }
}

impl Snapshot {
    /// What only the copy holds, if segments were pruned.
    pub fn only_in_copy(&self) -> Result<Option<OnlyInCopy>> {
        let Some(Pruned { place, below }) = self.pruned()? else { return Ok(None) };
        let names = self.folder.disk.list(&self.folder.layout.segments());
        let names: HashSet<String> = names.map_err(|error| Error::io("segments", error))?.into_iter().collect();
        let mut gone = LetGo::default();
        for sealed in self.head.segments.iter().take_while(|segment| segment.first < below) {
            let path = self.folder.layout.segment(sealed.first, SegmentFile::Parquet);
            let is_here = path.file_name().is_some_and(|name| names.contains(&*name.to_string_lossy()));
            if !is_here {
                gone.add(sealed.count, sealed.parquet_length(&self.folder)?);
            }
        }
        Ok(Some(OnlyInCopy { place, gone }))
    }
}

/// Keeps what is read to open a segment.
fn keep_footer(segment: &SealedSegment) -> Result<()> {
    let start = segment.segment()?.footer_start();
    let folder = &segment.snapshot.folder;
    let path = folder.layout.footer(segment.first());
    match folder.disk.remove(&path) {
        Err(error) if error.kind() != NotFound => return Err(Error::io(folder.layout.relative(&path), error)),
        _ => {}
    }
    let start = start - start % BLOCK_BYTES as u64;
    pruned::write_whole(folder.disk.as_ref(), &folder.layout, &path, segment.parquet()?.as_ref(), start).map(drop)
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
