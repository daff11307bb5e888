//! The embedded ledger: one writer, many callers.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::thread::JoinHandle;

use counterfoil_entry::{Draft, check_recorder};
use counterfoil_tlog::{CompactRange, LeafIndex, Signer};
use crossbeam_channel::{Sender, unbounded};

use crate::commit::{Submission, in_batch};
use crate::create::{self, CreateOptions};
use crate::disk::FolderLock;
use crate::error::{Error, ErrorKind, Result};
use crate::incarnation;
use crate::load::open_folder;
use crate::options::OpenOptions;
use crate::own;
use crate::receipt::Receipt;
use crate::recovery::recover;
use crate::registry::Registry;
use crate::sealer::Sealer;
use crate::sequencer::{Found, SEQUENCER_THREAD, Sequencer};
use crate::shared::{Queue, Reply, Request, Shared, lock};
use crate::snapshot::{Folder, Head, Snapshot};
use crate::start::{
    check_last_frame, lock_folder, must_extend, queue_unsealed, refuse_network_file_system, sealed_sources, tree_at,
};
use crate::status::Status;
use crate::tail_check::TailCheck;

/// The only writer of one ledger. Share it by reference or [`Arc`]: many threads may append at once.
///
/// ```
/// use counterfoil::{CreateOptions, Ledger, OpenOptions};
/// use counterfoil_entry::Draft;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("ledger");
/// let ledger = Ledger::create(&path, CreateOptions::new("example.com/payments")?, OpenOptions::default())?;
/// let receipt = ledger.append(
///     Draft::builder("invoice_approved", "invoice-bot", "INV-1042")
///         .context_json(r#"{"model_version":"invoice-match-2.11.0","confidence":0.97}"#)
///         .build()?,
/// )?;
/// let recorded = String::from_utf8(ledger.snapshot().entry(receipt.index)?)?;
/// assert!(recorded.contains(r#""event_type":"invoice_approved""#));
/// ledger.close()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Ledger {
    pub(crate) shared: Arc<Shared>,
    pub(crate) registry: Registry,
    queue: Queue,
    pub(crate) sequencer: Arc<Mutex<Sequencer>>,
    /// Held while segments go or come back.
    pub(crate) pruning: Mutex<()>,
    signer: Arc<dyn Signer + Send + Sync>,
    threads: Option<Threads>,
    process: u32,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").field("shared", &self.shared).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Threads {
    sequencer: JoinHandle<()>,
    sealer: JoinHandle<()>,
    _lock: Box<dyn FolderLock>,
}

/// What the writer starts from.
struct Start {
    folder: Arc<Folder>,
    signer: Arc<dyn Signer + Send + Sync>,
    lock: Box<dyn FolderLock>,
    head: Head,
    found: Found,
}

impl Ledger {
    /// Makes a new ledger in a folder that is empty or not there yet, and opens it.
    ///
    /// Errors: `Conflict` when the folder has something in it, `Invalid` for a span that is none.
    pub fn create(path: impl AsRef<Path>, create: CreateOptions, open: OpenOptions) -> Result<Self> {
        let prepared = create::prepare(path.as_ref(), &create, &open)?;
        let lock = lock_folder(&prepared.folder)?;
        let ledger = Self::start(
            Start {
                folder: prepared.folder.clone(),
                signer: prepared.signer.clone(),
                lock,
                head: prepared.head.clone(),
                found: Found {
                    tree: CompactRange::new(LeafIndex(0)),
                    last_time: i64::MIN,
                    is_published: true,
                    opening: None,
                },
            },
            &open,
        )?;
        ledger.append_own(vec![prepared.created_draft()])?;
        ledger.publish()?;
        prepared.finish()?;
        Ok(ledger)
    }

    /// Opens the ledger in a folder for writing, and finishes what a crash may have left.
    ///
    /// Errors: `NotFound` when there is no ledger, `Busy` when another process has it open, `Damaged` or `Tampered` when
    /// the folder is not what a crash alone can leave or does not extend [`OpenOptions::extends`], `Denied` for a key that is not the ledger's.
    pub fn open(path: impl AsRef<Path>, open: OpenOptions) -> Result<Self> {
        refuse_network_file_system(path.as_ref(), &open)?;
        let folder = open_folder(path.as_ref(), open.disk.clone())?;
        let lock = lock_folder(&folder)?;
        let signer = create::signer(&folder, &open)?;
        let (loaded, torn) = recover(&folder)?;
        let end = loaded.end_index();
        let mut head = loaded.head(end);
        let sealed_size = head.sealed_size();
        let tree = tree_at(&folder, &head, sealed_size, end)?;
        head.root = tree.root().expect("a tree that begins at 0 has a root");
        let last_time = check_last_frame(&folder, &head)?;
        open.extends.as_ref().map_or(Ok(()), |note| must_extend(&folder, &head, note))?;
        let is_published = end <= loaded.checkpoint.checkpoint.size.0;
        if !is_published {
            head.checkpoint = crate::sequencer::sign(&folder, signer.as_ref(), &tree)?;
        }
        let opening = Submission { drafts: vec![opened_draft(&folder)], recorder: None, own: true, seals: None };
        let restored = incarnation::restored_draft(&folder, end, &head.root)?;
        let found = Found { tree, last_time, is_published, opening: Some(opening) };
        let start = Start { folder, signer, lock, head, found };
        let ledger = Self::start(start, &open)?;
        torn.map_or(Ok(()), |torn| ledger.record_torn_write(&torn))?;
        restored.map_or(Ok(()), |restored| ledger.append_own(vec![restored]).map(drop))?;
        Ok(ledger)
    }

