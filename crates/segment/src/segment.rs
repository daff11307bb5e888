use std::any::Any;
use std::ops::{ControlFlow, Range};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{RecordBatch, new_null_array};
use arrow::datatypes::{Field, Schema, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection,
    RowSelectionPolicy,
};
use parquet::basic::Encoding;
use parquet::file::metadata::{
    ColumnChunkMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData,
};

use crate::rebuild::{Rebuilder, Visitor};
use crate::schema::{COLUMNS, Column, parquet_schema, schema};
use crate::source::Source;
use crate::text::dictionary_type;
use crate::{ReadAt, RowFault, SegmentError, SegmentMeta};

/// Rows that a scan decodes at a time.
const BATCH_ROWS: usize = 8_192;

/// An open segment file: its footer is in memory, its pages are read when they are needed.
#[derive(Debug)]
pub struct Segment {
    file: Arc<dyn ReadAt>,
    meta: SegmentMeta,
    metadata: Arc<ParquetMetaData>,
    /// How to read each row group.
    readers: Vec<ArrowReaderMetadata>,
    /// The first row of each row group, and the number of rows.
    starts: Vec<u64>,
}

impl Segment {
    /// Reads the footer and the page index of a segment file.
    ///
    /// Errors: [`SegmentError::Format`] when the columns, the metadata or the row groups are not exactly those of a
    /// segment; [`SegmentError::Block`] when the file is a [`VerifiedFile`](crate::blocks::VerifiedFile) and fails.
    pub fn open(file: Arc<dyn ReadAt>) -> Result<Self, SegmentError> {
        let source = Source::new(file.clone());
        let metadata = guarded(|| {
            let reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Required);
            reader.parse_and_finish(&source).map_err(|error| source.explain(error))
        })?;
        check_schema(&metadata)?;
        let described = metadata.file_metadata();
        let meta = SegmentMeta::from_key_values(described.key_value_metadata().map_or(&[], Vec::as_slice))?;
        let starts = row_group_starts(&metadata, meta.count)?;
        let metadata = Arc::new(metadata);
        let readers = readers(&metadata)?;
        Ok(Self { file, meta, metadata, readers, starts })
    }

    /// What the segment says about itself.
    pub fn meta(&self) -> &SegmentMeta {
        &self.meta
    }

    /// The rows of each row group: parts that can be scanned side by side.
    pub fn row_groups(&self) -> impl Iterator<Item = Range<u64>> + Send {
        self.starts.windows(2).map(|bounds| bounds[0]..bounds[1])
    }

    /// The footer with statistics and page index, for a query engine's own reader.
    pub fn parquet_metadata(&self) -> Arc<ParquetMetaData> {
        self.metadata.clone()
    }

    /// The byte from which on the file holds what opening it reads: page index and footer.
    pub fn footer_start(&self) -> u64 {
        let chunks = self.metadata.row_groups().iter().flat_map(RowGroupMetaData::columns);
        let indexes = chunks.flat_map(|chunk| [chunk.column_index_offset(), chunk.offset_index_offset()]);
        let first = indexes.flatten().filter_map(|offset| u64::try_from(offset).ok()).min();
        first.unwrap_or_default().min(self.file.len())
    }

    /// The file that the segment is read from.
    pub fn file(&self) -> &Arc<dyn ReadAt> {
        &self.file
    }

    /// The canonical bytes of the entry in row `row`, counted from 0. Reads only the pages that hold the row.
    ///
    /// Errors: [`SegmentError::NoSuchRow`], [`SegmentError::Fault`], and those of reading.
    pub fn entry(&self, row: u64) -> Result<Vec<u8>, SegmentError> {
        let mut entries = self.entries(&[row])?;
        Ok(entries.remove(0))
    }

    /// The canonical bytes of the entries in these rows, which must ascend. Rows that share a page share its cost.
    ///
    /// Errors: [`SegmentError::NotAscending`], and as for [`Segment::entry`].
    pub fn entries(&self, rows: &[u64]) -> Result<Vec<Vec<u8>>, SegmentError> {
        if let Some(row) = rows.iter().copied().find(|row| *row >= self.meta.count) {
            return Err(SegmentError::NoSuchRow { row, count: self.meta.count });
        }
        if let Some(pair) = rows.windows(2).find(|pair| pair[0] >= pair[1]) {
            return Err(SegmentError::NotAscending { row: pair[1] });
        }
        let mut entries = Vec::with_capacity(rows.len());
        let mut faults = Vec::new();
        let mut rebuilder = Rebuilder::default();
        for (group, bounds) in self.starts.windows(2).enumerate() {
            let from = rows.partition_point(|row| *row < bounds[0]);
            let to = rows.partition_point(|row| *row < bounds[1]);
            if from == to {
                continue;
            }
            let ranges = rows[from..to].iter().map(|row| (row - bounds[0]) as usize).map(|row| row..row + 1);
            let selection = RowSelection::from_consecutive_ranges(ranges, (bounds[1] - bounds[0]) as usize);
            let mut next = from;
            let mut visit = |_: u64, entry: &[u8]| {
                entries.push(entry.to_vec());
                ControlFlow::Continue(())
            };
            let wanted = Wanted { selection: Some(selection), columns: self.present(group), batch_rows: to - from };
            let _ = self.batches(group, wanted, &mut |batch| {
                let batch = complete(batch)?;
                for at in 0..batch.num_rows() {
                    let row = rows[next];
                    next += 1;
                    let _ = rebuilder.run(&batch.slice(at, 1), row, Some(self.meta.first), &mut faults, &mut visit)?;
                }
                Ok(ControlFlow::Continue(()))
            })?;
        }
        match faults.into_iter().next() {
            Some(fault) => Err(fault.into()),
            None if entries.len() == rows.len() => Ok(entries),
            None => Err(SegmentError::Format("the columns have fewer rows than the footer says".into())),
        }
    }

    /// Rebuilds the entries of `rows` in order and gives each to `visit`: its index in the ledger and its canonical
    /// bytes. `Break` ends the scan.
    ///
    /// A row whose cells are not exactly those of one entry is left out and returned as a fault; the scan goes on.
    /// The caller hashes what it is given: a fault-free row with the right leaf hash has no cell that the leaf
    /// does not cover.
    ///
    /// Errors: [`SegmentError::NoSuchRow`] when `rows` goes beyond the segment, and those of reading.
    pub fn scan(&self, rows: Range<u64>, visit: &mut Visitor<'_>) -> Result<Vec<RowFault>, SegmentError> {
        self.scan_batches(rows, &mut |_| (), visit)
    }

    /// [`Segment::scan`], with the columns of every batch given to `look` before its entries are given to `visit`: who
    /// needs a few members of all entries reads them there, and not out of the bytes again.
    ///
    /// Errors: as for [`Segment::scan`].
    pub fn scan_batches(
        &self,
        rows: Range<u64>,
        look: &mut dyn FnMut(&RecordBatch),
        visit: &mut Visitor<'_>,
    ) -> Result<Vec<RowFault>, SegmentError> {
        if rows.end > self.meta.count {
            return Err(SegmentError::NoSuchRow { row: rows.end, count: self.meta.count });
        }
        let mut faults = Vec::new();
        let mut rebuilder = Rebuilder::default();
        for (group, bounds) in self.starts.windows(2).enumerate() {
            let (from, to) = (rows.start.max(bounds[0]), rows.end.min(bounds[1]));
            if from >= to {
                continue;
            }
            let whole = from == bounds[0] && to == bounds[1];
            let range = (from - bounds[0]) as usize..(to - bounds[0]) as usize;
            let all = (bounds[1] - bounds[0]) as usize;
            let selection = (!whole).then(|| RowSelection::from_consecutive_ranges(std::iter::once(range), all));
            let mut row = from;
            let wanted = Wanted { selection, columns: ProjectionMask::all(), batch_rows: BATCH_ROWS };
            let ended = self.batches(group, wanted, &mut |batch| {
                look(batch);
                let flow = rebuilder.run(batch, row, Some(self.meta.first), &mut faults, visit)?;
                row += batch.num_rows() as u64;
                Ok(flow)
            })?;
            if ended.is_break() {
                break;
            }
            if row != to {
                return Err(SegmentError::Format("the columns have fewer rows than the footer says".into()));
            }
        }
        Ok(faults)
    }

    /// The columns of which the footer does not say that they are empty. A single row is read without the others: what
    /// they may hold in spite of the footer is for a scan to find.
    fn present(&self, group: usize) -> ProjectionMask {
        let chunks = self.metadata.row_group(group).columns().iter().enumerate();
        let present = chunks.filter(|(_, chunk)| !is_absent(chunk)).map(|(column, _)| column);
        ProjectionMask::leaves(self.metadata.file_metadata().schema_descr(), present)
    }

    /// Reads rows of one row group, batch by batch.
    fn batches(
        &self,
        group: usize,
        wanted: Wanted,
        take: &mut dyn FnMut(&RecordBatch) -> Result<ControlFlow<()>, SegmentError>,
    ) -> Result<ControlFlow<()>, SegmentError> {
        let source = Source::new(self.file.clone());
        let mut builder =
            ParquetRecordBatchReaderBuilder::new_with_metadata(source.clone(), self.readers[group].clone())
                .with_row_groups(vec![group])
                .with_batch_size(wanted.batch_rows)
                .with_projection(wanted.columns)
                .with_row_selection_policy(RowSelectionPolicy::Selectors);
        if let Some(selection) = wanted.selection {
            builder = builder.with_row_selection(selection);
        }
        let mut reader: ParquetRecordBatchReader = guarded(|| builder.build().map_err(|error| source.explain(error)))?;
        while let Some(batch) = guarded(|| reader.next().transpose().map_err(|error| source.explain(error)))? {
            if take(&batch)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// Which part of a row group to read, and how many rows at a time.
struct Wanted {
    selection: Option<RowSelection>,
    columns: ProjectionMask,
    batch_rows: usize,
}

/// Puts null columns in the places of those that were left out.
fn complete(batch: &RecordBatch) -> Result<RecordBatch, SegmentError> {
    let declared = schema();
    let found = declared.fields().iter().map(|field| match batch.schema_ref().column_with_name(field.name()) {
        Some((at, found)) => (Arc::new(found.clone()), batch.column(at).clone()),
        None => (field.clone(), new_null_array(field.data_type(), batch.num_rows())),
    });
    let (fields, columns): (Vec<_>, Vec<_>) = found.unzip();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

/// Runs the Parquet reader, which gives up with a panic on some bytes that no writer produces.
fn guarded<T>(read: impl FnOnce() -> Result<T, SegmentError>) -> Result<T, SegmentError> {
    let text = |panic: Box<dyn Any + Send>| match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast::<&str>().map_or_else(|_| String::new(), |text| text.to_string()),
    };
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|panic| Err(SegmentError::Format(format!("the Parquet reader gave up: {}", text(panic)))))
}

/// Refuses a file with a column too many, too few, elsewhere or of another type.
fn check_schema(metadata: &ParquetMetaData) -> Result<(), SegmentError> {
    let found = metadata.file_metadata().schema_descr();
    if found.root_schema() == parquet_schema().root_schema() {
        return Ok(());
    }
    let columns = found.columns().iter().zip(parquet_schema().columns());
    let other = columns.into_iter().find(|(found, expected)| found != expected);
    let what = match other {
        Some((found, expected)) => format!("column {} stands where {} belongs", found.path(), expected.path()),
        None => format!("{} columns instead of {}", found.num_columns(), Column::COUNT),
    };
    Err(SegmentError::Format(what))
}

/// The first row of each row group and, last, the number of rows.
fn row_group_starts(metadata: &ParquetMetaData, count: u64) -> Result<Vec<u64>, SegmentError> {
    let mut starts = vec![0];
    for group in metadata.row_groups() {
        let rows = u64::try_from(group.num_rows()).ok().filter(|rows| *rows > 0);
        let end = rows.and_then(|rows| rows.checked_add(*starts.last()?)).filter(|end| *end <= count);
        starts.push(end.ok_or_else(|| SegmentError::Format("the row groups do not add up".into()))?);
    }
    match starts.last() {
        Some(end) if *end == count && count > 0 => Ok(starts),
        _ => Err(SegmentError::Format(format!("the row groups do not add up to {count} rows"))),
    }
}

/// The readers of the row groups; neighbours that are read alike share theirs.
fn readers(metadata: &Arc<ParquetMetaData>) -> Result<Vec<ArrowReaderMetadata>, SegmentError> {
    let mut readers: Vec<ArrowReaderMetadata> = Vec::with_capacity(metadata.num_row_groups());
    for group in metadata.row_groups() {
        let schema = read_schema(group);
        let reader = match readers.last() {
            Some(last) if *last.schema() == schema => last.clone(),
            _ => ArrowReaderMetadata::try_new(metadata.clone(), ArrowReaderOptions::new().with_schema(schema))?,
        };
        readers.push(reader);
    }
    Ok(readers)
}

/// The Arrow types to read the columns with: dictionaries where a column has values, all in dictionary pages.
/// What the footer says here decides how fast the cells are read, not what they hold.
fn read_schema(group: &RowGroupMetaData) -> SchemaRef {
    let only_dictionary = |column: Column| {
        let chunk = group.column(column as usize);
        let encodings = chunk.page_encoding_stats_mask();
        !is_absent(chunk) && encodings.is_some_and(|found| found.is_only(Encoding::RLE_DICTIONARY))
    };
    let declared = schema();
    let fields = COLUMNS.iter().zip(declared.fields()).map(|(column, field)| {
        if Column::TEXTS.contains(column) && only_dictionary(*column) {
            Arc::new(Field::new(column.name(), dictionary_type(), field.is_nullable()))
        } else {
            field.clone()
        }
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Whether the footer says that no row of the group has a value in this column.
fn is_absent(chunk: &ColumnChunkMetaData) -> bool {
    let nulls = chunk.statistics().and_then(|statistics| statistics.null_count_opt());
    nulls.is_some_and(|nulls| i64::try_from(nulls) == Ok(chunk.num_values()))
}
