//! The sequencer: the one thread that gives entries their order, makes them durable and signs what they add up to.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, RwLock};
use std::time::{Duration, Instant};

use counterfoil_entry::Timestamp;
use counterfoil_tlog::{Checkpoint, CompactRange, Hash, Signer, TreeSize};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use crate::clock::Clock;
use crate::commit::{Commit, Placed, Submission};
use crate::error::{Error, ErrorKind, Result};
use crate::frame::{FrameBuilder, FrameHeader, HEADER_BYTES, MAX_FRAME_BYTES, MAX_FRAME_ENTRIES};
use crate::journal::{FramePlace, Journal, NODE_LEVEL};
use crate::receipt::Receipt;
use crate::sealed::Sealed;
use crate::snapshot::{Folder, Head, Snapshot};
use crate::tail_check::TailCheck;

/// A journal file grows by this much at a time, so that most syncs find their space allocated.
const ALLOCATION_STEP_BYTES: u64 = 16 << 20;
/// A commit takes no further submission beyond this.
const COMMIT_TARGET_BYTES: usize = 8 << 20;
/// The file `checkpoint` is written at most this often.
const PUBLISH_INTERVAL: Duration = Duration::from_secs(1);
/// A clock that is further ahead than this of what the last commit and the time since give is not believed.
const CLOCK_TOLERANCE_MICROS: i64 = 3_600_000_000;

/// What the threads of one open ledger share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub folder: Arc<Folder>,
    pub clock: Arc<dyn Clock>,
    head: RwLock<Arc<Head>>,
    poison: OnceLock<Error>,
    /// Submissions that were queued and are not committed yet: none may be overtaken by a caller that commits alone.
    pub queued: AtomicUsize,
    /// Entries that wait for the sealer.
    pub waiting: Mutex<u64>,
    /// Signalled when fewer entries wait, or when sealing fails.
    pub waiting_changed: Condvar,
    /// Why the last sealing failed, until one succeeds.
    pub sealing_fault: Mutex<Option<Error>>,
    /// Whether the ledger is being closed.
    pub closing: Mutex<bool>,
    pub closed: Condvar,
}

impl Shared {
    pub fn new(folder: Arc<Folder>, clock: Arc<dyn Clock>, head: Head) -> Self {
        Self {
            folder,
            clock,
            head: RwLock::new(Arc::new(head)),
            poison: OnceLock::new(),
            queued: AtomicUsize::new(0),
            waiting: Mutex::new(0),
            waiting_changed: Condvar::new(),
            sealing_fault: Mutex::new(None),
            closing: Mutex::new(false),
            closed: Condvar::new(),
        }
    }

    /// The state after the last commit.
    pub fn snapshot(&self) -> Snapshot {
        let head = self.head.read().expect("no panic while held").clone();
        Snapshot { folder: self.folder.clone(), head }
    }

    /// Why the ledger takes nothing more, if so.
    pub fn poison(&self) -> Option<Error> {
        self.poison.get().cloned()
    }

    /// From now on the ledger takes nothing more.
    pub fn set_poison(&self, error: Error) {
        let _ = self.poison.set(error);
        self.waiting_changed.notify_all();
    }
}

/// What the sequencer is asked for.
#[derive(Debug)]
pub(crate) enum Request {
    Append {
        submission: Submission,
        reply: Sender<Result<Vec<Receipt>>>,
    },
    /// Start a new journal file at the last multiple of 256, so that everything before can be sealed.
    Roll {
        reply: Sender<Result<()>>,
    },
    /// A segment is sealed: publish it, and the checkpoint that covers its entry; answers the journals to drop.
    Install {
        segment: Arc<Sealed>,
        reply: Sender<Result<Vec<Arc<Journal>>>>,
    },
    /// Give the sealer nothing more, so that it ends when it is done.
    EndSealing,
    /// Write `checkpoint` now.
    Publish {
        reply: Sender<Result<()>>,
    },
    /// A caller has committed by itself: see when `checkpoint` is due.
    Wake,
    /// Write `checkpoint`, trim the journal and end.
    Close {
        reply: Sender<Result<()>>,
    },
}

/// A journal file that can be sealed up to an index.
#[derive(Debug)]
pub(crate) struct SealJob {
    pub journal: Arc<Journal>,
    pub range: std::ops::Range<u64>,
}

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
    builder: FrameBuilder,
    offset: u64,
    last_monotonic: Option<Duration>,
    unpublished_since: Option<Instant>,
}

impl std::fmt::Debug for Sequencer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sequencer").field("tree", &self.tree.end()).finish_non_exhaustive()
    }
}

type Reply = Sender<Result<Vec<Receipt>>>;

