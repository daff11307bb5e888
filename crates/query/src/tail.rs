//! The unsealed entries as columns.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use counterfoil::{Error, ErrorKind, Result};
use counterfoil_entry::Fields;
use counterfoil_segment::BatchBuilder;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::StreamExt;

use crate::columns::schema;
use crate::fault::Fault;
use crate::source::Source;

/// Entries that are built and kept together; chunks start at its multiples.
const CHUNK_ENTRIES: u64 = 8_192;

/// Batches of unsealed entries, kept between queries. The least recently used go first when they exceed the budget.
#[derive(Debug)]
pub(crate) struct TailCache {
    budget_bytes: usize,
    chunks: Mutex<Chunks>,
}

#[derive(Debug, Default)]
struct Chunks {
    kept: HashMap<(Arc<str>, u64), Chunk>,
    bytes: usize,
    uses: u64,
}

#[derive(Debug)]
struct Chunk {
    first: u64,
    batch: RecordBatch,
    bytes: usize,
    last_use: u64,
}

impl TailCache {
    pub(crate) fn new(budget_bytes: usize) -> Self {
        Self { budget_bytes, chunks: Mutex::default() }
    }

    /// The entries of a range inside one chunk.
    fn batch(&self, source: &dyn Source, range: Range<u64>) -> Result<RecordBatch> {
        let key = (source.identity(), range.start / CHUNK_ENTRIES);
        if let Some(batch) = self.kept(&key, &range) {
            return Ok(batch);
        }
        let batch = build(source, range.clone())?;
        self.keep(key, range.start, batch.clone());
        Ok(batch)
    }

    fn kept(&self, key: &(Arc<str>, u64), range: &Range<u64>) -> Option<RecordBatch> {
        let mut chunks = self.lock();
        chunks.uses += 1;
        let now = chunks.uses;
        let chunk = chunks.kept.get_mut(key)?;
        let end = chunk.first + chunk.batch.num_rows() as u64;
        if range.start < chunk.first || end < range.end {
            return None;
        }
        chunk.last_use = now;
        let offset = (range.start - chunk.first) as usize;
        Some(chunk.batch.slice(offset, (range.end - range.start) as usize))
    }

    fn keep(&self, key: (Arc<str>, u64), first: u64, batch: RecordBatch) {
        let bytes = batch.get_array_memory_size();
        let mut chunks = self.lock();
        chunks.uses += 1;
        let last_use = chunks.uses;
        chunks.bytes += bytes;
        let chunk = Chunk { first, batch, bytes, last_use };
        if let Some(replaced) = chunks.kept.insert(key, chunk) {
            chunks.bytes -= replaced.bytes;
        }
        while chunks.bytes > self.budget_bytes {
            let oldest = chunks.kept.iter().min_by_key(|(_, chunk)| chunk.last_use);
            let Some(key) = oldest.map(|(key, _)| key.clone()) else {
                break;
            };
            if let Some(dropped) = chunks.kept.remove(&key) {
                chunks.bytes -= dropped.bytes;
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Chunks> {
        self.chunks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn build(source: &dyn Source, range: Range<u64>) -> Result<RecordBatch> {
    let mut builder = BatchBuilder::new();
    let mut fault = None;
    source.tail(range.clone(), &mut |index, canonical| {
        if fault.is_none() {
            let pushed = Fields::split(canonical)
                .map_err(|error| error.to_string())
                .and_then(|fields| builder.push(index, &fields).map_err(|error| error.to_string()));
            fault = pushed.err().map(|error| (index, error));
        }
    })?;
    if let Some((index, error)) = fault {
        let message = format!("unsealed entry {index} cannot be taken apart: {error}");
        return Err(Error::new(ErrorKind::Damaged, message));
    }
    let internal = |error: &dyn std::fmt::Display| Error::new(ErrorKind::Internal, error.to_string());
    let batch = builder.finish().map_err(|error| internal(&error))?;
    if batch.num_rows() as u64 != range.end - range.start {
        let message = format!("the journal holds {} of the entries {range:?}", batch.num_rows());
        return Err(Error::new(ErrorKind::Damaged, message));
    }
    as_table(&batch).map_err(|error| internal(&error))
}

/// The batch of a segment's schema with the table's types; views share the bytes.
fn as_table(batch: &RecordBatch) -> std::result::Result<RecordBatch, arrow::error::ArrowError> {
    let schema = schema();
    let columns = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| cast(column, field.data_type()))
        .collect::<std::result::Result<_, _>>()?;
    RecordBatch::try_new(schema, columns)
}

/// A run of the tail, built as it is read.
#[derive(Clone)]
pub(crate) struct TailPartition {
    source: Arc<dyn Source>,
    cache: Arc<TailCache>,
    fault: Fault,
    range: Range<u64>,
    schema: SchemaRef,
}

impl std::fmt::Debug for TailPartition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TailPartition({:?})", self.range)
    }
}

/// The tail in at most `partitions` runs of whole chunks, in order.
pub(crate) fn partitions(
    source: &Arc<dyn Source>,
    cache: &Arc<TailCache>,
    fault: &Fault,
    range: Range<u64>,
    partitions: usize,
) -> Vec<Arc<dyn PartitionStream>> {
    let chunks: Vec<Range<u64>> = chunks(range).collect();
    let share = chunks.len().div_ceil(partitions).max(1);
    let runs = chunks.chunks(share);
    runs.map(|run| {
        Arc::new(TailPartition {
            source: Arc::clone(source),
            cache: Arc::clone(cache),
            fault: fault.clone(),
            range: run[0].start..run[run.len() - 1].end,
            schema: schema(),
        }) as Arc<dyn PartitionStream>
    })
    .collect()
}

fn chunks(range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let first = range.start / CHUNK_ENTRIES;
    let end = range.end.div_ceil(CHUNK_ENTRIES);
    (first..end).map(move |chunk| {
        let start = chunk * CHUNK_ENTRIES;
        start.max(range.start)..(start + CHUNK_ENTRIES).min(range.end)
    })
}

impl PartitionStream for TailPartition {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let run = self.clone();
        let batches = futures::stream::iter(chunks(self.range.clone())).then(move |chunk| {
            let run = run.clone();
            async move {
                tokio::task::yield_now().await;
                let batch = run.cache.batch(run.source.as_ref(), chunk);
                batch.map_err(|error| run.fault.raise(error))
            }
        });
        Box::pin(RecordBatchStreamAdapter::new(schema(), batches))
    }
}
