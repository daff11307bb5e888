//! JSON operators where the text of a column is JSON only on some rows.
//!
//! `old_value` and `new_value` hold the text itself when the value is a JSON string, else its JSON, so a string that
//! looks like an object must not be taken for one: JSON functions on them see NULL unless the type column beside
//! them says object or array. And `?` of NULL is NULL, as it is in PostgreSQL.

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, ExprSchema, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit, when};
use datafusion_functions_json::JSON_UNION_DATA_TYPE;
use datafusion_functions_json::udfs::json_union_to_text_udf;

use crate::columns::TYPE_COLUMN;

/// Guards the typed columns inside JSON functions.
#[derive(Debug)]
pub(crate) struct TypedJson;

impl FunctionRewrite for TypedJson {
    fn name(&self) -> &str {
        "typed_json"
    }

    fn rewrite(&self, expr: Expr, schema: &DFSchema, _config: &ConfigOptions) -> Result<Transformed<Expr>> {
        let Expr::ScalarFunction(mut function) = expr else {
            return Ok(Transformed::no(expr));
        };
        if !reads_json(function.func.name()) || function.args.is_empty() {
            return Ok(Transformed::no(Expr::ScalarFunction(function)));
        }
        let json = guarded(function.args.remove(0), schema)?;
        let (text, contains) = (json.data.clone(), function.func.name() == "json_contains");
        function.args.insert(0, json.data);
        let call = Expr::ScalarFunction(function);
        match contains {
            true => when(text.is_not_null(), call).end().map(Transformed::yes),
            false => Ok(Transformed::new(call, json.transformed, json.tnr)),
        }
    }
}

/// Whether the first argument of a function is taken for JSON text.
fn reads_json(function: &str) -> bool {
    function.starts_with("json_") && !["json_from_scalar", "json_union_to_text"].contains(&function)
}

/// The expression with each typed column in it guarded. Inner JSON functions have guarded theirs already.
fn guarded(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    expr.transform_down(|expr| match &expr {
        Expr::Column(column) => Ok(match guard(column, schema)? {
            Some(guard) => Transformed::new(guard, true, TreeNodeRecursion::Jump),
            None => Transformed::no(expr),
        }),
        Expr::ScalarFunction(function) if reads_json(function.func.name()) => {
            Ok(Transformed::new(expr, false, TreeNodeRecursion::Jump))
        }
        Expr::Case(case) => {
            let done = match case.when_then_expr.first().map(|(_, then)| then.as_ref()) {
                Some(Expr::Column(column)) => guard(column, schema)?.as_ref() == Some(&expr),
                _ => false,
            };
            let next = if done { TreeNodeRecursion::Jump } else { TreeNodeRecursion::Continue };
            Ok(Transformed::new(expr, false, next))
        }
        _ => Ok(Transformed::no(expr)),
    })
}

/// `CASE WHEN old_value_type IN ('object', 'array') THEN old_value END`, for a column that needs it.
fn guard(column: &Column, schema: &DFSchema) -> Result<Option<Expr>> {
    let Ok(field) = schema.field_from_column(column) else {
        return Ok(None);
    };
    let Some(type_column) = field.metadata().get(TYPE_COLUMN) else {
        return Ok(None);
    };
    let kind = Column::new(column.relation.clone(), type_column);
    if !schema.has_column(&kind) {
        return plan_err!("JSON operators on {column} need to see {type_column} beside it: select both from audit_log");
    }
    let is_json = Expr::Column(kind).in_list(vec![lit("object"), lit("array")], false);
    when(is_json, Expr::Column(column.clone())).end().map(Some)
}

/// The plan with what `->` yields written as JSON text, which every output format can hold.
pub(crate) fn as_text(plan: LogicalPlan) -> Result<LogicalPlan> {
    let is_union = |field: &arrow::datatypes::FieldRef| *field.data_type() == *JSON_UNION_DATA_TYPE;
    if !plan.schema().fields().iter().any(is_union) {
        return Ok(plan);
    }
    let columns: Vec<Expr> = plan
        .schema()
        .iter()
        .map(|(relation, field)| {
            let column = Expr::Column(Column::new(relation.cloned(), field.name()));
            match is_union(field) {
                true => json_union_to_text_udf().call(vec![column]).alias(field.name()),
                false => column,
            }
        })
        .collect();
    LogicalPlanBuilder::from(plan).project(columns)?.build()
}
