//! `audit_log`: the sealed segments and the unsealed tail as one table.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::compute::SortOptions;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DFSchema, internal_datafusion_err};
use datafusion::datasource::TableType;
use datafusion::error::Result;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::utils::{collect_columns, reassign_expr_columns};
use datafusion::physical_expr::{
    LexOrdering, PhysicalExpr, PhysicalSortExpr, conjunction, conjunction_opt, create_physical_expr,
};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::filter::FilterExecBuilder;
use datafusion::physical_plan::streaming::StreamingTableExec;
use datafusion::physical_plan::union::UnionExec;

use crate::columns::{TABLE, schema};
use crate::fault::Fault;
use crate::lookup::lookups;
use crate::prune::parts;
use crate::sealed;
use crate::source::Source;
use crate::tail::{self, TailCache};

/// The table of one query: one consistent state of a ledger.
pub(crate) struct AuditLog {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) tails: Arc<TailCache>,
    pub(crate) fault: Fault,
}

impl std::fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AuditLog({} entries)", self.source.size())
    }
}

/// What a scan was asked for, in terms of the table's columns.
pub(crate) struct Wanted {
    pub(crate) columns: Vec<usize>,
    pub(crate) filters: Vec<Arc<dyn PhysicalExpr>>,
    pub(crate) limit: Option<usize>,
    pub(crate) partitions: usize,
}

impl Wanted {
    fn new(
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Self> {
        let columns = DFSchema::try_from_qualified_schema(TABLE, &schema())?;
        // As the optimizer left them: types agree and functions are rewritten already.
        let (properties, context) = (state.execution_props(), PhysicalPlanningContext::default());
        let filters = filters.iter().map(|filter| create_physical_expr(filter, &columns, properties, &context));
        Ok(Self {
            columns: projection.cloned().unwrap_or_else(|| (0..schema().fields().len()).collect()),
            filters: filters.collect::<Result<_>>()?,
            limit,
            partitions: state.config().target_partitions(),
        })
    }

    pub(crate) fn predicate(&self) -> Option<Arc<dyn PhysicalExpr>> {
        conjunction_opt(self.filters.iter().cloned())
    }
}

#[async_trait]
impl TableProvider for AuditLog {
    fn schema(&self) -> SchemaRef {
        schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    /// Every filter is applied to every row below: by the Parquet decoder, or by a filter right above it.
    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(filters
            .iter()
            .map(|filter| match filter.is_volatile() {
                true => TableProviderFilterPushDown::Unsupported,
                false => TableProviderFilterPushDown::Exact,
            })
            .collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let wanted = Wanted::new(state, projection, filters, limit)?;
        let lookups = lookups(filters);
        let parts = parts(&self.source.sealed(), self.source.size(), &lookups, wanted.predicate().as_ref())
            .map_err(|error| self.fault.raise(error))?;
        let mut plans = Vec::new();
        if !parts.is_empty() {
            plans.push(sealed::plan(&parts, &wanted, !lookups.is_empty(), &self.fault, state)?);
        }
        plans.extend(self.tail(&wanted)?);
        match plans.len() {
            0 => Ok(Arc::new(EmptyExec::new(Arc::new(schema().project(&wanted.columns)?)))),
            1 => Ok(plans.remove(0)),
            _ => UnionExec::try_new(plans),
        }
    }
}

impl AuditLog {
    fn tail(&self, wanted: &Wanted) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let sealed = self.source.sealed().last().map_or(0, |last| last.first() + last.count());
        let range = sealed..self.source.size();
        if range.is_empty() {
            return Ok(None);
        }
        let partitions = tail::partitions(&self.source, &self.tails, &self.fault, range, wanted.partitions);
        filtered(wanted, wanted.predicate(), |columns, limit| {
            let order = order(columns);
            let plan = StreamingTableExec::try_new(schema(), partitions, Some(&columns.to_vec()), order, false, limit)?;
            Ok(Arc::new(plan))
        })
        .map(Some)
    }
}

/// The order that rows come in, if the `index` is among the columns: ascending by it.
fn order(columns: &[usize]) -> Option<LexOrdering> {
    let place = columns.iter().position(|&column| schema().field(column).name() == "index")?;
    index_order(place)
}

/// Ascending order by `index`, at this place among the columns.
pub(crate) fn index_order(place: usize) -> Option<LexOrdering> {
    let options = SortOptions { descending: false, nulls_first: false };
    LexOrdering::new([PhysicalSortExpr::new(Arc::new(Column::new("index", place)), options)])
}

/// A plan that yields the wanted columns of the rows that pass a predicate, over one that yields columns of all rows.
pub(crate) fn filtered(
    wanted: &Wanted,
    predicate: Option<Arc<dyn PhysicalExpr>>,
    scan: impl FnOnce(&[usize], Option<usize>) -> Result<Arc<dyn ExecutionPlan>>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let Some(predicate) = predicate else {
        return scan(&wanted.columns, wanted.limit);
    };
    let also: BTreeSet<usize> = collect_columns(&predicate)
        .iter()
        .map(Column::index)
        .filter(|column| !wanted.columns.contains(column))
        .collect();
    let columns: Vec<usize> = wanted.columns.iter().copied().chain(also).collect();
    let input = scan(&columns, None)?;
    let predicate = reassign_expr_columns(predicate, &input.schema())?;
    let filter = FilterExecBuilder::new(predicate, input)
        .apply_projection(Some((0..wanted.columns.len()).collect()))?
        .build()?;
    Ok(Arc::new(filter))
}

/// The conjunction of the filters at the places where `keep` holds.
pub(crate) fn among(filters: &[Arc<dyn PhysicalExpr>], keep: &[bool]) -> Result<Option<Arc<dyn PhysicalExpr>>> {
    if filters.len() != keep.len() {
        return Err(internal_datafusion_err!("{} filters, {} answers", filters.len(), keep.len()));
    }
    let kept: Vec<_> = filters.iter().zip(keep).filter(|(_, keep)| **keep).collect();
    Ok((!kept.is_empty()).then(|| conjunction(kept.into_iter().map(|(filter, _)| Arc::clone(filter)))))
}
