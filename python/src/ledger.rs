//! The embedded ledger for Python. The interpreter is free while the ledger works or waits.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use counterfoil::{CreateOptions, Error, ErrorKind, Ledger, OpenOptions, Snapshot};
use counterfoil_entry::{Draft, OWN_PREFIX};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::disk::ForkDisk;
use crate::encode::Encoder;
use crate::error::{exception, raised};
use crate::receipt::Receipt;
use crate::signer::{self, Signer};
use crate::source::{self, Source};
use crate::unshipped::{self, Unshipped};

/// The one writer of a ledger's folder.
#[pyclass(frozen, name = "Ledger", module = "counterfoil._core")]
pub struct PyLedger {
    ledger: RwLock<Option<Ledger>>,
    disk: ForkDisk,
    source: Mutex<Option<Arc<Source>>>,
}

fn opened(ledger: &Option<Ledger>) -> Result<&Ledger, Error> {
    ledger.as_ref().ok_or_else(|| Error {
        kind: ErrorKind::Closed,
        message: "the ledger was closed".to_owned(),
        position: None,
        source: None,
    })
}

impl PyLedger {
    /// Lets the interpreter go and works with the ledger.
    fn with<T: Send>(&self, py: Python<'_>, work: impl FnOnce(&Ledger) -> Result<T, Error> + Send) -> PyResult<T> {
        let worked = py.detach(|| {
            let guard = self.ledger.read().unwrap_or_else(PoisonError::into_inner);
            opened(&guard).and_then(work)
        });
        worked.map_err(|error| raised(&error))
    }

    pub(crate) fn snapshot(&self, py: Python<'_>) -> PyResult<Snapshot> {
        self.with(py, |ledger| Ok(ledger.snapshot()))
    }

    /// Records entries in JSON: numbered by the source where there is one.
    fn record<T: AsRef<[u8]> + Sync>(&self, py: Python<'_>, entries: &[T]) -> PyResult<Vec<Receipt>> {
        let source = self.source.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.with(py, |ledger| {
            let drafts = drafts(entries)?;
            match source {
                Some(source) => source.append(ledger, drafts),
                None => Ok(ledger.append_batch(drafts)?.into_iter().map(Receipt::from).collect()),
            }
        })
    }

    fn made(py: Python<'_>, make: impl FnOnce(OpenOptions) -> Result<Ledger, Error> + Send) -> PyResult<Self> {
        let disk = ForkDisk::default();
        let options = OpenOptions { disk: Arc::new(disk.clone()), ..OpenOptions::default() };
        let ledger = py.detach(|| make(options)).map_err(|error| raised(&error))?;
        Ok(Self { ledger: RwLock::new(Some(ledger)), disk, source: Mutex::default() })
    }
}

/// Entries that are worth a thread of their own to check.
const SHARE: usize = 512;

/// Reads drafts, on all processors where there are many; the position in the error is that of the entry.
fn drafts<T: AsRef<[u8]> + Sync>(entries: &[T]) -> Result<Vec<Draft>, Error> {
    let read = |first: usize, share: &[T]| -> Result<Vec<Draft>, Error> {
        share.iter().enumerate().map(|(offset, json)| source::draft(json.as_ref(), first + offset)).collect()
    };
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let share = entries.len().div_ceil(processors).max(SHARE);
    if entries.len() <= share {
        return read(0, entries);
    }
    let shares: Vec<Result<Vec<Draft>, Error>> = std::thread::scope(|scope| {
        let read = &read;
        let threads = entries.chunks(share).enumerate();
        let threads: Vec<_> = threads.map(|(at, chunk)| scope.spawn(move || read(at * share, chunk))).collect();
        threads.into_iter().map(|thread| thread.join().expect("checking an entry does not panic")).collect()
    });
    let mut all = Vec::with_capacity(entries.len());
    for drafts in shares {
        all.append(&mut drafts?);
    }
    Ok(all)
}

#[pymethods]
impl PyLedger {
    /// Makes a ledger in a folder that is empty or not there yet.
    #[staticmethod]
    #[pyo3(signature = (path, origin, segment_span=None))]
    fn create(py: Python<'_>, path: PathBuf, origin: &str, segment_span: Option<u64>) -> PyResult<Self> {
        let mut create = CreateOptions::new(origin).map_err(|error| raised(&error))?;
        create.segment_span = segment_span.unwrap_or(create.segment_span);
        Self::made(py, |open| Ledger::create(path, create, open))
    }

    /// Opens the ledger in a folder for writing.
    #[staticmethod]
    fn open(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        Self::made(py, |open| Ledger::open(path, open))
    }

    /// Records entries, each a dict of its members: all of them in one stretch, or nothing.
    fn append(
        &self,
        py: Python<'_>,
        entries: Vec<Bound<'_, PyDict>>,
        converter: Bound<'_, PyAny>,
    ) -> PyResult<Vec<Receipt>> {
        let mut encoder = Encoder::new(converter);
        let encoded: Vec<Vec<u8>> = entries.iter().map(|entry| encoder.entry(entry)).collect::<PyResult<_>>()?;
        self.record(py, &encoded)
    }

    /// Records entries in JSON lines: all of them in one stretch, or nothing.
    fn append_lines(&self, py: Python<'_>, lines: &[u8]) -> PyResult<Vec<Receipt>> {
        let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
        self.record(py, &lines.collect::<Vec<_>>())
    }

