//! The guards of a plan: everything in it that makes values asks the query's budget first.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, DFSchemaRef};
use datafusion::error::Result;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, WindowFunctionDefinition};

use crate::budget::Budget;
use crate::cause::{Cause, What};
use crate::guarded::Guarded;
use crate::joined::Joined;

/// Rows of the engine's batches, for each of which a constant in the answer is written out.
const BATCH_ROWS: usize = 8192;

/// Aggregates that make one long value, which a window would make for each row.
const GATHERING: [&str; 3] = ["string_agg", "array_agg", "listagg"];

/// Guards the functions of a plan that was not optimized yet, whose constants are about to be computed.
pub(crate) fn guard_functions(plan: LogicalPlan, budget: &Budget) -> Result<LogicalPlan> {
    rewrite(plan, |expr, _| {
        Ok(match expr {
            Expr::ScalarFunction(mut call) => {
                call.func = Guarded::of(call.func, budget);
                Transformed::yes(Expr::ScalarFunction(call))
            }
            expr => Transformed::no(expr),
        })
    })
}

/// Guards everything in an optimized plan.
pub(crate) fn guard(plan: LogicalPlan, budget: &Budget) -> Result<LogicalPlan> {
    check_constants(&plan, budget)?;
    rewrite(guard_functions(plan, budget)?, |expr, schema| match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::StringConcat, right }) => {
            let whole = Expr::BinaryExpr(BinaryExpr { left, op: Operator::StringConcat, right });
            let (name, returns) = (whole.schema_name().to_string(), whole.get_type(schema)?);
            let Expr::BinaryExpr(BinaryExpr { left, right, .. }) = whole else { unreachable!("it was made above") };
            Ok(Transformed::yes(Joined::texts(*left, *right, name, returns, budget)))
        }
        Expr::WindowFunction(mut window) => {
            if let WindowFunctionDefinition::AggregateUDF(function) = &window.fun
                && GATHERING.contains(&function.name())
            {
                let message =
                    format!("{} gathers all rows for each row of a window; group by instead", function.name());
                return budget.refuse(Cause::invalid(What::Unsupported, message));
            }
            for arg in &mut window.params.args {
                let returns = arg.get_type(schema)?;
                if returns.is_string() || returns.is_binary() {
                    *arg = Joined::narrow(std::mem::take(arg), returns, budget);
                }
            }
            Ok(Transformed::yes(Expr::WindowFunction(window)))
        }
        expr => Ok(Transformed::no(expr)),
    })
}

fn rewrite(
    plan: LogicalPlan,
    mut each: impl FnMut(Expr, &DFSchema) -> Result<Transformed<Expr>>,
) -> Result<LogicalPlan> {
    let rewritten = plan.transform_up_with_subqueries(|plan| {
        let schema = schema_of(&plan)?;
        plan.map_expressions(|expr| expr.transform_up(|expr| each(expr, &schema)))
    });
    rewritten.map(|plan| plan.data)
}

/// What the expressions of a plan's node may speak of.
fn schema_of(plan: &LogicalPlan) -> Result<DFSchemaRef> {
    match plan {
        LogicalPlan::TableScan(scan) => {
            DFSchema::try_from_qualified_schema(scan.table_name.clone(), &scan.source.schema()).map(Arc::new)
        }
        plan => Ok(Arc::new(merge_schema(&plan.inputs()))),
    }
}

/// A constant in a projection is written out for each row.
fn check_constants(plan: &LogicalPlan, budget: &Budget) -> Result<()> {
    plan.apply_with_subqueries(|plan| {
        let mut bytes = 0;
        if let LogicalPlan::Projection(projection) = plan {
            for expr in &projection.expr {
                if let Expr::Literal(value, _) = expr.clone().unalias() {
                    bytes += value.size();
                }
            }
        }
        budget.take(bytes.saturating_mul(BATCH_ROWS), false)?;
        Ok(TreeNodeRecursion::Continue)
    })
    .map(|_| ())
}
