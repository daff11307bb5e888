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
    let mut out = output::stdout();
    let mut table = Table::of(schema, rows(batches)?);
    let count = Counted(table.rows.len() as u64, "row", "rows");
    if table.names == ["plan_type", "plan"] {
        write_plan(&mut out, batches)?;
        return Ok(out.flush()?);
    }
    match output::terminal_width() {
        Some(width) if table.total_width() > width => write_one_by_one(&mut out, &table.names, &table.rows)?,
        Some(_) => write_aligned(&mut out, &table)?,
        None => {
            table.leave_out_empty();
            write_aligned(&mut out, &table)?;
        }
    }
    let left_out = match table.left_out {
        0 => String::new(),
        count => format!("; {} without a value left out", Counted(count, "column", "columns")),
    };
    writeln!(out, "{}", styled(DIM, format_args!("({count}{left_out})")))?;
    Ok(out.flush()?)
}

struct Table<'a> {
    names: Vec<&'a str>,
    numeric: Vec<bool>,
    rows: Vec<Row>,
    left_out: u64,
}

impl<'a> Table<'a> {
    fn of(schema: &'a SchemaRef, rows: Vec<Row>) -> Table<'a> {
        let names = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let numeric = schema.fields().iter().map(|field| field.data_type().is_numeric()).collect();
        Table { names, numeric, rows, left_out: 0 }
    }

    fn total_width(&self) -> usize {
        let widths = widths(&self.names, &self.rows);
        widths.iter().sum::<usize>() + GAP.len() * widths.len().saturating_sub(1)
    }

    /// Drops the columns that hold nothing, where nobody chose the columns one by one.
    fn leave_out_empty(&mut self) {
        if self.names.len() < counterfoil_query::schema().fields().len() || self.rows.is_empty() {
            return;
        }
        let used: Vec<bool> =
            (0..self.names.len()).map(|column| self.rows.iter().any(|row| row[column].is_some())).collect();
        self.left_out = used.iter().filter(|used| !**used).count() as u64;
        retain(&mut self.names, &used);
        retain(&mut self.numeric, &used);
        self.rows.iter_mut().for_each(|row| retain(row, &used));
    }
}

fn retain<T>(items: &mut Vec<T>, used: &[bool]) {
    let mut used = used.iter();
    items.retain(|_| used.next() == Some(&true));
}

/// The answer of EXPLAIN, whose plans have several lines.
fn write_plan(out: &mut Out, batches: &[RecordBatch]) -> Result<(), Failure> {
    for batch in batches {
        let (kinds, plans) = (batch.column(0).as_ref(), batch.column(1).as_ref());
        let options = FormatOptions::default();
        let kinds = ArrayFormatter::try_new(kinds, &options).map_err(failure)?;
        let plans = ArrayFormatter::try_new(plans, &options).map_err(failure)?;
        for row in 0..batch.num_rows() {
            writeln!(out, "{}", styled(BOLD, Printable(&kinds.value(row).to_string())))?;
            for line in plans.value(row).to_string().trim_end().lines() {
                writeln!(out, "{GAP}{}", Printable(line))?;
            }
        }
    }
    Ok(())
}

fn failure(error: arrow::error::ArrowError) -> Failure {
    Failure::new(ErrorKind::Internal, error.to_string())
}

fn rows(batches: &[RecordBatch]) -> Result<Vec<Row>, Failure> {
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

fn write_aligned(out: &mut Out, table: &Table<'_>) -> Result<(), Failure> {
    let Table { names, numeric, rows, .. } = table;
    let widths = widths(names, rows);
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
