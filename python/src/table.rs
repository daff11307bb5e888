//! Entries as Arrow columns, by the Arrow C stream interface: segments as their files hold them, then the unsealed tail.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{RecordBatch, RecordBatchReader};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ffi_stream::FFI_ArrowArrayStream;
use counterfoil::{Error, ErrorKind, Snapshot};
use counterfoil_entry::Fields;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use crate::error::{invalid, raised};
use crate::ledger::PyLedger;
use crate::pages::pages;
use crate::rows::{sealed, tail};

/// Batches of some columns, in the ledger's order.
pub type Batches = Box<dyn Iterator<Item = Result<RecordBatch, Fault>> + Send>;

/// Why there are no more batches.
pub enum Fault {
    /// The ledger in this process answered this.
    Ledger(Error),
    /// The Python function that asks the service raised this.
    Python(PyErr),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Ledger(error)
    }
}

impl Fault {
    /// A fault of a kind.
    pub fn new(kind: ErrorKind, message: impl std::fmt::Display) -> Self {
        Self::Ledger(Error::new(kind, message.to_string()))
    }
}

enum Home {
    Ledger(Snapshot),
    Service(Py<PyAny>),
}

/// The entries of an index range, with some columns. Each stream reads them anew.
#[pyclass(frozen, module = "counterfoil._core")]
pub struct Table {
    home: Home,
    columns: Arc<[usize]>,
    schema: SchemaRef,
    range: Range<u64>,
    fault: Arc<Mutex<Option<Fault>>>,
}

impl Table {
    fn new(home: Home, columns: Option<Vec<String>>, range: Range<u64>) -> PyResult<Self> {
        let all = counterfoil_segment::schema();
        let names = columns.unwrap_or_else(|| all.fields().iter().map(|field| field.name().clone()).collect());
        let mut places = Vec::new();
        for name in names {
            match all.index_of(&name) {
                Ok(place) if !places.contains(&place) => places.push(place),
                Ok(_) => return Err(invalid(format!("the column {name} is named twice"))),
                Err(_) => return Err(invalid(format!("there is no column {name}"))),
            }
        }
        if places.is_empty() {
            return Err(invalid("name at least one column"));
        }
        let schema = Arc::new(all.project(&places).expect("places in this schema"));
        Ok(Self { home, columns: places.into(), schema, range, fault: Arc::default() })
    }
}

#[pymethods]
impl Table {
    /// Entries of a ledger in this process, from `start` to its newest one.
    #[staticmethod]
    fn of_ledger(py: Python<'_>, ledger: &PyLedger, columns: Option<Vec<String>>, start: u64) -> PyResult<Self> {
        let snapshot = ledger.snapshot(py)?;
        let stop = snapshot.size();
        Self::new(Home::Ledger(snapshot), columns, start.min(stop)..stop)
    }

    /// Entries of a service. `fetch(columns, start, stop)` answers them as an Arrow IPC stream, in `bytes`.
    #[staticmethod]
    fn of_service(fetch: Py<PyAny>, columns: Option<Vec<String>>, start: u64, stop: u64) -> PyResult<Self> {
        Self::new(Home::Service(fetch), columns, start.min(stop)..stop)
    }

    /// The first index.
    #[getter]
    fn start(&self) -> u64 {
        self.range.start
    }

    /// One past the last index.
    #[getter]
    fn stop(&self) -> u64 {
        self.range.end
    }

    /// The names of the columns.
    #[getter]
    fn columns(&self) -> Vec<&str> {
        self.schema.fields().iter().map(|field| field.name().as_str()).collect()
    }

    /// A new stream over the entries, as a capsule of the Arrow C stream interface.
    fn stream<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        let batches: Batches = match &self.home {
            Home::Ledger(snapshot) => {
                let unsealed = self.range.start.max(snapshot.sealed_size())..self.range.end;
                let sealed = sealed(snapshot, self.range.clone(), self.columns.clone());
                Box::new(sealed.chain(tail(snapshot.clone(), unsealed, self.columns.clone())))
            }
            Home::Service(fetch) => Box::new(pages(fetch.clone_ref(py), self.schema.clone(), self.range.clone())),
        };
        let stream = Stream { batches: Some(batches), schema: self.schema.clone(), fault: self.fault.clone() };
        PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(Box::new(stream)), c"arrow_array_stream")
    }

    /// The exception for what ended a stream early, once.
    fn fault(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        let fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let error = match fault {
            Fault::Ledger(error) => raised(&error),
            Fault::Python(error) => error,
        };
        Some(error.into_value(py).into_any())
    }
}

/// The index of the first entry that was recorded at a time, in microseconds since 1970, or later; the ledger's size if
/// there is none.
#[pyfunction]
pub fn first_since(py: Python<'_>, ledger: &PyLedger, micros: i64) -> PyResult<u64> {
    let snapshot = ledger.snapshot(py)?;
    py.detach(|| partition(&snapshot, micros)).map_err(|error| raised(&error))
}

/// Entries are in the order of `recorded_at`, so halving finds the place.
fn partition(snapshot: &Snapshot, micros: i64) -> Result<u64, Error> {
    let (mut low, mut high) = (0, snapshot.size());
    while low < high {
        let middle = low + (high - low) / 2;
        let earlier = Fields::split(&snapshot.entry(middle)?)?.recorded_at.micros() < micros;
        if earlier { low = middle + 1 } else { high = middle }
    }
    Ok(low)
}

/// What the interface reads from. After an error nothing more comes.
struct Stream {
    batches: Option<Batches>,
    schema: SchemaRef,
    fault: Arc<Mutex<Option<Fault>>>,
}

impl Stream {
    fn read(&mut self) -> Result<Option<RecordBatch>, Fault> {
        let Some(batches) = &mut self.batches else { return Ok(None) };
        let read = catch_unwind(AssertUnwindSafe(|| batches.next()));
        let read = read.map_err(|_| Fault::new(ErrorKind::Damaged, "the Parquet reader gave up on a segment"))?;
        let Some(batch) = read.transpose()? else { return Ok(None) };
        let batch = RecordBatch::try_new(self.schema.clone(), batch.columns().to_vec());
        batch.map(Some).map_err(|error| Fault::new(ErrorKind::Damaged, error))
    }
}

impl Iterator for Stream {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.read() {
            Ok(batch) => batch.map(Ok),
            Err(fault) => {
                self.batches = None;
                let text = match &fault {
                    Fault::Ledger(error) => format!("{}: {error}", error.kind),
                    Fault::Python(error) => error.to_string(),
                };
                self.fault.lock().unwrap_or_else(PoisonError::into_inner).replace(fault);
                Some(Err(ArrowError::ExternalError(text.into())))
            }
        }
    }
}

impl RecordBatchReader for Stream {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}
