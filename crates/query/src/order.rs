//! Rows in the order of the ledger unless a query asks for another.

use datafusion::common::Column;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};

use crate::columns::TABLE;

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
