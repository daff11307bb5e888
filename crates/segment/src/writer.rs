use std::sync::Arc;
use std::thread::JoinHandle;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::Field;
use counterfoil_entry::Fields;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::file::properties::WriterPropertiesPtr;
use parquet::file::writer::SerializedFileWriter;

use crate::cores::on_all_cores;
use crate::index::{self, SourceState};
use crate::properties::writer_properties;
use crate::schema::{parquet_schema, schema};
use crate::{BatchBuilder, SegmentError, SegmentMeta};

/// Most rows that a segment may hold.
pub const MAX_ROWS: u64 = 1 << 20;

/// Most rows of a row group. A row group also ends when its entries take [`ROW_GROUP_BYTES`].
pub const ROW_GROUP_ROWS: usize = 65_536;

/// Canonical bytes after which a row group ends, so that memory stays bounded however long the entries are.
const ROW_GROUP_BYTES: usize = 64 << 20;

/// The two files of a segment, to be written to disk by the ledger.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// The bytes of `<first>.parquet`.
    pub parquet: Vec<u8>,
    /// The bytes of `<first>.index`.
    pub index: Vec<u8>,
}

/// Writes a segment in one go: `entries` are the canonical bytes of the entries from `meta.first` on, `sources` what
/// was seen of every source when the last of them was committed.
///
/// Errors: [`SegmentError::NotAnEntry`] names the row that is no entry; [`SegmentError::Format`] when `meta` disagrees
/// with itself or with the number of entries; [`SegmentError::TooManyRows`] beyond [`MAX_ROWS`].
pub fn write<E: AsRef<[u8]>>(
    meta: &SegmentMeta,
    sources: &[SourceState],
    entries: impl IntoIterator<Item = E>,
) -> Result<Sealed, SegmentError> {
    let mut writer = Writer::new(meta.first);
    entries.into_iter().try_for_each(|entry| writer.push(entry.as_ref()))?;
    writer.finish(meta, sources)
}

/// A segment being written, entry by entry. What it holds in memory is two row groups and the
/// compressed file.
pub struct Writer {
    first: u64,
    rows: u64,
    batch: BatchBuilder,
    batch_bytes: usize,
    index: index::Builder,
    file: Option<SerializedFileWriter<Vec<u8>>>,
    /// The row group that is being encoded while the next one is gathered.
    encoding: Option<JoinHandle<Result<Vec<ArrowColumnChunk>, SegmentError>>>,
}

impl Writer {
    /// A segment whose first entry has the index `first`.
    pub fn new(first: u64) -> Self {
        Self {
            first,
            rows: 0,
            batch: BatchBuilder::new(),
            batch_bytes: 0,
            index: index::Builder::new(first),
            file: None,
            encoding: None,
        }
    }

    /// How many entries were pushed.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Appends the entry with these canonical bytes. After an error the writer is of no further use.
    ///
    /// Errors: as for [`write()`].
    pub fn push(&mut self, canonical: &[u8]) -> Result<(), SegmentError> {
        let row = self.rows;
        let fields = Fields::split(canonical).map_err(|source| SegmentError::NotAnEntry { row, source })?;
        self.push_fields(&fields, canonical.len())
    }

    /// Appends an entry that was taken apart already; its canonical form has `bytes` bytes.
    ///
    /// Errors: as for [`Writer::push`].
    pub fn push_fields(&mut self, fields: &Fields<'_>, bytes: usize) -> Result<(), SegmentError> {
        if self.rows == MAX_ROWS {
            return Err(SegmentError::TooManyRows { max: MAX_ROWS });
        }
        self.batch.push(self.first + self.rows, fields)?;
        self.rows += 1;
        self.batch_bytes += bytes;
        if self.batch.len() == ROW_GROUP_ROWS || self.batch_bytes >= ROW_GROUP_BYTES {
            self.end_row_group()?;
        }
        Ok(())
    }

    /// Ends the segment. `meta` must describe exactly the entries that were pushed.
    ///
    /// Errors: as for [`write()`].
    pub fn finish(mut self, meta: &SegmentMeta, sources: &[SourceState]) -> Result<Sealed, SegmentError> {
        meta.check()?;
        if (meta.first, meta.count) != (self.first, self.rows) || self.rows == 0 {
            let found = format!("{} rows from index {}", self.rows, self.first);
            return Err(SegmentError::Format(format!("{found} were written, not {} from {}", meta.count, meta.first)));
        }
        if !self.batch.is_empty() {
            self.end_row_group()?;
        }
        self.end_encoding()?;
        let index = self.index.finish(sources);
        let mut file = self.file.expect("a row group was written");
        meta.to_key_values().into_iter().for_each(|entry| file.append_key_value_metadata(entry));
        Ok(Sealed { parquet: file.into_inner()?, index })
    }

    fn end_row_group(&mut self) -> Result<(), SegmentError> {
        self.batch_bytes = 0;
        let batch = self.batch.finish()?;
        self.index.push_batch(&batch)?;
        let properties = Arc::new(writer_properties(&batch));
        if self.file.is_none() {
            self.file = Some(open_file(Vec::new(), properties.clone())?);
        }
        self.end_encoding()?;
        let encode = move || encode_row_group(&batch, properties);
        self.encoding = Some(std::thread::Builder::new().name("counterfoil-encode".into()).spawn(encode)?);
        Ok(())
    }

    /// Waits for the row group that is being encoded and appends it.
    fn end_encoding(&mut self) -> Result<(), SegmentError> {
        let (Some(encoding), Some(file)) = (self.encoding.take(), &mut self.file) else { return Ok(()) };
        let chunks = encoding.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        let mut row_group = file.next_row_group()?;
        chunks.into_iter().try_for_each(|chunk| chunk.append_to_row_group(&mut row_group))?;
        row_group.close()?;
        Ok(())
    }
}

fn open_file(out: Vec<u8>, properties: WriterPropertiesPtr) -> Result<SerializedFileWriter<Vec<u8>>, SegmentError> {
    Ok(SerializedFileWriter::new(out, parquet_schema().root_schema_ptr(), properties)?)
}

/// Encodes a row group, its columns on all processors, laid out by properties of its own and not by those that the file
/// was begun with.
fn encode_row_group(
    batch: &RecordBatch,
    properties: WriterPropertiesPtr,
) -> Result<Vec<ArrowColumnChunk>, SegmentError> {
    let schema = schema();
    let layout = ArrowRowGroupWriterFactory::new(&open_file(Vec::new(), properties)?, schema.clone());
    let columns = layout.create_column_writers(0)?.into_iter().zip(schema.fields()).zip(batch.columns());
    on_all_cores(columns, |((writer, field), array)| encode_column(writer, field, array)).into_iter().collect()
}

fn encode_column(
    mut writer: ArrowColumnWriter,
    field: &Field,
    array: &ArrayRef,
) -> Result<ArrowColumnChunk, SegmentError> {
    for leaf in compute_leaves(field, array)? {
        writer.write(&leaf)?;
    }
    let mut chunk = writer.close()?;
    if array.null_count() == array.len() {
        chunk.close_mut().bloom_filter = None;
    }
    Ok(chunk)
}
