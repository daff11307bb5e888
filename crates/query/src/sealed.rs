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
use datafusion::physical_expr::{PhysicalExpr, conjunction_opt};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter_pushdown::PushedDown;

use crate::columns::schema;
use crate::fault::Fault;
use crate::prune::{Bounds, ORDERED, Part};
use crate::reader::{SegmentOf, SegmentReaders};
use crate::table::{Wanted, filtered, index_order};

/// The address that scans carry. No store serves it: every byte comes from the segment that a file belongs to.
pub(crate) const STORE: &str = "counterfoil://ledger";

/// The plan that reads the wanted columns and rows of these parts.
pub(crate) fn plan(
    parts: &[Part],
    wanted: &Wanted,
    fault: &Fault,
    state: &dyn Session,
) -> Result<Arc<dyn ExecutionPlan>> {
    let (source, left) = source(parts, wanted, fault, state)?;
    let groups = file_groups(parts, wanted.partitions)?;
    filtered(wanted, left, |columns, limit| {
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

/// What reads the files, and the filters that it applies to every row.
type FilteredSource = (Arc<dyn FileSource>, Option<Arc<dyn PhysicalExpr>>);

/// What decodes the files, and the part of the predicate that it leaves to be checked after it.
///
/// The few rows that an index named are decoded at once: filters and statistics on the way would cost more than they
/// save. Everything else is pruned by statistics, page index and Bloom filters, and filtered while it is decoded.
fn source(parts: &[Part], wanted: &Wanted, fault: &Fault, state: &dyn Session) -> Result<FilteredSource> {
    let options = TableParquetOptions {
        global: state.config_options().execution.parquet.clone(),
        ..TableParquetOptions::default()
    };
    let source = ParquetSource::new(schema())
        .with_table_parquet_options(options)
        .with_parquet_file_reader_factory(Arc::new(SegmentReaders { fault: fault.clone() }));
    if parts.iter().all(|part| part.by_index) {
        let source = source.with_bloom_filter_on_read(false).with_enable_page_index(false);
        return Ok((Arc::new(source), wanted.predicate()));
    }
    let source = source.with_pushdown_filters(true).with_reorder_filters(true);
    let pushed = source.try_pushdown_filters(wanted.filters.clone(), state.config_options())?;
    let left = wanted.filters.iter().zip(&pushed.filters);
    let left = left.filter(|(_, answer)| matches!(answer, PushedDown::No)).map(|(filter, _)| Arc::clone(filter));
    let left = conjunction_opt(left);
    Ok((pushed.updated_node.unwrap_or_else(|| Arc::new(source)), left))
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

/// What the footers tell of these parts: number of rows, bounds of the ordered columns, and which columns hold nothing,
/// so that they need not be decoded.
fn statistics(parts: &[Part]) -> Statistics {
    let mut statistics = Statistics::new_unknown(&schema());
    let rows = Precision::Exact(parts.iter().map(|part| part.rows).sum());
    statistics.num_rows = rows;
    for (place, column) in statistics.column_statistics.iter_mut().enumerate() {
        if parts.iter().all(|part| part.empty.contains(&place)) {
            column.null_count = rows;
        }
    }
    let whole = parts.iter().all(Part::is_whole);
    let bounds: Vec<&Bounds> = parts.iter().map(|part| &part.bounds).collect();
    for (place, name) in ORDERED.iter().enumerate() {
        let Some((column, field)) = schema().column_with_name(name).map(|(i, f)| (i, f.clone())) else {
            continue;
        };
        let known: Option<Vec<(i64, i64)>> = bounds.iter().map(|bounds| bounds[place]).collect();
        let bound = |value: Option<i64>| {
            let value = value.and_then(|value| ScalarValue::Int64(Some(value)).cast_to(field.data_type()).ok());
            match value {
                Some(value) if whole => Precision::Exact(value),
                Some(value) => Precision::Inexact(value),
                None => Precision::Absent,
            }
        };
        let known = known.unwrap_or_default();
        statistics.column_statistics[column] = ColumnStatistics {
            null_count: Precision::Exact(0),
            min_value: bound(known.iter().map(|bounds| bounds.0).min()),
            max_value: bound(known.iter().map(|bounds| bounds.1).max()),
            ..ColumnStatistics::new_unknown()
        };
    }
    statistics
}
