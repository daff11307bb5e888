//! The sealer: the thread that turns journal files into segments, one span after the other.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::time::Duration;

use counterfoil_entry::Fields;
use counterfoil_segment::blocks::BlockHashes;
use counterfoil_segment::index::SourceState;
use counterfoil_segment::{FORMAT_VERSION, ReadAt, Segment, SegmentMeta, Writer};
use counterfoil_tlog::{Hash, HashReader, leaf_hash};
use crossbeam_channel::{Receiver, Sender, bounded};

use crate::commit::Submission;
use crate::error::{Error, ErrorKind, Result};
use crate::journal::Journal;
use crate::layout::SegmentFile;
use crate::own::{FileDigest, SEALED, SealedFacts};
use crate::sealed::Sealed;
use crate::seen::Keys;
use crate::sequencer::{Request, SealJob, Shared};
use crate::snapshot::Snapshot;
use crate::sources::{SourceName, Sources};
use crate::tiles::{LevelHashes, SealedEntry, Trailer, segment_root};

/// How long a failed sealing waits before it is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(2);

/// The sealer's own state.
pub(crate) struct Sealer {
    pub shared: Arc<Shared>,
    pub requests: Sender<Request>,
    /// What was seen of every source up to the end of the newest segment.
    pub sources: Sources,
}

/// The bytes of a segment's three files.
struct Files {
    parquet: Vec<u8>,
    tiles: Vec<u8>,
    index: Vec<u8>,
}

impl Sealer {
    /// Seals what it is given until nobody can give any more. A failure is kept where `status` shows it, and tried again.
    pub fn run(mut self, jobs: &Receiver<SealJob>) {
        while let Ok(job) = jobs.recv() {
            while let Err(error) = self.seal(&job) {
                if error.kind == ErrorKind::Closed || self.shared.poison().is_some() {
                    return;
                }
                *self.shared.sealing_fault.lock().expect("no panic while held") = Some(error);
                self.shared.waiting_changed.notify_all();
                if self.wait_or_closed() {
                    return;
                }
            }
            *self.shared.sealing_fault.lock().expect("no panic while held") = None;
            *self.shared.waiting.lock().expect("no panic while held") -= job.range.end - job.range.start;
            self.shared.waiting_changed.notify_all();
        }
    }

    /// Waits before the next try; true when the ledger was closed meanwhile.
    fn wait_or_closed(&self) -> bool {
        let closing = self.shared.closing.lock().expect("no panic while held");
        let waited = self.shared.closed.wait_timeout_while(closing, RETRY_PAUSE, |closing| !*closing);
        *waited.expect("no panic while held").0
    }

    fn seal(&mut self, job: &SealJob) -> Result<()> {
        let snapshot = self.shared.snapshot();
        let mut sources = self.sources.clone();
        let facts = if self.files_exist(job.range.start) {
            self.collect_sources(job, &mut sources)?;
            self.check_files(job)?
        } else {
            let files = self.build(&snapshot, job, &mut sources)?;
            self.write(job, &files)?
        };
        self.record(&facts)?;
        self.sources = sources;
        self.drop_journals(self.install(job)?)
    }

    fn files_exist(&self, first: u64) -> bool {
        let folder = &self.shared.folder;
        SegmentFile::ALL.into_iter().all(|file| folder.disk.open(&folder.layout.segment(first, file)).is_ok())
    }

    fn collect_sources(&self, job: &SealJob, sources: &mut Sources) -> Result<()> {
        let mut fault = None;
        job.journal.for_each(job.range.clone(), &mut |_, bytes| match Fields::split(bytes) {
            Ok(fields) => note_source(&fields, sources),
            Err(error) => fault = Some(error),
        })?;
        fault.map_or(Ok(()), |error| Err(error.into()))
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
            if leaf_hash(bytes) != leaves[(index - range.start) as usize] {
                fault = Some(Error::tampered(format!("{}: entry {index} is not the one that was hashed", journal.name)));
            } else if let Err(error) = writer.push(bytes) {
                fault = Some(Error::segment(&journal.name, error));
            } else if let Ok(fields) = Fields::split(bytes) {
                note_source(&fields, sources);
                if fields.event_type == SEALED {
                    sealed.push(SealedEntry { index, canonical: bytes.to_vec() });
                }
            }
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
        Ok(Files { parquet: written.parquet, tiles, index: written.index })
    }