    fn start(start: Start, open: &OpenOptions) -> Result<Self> {
        let shared = Arc::new(Shared::new(start.folder, open.clock.clone(), start.head));
        let (requests, to_sequencer) = unbounded();
        let (jobs, to_sealer) = unbounded();
        let snapshot = shared.snapshot();
        let queue = Queue::new(requests);
        let sealer = Sealer {
            shared: shared.clone(),
            queue: queue.clone(),
            sources: sealed_sources(&snapshot)?,
            sealed_journals: Vec::new(),
        };
        queue_unsealed(&shared, &snapshot, &jobs);
        let tail = TailCheck::start(snapshot)?;
        let signer = start.signer;
        let mut sequencer = Sequencer::new(shared.clone(), signer.clone(), start.found, tail, jobs);
        sequencer.on_commit = open.on_commit.clone();
        let sequencer = Arc::new(Mutex::new(sequencer));
        let (in_thread, done) = (sequencer.clone(), queue.clone());
        let threads = Threads {
            sequencer: spawn(SEQUENCER_THREAD, move || Sequencer::run(&in_thread, &to_sequencer, &done))?,
            sealer: spawn("counterfoil-sealer", move || sealer.run(&to_sealer))?,
            _lock: start.lock,
        };
        Ok(Self {
            shared,
            registry: Registry::default(),
            queue,
            sequencer,
            pruning: Mutex::default(),
            signer,
            threads: Some(threads),
            process: std::process::id(),
        })
    }

    /// Records one entry; returns when it is durable and a signed checkpoint covers it. A repeat of an entry that was
    /// recorded before, known by its `id` or its `source` and `sequence`, answers with the first one's place.
    ///
    /// Errors: `Conflict` for a repeat with other content, `Denied` for a signature that does not hold, `Busy` for a
    /// sequence number too far ahead, `Unavailable` when the disk is full or the clock leapt, `Poisoned`, `Closed`.
    pub fn append(&self, draft: Draft) -> Result<Receipt> {
        let mut receipts = self.append_batch(vec![draft])?;
        receipts.pop().ok_or_else(|| Error::new(ErrorKind::Internal, "an append gave no receipt"))
    }

    /// Records a batch: all of it in one stretch, or nothing. At most 65,536 entries and 64 MiB. Errors as for
    /// [`Ledger::append`]; the message says which entry of the batch is meant.
    pub fn append_batch(&self, drafts: Vec<Draft>) -> Result<Vec<Receipt>> {
        self.submit(Submission { drafts, recorder: None, own: false, seals: None })
    }

    /// Records a batch that an authenticated principal submitted: its name becomes `recorder`, and ids and sequences are
    /// known again per principal.
    pub fn append_batch_as(&self, recorder: &str, drafts: Vec<Draft>) -> Result<Vec<Receipt>> {
        check_recorder(recorder)?;
        self.submit(Submission { drafts, recorder: Some(recorder.into()), own: false, seals: None })
    }

    /// [`append_batch_as`](Self::append_batch_as) for callers that must not wait, such as async code: `then` is called once
    /// with the receipts or the error, mostly on the ledger's own thread, and must not block. (It is dropped uncalled only
    /// if that thread has ended.)
    ///
    /// True when the batch was taken. False, with `drafts` left as they are and `then` unused, when it would have to wait
    /// first: for the sealer, or for the registration of the key that signed an entry.
    pub fn append_batch_then(
        &self,
        recorder: &str,
        drafts: &mut Vec<Draft>,
        then: impl FnOnce(Result<Vec<Receipt>>) + Send + 'static,
    ) -> bool {
        let signed = drafts.iter().any(|draft| draft.signature().is_some());
        if signed || drafts.is_empty() || self.shared.must_wait_for_sealer() {
            return false;
        }
        let drafts = std::mem::take(drafts);
        let submission = Submission { drafts, recorder: Some(recorder.into()), own: false, seals: None };
        match check_recorder(recorder).map_err(Error::from).and_then(|()| submission.check()) {
            Ok(()) => {
                // When the queue is closed, `then` is dropped.
                let _ = self.queue.send(Request::Append { submission, reply: Reply::then(then) });
            }
            Err(error) => then(Err(error)),
        }
        true
    }

