//! Starting a new journal file, so that everything before it can be sealed.

use counterfoil_tlog::{Signer, TreeSize};

use crate::error::{Error, ErrorKind, Result};
use crate::frame::FrameBuilder;
use crate::journal::{FramePlace, Journal};
use crate::own::is_own;
use crate::snapshot::Snapshot;

/// Makes the journal file that starts at `boundary`, a multiple of 256, and carries over the entries that `old` holds
/// from there on. The new file is durable before this returns; `old` still holds everything, so a crash in between
/// loses nothing. `Poisoned` when it is not known what became durable.
pub(crate) fn start(snapshot: &Snapshot, signer: &dyn Signer, old: &Journal, boundary: u64) -> Result<Journal> {
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
