//! Parquet reads that go through the ledger's own checked files.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use counterfoil::ErrorKind;
use counterfoil_segment::ReadAt;
use datafusion::common::internal_datafusion_err;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{ParquetFileMetrics, ParquetFileReaderFactory};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::FutureExt;
use futures::future::BoxFuture;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;

use crate::fault::{Fault, read_error};
use crate::source::Sealed;

/// Segments that one message names.
const MAX_NAMES: usize = 5;

/// The segment behind a file of a scan, carried by the file itself.
#[derive(Debug, Clone)]
pub(crate) struct SegmentOf {
    pub(crate) segment: Arc<dyn Sealed>,
    pub(crate) bytes: Arc<dyn ReadAt>,
}

/// Makes the readers of one query.
#[derive(Debug)]
pub(crate) struct SegmentReaders {
    pub(crate) fault: Fault,
    /// What the query reads.
    pub(crate) segments: Arc<[Arc<dyn Sealed>]>,
}

impl ParquetFileReaderFactory for SegmentReaders {
    fn create_reader(
        &self,
        partition_index: usize,
        file: PartitionedFile,
        _metadata_size_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> datafusion::error::Result<Box<dyn AsyncFileReader + Send>> {
        let of = file.extension::<SegmentOf>();
        let of = of.ok_or_else(|| internal_datafusion_err!("a file of the scan has no segment"))?;
        let location = file.object_meta.location.as_ref();
        Ok(Box::new(SegmentReader {
            metrics: ParquetFileMetrics::new(partition_index, location, metrics),
            of: of.clone(),
            fault: self.fault.clone(),
            segments: Arc::clone(&self.segments),
        }))
    }
}

struct SegmentReader {
    of: SegmentOf,
    metrics: ParquetFileMetrics,
    fault: Fault,
    segments: Arc<[Arc<dyn Sealed>]>,
}

impl SegmentReader {
    fn read(&self, range: Range<u64>) -> parquet::errors::Result<Bytes> {
        let length = usize::try_from(range.end - range.start)?;
        self.metrics.bytes_scanned.add(length);
        let mut bytes = vec![0; length];
        let read = self.of.bytes.read_at(range.start, &mut bytes);
        read.map_err(|error| self.failed(read_error(&self.of.segment.name(), error)))?;
        Ok(bytes.into())
    }

    fn failed(&self, error: counterfoil::Error) -> ParquetError {
        let out_of_reach = matches!(error.kind, ErrorKind::Unavailable | ErrorKind::Denied);
        let error = if out_of_reach { with_segments(error, &self.segments) } else { error };
        ParquetError::External(Box::new(self.fault.raise(error)))
    }
}

/// The reads are local and short, and the engine's threads are its own: they are done in place.
impl AsyncFileReader for SegmentReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        futures::future::ready(self.read(range)).boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, parquet::errors::Result<Arc<ParquetMetaData>>> {
        let metadata = self.of.segment.metadata().map_err(|error| self.failed(error));
        futures::future::ready(metadata).boxed()
    }
}

/// The error of a segment that is elsewhere, with all those that the query reads from there.
pub(crate) fn with_segments(error: counterfoil::Error, segments: &[Arc<dyn Sealed>]) -> counterfoil::Error {
    let away: Vec<String> =
        segments.iter().filter(|segment| !segment.is_here()).map(|segment| segment.name()).collect();
    let shown = away.iter().take(MAX_NAMES).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = match away.len().saturating_sub(MAX_NAMES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    match away.is_empty() {
        true => error,
        false => {
            let message = format!("{}. The query reads what only the bucket holds: {shown}{more}", error.message);
            counterfoil::Error { message, ..error }
        }
    }
}
