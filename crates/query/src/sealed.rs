//! The Parquet scan over the sealed segments.

use std::sync::Arc;

use datafusion::catalog::Session;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics};
use datafusion::config::TableParquetOptions;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, FileSource, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter_pushdown::PushedDown;

use crate::columns::schema;
use crate::fault::Fault;
use crate::prune::{Bounds, ORDERED, Part};
use crate::reader::{SegmentOf, SegmentReaders};
use crate::table::{Wanted, among, filtered, index_order};

/// The address that scans carry. No store serves it: every byte comes from the segment that a file belongs to.
pub(crate) const STORE: &str = "counterfoil://ledger";

/// The plan that reads the wanted columns and rows of these parts.
///
/// Rows found by an index need no Bloom filters on top.
pub(crate) fn plan(
    parts: &[Part],
    wanted: &Wanted,
    by_index: bool,
    fault: &Fault,
    state: &dyn Session,
) -> Result<Arc<dyn ExecutionPlan>> {
    let options = TableParquetOptions {
        global: state.config_options().execution.parquet.clone(),
        ..TableParquetOptions::default()
    };
    let by_segment = parts.chunk_by(|one, other| one.segment.first() == other.segment.first());
    let segments = by_segment.map(|parts| Arc::clone(&parts[0].segment)).collect();
    let source = ParquetSource::new(schema())
        .with_table_parquet_options(options)
        .with_bloom_filter_on_read(!by_index)
        .with_parquet_file_reader_factory(Arc::new(SegmentReaders { fault: fault.clone(), segments }));
    let pushed = source.try_pushdown_filters(wanted.filters.clone(), state.config_options())?;
    let source = pushed.updated_node.unwrap_or_else(|| Arc::new(source));
    let left: Vec<bool> = pushed.filters.iter().map(|f| matches!(f, PushedDown::No)).collect();
    let groups = file_groups(parts, wanted.partitions)?;
    filtered(wanted, among(&wanted.filters, &left)?, |columns, limit| {
        let index = schema().index_of("index")?;
        let scan = FileScanConfigBuilder::new(ObjectStoreUrl::parse(STORE)?, source)
            .with_file_groups(groups)
            .with_statistics(statistics(parts))
            .with_output_ordering(index_order(index).into_iter().collect())
            .with_projection_indices(Some(columns.to_vec()))?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(scan) as Arc<dyn ExecutionPlan>)
    })
}

/// The parts in order, in as many groups as may be read at once, with about as many rows each.
fn file_groups(parts: &[Part], groups: usize) -> Result<Vec<FileGroup>> {
    let rows: usize = parts.iter().map(|part| part.rows).sum();
    let share = rows.div_ceil(groups).max(1);
    let mut before = 0;
    let mut rest = parts;
    let mut grouped = Vec::new();
    while !rest.is_empty() {
        let end = (before / share + 1) * share;
        let mut length = 0;
        while length < rest.len() && (length == 0 || before + rest[length].rows / 2 < end) {
            before += rest[length].rows;
            length += 1;
        }
        let (group, others) = rest.split_at(length);
        grouped.push(FileGroup::new(files(group)?));
        rest = others;
    }
    Ok(grouped)
}

fn files(parts: &[Part]) -> Result<Vec<PartitionedFile>> {
    let by_segment = parts.chunk_by(|one, other| one.segment.first() == other.segment.first());
    by_segment.map(file).collect()
}

fn file(parts: &[Part]) -> Result<PartitionedFile> {
    let segment = Arc::clone(&parts[0].segment);
    let bytes = segment.file().map_err(|error| DataFusionError::External(Box::new(error)))?;
    Ok(PartitionedFile::new(segment.name(), bytes.len())
        .with_extension(Part::plan(parts))
        .with_extension(SegmentOf { segment, bytes })
        .with_statistics(Arc::new(statistics(parts))))
}

/// What the footers tell of these parts: number of rows, and bounds of the ordered columns.
fn statistics(parts: &[Part]) -> Statistics {
    let mut statistics = Statistics::new_unknown(&schema());
    statistics.num_rows = Precision::Exact(parts.iter().map(|part| part.rows).sum());
    let bounds: Vec<&Bounds> = parts.iter().map(|part| &part.bounds).collect();
    for (place, name) in ORDERED.iter().enumerate() {
        let Some((column, field)) = schema().column_with_name(name).map(|(i, f)| (i, f.clone())) else {
            continue;
        };
        let known: Option<Vec<(i64, i64)>> = bounds.iter().map(|bounds| bounds[place]).collect();
        let exact = |value: Option<i64>| match value {
            Some(value) => {
                ScalarValue::Int64(Some(value)).cast_to(field.data_type()).map_or(Precision::Absent, Precision::Exact)
            }
            None => Precision::Absent,
        };
        let known = known.unwrap_or_default();
        statistics.column_statistics[column] = ColumnStatistics {
            null_count: Precision::Exact(0),
            min_value: exact(known.iter().map(|bounds| bounds.0).min()),
            max_value: exact(known.iter().map(|bounds| bounds.1).max()),
            ..ColumnStatistics::new_unknown()
        };
    }
    statistics
}
