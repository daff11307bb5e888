//! The parts of the sealed segments that a query has to read.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, TimestampMicrosecondArray, UInt64Array};
use arrow::datatypes::{DataType, SchemaRef};
use counterfoil::{Error, ErrorKind, Result};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, ScalarValue};
use datafusion::datasource::physical_plan::parquet::{ParquetAccessPlan, RowGroupAccess};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;

use crate::columns::schema;
use crate::lookup::{Lookup, positions};
use crate::source::Sealed;

/// The columns whose bounds are worth knowing of every row group: entries come in the order of `index` and `recorded_at`,
/// and nearly in that of `timestamp`.
pub(crate) const ORDERED: [&str; 3] = ["index", "timestamp", "recorded_at"];

/// One row group to read, whole or in part.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) segment: Arc<dyn Sealed>,
    pub(crate) row_group: usize,
    pub(crate) row_groups: usize,
    /// Rows to read.
    pub(crate) rows: usize,
    pub(crate) access: RowGroupAccess,
    pub(crate) bounds: Bounds,
}

/// Least and greatest value of each ordered column, as the footer tells them.
pub(crate) type Bounds = [Option<(i64, i64)>; ORDERED.len()];

impl Part {
    /// The plan that reads these parts of one segment and nothing else of it.
    pub(crate) fn plan(parts: &[Part]) -> ParquetAccessPlan {
        let mut plan = ParquetAccessPlan::new_none(parts.first().map_or(0, |part| part.row_groups));
        for part in parts {
            plan.set(part.row_group, part.access.clone());
        }
        plan
    }
}

/// The row groups that can hold wanted rows among the first `size` entries, in order: by each segment's index first,
/// then by bounds.
///
/// # Errors
/// What a segment answers when its index or footer cannot be read.
pub(crate) fn parts(
    segments: &[Arc<dyn Sealed>],
    size: u64,
    lookups: &[Lookup],
    predicate: Option<&Arc<dyn PhysicalExpr>>,
) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    let segments = segments.iter().filter(|segment| segment.first() < size).cloned().collect();
    for segment in &reached(segments, predicate) {
        match positions(segment.as_ref(), lookups)? {
            Some(rows) if rows.is_empty() => {}
            rows => parts.extend(parts_of(segment, size - segment.first(), rows.as_deref())?),
        }
    }
    if let Some(predicate) = predicate {
        let wanted = wanted(&parts, predicate);
        let mut wanted = wanted.iter();
        parts.retain(|_| wanted.next().copied().unwrap_or(true));
    }
    Ok(parts)
}

/// The segments that the predicate can reach by its indices alone. Nothing of the others is opened: what is broken there keeps
/// nobody from reading the rest.
fn reached(segments: Vec<Arc<dyn Sealed>>, predicate: Option<&Arc<dyn PhysicalExpr>>) -> Vec<Arc<dyn Sealed>> {
    let Some(predicate) = predicate else { return segments };
    let whole = |segment: &Arc<dyn Sealed>| Part {
        row_group: 0,
        row_groups: 0,
        rows: 0,
        access: RowGroupAccess::Skip,
        bounds: [span(segment.as_ref()), None, None],
        segment: Arc::clone(segment),
    };
    let parts: Vec<Part> = segments.iter().map(whole).collect();
    let wanted = wanted(&parts, predicate);
    let mut wanted = wanted.iter();
    segments.into_iter().filter(|_| wanted.next().copied().unwrap_or(true)).collect()
}

/// The least and the greatest index of a segment.
fn span(segment: &dyn Sealed) -> Option<(i64, i64)> {
    let last = segment.first() + segment.count().checked_sub(1)?;
    Some((i64::try_from(segment.first()).ok()?, i64::try_from(last).ok()?))
}

