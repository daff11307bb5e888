//! A statement's parameters: which there are, of which types, and their values in place of them.

use std::ops::ControlFlow;

use arrow_pg::datatypes::into_pg_type;
use counterfoil_query::Parameters;
use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::ast::{
    Array, BinaryOperator, Expr, Statement as Sql, Value as Literal, visit_expressions, visit_expressions_mut,
};
use postgres_types::Type;

use crate::pg::frame::Bind;
use crate::pg::refusal::Refusal;
use crate::pg::statement::{inner, inner_mut};
use crate::pg::value::{Value, list};

/// Most parameters of a statement.
const MAX_PARAMETERS: usize = 2_000;

/// How many parameters a statement has: the highest number among them.
///
/// # Errors
/// For a number that is none, or too high.
pub(crate) fn count(parsed: &Parsed) -> Result<usize, Refusal> {
    let mut highest = Ok(0);
    let Some(sql) = inner(parsed) else {
        return highest;
    };
    let _ = visit_expressions(sql, |expr| {
        if let Some(name) = placeholder(expr) {
            match number(name) {
                Some(number) => highest = highest.clone().map(|highest| number.max(highest)),
                None => highest = Err(Refusal::new("42P02", format!("there is no parameter {name}"))),
            }
        }
        ControlFlow::<()>::Continue(())
    });
    highest
}

/// The types of the parameters: as the client declares them, else as they follow from the statement.
pub(crate) fn types(count: usize, declared: &[u32], inferred: &Parameters) -> Vec<Type> {
    let known = |place: usize| {
        let declared = declared.get(place).copied().and_then(Type::from_oid);
        declared.filter(|declared| *declared != Type::UNKNOWN).or_else(|| {
            let inferred = inferred.get(&format!("${}", place + 1))?.as_ref()?;
            into_pg_type(inferred).ok().filter(|inferred| *inferred != Type::UNKNOWN)
        })
    };
    (0..count).map(|place| known(place).unwrap_or(Type::TEXT)).collect()
}

/// Reads the values that a client sends for the parameters.
///
/// # Errors
/// For another number of them, and for what is no value of its type.
pub(crate) fn values(bind: &Bind, types: &[Type]) -> Result<Vec<Value>, Refusal> {
    if bind.values.len() != types.len() {
        let (given, wanted) = (bind.values.len(), types.len());
        return Err(Refusal::new("08P01", format!("{given} values for a statement with {wanted} parameters")));
    }
    if bind.formats.len() > 1 && bind.formats.len() != types.len() {
        return Err(Refusal::new("08P01", "another number of formats than of values"));
    }
    let values = bind.values.iter().zip(types).enumerate();
    let values = values.map(|(place, (bytes, of))| {
        let format = bind.formats.get(place).or(bind.formats.first()).copied().unwrap_or_default();
        Value::read(bytes.as_ref(), of, format == 1)
    });
    values.collect()
}

/// Puts values in place of the parameters: into the parsed statement, never into its text.
pub(crate) fn fill(parsed: &mut Parsed, values: &[Value], types: &[Type]) {
    let Some(sql) = inner_mut(parsed) else {
        return;
    };
    let _ = visit_expressions_mut(sql, |expr| {
        let place = placeholder(expr).and_then(number);
        if let Some(place) = place
            && let (Some(value), Some(of)) = (values.get(place - 1), types.get(place - 1))
        {
            *expr = value.clone().into_literal(of);
        }
        spread(expr);
        ControlFlow::<()>::Continue(())
    });
}

/// Writes `= ANY(array)` and `<> ALL(array)` as the lists that they mean.
pub(crate) fn unfold(sql: &mut Sql) {
    let _ = visit_expressions_mut(sql, |expr| {
        spread(expr);
        ControlFlow::<()>::Continue(())
    });
}

fn spread(expr: &mut Expr) {
    let (left, right, negated) = match expr {
        Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } => (left, right, false),
        Expr::AllOp { left, compare_op: BinaryOperator::NotEq, right } => (left, right, true),
        _ => return,
    };
    let Some(list) = elements(right) else {
        return;
    };
    let expr_in = left.as_ref().clone();
    *expr = match list.is_empty() {
        true => Expr::Value(Literal::Boolean(negated).into()),
        false => Expr::InList { expr: Box::new(expr_in), list, negated },
    };
}

fn elements(expr: &Expr) -> Option<Vec<Expr>> {
    match expr {
        Expr::Array(Array { elem, .. }) => Some(elem.clone()),
        Expr::Nested(inner) => elements(inner),
        Expr::Cast { expr, .. } => elements(expr),
        Expr::Value(value) => match &value.value {
            Literal::Null => Some(vec![expr.clone()]),
            Literal::SingleQuotedString(text) => match list(text, &Type::TEXT).ok()? {
                Value::List(values) => Some(values.into_iter().map(|value| value.into_literal(&Type::TEXT)).collect()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

fn placeholder(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(value) => match &value.value {
            Literal::Placeholder(name) => Some(name),
            _ => None,
        },
        _ => None,
    }
}

fn number(name: &str) -> Option<usize> {
    name.strip_prefix('$')?.parse().ok().filter(|number| (1..=MAX_PARAMETERS).contains(number))
}
