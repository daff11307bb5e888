//! Questions about the catalog that drivers ask, in words that the query engine knows.

use std::borrow::Cow;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident,
    ObjectName, Query, SelectItem, SetExpr, Statement, Value, visit_expressions_mut,
};

/// The type of functions, which the catalog's columns hold by their names.
const REGPROC: &str = "::regproc";

/// What it is called meanwhile.
const FUNCTION: &str = "::counterfoil_function";

/// Rewrites what the query engine does not know.
pub(crate) fn adapt(statement: &mut Statement) {
    let _ = visit_expressions_mut(statement, |expr| {
        match expr {
            Expr::CompoundFieldAccess { root, access_chain } if !matches!(root.as_ref(), Expr::Identifier(_)) => {
                access_chain.iter_mut().for_each(name_member);
            }
            Expr::Subquery(query) => take_first(query),
            Expr::Cast { expr: inner, data_type: DataType::Custom(name, _), .. } if is_function(name) => {
                *expr = function(inner).unwrap_or_else(|| inner.as_ref().clone());
            }
            _ => {}
        }
        ControlFlow::<()>::Continue(())
    });
}

/// `(value).member` as `(value)['member']`.
fn name_member(access: &mut AccessExpr) {
    if let AccessExpr::Dot(Expr::Identifier(member)) = access {
        *access = AccessExpr::Dot(Expr::Value(Value::SingleQuotedString(member.value.clone()).into()));
    }
}

/// The text with the type `regproc` under another name, so that nothing else takes it for a number.
pub(crate) fn without_regproc(sql: &str) -> Cow<'_, str> {
    if !sql.contains(REGPROC) {
        return Cow::Borrowed(sql);
    }
    // `::regprocedure` stays.
    Cow::Owned(sql.replace(REGPROC, FUNCTION).replace(&format!("{FUNCTION}edure"), "::regprocedure"))
}

fn is_function(name: &ObjectName) -> bool {
    name.0.last().and_then(|part| part.as_ident()).is_some_and(|ident| FUNCTION.ends_with(&ident.value))
}

/// `'schema.function'` as `'function'`.
fn function(text: &Expr) -> Option<Expr> {
    let Expr::Value(value) = text else { return None };
    let Value::SingleQuotedString(name) = &value.value else { return None };
    let name = name.rsplit('.').next().unwrap_or(name).to_owned();
    Some(Expr::Value(Value::SingleQuotedString(name).into()))
}

/// `(SELECT column FROM … WHERE …)` with `first_value(column)`: a subquery that depends on its surroundings must be seen
/// to yield one row at most.
fn take_first(query: &mut Query) {
    if query.limit_clause.is_some() || query.fetch.is_some() {
        return;
    }
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    let [SelectItem::UnnamedExpr(expr)] = select.projection.as_mut_slice() else { return };
    if select.selection.is_none() || matches!(expr, Expr::Function(_)) {
        return;
    }
    *expr = first_value(expr.clone());
}

fn first_value(of: Expr) -> Expr {
    let args = FunctionArgumentList {
        duplicate_treatment: None,
        args: vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(of))],
        clauses: Vec::new(),
    };
    Expr::Function(Function {
        name: ObjectName::from(Ident::new("first_value")),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(args),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}