impl Sequencer {
    pub fn new(
        shared: Arc<Shared>,
        signer: Arc<dyn Signer + Send + Sync>,
        tree: CompactRange,
        seen: TailCheck,
        last_time: i64,
        jobs: Sender<SealJob>,
    ) -> Self {
        let journals = shared.snapshot().head.journals.clone();
        let journal = journals.last().expect("a ledger has a journal file").clone();
        Self {
            offset: journal.end_offset(),
            shared,
            signer,
            tree,
            seen,
            journal,
            last_time,
            jobs: Some(jobs),
            builder: FrameBuilder::default(),
            last_monotonic: None,
            unpublished_since: None,
        }
    }

    /// Serves requests until it is asked to close or nobody can ask any more.
    pub fn run(sequencer: &Mutex<Self>, requests: &Receiver<Request>) {
        let mut held = None;
        loop {
            let request = match held.take() {
                Some(request) => request,
                None => match Self::next_request(sequencer, requests) {
                    Some(request) => request,
                    None => return,
                },
            };
            let mut this = sequencer.lock().expect("no panic while held");
            match request {
                Request::Append { submission, reply } => {
                    let (batch, replies, other) = gather(submission, reply, requests);
                    this.commit(&batch, replies);
                    this.shared.queued.fetch_sub(batch.len(), Ordering::Release);
                    held = other;
                }
                Request::Roll { reply } => drop(reply.send(this.roll_early())),
                Request::Install { segment, reply } => drop(reply.send(this.install(segment))),
                Request::EndSealing => this.jobs = None,
                Request::Publish { reply } => drop(reply.send(this.publish())),
                Request::Wake => {}
                Request::Close { reply } => {
                    let _ = reply.send(this.close());
                    return;
                }
            }
            if this.publish_is_due() {
                let _ = this.publish();
            }
        }
    }

