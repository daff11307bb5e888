//! Columns of a ledger in this process: of its segments and of its tail.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use arrow::array::RecordBatch;
use bytes::Bytes;
use counterfoil::{Error, ErrorKind, SealedSegment, Snapshot};
use counterfoil_entry::Fields;
use counterfoil_segment::blocks::BlockMismatch;
use counterfoil_segment::{BatchBuilder, ReadAt, schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use crate::table::{Batches, Fault};

/// Entries of a batch, at most.
const BATCH_ROWS: usize = 8_192;

/// Canonical bytes after which a batch of the tail ends.
const TAIL_BYTES: usize = 32 << 20;

/// The sealed entries of a range. Only the wanted columns are read; every block is checked before it is used.
pub fn sealed(
    snapshot: &Snapshot,
    range: Range<u64>,
    columns: Arc<[usize]>,
) -> impl Iterator<Item = Result<RecordBatch, Fault>> + Send + use<> {
    let segments = snapshot.segments().into_iter();
    segments
        .filter(move |segment| segment.first() < range.end && range.start < segment.first() + segment.count())
        .flat_map(move |segment| {
            let rows = range.start.saturating_sub(segment.first())..segment.count().min(range.end - segment.first());
            rows_of(&segment, rows, columns.clone())
                .unwrap_or_else(|error| Box::new(std::iter::once(Err(Fault::Ledger(error)))))
        })
}

/// Rows of one segment, from the row group that holds the first of them.
fn rows_of(segment: &SealedSegment, rows: Range<u64>, columns: Arc<[usize]>) -> Result<Batches, Error> {
    let file = File { inner: segment.parquet()?, name: segment.name().into(), fault: Arc::default() };
    let opened = segment.segment()?;
    let groups: Vec<(usize, Range<u64>)> =
        opened.row_groups().enumerate().filter(|(_, group)| group.start < rows.end && rows.start < group.end).collect();
    let first = groups.first().map_or(0, |(_, group)| group.start);
    let told = |error: ParquetError| file.explain(&error);
    let metadata = opened.parquet_metadata();
    let mask = ProjectionMask::leaves(metadata.file_metadata().schema_descr(), columns.iter().copied());
    let metadata = ArrowReaderMetadata::try_new(metadata, ArrowReaderOptions::new().with_schema(schema()));
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file.clone(), metadata.map_err(told)?)
        .with_row_groups(groups.into_iter().map(|(number, _)| number).collect())
        .with_offset((rows.start - first) as usize)
        .with_limit((rows.end - rows.start) as usize)
        .with_batch_size(BATCH_ROWS)
        .with_projection(mask)
        .build()
        .map_err(told)?;
    // The reader keeps the file's order; each column's place in it is how many of the wanted ones stand before.
    let places: Vec<usize> =
        columns.iter().map(|column| columns.iter().filter(|other| *other < column).count()).collect();
    Ok(Box::new(reader.map(move |batch| {
        let batch = batch.and_then(|batch| batch.project(&places));
        batch.map_err(|error| Fault::Ledger(file.explain(&error)))
    })))
}

/// The unsealed entries of a range, which are taken apart as they are read.
pub fn tail(
    snapshot: Snapshot,
    range: Range<u64>,
    columns: Arc<[usize]>,
) -> impl Iterator<Item = Result<RecordBatch, Fault>> + Send {
    let mut at = range.start;
    std::iter::from_fn(move || {
        (at < range.end).then(|| {
            let batch = tail_batch(&snapshot, at..range.end.min(at + BATCH_ROWS as u64))?;
            at += batch.num_rows() as u64;
            batch.project(&columns).map_err(|error| Fault::new(ErrorKind::Internal, error))
        })
    })
}

fn tail_batch(snapshot: &Snapshot, range: Range<u64>) -> Result<RecordBatch, Error> {
    let mut builder = BatchBuilder::new();
    let mut bytes = 0;
    let mut fault = None;
    snapshot.tail(range.clone(), &mut |index, canonical| {
        if fault.is_none() && bytes < TAIL_BYTES {
            bytes += canonical.len();
            let split = Fields::split(canonical).map_err(|error| error.to_string());
            let pushed = split.and_then(|fields| builder.push(index, &fields).map_err(|error| error.to_string()));
            fault = pushed.err().map(|error| format!("unsealed entry {index} cannot be taken apart: {error}"));
        }
    })?;
    if builder.is_empty() {
        fault.get_or_insert_with(|| format!("the journal does not hold entry {}", range.start));
    }
    match fault {
        Some(message) => Err(Error::new(ErrorKind::Damaged, message)),
        None => builder.finish().map_err(|error| Error::new(ErrorKind::Internal, error.to_string())),
    }
}

/// A segment's file as the Parquet reader wants it. It remembers why a read failed: the reader keeps only texts.
#[derive(Clone)]
struct File {
    inner: Arc<dyn ReadAt>,
    name: Arc<str>,
    fault: Arc<OnceLock<Error>>,
}

impl File {
    fn fill(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.inner.read_at(offset, buf).inspect_err(|error| {
            let kind = match BlockMismatch::in_error(error) {
                Some(_) => ErrorKind::Tampered,
                None => ErrorKind::Unavailable,
            };
            let _ = self.fault.set(Error::new(kind, format!("{}: {error}", self.name)));
        })
    }

    fn explain(&self, error: &dyn std::fmt::Display) -> Error {
        let known = self.fault.get().cloned();
        known.unwrap_or_else(|| Error::new(ErrorKind::Damaged, format!("{}: {error}", self.name)))
    }
}

impl Length for File {
    fn len(&self) -> u64 {
        self.inner.len()
    }
}

impl ChunkReader for File {
    type T = FileReader;

    fn get_read(&self, start: u64) -> Result<FileReader, ParquetError> {
        Ok(FileReader { file: self.clone(), offset: start })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let mut bytes = vec![0; length];
        self.fill(start, &mut bytes)?;
        Ok(bytes.into())
    }
}

/// A reader that begins somewhere in a file.
struct FileReader {
    file: File,
    offset: u64,
}

impl Read for FileReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let rest = self.file.len().saturating_sub(self.offset);
        let taken = buf.len().min(usize::try_from(rest).unwrap_or(usize::MAX));
        self.file.fill(self.offset, &mut buf[..taken])?;
        self.offset += taken as u64;
        Ok(taken)
    }
}
