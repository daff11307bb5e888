//! The sealer: the thread that turns journal files into segments, one span after the other.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::time::Duration;

use counterfoil_entry::Fields;
use counterfoil_segment::blocks::BlockHashes;
use counterfoil_segment::index::SourceState;
use counterfoil_segment::{FORMAT_VERSION, ReadAt, Segment, SegmentMeta, Writer, on_all_cores};
use counterfoil_tlog::{Hash, HashReader, LeafHasher};
use crossbeam_channel::Receiver;

use crate::commit::Submission;
use crate::error::{Error, ErrorKind, Result};
use crate::journal::Journal;
use crate::layout::SegmentFile;
use crate::own::{FileDigest, SEALED, SealedFacts};
use crate::sealed::Sealed;
use crate::seen::Keys;
use crate::shared::{Queue, Reply, Request, SealJob, Shared};
use crate::snapshot::Snapshot;
use crate::sources::{SourceName, Sources};
use crate::tiles::{LevelHashes, SealedEntry, Trailer, segment_root};

/// How long a failed sealing waits before it is tried again: twice as long each time, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The sealer's own state.
pub(crate) struct Sealer {
    pub shared: Arc<Shared>,
    pub queue: Queue,
    /// What was seen of every source up to the end of the newest segment.
    pub sources: Sources,
    /// Journal files whose entries are all in segments.
    pub sealed_journals: Vec<Arc<Journal>>,
}

/// The bytes of a segment's three files.
struct Files {
    parquet: Arc<Vec<u8>>,
    tiles: Vec<u8>,
    index: Vec<u8>,
    digests: [FileDigest; 3],
}

impl Sealer {
    /// Seals what it is given until nobody can give any more. A failure is kept where `status` shows it, and tried again.
    pub fn run(mut self, jobs: &Receiver<SealJob>) {
        let _guard = self.shared.poison_on_panic("sealing");
        while let Ok(job) = jobs.recv() {
            let mut pause = FIRST_PAUSE;
            while let Err(error) = self.seal(&job) {
                if error.kind == ErrorKind::Closed || self.shared.poison().is_some() {
                    return;
                }
                self.shared.faults().sealing = Some(error);
                self.shared.waiting_changed.notify_all();
                if self.wait_or_closed(pause) {
                    return;
                }
                pause = (2 * pause).min(LONGEST_PAUSE);
            }
            self.shared.faults().sealing = None;
            *self.shared.waiting.lock().expect("no panic while held") -= job.range.end - job.range.start;
            self.shared.waiting_changed.notify_all();
        }
    }

    /// Waits before the next try; true when the ledger was closed meanwhile.
    fn wait_or_closed(&self, pause: Duration) -> bool {
        let closing = self.shared.closing.lock().expect("no panic while held");
        let waited = self.shared.closed.wait_timeout_while(closing, pause, |closing| !*closing);
        *waited.expect("no panic while held").0
    }

    /// Takes the steps that are still to be done; one that was done is not done again when a later one failed.
    fn seal(&mut self, job: &SealJob) -> Result<()> {
        let snapshot = self.shared.snapshot();
        if snapshot.sealed_size() < job.range.end {
            let mut sources = self.sources.clone();
            let files = self.build(&snapshot, job, &mut sources)?;
            let facts = self.write(job, &files)?;
            self.record(&facts)?;
            self.sources = sources;
        }
        self.sealed_journals.extend(self.retire()?);
        self.drop_journals()
    }

