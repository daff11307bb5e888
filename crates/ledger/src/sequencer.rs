//! The sequencer: it gives entries their order, makes them durable and signs what they add up to, one commit at a time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use counterfoil_entry::Timestamp;
use counterfoil_tlog::{Checkpoint, CompactRange, Hash, Signer, TreeSize};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use crate::commit::{Commit, Placed, Submission};
use crate::error::{Error, ErrorKind, Result};
use crate::frame::{FrameBuilder, FrameHeader, HEADER_BYTES, MAX_FRAME_BYTES, MAX_FRAME_ENTRIES};
use crate::journal::{FramePlace, Journal, NODE_LEVEL};
use crate::options::OnCommit;
use crate::receipt::Receipt;
use crate::room::Room;
use crate::sealed::Sealed;
use crate::shared::{Queue, Reply, Request, SealJob, Shared, lock};
use crate::snapshot::Folder;
use crate::tail_check::TailCheck;

/// The name of the thread that commits what callers queued.
pub const SEQUENCER_THREAD: &str = "counterfoil-sequencer";
/// A commit takes no further submission beyond this.
const COMMIT_TARGET_BYTES: usize = 8 << 20;
/// How long commits may go on without a new file `checkpoint`, at which readers stop.
const MOST_UNPUBLISHED: Duration = Duration::from_secs(60);
/// The file `checkpoint` is written at most this often.
const PUBLISH_INTERVAL: Duration = Duration::from_secs(1);
/// A clock that is further ahead than this of what the last commit and the time since give is not believed.
const CLOCK_TOLERANCE_MICROS: i64 = 3_600_000_000;

/// What puts entries in order, one commit at a time: the sequencer's thread with what it gathered from the queue, or a
/// caller by itself when it finds the queue empty and nobody at work, which spares it two waits for another thread.
pub(crate) struct Sequencer {
    pub shared: Arc<Shared>,
    pub signer: Arc<dyn Signer + Send + Sync>,
    pub tree: CompactRange,
    pub seen: TailCheck,
    pub journal: Arc<Journal>,
    pub last_time: i64,
    pub jobs: Option<Sender<SealJob>>,
    pub on_commit: Option<OnCommit>,
    /// Where the next frame goes in the journal's file.
    pub offset: u64,
    pub room: Room,
    builder: FrameBuilder,
    last_monotonic: Option<Duration>,
    unpublished_since: Option<Duration>,
    /// When the first commit was made that the file `checkpoint` does not cover.
    uncovered_since: Option<Duration>,
    /// What the ledger has to say of its opening, in front of the first entry that comes.
    opening: Option<Submission>,
}

/// What a sequencer starts from: the folder as it was found.
pub(crate) struct Found {
    pub tree: CompactRange,
    pub last_time: i64,
    /// Whether the file `checkpoint` covers everything.
    pub is_published: bool,
    /// What the first commit has to begin with.
    pub opening: Option<Submission>,
}

/// A commit that is ready to be written.
struct Prepared {
    header: FrameHeader,
    tree: CompactRange,
    /// The nodes at [`NODE_LEVEL`] that it completes.
    nodes: Vec<Hash>,
}

impl std::fmt::Debug for Sequencer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sequencer").field("tree", &self.tree.end()).finish_non_exhaustive()
    }
}

impl Sequencer {
    pub fn new(
        shared: Arc<Shared>,
        signer: Arc<dyn Signer + Send + Sync>,
        Found { tree, last_time, is_published, opening }: Found,
        seen: TailCheck,
        jobs: Sender<SealJob>,
    ) -> Self {
        let journals = shared.snapshot().head.journals.clone();
        let journal = journals.last().expect("a ledger has a journal file").clone();
        Self {
            offset: journal.end_offset(),
            room: Room::of(Arc::clone(journal.file())),
            unpublished_since: (!is_published).then(|| shared.clock.monotonic()),
            uncovered_since: None,
            shared,
            signer,
            tree,
            seen,
            journal,
            last_time,
            jobs: Some(jobs),
            on_commit: None,
            builder: FrameBuilder::default(),
            last_monotonic: None,
            opening,
        }
    }

