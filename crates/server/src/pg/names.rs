//! The names that PostgreSQL gives to columns without one, which clients look for.

use std::collections::HashSet;

use datafusion::sql::sqlparser::ast::{Expr, Ident, Query, SelectItem, SetExpr, Statement as Sql, Value as Literal};

/// What PostgreSQL calls a column that it has no name for.
const NONE: &str = "?column?";

/// The names of a statement's columns; none when they depend on a table's.
pub(crate) fn names(sql: &Sql) -> Option<Vec<String>> {
    match sql {
        Sql::Query(query) => of_query(query),
        _ => None,
    }
}

/// Tells columns apart that have the same name: the query engine wants each to have its own.
pub(crate) fn tell_apart(sql: &mut Sql) {
    let Sql::Query(query) = sql else { return };
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    let mut seen = HashSet::new();
    for (place, item) in select.projection.iter_mut().enumerate() {
        let name = match item {
            SelectItem::UnnamedExpr(expr) => cast_away(expr).to_string().to_lowercase(),
            SelectItem::ExprWithAlias { alias, .. } => folded(alias),
            _ => continue,
        };
        if let SelectItem::UnnamedExpr(expr) = item
            && seen.contains(&name)
        {
            let alias = Ident::with_quote('"', format!("{NONE} {place}"));
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
        }
        seen.insert(name);
    }
}

/// What the query engine names a column by: a cast does not show.
fn cast_away(expr: &Expr) -> &Expr {
    match expr {
        Expr::Cast { expr, .. } | Expr::Nested(expr) => cast_away(expr),
        other => other,
    }
}

fn of_query(query: &Query) -> Option<Vec<String>> {
    let mut body = query.body.as_ref();
    loop {
        match body {
            SetExpr::Select(select) => return select.projection.iter().map(of_item).collect(),
            SetExpr::Query(query) => body = query.body.as_ref(),
            SetExpr::SetOperation { left, .. } => body = left,
            _ => return None,
        }
    }
}

fn of_item(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::UnnamedExpr(expr) => Some(of(expr).unwrap_or_else(|| NONE.to_owned())),
        SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
        _ => None,
    }
}

fn of(expr: &Expr) -> Option<String> {
    let name = match expr {
        Expr::Identifier(ident) => return Some(folded(ident)),
        Expr::CompoundIdentifier(idents) => return idents.last().map(folded),
        Expr::Nested(inner) | Expr::AtTimeZone { timestamp: inner, .. } | Expr::Collate { expr: inner, .. } => {
            return of(inner);
        }
        Expr::Function(function) => return function.name.0.last()?.as_ident().map(folded),
        Expr::Cast { expr, data_type, .. } => {
            return of(expr).or_else(|| Some(data_type.to_string().to_lowercase()));
        }
        Expr::Case { else_result, .. } => {
            return else_result.as_deref().and_then(column).or_else(|| Some("case".to_owned()));
        }
        Expr::Subquery(query) => return of_query(query)?.into_iter().next().filter(|name| name != NONE),
        Expr::Value(value) if matches!(value.value, Literal::Boolean(_)) => "bool",
        Expr::TypedString(typed) => return Some(typed.data_type.to_string().to_lowercase()),
        Expr::Interval(_) => "interval",
        Expr::Array(_) => "array",
        Expr::Exists { .. } => "exists",
        Expr::Extract { .. } => "extract",
        Expr::Floor { .. } => "floor",
        Expr::Ceil { .. } => "ceil",
        Expr::Substring { .. } => "substring",
        Expr::Position { .. } => "position",
        Expr::Trim { .. } => "btrim",
        _ => return None,
    };
    Some(name.to_owned())
}

fn column(expr: &Expr) -> Option<String> {
    matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_)).then(|| of(expr))?
}

fn folded(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}
