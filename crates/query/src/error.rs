//! Errors of the query engine in the ledger's words.

use arrow::error::ArrowError;
use counterfoil::{Error, ErrorKind};
use datafusion::common::utils::datafusion_strsim::levenshtein;
use datafusion::common::{Column, Diagnostic, SchemaError};
use datafusion::error::DataFusionError;

use crate::cause::{Cause, What};
use crate::columns::TABLE;
use crate::wording::plain;

/// What an error of the engine means to whoever asked; `sql` is the text that positions in it refer to.
pub(crate) fn translate(error: &DataFusionError, sql: &str) -> Error {
    match error {
        DataFusionError::External(inner) => {
            if let Some(known) = inner.downcast_ref::<Error>() {
                return known.clone();
            }
            match inner.downcast_ref::<DataFusionError>() {
                Some(inner) => translate(inner, sql),
                None => Error::new(ErrorKind::Internal, inner.to_string()),
            }
        }
        DataFusionError::Context(_, inner) => translate(inner, sql),
        DataFusionError::Shared(inner) => translate(inner, sql),
        // A syntax error says its place itself.
        DataFusionError::Diagnostic(_, inner) if matches!(inner.as_ref(), DataFusionError::SQL(..)) => {
            translate(inner, sql)
        }
        DataFusionError::Diagnostic(place, inner) => located(translate(inner, sql), place, sql),
        DataFusionError::Collection(errors) if !errors.is_empty() => translate(&errors[0], sql),
        DataFusionError::SQL(error, _) => syntax(&error.to_string(), sql),
        DataFusionError::SchemaError(error, _) => schema(error, sql),
        DataFusionError::ResourcesExhausted(_) => memory(),
        DataFusionError::ParquetError(error) => decoding(error, sql),
        DataFusionError::ArrowError(error, _) => match error.as_ref() {
            ArrowError::ParquetError(detail) => decoding(detail, sql),
            other => Cause::invalid(What::Value, plain(&other.to_string(), sql)),
        },
        DataFusionError::Plan(message) => planning(message, sql),
        DataFusionError::Execution(message) | DataFusionError::Configuration(message) => {
            Cause::invalid(What::Value, plain(message, sql))
        }
        DataFusionError::NotImplemented(message) => {
            Cause::invalid(What::Unsupported, format!("not supported: {}", plain(message, sql)))
        }
        other => Error::new(ErrorKind::Internal, plain(&other.strip_backtrace(), sql)),
    }
}

/// An error at a place of the query, shown with the line and a mark under it.
pub(crate) fn at(sql: &str, line: u64, column: u64, what: What, message: &str) -> Error {
    let cause = Cause { what, place: Some((line, column)), message: message.to_owned() };
    Error::new(ErrorKind::Invalid, pointed(sql, line, column, message)).because(cause)
}

/// The answer to whatever would change the ledger or reach beyond it.
pub(crate) fn refused(what: &str) -> Error {
    let message = format!(
        "{what} is refused: SQL only reads this ledger, by SELECT, WITH, EXPLAIN, DESCRIBE and SHOW; \
         entries are recorded by append"
    );
    Cause::invalid(What::Refused, message)
}

fn pointed(sql: &str, line: u64, column: u64, message: &str) -> String {
    let place = format!("line {line}, column {column}: {message}");
    let (Some(row), Ok(before)) =
        (sql.lines().nth((line as usize).wrapping_sub(1)), usize::try_from(column.saturating_sub(1)))
    else {
        return place;
    };
    // A window of a long line, so that the mark stays on the screen.
    let start = before.saturating_sub(40);
    let shown: String = row.chars().skip(start).take(72).map(|c| if c == '\t' { ' ' } else { c }).collect();
    format!("{place}\n  {shown}\n  {:>width$}", '^', width = before - start + 1)
}