    /// Serves requests until it is asked to close or nobody can ask any more.
    pub fn run(sequencer: &Mutex<Self>, requests: &Receiver<Request>, queue: &Queue) {
        let mut held = None;
        loop {
            let request = match held.take() {
                Some(request) => request,
                None => match Self::next_request(sequencer, requests) {
                    Some(request) => request,
                    None => return,
                },
            };
            let mut this = lock(sequencer);
            let mut done = 1;
            match request {
                Request::Append { submission, reply } => {
                    let (batch, replies, other) = gather(submission, reply, requests);
                    this.commit(&batch, replies);
                    (done, held) = (batch.len(), other);
                }
                Request::Roll { reply } => drop(reply.send(this.roll_early())),
                Request::Retire { reply } => drop(reply.send(this.retire())),
                Request::Publish { reply } => drop(reply.send(this.publish())),
                Request::Wake => {}
                Request::Close { reply } => {
                    let _ = reply.send(this.close());
                    return;
                }
            }
            this.publish_when_due();
            queue.done(done);
        }
    }

    /// Waits for a request, and publishes a checkpoint that has waited long enough.
    fn next_request(sequencer: &Mutex<Self>, requests: &Receiver<Request>) -> Option<Request> {
        loop {
            let Some(wait) = lock(sequencer).until_publishing() else { return requests.recv().ok() };
            match requests.recv_timeout(wait) {
                Ok(request) => return Some(request),
                Err(RecvTimeoutError::Timeout) => {
                    let mut this = lock(sequencer);
                    if this.publish().is_err() {
                        this.unpublished_since = Some(this.shared.clock.monotonic());
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// How long until `checkpoint` has to be written; `None` when it is the newest.
    fn until_publishing(&self) -> Option<Duration> {
        let since = self.unpublished_since?;
        Some(PUBLISH_INTERVAL.saturating_sub(self.shared.clock.monotonic().saturating_sub(since)))
    }

    fn publish_when_due(&mut self) {
        if self.until_publishing() == Some(Duration::ZERO) {
            let _ = self.publish();
        }
    }

    fn commit(&mut self, batch: &[Submission], replies: Vec<Reply>) {
        match self.try_commit(batch) {
            Ok(answers) => {
                for (reply, answer) in replies.into_iter().zip(answers) {
                    reply.send(answer);
                }
                self.roll_when_full();
            }
            Err(error) => {
                for reply in replies {
                    reply.send(Err(error.clone()));
                }
            }
        }
    }

    /// A commit by the caller itself. True when the sequencer's thread must be woken, so that `checkpoint` is written in
    /// time.
    pub fn commit_alone(&mut self, submission: Submission) -> (Result<Vec<Receipt>>, bool) {
        let published = self.unpublished_since.is_none();
        let answer = self.try_commit(&[submission]).and_then(|mut answers| answers.remove(0));
        if answer.is_ok() {
            self.roll_when_full();
        }
        self.publish_when_due();
        (answer, published && self.unpublished_since.is_some())
    }

    /// One group commit: place, write, sync once, sign, publish to readers.
    fn try_commit(&mut self, batch: &[Submission]) -> Result<Vec<Result<Vec<Receipt>>>> {
        if let Some(error) = self.shared.poison() {
            return Err(error);
        }
        let _guard = self.shared.poison_on_panic("a commit");
        self.refuse_when_it_cannot_roll()?;
        self.refuse_when_it_cannot_publish()?;
        self.reserve(batch)?;
        let recorded_at = self.next_time()?;
        let before = self.shared.snapshot();
        let keyed = batch.iter().any(Submission::has_keys);
        let seen = self.seen.get(keyed).inspect_err(|error| self.shared.set_poison(error.clone()))?;
        self.builder.clear();
        let mut commit =
            Commit { before: &before, builder: &mut self.builder, seen, recorded_at, remembered: Vec::new() };
        let opening = self.opening.as_ref().map_or(Ok(Vec::new()), |opening| commit.place(opening))?.len();
        let placed: Vec<Result<Vec<Placed>>> = batch.iter().map(|submission| commit.place(submission)).collect();
        let remembered = commit.remembered;
        let checkpoint = if self.builder.count() == opening {
            before.head.checkpoint.clone()
        } else {
            let prepared = self.prepare(recorded_at).inspect_err(|_| self.seen.take_back(&remembered))?;
            // At most one: the sealer waits for each.
            let sealed = batch.iter().find_map(|submission| submission.seals.clone());
            let written = self.write(prepared, sealed);
            written.map_err(|error| poisoned(&error)).inspect_err(|error| self.shared.set_poison(error.clone()))?
        };
        if self.tree.end().0 > before.size() {
            self.opening = None;
        }
        let tree_size = self.tree.end().0;
        let rows = self.builder.rows();
        let receipt = |placed: Placed| Receipt {
            index: placed.index,
            leaf_hash: placed.leaf.unwrap_or_else(|| rows[(placed.index - before.size()) as usize].leaf),
            tree_size,
            recorded_at: placed.recorded_at,
            checkpoint: checkpoint.clone(),
        };
        Ok(placed.into_iter().map(|answer| Ok(answer?.into_iter().map(receipt).collect())).collect())
    }

    /// Readers stop at the file `checkpoint`: while it cannot be written, what they do not see must not grow for ever.
    fn refuse_when_it_cannot_publish(&mut self) -> Result<()> {
        let waited = |since| self.shared.clock.monotonic().saturating_sub(since) > MOST_UNPUBLISHED;
        if !self.uncovered_since.is_some_and(waited) {
            return Ok(());
        }
        self.publish().map_err(|error| Error::unavailable(format!("the checkpoint cannot be written: {error}")))
    }

    /// Hashes and signs the frame; nothing is written yet.
    fn prepare(&mut self, recorded_at: Timestamp) -> Result<Prepared> {
        let leaves: Vec<Hash> = self.builder.hash().iter().map(|row| row.leaf).collect();
        let (mut tree, mut nodes) = (self.tree.clone(), Vec::new());
        tree.extend_visiting(&leaves, |level, _, hash| {
            if level == NODE_LEVEL {
                nodes.push(*hash);
            }
        });
        let root = tree.root().expect("a tree that begins at 0 has a root");
        let (first, origin) = (self.tree.end().0, &self.shared.folder.config.origin);
        let header = self.builder.finish(first, recorded_at.micros(), root, origin, self.signer.as_ref())?;
        Ok(Prepared { header, tree, nodes })
    }

    /// Writes the frame, syncs, signs; from the first byte on an error means that nobody knows what is on the disk.
    fn write(&mut self, Prepared { header, tree, nodes }: Prepared, sealed: Option<Arc<Sealed>>) -> Result<Arc<str>> {
        let file = self.journal.file();
        let place = FramePlace { header, offset: self.offset };
        let padding = self.room.padding(place.end_offset());
        file.write_at(self.offset, self.builder.padded(padding))
            .and_then(|()| file.sync())
            .map_err(|error| Error::io(&self.journal.name, error))?;
        let note = sign(&self.shared.folder, self.signer.as_ref(), &tree)?;
        self.journal.publish(place, self.builder.rows(), &nodes);
        self.offset = place.end_offset();
        self.tree = tree;
        self.last_time = header.time_micros;
        self.last_monotonic = Some(self.shared.clock.monotonic());
        let now = self.shared.clock.monotonic();
        self.unpublished_since.get_or_insert(now);
        self.uncovered_since.get_or_insert(now);
        self.shared.update_head(|head| {
            head.size = place.header.end();
            head.root = header.root;
            head.checkpoint = note.clone();
            if let Some(segment) = sealed {
                head.segments = head.segments.iter().cloned().chain([segment]).collect();
            }
        });
        if let Some(on_commit) = &self.on_commit {
            on_commit(self.builder.count() as u64);
        }
        Ok(note)
    }

    /// Makes sure of space for everything in a batch before a byte is written: a full disk refuses, it does not poison.
    fn reserve(&mut self, batch: &[Submission]) -> Result<()> {
        let bytes: usize = batch.iter().chain(&self.opening).map(Submission::frame_bytes).sum();
        let needed = self.offset + (HEADER_BYTES + bytes) as u64;
        self.room.reserve(needed).map_err(|error| {
            Error::unavailable(format!("{}: no space for {bytes} more bytes: {error}", self.journal.name))
                .because(error)
        })
    }

    /// `recorded_at` of the next commit: the wall clock, but never before the last commit and never far ahead of it.
    fn next_time(&self) -> Result<Timestamp> {
        let now = self.shared.clock.now_micros();
        if let Some(last) = self.last_monotonic {
            let since = self.shared.clock.monotonic().saturating_sub(last);
            let expected = self.last_time.saturating_add(i64::try_from(since.as_micros()).unwrap_or(i64::MAX));
            if now > expected.saturating_add(CLOCK_TOLERANCE_MICROS) {
                return Err(Error::unavailable(
                    "the clock leapt more than an hour ahead since the last commit; set it right, or confirm it by \
                     opening the ledger again",
                ));
            }
        }
        let micros = now.max(self.last_time);
        Timestamp::from_parts(micros, 0)
            .map_err(|_| Error::unavailable("the clock shows a year that a timestamp cannot hold"))
    }

    pub fn publish(&mut self) -> Result<()> {
        if let Some(error) = self.shared.poison() {
            return Err(error);
        }
        if self.unpublished_since.is_none() {
            return Ok(());
        }
        let note = self.shared.snapshot().head.checkpoint.clone();
        let folder = &self.shared.folder;
        let written = folder.disk.replace(&folder.layout.checkpoint(), note.as_bytes());
        let written = written.map_err(|error| Error::io("checkpoint", error));
        self.shared.faults().publishing = written.clone().err();
        written?;
        (self.unpublished_since, self.uncovered_since) = (None, None);
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        self.publish()?;
        self.room.give_back(self.offset).map_err(|error| Error::io(&self.journal.name, error))
    }
}

/// Takes what else is waiting into the same commit, up to its limits, and the request that ended the gathering.
fn gather(
    first: Submission,
    reply: Reply,
    requests: &Receiver<Request>,
) -> (Vec<Submission>, Vec<Reply>, Option<Request>) {
    let (mut entries, mut bytes) = (first.drafts.len(), first.frame_bytes());
    let (mut batch, mut replies) = (vec![first], vec![reply]);
    while bytes < COMMIT_TARGET_BYTES {
        match requests.try_recv() {
            Ok(Request::Append { submission, reply }) => {
                let (more, weight) = (submission.drafts.len(), submission.frame_bytes());
                if entries + more > MAX_FRAME_ENTRIES || bytes + weight > MAX_FRAME_BYTES {
                    return (batch, replies, Some(Request::Append { submission, reply }));
                }
                entries += more;
                bytes += weight;
                batch.push(submission);
                replies.push(reply);
            }
            Ok(other) => return (batch, replies, Some(other)),
            Err(_) => break,
        }
    }
    (batch, replies, None)
}

/// The signed checkpoint of a tree.
pub(crate) fn sign(folder: &Folder, signer: &dyn Signer, tree: &CompactRange) -> Result<Arc<str>> {
    let root = tree.root().expect("a tree that begins at 0 has a root");
    let checkpoint = Checkpoint::new(folder.config.origin.clone(), TreeSize(tree.end().0), root);
    let note = checkpoint.sign(signer).map_err(|error| {
        Error::unavailable(format!("the signer failed, so no receipt can be given: {error}")).because(error)
    })?;
    Ok(note.to_string().into())
}

fn poisoned(error: &Error) -> Error {
    Error::new(
        ErrorKind::Poisoned,
        format!("a commit failed ({error}): what it wrote may or may not be durable; open the ledger again and send it again"),
    )
    .because(error.clone())
}