    pub(crate) fn submit(&self, submission: Submission) -> Result<Vec<Receipt>> {
        self.refuse_after_fork()?;
        submission.check()?;
        if submission.drafts.is_empty() {
            return Ok(Vec::new());
        }
        self.shared.wait_for_sealer()?;
        let signed = submission.drafts.iter().any(|draft| draft.signature().is_some());
        let unchanged = signed.then(|| self.registry.unchanged());
        if signed {
            let snapshot = self.snapshot();
            for (position, draft) in submission.drafts.iter().enumerate() {
                self.registry.check(draft, &snapshot).map_err(|error| in_batch(error, position, &submission))?;
            }
        }
        if let Some(mut sequencer) = self.idle_sequencer() {
            let (answer, wake) = sequencer.commit_alone(submission);
            if wake {
                let _ = self.queue.send(Request::Wake);
            }
            return answer;
        }
        let ask = |waiting| Request::Append { submission, reply: Reply::to(waiting) };
        let answer = self.queue.ask(ask).map_err(|_| self.ended())?;
        drop(unchanged);
        answer.recv().map_err(|_| self.ended())?
    }

    /// The sequencer, if nothing waits for it and nobody is at work with it.
    fn idle_sequencer(&self) -> Option<MutexGuard<'_, Sequencer>> {
        let sequencer = match self.sequencer.try_lock() {
            Ok(sequencer) => sequencer,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        self.queue.is_idle().then_some(sequencer)
    }

    /// The state after the last commit.
    pub fn snapshot(&self) -> Snapshot {
        self.shared.snapshot()
    }

    /// The newest signed checkpoint, a C2SP note.
    pub fn checkpoint(&self) -> Arc<str> {
        self.snapshot().head.checkpoint.clone()
    }

    /// The signed checkpoint of an earlier size, or the newest; `NotFound` for a size that the ledger has not reached.
    pub fn checkpoint_at(&self, size: u64) -> Result<String> {
        let snapshot = self.snapshot();
        if size == snapshot.size() {
            return Ok(snapshot.checkpoint().to_owned());
        }
        snapshot.checkpoint_at(size, self.signer.as_ref())
    }

    /// Seals early: everything up to the last multiple of 256 goes into a segment; returns when that is durable. The
    /// index up to which the ledger is sealed.
    pub fn seal(&self) -> Result<u64> {
        self.ask(|reply| Request::Roll { reply })?;
        self.shared.wait_until_sealed()?;
        Ok(self.snapshot().sealed_size())
    }

    /// How the ledger is.
    pub fn status(&self) -> Result<Status> {
        let mut status = Status::of(&self.snapshot())?;
        status.poisoned = self.shared.poison().map(|error| error.to_string());
        status.waiting_for_seal = *self.shared.waiting.lock().expect("no panic while held");
        let faults = self.shared.faults().clone();
        status.sealing_fault = faults.sealing.or(faults.rolling).map(|fault| fault.to_string());
        status.publishing_fault = faults.publishing.map(|fault| fault.to_string());
        Ok(status)
    }

    /// Why the ledger takes nothing more, cannot seal or cannot publish its checkpoint, if so.
    pub fn fault(&self) -> Option<String> {
        self.shared.fault()
    }

    /// Writes the file `checkpoint` now rather than within a second.
    pub fn publish(&self) -> Result<()> {
        self.ask(|reply| Request::Publish { reply })
    }

    /// Finishes sealing what waits for it, writes `checkpoint`, trims the journal and lets go of the folder.
    pub fn close(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        let Some(threads) = self.threads.take() else { return Ok(()) };
        if let Err(forked) = self.refuse_after_fork() {
            // They run in the parent, and so does whoever holds the lock.
            std::mem::forget(threads);
            return Err(forked);
        }
        let sealed = self.publish().and_then(|()| self.shared.wait_until_sealed());
        *self.shared.closing.lock().expect("no panic while held") = true;
        self.shared.closed.notify_all();
        lock(&self.sequencer).jobs = None;
        let sealer = threads.sealer.join();
        let closed = self.ask(|reply| Request::Close { reply });
        let joined = sealer.and(threads.sequencer.join());
        joined.map_err(|_| self.shared.poison().unwrap_or_else(|| self.ended()))?;
        sealed.and(closed)
    }

    /// Asks the sequencer's thread and waits for the answer.
    fn ask<T>(&self, request: impl FnOnce(Sender<Result<T>>) -> Request) -> Result<T> {
        self.refuse_after_fork()?;
        let answer = self.queue.ask(request).map_err(|_| self.ended())?;
        answer.recv().map_err(|_| self.ended())?
    }

    fn refuse_after_fork(&self) -> Result<()> {
        if self.process != std::process::id() {
            return Err(Error::new(ErrorKind::Closed, "this ledger was opened before a fork; open it in one process"));
        }
        Ok(())
    }

    fn ended(&self) -> Error {
        self.shared.poison().unwrap_or_else(|| Error::new(ErrorKind::Closed, "the ledger was closed"))
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// What the first commit of a writer begins with.
fn opened_draft(folder: &Folder) -> Draft {
    let version = serde_json::json!({ "program": "counterfoil", "version": env!("CARGO_PKG_VERSION") });
    own::draft("ledger.opened", folder.config.origin.as_str(), "ledger", &version)
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    let thread = std::thread::Builder::new().name(name.into()).spawn(body);
    thread.map_err(|error| Error::unavailable(format!("no thread for {name}: {error}")))
}
