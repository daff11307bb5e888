//! Equalities of a query that a segment's index can answer.

use std::collections::BTreeSet;

use counterfoil::Result;
use counterfoil_segment::index::Key;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use crate::source::Sealed;

/// More values than this in one `IN` list are not looked up one by one.
const MOST_VALUES: usize = 256;

/// Rows that are not narrowed further by another lookup.
const FEW: usize = 64;

/// Of a segment's rows, one in this many may be read by position; beyond that reading in order is cheaper.
const SPARSEST: u64 = 16;

/// `column = value`, `column IN (values)` or an `OR` of these over one indexed column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lookup {
    key: Key,
    values: BTreeSet<String>,
}

/// The lookups that every wanted row passes, those with the shortest lists first.
pub(crate) fn lookups(filters: &[Expr]) -> Vec<Lookup> {
    let conditions = filters.iter().flat_map(|filter| split_conjunction(filter));
    let mut lookups: Vec<Lookup> =
        conditions.filter_map(lookup).filter(|lookup| lookup.values.len() <= MOST_VALUES).collect();
    // An actor does much, so its list is long.
    lookups.sort_by_key(|lookup| matches!(lookup.key, Key::Actor));
    lookups
}

fn lookup(condition: &Expr) -> Option<Lookup> {
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
            equality(left, [right.as_ref()]).or_else(|| equality(right, [left.as_ref()]))
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            let (mut one, other) = (lookup(left)?, lookup(right)?);
            one.values.extend(other.values);
            (one.key == other.key).then_some(one)
        }
        Expr::InList(list) if !list.negated => equality(&list.expr, &list.list),
        _ => None,
    }
}

fn equality<'a>(column: &Expr, values: impl IntoIterator<Item = &'a Expr>) -> Option<Lookup> {
    let Expr::Column(column) = column else {
        return None;
    };
    let key = match column.name.as_str() {
        "entity_id" => Key::EntityId,
        "actor" => Key::Actor,
        "trace_id" => Key::TraceId,
        "id" => Key::Id,
        _ => return None,
    };
    let mut wanted = BTreeSet::new();
    for value in values {
        let Expr::Literal(scalar, _) = value else {
            return None;
        };
        // NULL equals nothing.
        if let Some(text) = scalar.try_as_str()? {
            wanted.insert(text.to_owned());
        }
    }
    Some(Lookup { key, values: wanted })
}

/// Positions of the rows that can pass all lookups; `None` when reading in order is the better way.
///
/// # Errors
/// What the segment answers when its index cannot be read.
pub(crate) fn positions(segment: &dyn Sealed, lookups: &[Lookup]) -> Result<Option<Vec<u64>>> {
    let mut rows: Option<Vec<u64>> = None;
    for lookup in lookups {
        // What remains is filtered anyway: a few rows are not worth another list.
        if rows.as_ref().is_some_and(|rows| rows.len() <= FEW) {
            break;
        }
        let Some(found) = rows_of(segment, lookup)? else {
            continue;
        };
        rows = Some(match rows {
            Some(rows) => intersection(rows, &found),
            None => found,
        });
    }
    Ok(rows.filter(|rows| rows.len() as u64 <= segment.count() / SPARSEST + 1))
}

fn rows_of(segment: &dyn Sealed, lookup: &Lookup) -> Result<Option<Vec<u64>>> {
    let mut rows = Vec::new();
    for value in &lookup.values {
        match segment.lookup(lookup.key, value)? {
            Some(found) => rows.extend(found),
            None => return Ok(None),
        }
    }
    rows.sort_unstable();
    rows.dedup();
    Ok(Some(rows))
}

fn intersection(mut rows: Vec<u64>, others: &[u64]) -> Vec<u64> {
    rows.retain(|row| others.binary_search(row).is_ok());
    rows
}