    /// Builds the three files in memory.
    fn build(&self, snapshot: &Snapshot, job: &SealJob, sources: &mut Sources) -> Result<Files> {
        let SealJob { journal, range } = job;
        let leaves = journal.leaves(range.clone());
        let nodes = journal.nodes(range.clone());
        let mut writer = Writer::new(range.start);
        let mut sealed = Vec::new();
        let mut fault = None;
        journal.for_each(range.clone(), &mut |index, bytes| {
            if fault.is_some() {
                return;
            }
            let pushed = Fields::split(bytes).map_err(Error::from).and_then(|fields| {
                note_source(&fields, sources);
                if fields.event_type == SEALED {
                    sealed.push(SealedEntry { index, canonical: bytes.to_vec() });
                }
                writer.push_fields(&fields, bytes.len()).map_err(|error| Error::segment(&journal.name, error))
            });
            fault = pushed.err();
        })?;
        if let Some(fault) = fault {
            return Err(fault);
        }
        let meta = meta(snapshot, range, segment_root(&nodes, &leaves[nodes.len() * 256..]))?;
        let states: Vec<SourceState> = sources.iter().map(|(name, ranges)| source_state(name, ranges)).collect();
        let written = writer.finish(&meta, &states);
        let written = written.map_err(|error| Error::segment(format!("segment {}", range.start), error))?;
        let trailer =
            Trailer { parquet: BlockHashes::of(&written.parquet), index: BlockHashes::of(&written.index), sealed };
        let earlier = |level: u8, start: u64, count: u64| -> Result<Vec<Hash>> {
            (start..start + count).map(|index| snapshot.node(8 * level, index)).collect()
        };
        let tiles = LevelHashes::compute(range.start, leaves, nodes, earlier)?.encode(&trailer);
        let digests = [&trailer.parquet, &BlockHashes::of(&tiles), &trailer.index].map(FileDigest::of);
        Ok(Files { parquet: Arc::new(written.parquet), tiles, index: written.index, digests })
    }

    /// Writes the files under temporary names and reads them back, rebuilds every entry meanwhile, and only then gives
    /// the files their names. Files that a crash left unsealed are replaced: nobody vouches for them.
    fn write(&self, job: &SealJob, files: &Files) -> Result<SealedFacts> {
        let folder = &self.shared.folder;
        let first = job.range.start;
        let segment = Segment::open(files.parquet.clone() as Arc<dyn ReadAt>);
        let segment = segment.map_err(|error| Error::segment(format!("segment {first}"), error))?;
        std::thread::scope(|scope| {
            let writing = scope.spawn(|| self.write_and_compare(first, files));
            let checked = check_leaves(&segment, &job.journal, &job.range);
            writing.join().expect("writing does not panic").and(checked)
        })?;
        for file in SegmentFile::ALL {
            let path = folder.layout.segment(first, file);
            let renamed = folder.disk.rename(&self.temporary(first, file), &path);
            renamed.map_err(|error| Error::io(folder.layout.relative(&path), error))?;
        }
        let synced = folder.disk.sync_folder(&folder.layout.segments());
        synced.map_err(|error| Error::io("segments", error))?;
        Ok(SealedFacts {
            first,
            count: job.range.end - job.range.start,
            root: segment.meta().root,
            files: files.digests,
        })
    }