    /// From now on entries without idempotency of their own are numbered, from `next` on, and signed where there is a
    /// `signer`: an object with `public_key` and `sign(message)`. With an `offset`, receipts are those of a spool, and it
    /// is added to the places in them.
    #[pyo3(signature = (source, next, offset=None, signer=None))]
    fn number(
        &self,
        py: Python<'_>,
        source: &str,
        next: u64,
        offset: Option<u64>,
        signer: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let origin = self.origin(py)?;
        let signer = signer.map(|signer| Signer::new(origin, signer)).transpose()?;
        let source = Arc::new(Source::new(source, next, offset, signer));
        self.source.lock().unwrap_or_else(PoisonError::into_inner).replace(source);
        Ok(())
    }

    /// Registers a client's key, for every actor.
    fn register_key(&self, py: Python<'_>, public_key: &[u8]) -> PyResult<()> {
        let key = signer::public_key(public_key)?;
        self.with(py, |ledger| ledger.register_key(key, Vec::new()).map(drop))
    }

    /// The highest number of a source of this process that the ledger holds.
    fn last_of(&self, py: Python<'_>, source: &str) -> PyResult<Option<u64>> {
        let status = self.with(py, |ledger| ledger.status())?;
        Ok(status
            .sources
            .iter()
            .find(|known| known.recorder.is_none() && known.source == source)
            .map(|known| known.last))
    }

    /// Client entries from an index on, as they are shipped: without what the ledger added but with its time.
    fn unshipped(&self, py: Python<'_>, start: u64, most: usize, most_bytes: usize) -> PyResult<Unshipped> {
        self.with(py, |ledger| unshipped::read(&ledger.snapshot(), start, most, most_bytes))
    }

    /// The number of entries.
    fn size(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.snapshot(py)?.size())
    }

    /// The ledger's name.
    fn origin(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.snapshot(py)?.origin().to_string())
    }

    /// The key that signs checkpoints, as a C2SP verifier key.
    fn verifier_key(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.snapshot(py)?.verifier_key().to_string())
    }

    /// The newest signed checkpoint.
    fn checkpoint(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.snapshot(py)?.checkpoint().to_owned())
    }

    /// The canonical bytes of entries `start` to `stop`, without `stop`.
    fn entries<'py>(&self, py: Python<'py>, start: u64, stop: u64) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let entries = self.with(py, |ledger| {
            let snapshot = ledger.snapshot();
            let indices: Vec<u64> = (start..stop.min(snapshot.size())).collect();
            snapshot.entries(&indices)
        })?;
        Ok(entries.iter().map(|bytes| PyBytes::new(py, bytes)).collect())
    }

    /// Index and canonical bytes of an entity's entries, oldest first.
    fn history<'py>(&self, py: Python<'py>, entity_id: &str) -> PyResult<Vec<(u64, Bound<'py, PyBytes>)>> {
        let found = self.with(py, |ledger| ledger.snapshot().history(entity_id))?;
        Ok(found.iter().map(|(index, bytes)| (*index, PyBytes::new(py, bytes))).collect())
    }

    /// The C2SP proof that an entry is in the ledger, with the checkpoint.
    fn proof(&self, py: Python<'_>, index: u64) -> PyResult<String> {
        self.with(py, |ledger| ledger.snapshot().proof_text(index))
    }

    /// How the ledger is, as a JSON object.
    fn status(&self, py: Python<'_>) -> PyResult<String> {
        let status = self.with(py, |ledger| ledger.status())?;
        let sources: Vec<_> = status
            .sources
            .iter()
            .map(|one| serde_json::json!({"source": one.source, "recorder": one.recorder, "last": one.last, "gaps": one.gaps}))
            .collect();
        let fault = status.poisoned.or(status.sealing_fault).or(status.publishing_fault);
        Ok(serde_json::json!({
            "origin": status.origin, "tree_size": status.size, "root_hash": status.root.to_string(),
            "sealed_size": status.sealed_size, "segments": status.segments, "segment_span": status.segment_span,
            "sources": sources, "fault": fault,
        })
        .to_string())
    }

    /// Seals early; the index up to which the ledger is sealed.
    fn seal(&self, py: Python<'_>) -> PyResult<u64> {
        self.with(py, Ledger::seal)
    }

    /// Writes the file `checkpoint` now.
    fn publish(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, Ledger::publish)
    }

    /// Closes the ledger once what is under way is done. A second time does nothing.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let closed = py.detach(|| {
            let ledger = self.ledger.write().unwrap_or_else(PoisonError::into_inner).take();
            ledger.map_or(Ok(()), Ledger::close)
        });
        closed.map_err(|error| raised(&error))
    }
}

/// Leaves a ledger to the parent of this forked process: it is never touched again, and the folder's lock is the
/// parent's alone.
#[pyfunction]
pub fn abandon(ledger: Py<PyLedger>) {
    ledger.get().disk.let_go();
    // Locks in it may be held by threads that this process does not have, so it must not even be dropped.
    std::mem::forget(ledger);
}

/// Encodes an entry and checks it as the ledger would. The canonical bytes.
#[pyfunction]
pub fn check_entry<'py>(
    py: Python<'py>,
    entry: Bound<'py, PyDict>,
    converter: Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyBytes>> {
    let encoded = Encoder::new(converter).entry(&entry)?;
    let draft = source::draft(&encoded, 0).map_err(|error| raised(&error))?;
    if draft.event_type().starts_with(OWN_PREFIX) {
        return Err(exception(
            ErrorKind::Invalid,
            "event types that begin with \"ledger.\" are the ledger's own",
            None,
        ));
    }
    Ok(PyBytes::new(py, draft.client_bytes()))
}
