//! Tables for people: aligned columns, or one row after the other where columns would not fit.

use std::io::Write;

use arrow::array::Array;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use counterfoil::ErrorKind;

use crate::exit::Failure;
use crate::output::{self, BOLD, CYAN, DIM, Out, styled};
use crate::text::{Counted, Printable};

const GAP: &str = "  ";

/// Cells as texts that cannot steer a terminal; none where the value is absent.
type Row = Vec<Option<String>>;

/// Writes an answer.
pub fn write(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<(), Failure> {
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let rows = rows(batches)?;
    let widths = widths(&names, &rows);
    let total = widths.iter().sum::<usize>() + GAP.len() * widths.len().saturating_sub(1);
    let mut out = output::stdout();
    if output::terminal_width().is_some_and(|width| total > width) {
        write_one_by_one(&mut out, &names, &rows)?;
    } else {
        let numeric: Vec<bool> = schema.fields().iter().map(|field| field.data_type().is_numeric()).collect();
        write_aligned(&mut out, &names, &rows, &widths, &numeric)?;
    }
    writeln!(out, "{}", styled(DIM, format_args!("({})", Counted(rows.len() as u64, "row", "rows"))))?;
    Ok(out.flush()?)
}

fn rows(batches: &[RecordBatch]) -> Result<Vec<Row>, Failure> {
    let failure = |error: arrow::error::ArrowError| Failure::new(ErrorKind::Internal, error.to_string());
    let options = FormatOptions::default()
        .with_timestamp_tz_format(Some("%Y-%m-%dT%H:%M:%S%.fZ"))
        .with_timestamp_format(Some("%Y-%m-%dT%H:%M:%S%.f"));
    let mut rows = Vec::new();
    for batch in batches {
        let formatters: Vec<ArrayFormatter<'_>> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column.as_ref(), &options))
            .collect::<Result<_, _>>()
            .map_err(failure)?;
        for row in 0..batch.num_rows() {
            let cell = |(column, formatter): (&arrow::array::ArrayRef, &ArrayFormatter<'_>)| {
                column.is_valid(row).then(|| Printable(&formatter.value(row).to_string()).to_string())
            };
            rows.push(batch.columns().iter().zip(&formatters).map(cell).collect());
        }
    }
    Ok(rows)
}

fn widths(names: &[&str], rows: &[Row]) -> Vec<usize> {
    let mut widths: Vec<usize> = names.iter().map(|name| width(name)).collect();
    for row in rows {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = (*widest).max(cell.as_deref().map_or(0, width));
        }
    }
    widths
}

fn width(text: &str) -> usize {
    text.chars().count()
}

fn write_aligned(
    out: &mut Out,
    names: &[&str],
    rows: &[Row],
    widths: &[usize],
    numeric: &[bool],
) -> Result<(), Failure> {
    let last = widths.len().saturating_sub(1);
    let cell = |out: &mut Out, column: usize, text: &str, style: anstyle::Style| {
        let padding = " ".repeat(widths[column] - width(text));
        let gap = if column == 0 { "" } else { GAP };
        match (numeric[column], column == last) {
            (true, _) => write!(out, "{gap}{padding}{}", styled(style, text)),
            (false, true) => write!(out, "{gap}{}", styled(style, text)),
            (false, false) => write!(out, "{gap}{}{padding}", styled(style, text)),
        }
    };
    for (column, name) in names.iter().enumerate() {
        cell(out, column, name, BOLD)?;
    }
    writeln!(out)?;
    for row in rows {
        for (column, text) in row.iter().enumerate() {
            cell(out, column, text.as_deref().unwrap_or_default(), anstyle::Style::new())?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Absent values are left out, as they are in the entries.
fn write_one_by_one(out: &mut Out, names: &[&str], rows: &[Row]) -> Result<(), Failure> {
    let widest = names.iter().map(|name| width(name)).max().unwrap_or_default();
    for (number, row) in rows.iter().enumerate() {
        writeln!(out, "{}", styled(DIM, format_args!("row {}", number + 1)))?;
        for (name, cell) in names.iter().zip(row) {
            if let Some(text) = cell {
                let padding = " ".repeat(widest - width(name));
                writeln!(out, "{}{padding}{GAP}{text}", styled(CYAN, name))?;
            }
        }
        writeln!(out)?;
    }
    Ok(())
}