    /// Makes sure that the disk gives back the very bytes whose entries are rebuilt.
    fn write_and_compare(&self, first: u64, files: &Files) -> Result<()> {
        let folder = &self.shared.folder;
        let contents = [&*files.parquet, &files.tiles, &files.index];
        for (file, bytes) in SegmentFile::ALL.into_iter().zip(contents) {
            let temporary = self.temporary(first, file);
            let name = folder.layout.relative(&temporary);
            match folder.disk.remove(&temporary) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(Error::io(name, error)),
                _ => {}
            }
            folder.disk.write_new(&temporary, 0o444, bytes).map_err(|error| Error::io(&name, error))?;
            let found = folder.disk.read(&temporary).map_err(|error| Error::io(&name, error))?;
            if found != *bytes {
                return Err(Error::damaged(format!("{name}: what was read back is not what was written")));
            }
        }
        Ok(())
    }

    fn temporary(&self, first: u64, file: SegmentFile) -> std::path::PathBuf {
        let mut path = self.shared.folder.layout.segment(first, file).into_os_string();
        path.push(".tmp");
        path.into()
    }

    fn record(&self, facts: &SealedFacts) -> Result<()> {
        let seals = Some(Arc::new(Sealed::new(facts.first, facts.count)));
        let submission = Submission { drafts: vec![facts.draft()], recorder: None, own: true, seals };
        let answer = self.queue.ask(|waiting| Request::Append { submission, reply: Reply::to(waiting) })?;
        answer.recv().map_err(|_| closed())?.map(|_| ())
    }

    fn retire(&self) -> Result<Vec<Arc<Journal>>> {
        let answer = self.queue.ask(|reply| Request::Retire { reply })?;
        answer.recv().map_err(|_| closed())?
    }

    fn drop_journals(&mut self) -> Result<()> {
        let folder = &self.shared.folder;
        for journal in &self.sealed_journals {
            match folder.disk.remove(&folder.layout.journal(journal.first)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::io(&journal.name, error));
                }
                _ => {}
            }
        }
        folder.disk.sync_folder(&folder.layout.journals()).map_err(|error| Error::io("journal", error))?;
        self.sealed_journals.clear();
        Ok(())
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the ledger was closed")
}

/// What the segment says of itself.
fn meta(snapshot: &Snapshot, range: &Range<u64>, root: Hash) -> Result<SegmentMeta> {
    let peaks = |size: u64| -> Result<Vec<Hash>> {
        counterfoil_tlog::cover(0, size).map(|(level, index)| snapshot.node(level, index)).collect()
    };
    Ok(SegmentMeta {
        format_version: FORMAT_VERSION,
        origin: snapshot.origin().to_string(),
        first: range.start,
        count: range.end - range.start,
        root,
        before: peaks(range.start)?,
        after: peaks(range.end)?,
        checkpoint: snapshot.checkpoint().to_owned(),
    })
}

/// Rebuilds every entry of a segment, its row groups on all processors, and compares its leaf with the journal's.
fn check_leaves(segment: &Segment, journal: &Journal, range: &Range<u64>) -> Result<()> {
    let checked = on_all_cores(segment.row_groups(), |rows| check_rows(segment, rows, journal, range.start));
    checked.into_iter().collect()
}

fn check_rows(segment: &Segment, rows: Range<u64>, journal: &Journal, first: u64) -> Result<()> {
    let mut leaves = LeafHasher::default();
    let faults = segment.scan(rows.clone(), &mut |_, bytes| {
        leaves.push(bytes);
        ControlFlow::Continue(())
    });
    let faults = faults.map_err(|error| Error::segment(format!("segment {first}"), error))?;
    if let Some(fault) = faults.first() {
        return Err(Error::new(ErrorKind::Internal, format!("segment {first}: {fault}")));
    }
    let range = first + rows.start..first + rows.end;
    let (expected, found) = (journal.leaves(range.clone()), leaves.finish());
    match range.zip(expected.iter().zip(&found)).find(|(_, (expected, found))| expected != found) {
        None => Ok(()),
        Some((index, _)) => Err(Error::new(
            ErrorKind::Internal,
            format!("entry {index} is another one when it is read from its segment"),
        )),
    }
}

/// Adds an entry's sequence number to its source.
pub(crate) fn note_source(fields: &Fields<'_>, sources: &mut Sources) {
    if let Some(keys) = fields.source.is_some().then(|| Keys::of_fields(fields)).flatten()
        && let Some((source, sequence)) = keys.sequence
    {
        sources.insert(&SourceName { recorder: keys.recorder, source }, sequence);
    }
}

/// A source as an index file holds it.
pub(crate) fn source_state(name: &SourceName, ranges: &crate::sources::Ranges) -> SourceState {
    SourceState { recorder: name.recorder.clone(), source: name.source.clone(), ranges: ranges.parts().to_vec() }
}