    /// Writes the files under temporary names, reads them back, compares, and only then gives them their names.
    fn write(&self, job: &SealJob, files: &Files) -> Result<SealedFacts> {
        let folder = &self.shared.folder;
        let contents = [&files.parquet, &files.tiles, &files.index];
        for (file, bytes) in SegmentFile::ALL.into_iter().zip(contents) {
            let temporary = self.temporary(job.range.start, file);
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
        let read_back = Segment::open(Arc::new(files.parquet.clone()) as Arc<dyn ReadAt>);
        let read_back = read_back.map_err(|error| Error::segment(format!("segment {}", job.range.start), error))?;
        check_leaves(&read_back, &job.journal, &job.range)?;
        for file in SegmentFile::ALL {
            let path = folder.layout.segment(job.range.start, file);
            let renamed = folder.disk.rename(&self.temporary(job.range.start, file), &path);
            renamed.map_err(|error| Error::io(folder.layout.relative(&path), error))?;
        }
        let synced = folder.disk.sync_folder(&folder.layout.segments());
        synced.map_err(|error| Error::io("segments", error))?;
        Ok(SealedFacts {
            first: job.range.start,
            count: job.range.end - job.range.start,
            root: read_back.meta().root,
            files: contents.map(|bytes| FileDigest::of(&BlockHashes::of(bytes))),
        })
    }

    fn temporary(&self, first: u64, file: SegmentFile) -> std::path::PathBuf {
        let mut path = self.shared.folder.layout.segment(first, file).into_os_string();
        path.push(".tmp");
        path.into()
    }

    /// Checks the files that a crash left before they were sealed, every leaf of them.
    fn check_files(&self, job: &SealJob) -> Result<SealedFacts> {
        let folder = &self.shared.folder;
        let mut digests = Vec::with_capacity(3);
        for file in SegmentFile::ALL {
            let path = folder.layout.segment(job.range.start, file);
            let bytes = folder.disk.read(&path).map_err(|error| Error::io(folder.layout.relative(&path), error))?;
            digests.push(FileDigest::of(&BlockHashes::of(&bytes)));
        }
        let path = folder.layout.segment(job.range.start, SegmentFile::Parquet);
        let name = folder.layout.relative(&path);
        let bytes = folder.disk.read(&path).map_err(|error| Error::io(&name, error))?;
        let segment = Segment::open(Arc::new(bytes) as Arc<dyn ReadAt>).map_err(|error| Error::segment(&name, error))?;
        if segment.meta().count != job.range.end - job.range.start {
            return Err(Error::damaged(format!("{name}: it does not hold the span that is to be sealed")));
        }
        check_leaves(&segment, &job.journal, &job.range)?;
        Ok(SealedFacts {
            first: job.range.start,
            count: segment.meta().count,
            root: segment.meta().root,
            files: digests.try_into().expect("three files"),
        })
    }

    fn record(&self, facts: &SealedFacts) -> Result<()> {
        let (reply, answer) = bounded(1);
        let submission = Submission { drafts: vec![facts.draft()], recorder: None, own: true };
        self.ask(Request::Append { submission, reply })?;
        answer.recv().map_err(|_| closed())?.map(|_| ())
    }

    fn install(&self, job: &SealJob) -> Result<Vec<Arc<Journal>>> {
        let (reply, answer) = bounded(1);
        let segment = Arc::new(Sealed::new(job.range.start, job.range.end - job.range.start));
        self.ask(Request::Install { segment, reply })?;
        answer.recv().map_err(|_| closed())?
    }

    fn ask(&self, request: Request) -> Result<()> {
        self.requests.send(request).map_err(|_| closed())
    }

    fn drop_journals(&self, journals: Vec<Arc<Journal>>) -> Result<()> {
        let folder = &self.shared.folder;
        for journal in journals {
            let path = folder.layout.journal(journal.first);
            folder.disk.remove(&path).map_err(|error| Error::io(&journal.name, error))?;
        }
        folder.disk.sync_folder(&folder.layout.journals()).map_err(|error| Error::io("journal", error))
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

/// Rebuilds every entry of a segment and compares its leaf with the journal's.
fn check_leaves(segment: &Segment, journal: &Journal, range: &Range<u64>) -> Result<()> {
    let leaves = journal.leaves(range.clone());
    let mut wrong = None;
    let faults = segment.scan(0..segment.meta().count, &mut |index, bytes| {
        if leaf_hash(bytes) == leaves[(index - range.start) as usize] {
            return ControlFlow::Continue(());
        }
        wrong = Some(index);
        ControlFlow::Break(())
    });
    let faults = faults.map_err(|error| Error::segment(format!("segment {}", range.start), error))?;
    match (wrong, faults.first()) {
        (None, None) => Ok(()),
        (Some(index), _) => {
            Err(Error::new(ErrorKind::Internal, format!("entry {index} is another one when it is read from its segment")))
        }
        (None, Some(fault)) => Err(Error::new(ErrorKind::Internal, format!("segment {}: {fault}", range.start))),
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