fn located(error: Error, diagnostic: &Diagnostic, sql: &str) -> Error {
    match diagnostic.span {
        Some(span) if error.kind == ErrorKind::Invalid => {
            let what = Cause::of(&error).map_or(What::Other, |cause| cause.what);
            at(sql, span.start.line, span.start.column, what, &error.message)
        }
        _ => error,
    }
}

fn syntax(message: &str, sql: &str) -> Error {
    let message = message.strip_prefix("sql parser error: ").unwrap_or(message);
    if let Some(missing) = message.strip_suffix(", found: EOF") {
        let missing = missing.strip_prefix("Expected: ").unwrap_or(missing);
        let message = format!("syntax error: the statement ends too early; expected {missing}");
        return Cause::invalid(What::Syntax, message);
    }
    let place = message.rsplit_once(" at Line: ").and_then(|(what, place)| {
        let (line, column) = place.split_once(", Column: ")?;
        Some((what, line.trim().parse().ok()?, column.trim().parse().ok()?))
    });
    match place {
        Some((what, line, column)) => at(sql, line, column, What::Syntax, &format!("syntax error: {what}")),
        None => Cause::invalid(What::Syntax, format!("syntax error: {message}")),
    }
}

fn schema(error: &SchemaError, sql: &str) -> Error {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            Cause::invalid(What::NoColumn, unknown_column(field, valid_fields, sql))
        }
        other => Cause::invalid(What::Other, other.to_string()),
    }
}

fn unknown_column(wanted: &Column, known: &[Column], sql: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for column in known {
        if !names.contains(&column.name.as_str()) {
            names.push(&column.name);
        }
    }
    let wanted = &wanted.name;
    let near: Vec<&str> = names.iter().copied().filter(|name| is_near(wanted, name)).collect();
    let hint = if !near.is_empty() {
        format!("; did you mean {}?", near.join(" or "))
    } else if sql.contains(&format!("\"{wanted}\"")) {
        format!("; texts stand in single quotes: '{wanted}'.")
    } else {
        ".".to_owned()
    };
    let columns = if names.is_empty() { String::new() } else { format!(" The columns here are {}", names.join(", ")) };
    format!("there is no column {wanted}{hint}{columns}")
}

fn is_near(wanted: &str, name: &str) -> bool {
    let folded: String = wanted.to_lowercase().replace(['-', ' '], "_");
    let one_in_the_other = folded.len() >= 4 && name.len() >= 4 && (name.contains(&folded) || folded.contains(name));
    one_in_the_other || levenshtein(&folded, name) <= name.len().max(3) / 3
}

fn planning(message: &str, sql: &str) -> Error {
    match message.strip_prefix("table '").and_then(|rest| rest.strip_suffix("' not found")) {
        Some(table) => {
            let name = table.rsplit('.').next().unwrap_or(table);
            let whole = table.strip_prefix("counterfoil.public.").unwrap_or(name);
            Cause::invalid(What::NoTable, format!("there is no table {whole}: the only table is {TABLE}"))
        }
        None if message.starts_with("Invalid function '") => Cause::invalid(What::NoFunction, plain(message, sql)),
        None => Cause::invalid(What::Other, plain(message, sql)),
    }
}

fn memory() -> Error {
    let message = "memory limit reached: sorting, grouping or joining so many rows needs more than it allows";
    Cause::limit(message)
}

/// A segment that cannot be decoded; or a condition that failed on a value while one was, which is the query's fault.
fn decoding(detail: &impl std::fmt::Display, sql: &str) -> Error {
    let text = detail.to_string();
    match text.split_once("Error evaluating filter predicate: ") {
        Some((_, failed)) => {
            let failed =
                failed.split_once("(\"").and_then(|(_, rest)| rest.split_once("\")")).map_or(failed, |(text, _)| text);
            translate(&DataFusionError::Plan(failed.to_owned()), sql)
        }
        None => Error::new(ErrorKind::Damaged, format!("a segment cannot be decoded: {text}")),
    }
}
