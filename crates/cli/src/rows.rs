//! Rows of an answer in the formats that programs and people read.

use std::io::Write;

use arrow::record_batch::RecordBatch;
use clap::ValueEnum;
use counterfoil::ErrorKind;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use crate::exit::Failure;
use crate::output;
use crate::table;
use crate::view::Rows;

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RowFormat {
    /// Aligned, for people.
    Table,
    /// One JSON array of objects.
    Json,
    /// Comma-separated, with a header line.
    Csv,
    /// Parquet, zstd.
    Parquet,
}

/// Parquet is not for a terminal.
pub fn refuse_binary_on_terminal(format: RowFormat) -> Result<(), Failure> {
    if format == RowFormat::Parquet && output::is_terminal() {
        return Err(Failure::invalid("Parquet is binary and this is a terminal: redirect the output into a file"));
    }
    Ok(())
}

/// Writes an answer to standard output. `progress` learns how many rows were written.
pub fn write(answer: Rows, format: RowFormat, progress: impl FnMut(u64)) -> Result<(), Failure> {
    match format {
        RowFormat::Table => table::write(&answer.schema, &answer.batches.collect::<counterfoil::Result<Vec<_>>>()?),
        RowFormat::Json => write_json(answer, progress),
        RowFormat::Csv => write_csv(answer, progress),
        RowFormat::Parquet => write_parquet(answer, progress),
    }
}

fn write_json(answer: Rows, progress: impl FnMut(u64)) -> Result<(), Failure> {
    let mut out = output::raw_stdout();
    let builder = arrow::json::WriterBuilder::new().with_explicit_nulls(true);
    let mut writer = builder.build::<_, arrow::json::writer::JsonArray>(&mut out);
    each(answer, progress, |batch| writer.write(batch).map_err(arrow_failure))?;
    writer.finish().map_err(arrow_failure)?;
    drop(writer);
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

fn write_csv(answer: Rows, progress: impl FnMut(u64)) -> Result<(), Failure> {
    let mut out = output::raw_stdout();
    let empty = RecordBatch::new_empty(answer.schema.clone());
    let mut writer = arrow::csv::WriterBuilder::new().with_header(true).build(&mut out);
    writer.write(&empty).map_err(arrow_failure)?;
    each(answer, progress, |batch| writer.write(batch).map_err(arrow_failure))?;
    drop(writer);
    Ok(out.flush()?)
}

fn write_parquet(answer: Rows, progress: impl FnMut(u64)) -> Result<(), Failure> {
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
    let mut out = output::raw_stdout();
    let mut writer =
        ArrowWriter::try_new(&mut out, answer.schema.clone(), Some(properties)).map_err(parquet_failure)?;
    each(answer, progress, |batch| writer.write(batch).map_err(parquet_failure))?;
    writer.close().map_err(parquet_failure)?;
    Ok(out.flush()?)
}

fn each(
    answer: Rows,
    mut progress: impl FnMut(u64),
    mut write: impl FnMut(&RecordBatch) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut rows = 0;
    for batch in answer.batches {
        let batch = batch?;
        write(&batch)?;
        rows += batch.num_rows() as u64;
        progress(rows);
    }
    Ok(())
}

fn parquet_failure(error: ParquetError) -> Failure {
    match error {
        ParquetError::External(inner) => match inner.downcast::<std::io::Error>() {
            Ok(error) => Failure::from(*error),
            Err(other) => arrow_failure(ParquetError::External(other).into()),
        },
        other => arrow_failure(other.into()),
    }
}

/// What the writers of arrow report: mostly that nobody reads any more.
fn arrow_failure(error: arrow::error::ArrowError) -> Failure {
    use arrow::error::ArrowError;
    match error {
        ArrowError::IoError(_, error) => Failure::from(error),
        ArrowError::ExternalError(error) => match error.downcast::<std::io::Error>() {
            Ok(error) => Failure::from(*error),
            Err(other) => Failure::new(ErrorKind::Internal, other.to_string()),
        },
        other if other.to_string().contains("Broken pipe") => Failure::Pipe,
        other => Failure::invalid(format!("the answer cannot be written in this format: {other}")),
    }
}
