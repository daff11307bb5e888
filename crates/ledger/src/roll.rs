//! From one journal file to the next: a new one is started, so that what is before it can be sealed, and the segment takes the
//! old one's place.

use std::sync::Arc;

use counterfoil_tlog::{Signer, TreeSize};

use crate::error::{Error, ErrorKind, Result};
use crate::frame::FrameBuilder;
use crate::journal::{FramePlace, Journal};
use crate::own::is_own;
use crate::room::Room;
use crate::sequencer::Sequencer;
use crate::shared::SealJob;
use crate::snapshot::Snapshot;

impl Sequencer {
    pub(crate) fn roll_when_full(&mut self) {
        let span = self.shared.folder.config.segment_span;
        let boundary = (self.journal.first / span + 1) * span;
        let size = self.tree.end().0;
        if size >= boundary {
            let rolled = self.roll(size / span * span);
            self.shared.faults().rolling = rolled.err();
        }
    }

    /// While no new journal file can be started the current one grows, but not for ever.
    pub(crate) fn refuse_when_it_cannot_roll(&mut self) -> Result<()> {
        if self.tree.end().0 - self.journal.first < self.shared.most_waiting() {
            return Ok(());
        }
        self.roll_when_full();
        match &self.shared.faults().rolling {
            Some(fault) => Err(Error::unavailable(format!("no new journal file can be started: {fault}"))),
            None => Ok(()),
        }
    }

    pub(crate) fn roll_early(&mut self) -> Result<()> {
        if let Some(error) = self.shared.poison() {
            return Err(error);
        }
        let boundary = self.tree.end().0 / 256 * 256;
        if boundary > self.journal.first { self.roll(boundary) } else { Ok(()) }
    }

    /// Starts the journal file of `boundary`, carries over the entries from there on, and hands the rest to the sealer.
    fn roll(&mut self, boundary: u64) -> Result<()> {
        let old = self.journal.clone();
        let new = start(&self.shared.snapshot(), self.signer.as_ref(), &old, boundary).inspect_err(|error| {
            if error.kind == ErrorKind::Poisoned {
                self.shared.set_poison(error.clone())
            }
        })?;
        let new = Arc::new(new);
        self.offset = new.end_offset();
        self.room = Room::of(Arc::clone(new.file()));
        self.journal = new.clone();
        self.shared.update_head(|head| {
            head.journals = head.journals.iter().cloned().chain([new]).collect();
        });
        let span = self.shared.folder.config.segment_span;
        let mut start = old.first;
        while start < boundary {
            let end = ((start / span + 1) * span).min(boundary);
            *self.shared.waiting.lock().expect("no panic while held") += end - start;
            let job = SealJob { journal: old.clone(), range: start..end };
            if self.jobs.as_ref().is_none_or(|jobs| jobs.send(job).is_err()) {
                return Err(Error::new(ErrorKind::Closed, "the sealer has ended"));
            }
            start = end;
        }
        Ok(())
    }

    /// Publishes the checkpoint that covers the entry of the newest segment, and lets go of the journal files whose entries are
    /// all in segments: whoever reads the folder needs them no more.
    pub(crate) fn retire(&mut self) -> Result<Vec<Arc<Journal>>> {
        self.publish()?;
        let sealed_size = self.shared.snapshot().sealed_size();
        let mut dropped = Vec::new();
        self.shared.update_head(|head| {
            let kept = head.journals.iter().skip(1).take_while(|next| next.first <= sealed_size).count();
            dropped = head.journals[..kept].to_vec();
            head.journals = head.journals[kept..].into();
        });
        if let Some(seen) = self.seen.get(false).inspect_err(|error| self.shared.set_poison(error.clone()))? {
            seen.forget_before(sealed_size, self.tree.end().0);
        }
        Ok(dropped)
    }
}

/// Makes the journal file that starts at `boundary`, a multiple of 256, and carries over the entries that `old` holds
/// from there on. The new file is durable before this returns; `old` still holds everything, so a crash in between
/// loses nothing. `Poisoned` when it is not known what became durable.
fn start(snapshot: &Snapshot, signer: &dyn Signer, old: &Journal, boundary: u64) -> Result<Journal> {
    let folder = &snapshot.folder;
    let path = folder.layout.journal(boundary);
    let name = folder.layout.relative(&path);
    let file = folder.disk.create(&path, 0o644).map_err(|error| Error::io(&name, error))?;
    let new = Journal::new(boundary, name.clone(), file.clone());
    let carried = carry(snapshot, signer, old, &new, boundary)
        .and_then(|()| file.sync().map_err(|error| Error::io(&name, error)))
        .and_then(|()| folder.disk.sync_folder(&folder.layout.journals()).map_err(|error| Error::io(&name, error)));
    match carried {
        Ok(()) => Ok(new),
        Err(error) => match folder.disk.remove(&path).and_then(|()| folder.disk.sync_folder(&folder.layout.journals()))
        {
            Ok(()) => Err(error),
            Err(_) => Err(Error::new(ErrorKind::Poisoned, format!("{name}: it is half made: {error}")).because(error)),
        },
    }
}

fn carry(snapshot: &Snapshot, signer: &dyn Signer, old: &Journal, new: &Journal, boundary: u64) -> Result<()> {
    let mut builder = FrameBuilder::default();
    let mut offset = 0;
    for place in old.frames(boundary..old.end()) {
        let first = place.header.first.max(boundary);
        builder.clear();
        old.for_each(first..place.header.end(), &mut |_, bytes| {
            builder.push(is_own(bytes), |out| out.extend_from_slice(bytes));
        })?;
        builder.hash();
        let root = counterfoil_tlog::root(snapshot, TreeSize(place.header.end()))?;
        let header = builder.finish(first, place.header.time_micros, root, snapshot.origin(), signer)?;
        new.file().write_at(offset, builder.bytes()).map_err(|error| Error::io(&new.name, error))?;
        let place = FramePlace { header, offset };
        offset = place.end_offset();
        let nodes = new.completed_nodes(builder.rows());
        new.publish(place, builder.rows(), &nodes);
    }
    Ok(())
}