    /// Waits for a request, and publishes a checkpoint that has waited long enough.
    fn next_request(sequencer: &Mutex<Self>, requests: &Receiver<Request>) -> Option<Request> {
        loop {
            let since = sequencer.lock().expect("no panic while held").unpublished_since;
            let Some(since) = since else { return requests.recv().ok() };
            match requests.recv_timeout(PUBLISH_INTERVAL.saturating_sub(since.elapsed())) {
                Ok(request) => return Some(request),
                Err(RecvTimeoutError::Timeout) => {
                    let mut this = sequencer.lock().expect("no panic while held");
                    if this.publish().is_err() {
                        this.unpublished_since = Some(Instant::now());
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    fn publish_is_due(&self) -> bool {
        self.unpublished_since.is_some_and(|since| since.elapsed() >= PUBLISH_INTERVAL)
    }

    fn commit(&mut self, batch: &[Submission], replies: Vec<Reply>) {
        match self.try_commit(batch) {
            Ok(answers) => {
                for (reply, answer) in replies.into_iter().zip(answers) {
                    let _ = reply.send(answer);
                }
                self.roll_when_full();
            }
            Err(error) => {
                for reply in replies {
                    let _ = reply.send(Err(error.clone()));
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
        (answer, published && self.unpublished_since.is_some())
    }

    /// One group commit: place, write, sync once, sign, publish to readers.
    fn try_commit(&mut self, batch: &[Submission]) -> Result<Vec<Result<Vec<Receipt>>>> {
        if let Some(error) = self.shared.poison() {
            return Err(error);
        }
        self.reserve(batch)?;
        let recorded_at = self.next_time()?;
        let before = self.shared.snapshot();
        let keyed = batch.iter().any(Submission::has_keys);
        let seen = self.seen.get(keyed).inspect_err(|error| self.shared.set_poison(error.clone()))?;
        self.builder.clear();
        let mut commit = Commit { before: &before, builder: &mut self.builder, seen, recorded_at };
        let placed: Vec<Result<Vec<Placed>>> = batch.iter().map(|submission| commit.place(submission)).collect();
        let checkpoint = if self.builder.count() == 0 {
            before.head.checkpoint.clone()
        } else {
            let written = self.write(recorded_at);
            written.map_err(|error| poisoned(&error)).inspect_err(|error| self.shared.set_poison(error.clone()))?
        };
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

    /// Writes the frame, syncs, signs; from the first byte on an error means that nobody knows what is on the disk.
    fn write(&mut self, recorded_at: Timestamp) -> Result<Arc<str>> {
        let leaves: Vec<Hash> = self.builder.hash().iter().map(|row| row.leaf).collect();
        let (mut tree, mut nodes) = (self.tree.clone(), Vec::new());
        tree.extend_visiting(&leaves, |level, _, hash| {
            if level == NODE_LEVEL {
                nodes.push(*hash);
            }
        });
        let root = tree.root().expect("a tree that begins at 0 has a root");
        let first = self.tree.end().0;
        let frame = self.builder.finish(first, recorded_at.micros(), root);
        let header = FrameHeader::parse(frame.first_chunk::<HEADER_BYTES>().expect("a frame has a header"));
        let header = header.map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
        let file = self.journal.file();
        file.write_at(self.offset, frame)
            .and_then(|()| file.sync())
            .map_err(|error| Error::io(&self.journal.name, error))?;
        let place = FramePlace { header, offset: self.offset };
        let note = sign(&self.shared.folder, self.signer.as_ref(), &tree)?;
        self.journal.publish(place, self.builder.rows(), &nodes);
        self.offset = place.end_offset();
        self.tree = tree;
        self.last_time = recorded_at.micros();
        self.last_monotonic = Some(self.shared.clock.monotonic());
        self.unpublished_since.get_or_insert_with(Instant::now);
        self.update_head(|head| {
            head.size = place.header.end();
            head.root = root;
            head.checkpoint = note.clone();
        });
        Ok(note)
    }

    /// Makes sure of space for everything in a batch before a byte is written: a full disk refuses, it does not poison.
    fn reserve(&mut self, batch: &[Submission]) -> Result<()> {
        let bytes: usize = batch.iter().map(Submission::frame_bytes).sum();
        let needed = self.offset + (HEADER_BYTES + bytes) as u64;
        let file = self.journal.file();
        if needed <= file.len() {
            return Ok(());
        }
        let length = needed.next_multiple_of(ALLOCATION_STEP_BYTES);
        file.allocate(length).or_else(|_| file.allocate(needed)).map_err(|error| {
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

    fn update_head(&self, change: impl FnOnce(&mut Head)) {
        let mut current = self.shared.head.write().expect("no panic while held");
        let mut head = Head::clone(&current);
        change(&mut head);
        *current = Arc::new(head);
    }

    fn roll_when_full(&mut self) {
        let span = self.shared.folder.config.segment_span;
        let boundary = (self.journal.first / span + 1) * span;
        let size = self.tree.end().0;
        if size >= boundary {
            let rolled = self.roll(size / span * span);
            *self.shared.sealing_fault.lock().expect("no panic while held") = rolled.err();
        }
    }

    fn roll_early(&mut self) -> Result<()> {
        if let Some(error) = self.shared.poison() {
            return Err(error);
        }
        let boundary = self.tree.end().0 / 256 * 256;
        if boundary > self.journal.first { self.roll(boundary) } else { Ok(()) }
    }

    /// Starts the journal file of `boundary`, carries over the entries from there on, and hands the rest to the sealer.
    fn roll(&mut self, boundary: u64) -> Result<()> {
        let old = self.journal.clone();
        let new = crate::roll::start(&self.shared.snapshot(), &old, boundary).inspect_err(|error| {
            if error.kind == ErrorKind::Poisoned {
                self.shared.set_poison(error.clone())
            }
        })?;
        let new = Arc::new(new);
        self.offset = new.end_offset();
        self.journal = new.clone();
        self.update_head(|head| {
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

    fn install(&mut self, segment: Arc<Sealed>) -> Result<Vec<Arc<Journal>>> {
        self.publish()?;
        let sealed_size = segment.end();
        let mut dropped = Vec::new();
        self.update_head(|head| {
            head.segments = head.segments.iter().cloned().chain([segment]).collect();
            let kept = head.journals.iter().skip(1).take_while(|next| next.first <= sealed_size).count();
            dropped = head.journals[..kept].to_vec();
            head.journals = head.journals[kept..].into();
        });
        if let Some(seen) = self.seen.get(false).inspect_err(|error| self.shared.set_poison(error.clone()))? {
            seen.forget_before(sealed_size, self.tree.end().0);
        }
        Ok(dropped)
    }

    fn publish(&mut self) -> Result<()> {
        if let Some(error) = self.shared.poison() {
            return Err(error);
        }
        if self.unpublished_since.is_none() {
            return Ok(());
        }
        let note = self.shared.snapshot().head.checkpoint.clone();
        let folder = &self.shared.folder;
        folder
            .disk
            .replace(&folder.layout.checkpoint(), note.as_bytes())
            .map_err(|error| Error::io("checkpoint", error))?;
        self.unpublished_since = None;
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        self.publish()?;
        let file = self.journal.file();
        file.truncate(self.offset).and_then(|()| file.sync()).map_err(|error| Error::io(&self.journal.name, error))
    }
}

/// Puts a submission into the queue; `None` when the sequencer has ended.
pub(crate) fn enqueue(
    shared: &Shared,
    requests: &Sender<Request>,
    submission: Submission,
) -> Option<Receiver<Result<Vec<Receipt>>>> {
    let (reply, answer) = bounded(1);
    shared.queued.fetch_add(1, Ordering::AcqRel);
    requests.send(Request::Append { submission, reply }).ok()?;
    Some(answer)
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