/// The row groups of one segment with some of the given rows (of all rows, when none are given) before row `end`.
fn parts_of(segment: &Arc<dyn Sealed>, end: u64, rows: Option<&[u64]>) -> Result<Vec<Part>> {
    let metadata = segment.metadata()?;
    let mut parts = Vec::new();
    let mut first = 0;
    for (row_group, group) in metadata.row_groups().iter().enumerate() {
        let next = first + group.num_rows() as u64;
        let selectors = match rows {
            Some(rows) => selectors(rows, first..next, end),
            None => leading(first..next, end),
        };
        first = next;
        let selection = RowSelection::from(selectors);
        let rows = selection.row_count();
        if rows > 0 {
            parts.push(Part {
                segment: Arc::clone(segment),
                row_group,
                row_groups: metadata.num_row_groups(),
                rows,
                access: match rows as i64 == group.num_rows() {
                    true => RowGroupAccess::Scan,
                    false => RowGroupAccess::Selection(selection),
                },
                bounds: ORDERED.map(|name| bounds(group, name)),
            });
        }
    }
    let beyond = rows.and_then(|rows| rows.last()).is_some_and(|&row| row >= first);
    if first != segment.count() || beyond {
        let message =
            format!("{}: its footer tells of {first} rows, the ledger or its index of others", segment.name());
        return Err(Error::new(ErrorKind::Tampered, message));
    }
    Ok(parts)
}

/// The rows of a row group before `end`.
fn leading(group: Range<u64>, end: u64) -> Vec<RowSelector> {
    let end = end.clamp(group.start, group.end);
    vec![RowSelector::select((end - group.start) as usize), RowSelector::skip((group.end - end) as usize)]
}

/// Those of the given rows that lie in a row group and before `end`.
fn selectors(rows: &[u64], group: Range<u64>, end: u64) -> Vec<RowSelector> {
    let place = |row: u64| rows.partition_point(|&other| other < row);
    let inside = &rows[place(group.start)..place(group.end.min(end)).max(place(group.start))];
    let mut selectors = Vec::with_capacity(2 * inside.len() + 1);
    let mut next = group.start;
    for &row in inside {
        selectors.push(RowSelector::skip((row - next) as usize));
        selectors.push(RowSelector::select(1));
        next = row + 1;
    }
    selectors.push(RowSelector::skip((group.end - next) as usize));
    selectors
}

fn bounds(group: &RowGroupMetaData, name: &str) -> Option<(i64, i64)> {
    let column = group.columns().iter().find(|column| column.column_path().string() == name)?;
    match column.statistics()? {
        Statistics::Int64(values) => Some((*values.min_opt()?, *values.max_opt()?)),
        _ => None,
    }
}

/// Which parts the predicate can hold in; all of them when that cannot be told.
fn wanted(parts: &[Part], predicate: &Arc<dyn PhysicalExpr>) -> Vec<bool> {
    let schema = schema();
    PruningPredicateBuilder::new()
        .with_file_schema(Arc::clone(&schema))
        .build(Arc::clone(predicate))
        .and_then(|pruning| pruning.prune(&PartBounds { parts, schema }).ok())
        .unwrap_or_default()
}

struct PartBounds<'a> {
    parts: &'a [Part],
    schema: SchemaRef,
}

impl PartBounds<'_> {
    fn values(&self, column: &Column, side: fn((i64, i64)) -> i64) -> Option<ArrayRef> {
        let place = ORDERED.iter().position(|name| *name == column.name)?;
        let values = self.parts.iter().map(|part| part.bounds[place].map(side));
        match self.schema.field_with_name(&column.name).ok()?.data_type() {
            DataType::Timestamp(_, zone) => {
                Some(Arc::new(TimestampMicrosecondArray::from_iter(values).with_timezone_opt(zone.clone())))
            }
            _ => Some(Arc::new(Int64Array::from_iter(values))),
        }
    }
}

impl PruningStatistics for PartBounds<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.values(column, |(least, _)| least)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.values(column, |(_, greatest)| greatest)
    }

    fn num_containers(&self) -> usize {
        self.parts.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let known = ORDERED.contains(&column.name.as_str());
        known.then(|| Arc::new(UInt64Array::from(vec![0; self.parts.len()])) as ArrayRef)
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        None
    }

    fn contained(&self, _column: &Column, _values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}
