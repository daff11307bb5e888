use std::collections::HashSet;

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterVersion};
use parquet::schema::types::ColumnPath;

use crate::schema::{COLUMNS, Column};
use crate::writer::ROW_GROUP_ROWS;

/// zstd's level: higher ones cost more time than they save bytes.
const ZSTD_LEVEL: i32 = 1;

/// The columns that a lookup of one value goes by, each with a Bloom filter.
pub(crate) const BLOOM_COLUMNS: [Column; 4] = [Column::EntityId, Column::Actor, Column::TraceId, Column::Id];

/// One false answer of a Bloom filter in a hundred.
const BLOOM_FALSE_POSITIVES: f64 = 0.01;

/// A page of text before compression: small, so that reading one row is cheap.
const TEXT_PAGE_BYTES: usize = 32_768;

/// A page of keys or numbers before compression.
const NUMBER_PAGE_BYTES: usize = 16_384;

/// Beyond this a dictionary is given up and values are written out.
const DICTIONARY_BYTES: usize = 1 << 20;

/// A dictionary of times beyond this is given up: every commit has a time of its own then.
const TIME_DICTIONARY_BYTES: usize = 16_384;

/// Distinct values in the sample up to which a dictionary is left uncompressed.
const SMALL_DICTIONARY: usize = 256;

/// Rows after which the writer looks whether a page is full.
const PAGE_CHECK_ROWS: usize = 256;

/// How many values of a column are looked at to see whether they repeat.
const SAMPLE_ROWS: usize = 4_096;

/// How the writer lays out the row group of `batch`.
pub(crate) fn writer_properties(batch: &RecordBatch) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_created_by(concat!("counterfoil ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_data_page_row_count_limit(usize::MAX)
        .set_data_page_size_limit(NUMBER_PAGE_BYTES)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
        .set_write_batch_size(PAGE_CHECK_ROWS)
        .set_statistics_truncate_length(Some(64))
        .set_column_index_truncate_length(Some(16))
        .set_dictionary_enabled(false)
        .set_encoding(Encoding::PLAIN)
        .set_compression(Compression::UNCOMPRESSED);
    for column in COLUMNS {
        properties = if Column::TEXTS.contains(&column) {
            text_properties(properties, column, batch)
        } else {
            number_properties(properties, column)
        };
    }
    properties.build()
}

/// Numbers: packed differences; dictionary keys for times that come in groups. Neither gains from zstd.
fn number_properties(properties: WriterPropertiesBuilder, column: Column) -> WriterPropertiesBuilder {
    let path = ColumnPath::from(column.name());
    match column {
        Column::Signature | Column::Salt => properties,
        Column::RecordedAt => properties
            .set_column_encoding(path.clone(), Encoding::DELTA_BINARY_PACKED)
            .set_column_dictionary_enabled(path.clone(), true)
            .set_column_dictionary_page_size_limit(path, TIME_DICTIONARY_BYTES),
        _ => properties.set_column_encoding(path, Encoding::DELTA_BINARY_PACKED),
    }
}

/// Texts: a dictionary where values repeat, else lengths and then the values end to end. zstd unless a dictionary
/// is so small that packed keys are all there is.
fn text_properties(
    mut properties: WriterPropertiesBuilder,
    column: Column,
    batch: &RecordBatch,
) -> WriterPropertiesBuilder {
    let path = ColumnPath::from(column.name());
    let sample = Sample::of(batch.column(column as usize).as_string());
    properties = properties
        .set_column_encoding(path.clone(), Encoding::DELTA_LENGTH_BYTE_ARRAY)
        .set_column_dictionary_enabled(path.clone(), sample.repeats());
    if sample.distinct > SMALL_DICTIONARY || !sample.repeats() {
        let level = ZstdLevel::try_new(ZSTD_LEVEL).expect("a level that zstd knows");
        properties = properties.set_column_compression(path.clone(), Compression::ZSTD(level));
    }
    if !sample.repeats() {
        properties = properties.set_column_data_page_size_limit(path.clone(), TEXT_PAGE_BYTES);
    }
    if matches!(column, Column::OldValue | Column::NewValue | Column::Context) {
        properties = properties.set_column_statistics_enabled(path.clone(), EnabledStatistics::Chunk);
    }
    if BLOOM_COLUMNS.contains(&column) {
        properties = properties
            .set_column_bloom_filter_enabled(path.clone(), true)
            .set_column_bloom_filter_fpp(path.clone(), BLOOM_FALSE_POSITIVES)
            .set_column_bloom_filter_max_ndv(path, batch.num_rows() as u64);
    }
    properties
}

/// What some values of a column, taken evenly from the whole batch, tell about all of them.
struct Sample {
    seen: usize,
    distinct: usize,
}

impl Sample {
    fn of(cells: &StringArray) -> Self {
        let stride = cells.len().div_ceil(SAMPLE_ROWS).max(1);
        let rows = (0..cells.len()).step_by(stride).filter(|row| cells.is_valid(*row));
        let (mut seen, mut values) = (0, HashSet::new());
        for row in rows {
            seen += 1;
            values.insert(cells.value(row));
        }
        Self { seen, distinct: values.len() }
    }

    /// Whether values come back often enough to be worth a dictionary.
    fn repeats(&self) -> bool {
        self.distinct * 4 <= self.seen
    }
}
