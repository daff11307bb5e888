//! Rows in the order of the ledger unless a query asks for another.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::{
    Expr, LogicalPlan, LogicalPlanBuilder, Projection, Sort, SubqueryAlias, TableScan, lit,
};

use crate::columns::{TABLE, schema};

/// The plan with its rows in the order of `index`, when it does nothing but filter, project and limit the table.
///
/// The scan yields that order by itself, so nothing is sorted; without this, rows of files that are read side by side
/// would come in a different order each time.
pub(crate) fn by_index(plan: LogicalPlan) -> Result<LogicalPlan> {
    if !is_plain(&plan) {
        return Ok(plan);
    }
    sort_scan(plan).map(|sorted| sorted.data)
}

fn is_plain(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::TableScan(scan) => scan.table_name.table() == TABLE,
        LogicalPlan::Projection(_) | LogicalPlan::Filter(_) | LogicalPlan::Limit(_) | LogicalPlan::SubqueryAlias(_) => {
            plan.inputs().iter().all(|input| is_plain(input))
        }
        _ => false,
    }
}

fn sort_scan(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    plan.transform_up(|plan| match &plan {
        LogicalPlan::TableScan(scan) => {
            let index = Column::new(Some(scan.table_name.clone()), "index");
            let order = Expr::Column(index).sort(true, false);
            LogicalPlanBuilder::from(plan).sort([order])?.build().map(Transformed::yes)
        }
        _ => Ok(Transformed::no(plan)),
    })
}

/// The optimized plan, in which the newest so many rows of the table, asked for by `ORDER BY index DESC LIMIT`, are read and
/// no others: of a ledger of `size` entries they are known beforehand.
pub(crate) fn newest_only(plan: LogicalPlan, size: u64) -> Result<LogicalPlan> {
    let rewritten = plan.transform_down(|plan| {
        let LogicalPlan::Sort(Sort { expr, input, fetch: Some(rows) }) = &plan else {
            return Ok(Transformed::no(plan));
        };
        let column = expr.first().filter(|order| !order.asc).and_then(|order| order.expr.try_as_col());
        let start = size.saturating_sub(*rows as u64);
        match column.map(|column| from_index(input, column, start)).transpose()?.flatten() {
            Some(input) => {
                let sort = Sort { expr: expr.clone(), input: Arc::new(input), fetch: Some(*rows) };
                Ok(Transformed::yes(LogicalPlan::Sort(sort)))
            }
            None => Ok(Transformed::no(plan)),
        }
    });
    rewritten.map(|plan| plan.data)
}

/// The plan from an index on, if it passes on every row of the table and `column` is its index.
fn from_index(plan: &LogicalPlan, column: &Column, start: u64) -> Result<Option<LogicalPlan>> {
    match plan {
        LogicalPlan::TableScan(scan) if column.name == "index" && is_whole(scan) => {
            let mut scan = scan.clone();
            let first = ScalarValue::UInt64(Some(start)).cast_to(schema().field_with_name("index")?.data_type())?;
            let index = Column::new(Some(scan.table_name.clone()), "index");
            scan.filters.push(Expr::Column(index).gt_eq(lit(first)));
            Ok(Some(LogicalPlan::TableScan(scan)))
        }
        LogicalPlan::SubqueryAlias(alias) => {
            let input = from_index(&alias.input, &Column::from_name(&column.name), start)?;
            let again = |input| SubqueryAlias::try_new(Arc::new(input), alias.alias.clone());
            input.map(again).transpose().map(|alias| alias.map(LogicalPlan::SubqueryAlias))
        }
        LogicalPlan::Projection(projection) => {
            let place = projection.schema.maybe_index_of_column(column);
            let Some(Expr::Column(column)) = place.map(|place| projection.expr[place].clone().unalias()) else {
                return Ok(None);
            };
            let input = from_index(&projection.input, &column, start)?;
            let again = |input| Projection::try_new(projection.expr.clone(), Arc::new(input));
            input.map(again).transpose().map(|projection| projection.map(LogicalPlan::Projection))
        }
        _ => Ok(None),
    }
}

fn is_whole(scan: &TableScan) -> bool {
    scan.table_name.table() == TABLE && scan.filters.is_empty() && scan.fetch.is_none()
}
