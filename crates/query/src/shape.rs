//! How much a statement is, before it is planned: planning cannot be stopped half-way.

use std::ops::ControlFlow;

use counterfoil::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::{Expr, ObjectName, Statement, Visit, Visitor};

use crate::cause::{Cause, What};

/// Most tables that a statement may name, each mention counted.
const MAX_RELATIONS: usize = 32;

/// Most grouping sets: `CUBE` of eight columns.
const MAX_GROUPING_SETS: usize = 256;

/// Most steps of a plan, in which a query under WITH counts as often as it is used.
const MAX_STEPS: usize = 1_000;

/// Refuses a statement that is small to write and large to plan.
pub(crate) fn check_shape(statement: &Statement) -> Result<()> {
    let mut shape = Shape { relations: 0, grouping_sets: 1 };
    let _ = statement.visit(&mut shape);
    if shape.relations > MAX_RELATIONS {
        let message = format!("the query names {} tables, at most {MAX_RELATIONS} are taken", shape.relations);
        return Err(Cause::invalid(What::TooLarge, message));
    }
    if shape.grouping_sets > MAX_GROUPING_SETS {
        let message = format!("the query has more than {MAX_GROUPING_SETS} grouping sets");
        return Err(Cause::invalid(What::TooLarge, message));
    }
    Ok(())
}

struct Shape {
    relations: usize,
    grouping_sets: usize,
}

impl Visitor for Shape {
    type Break = ();

    fn pre_visit_relation(&mut self, _: &ObjectName) -> ControlFlow<()> {
        self.relations += 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        let sets = match expr {
            Expr::Cube(of) => 1_usize.checked_shl(of.len() as u32).unwrap_or(usize::MAX),
            Expr::Rollup(of) => of.len() + 1,
            Expr::GroupingSets(of) => of.len().max(1),
            _ => 1,
        };
        self.grouping_sets = self.grouping_sets.saturating_mul(sets);
        ControlFlow::Continue(())
    }
}

/// Refuses a plan whose queries under WITH use one another again and again.
pub(crate) fn check_steps(plan: &LogicalPlan) -> std::result::Result<(), DataFusionError> {
    let mut steps = 0;
    plan.apply_with_subqueries(|_| {
        steps += 1;
        Ok(if steps > MAX_STEPS { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    if steps <= MAX_STEPS {
        return Ok(());
    }
    let message = format!("the query becomes more than {MAX_STEPS} steps; use each query under WITH once");
    Err(DataFusionError::External(Box::new(Cause::invalid(What::TooLarge, message))))
}
