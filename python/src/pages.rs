//! Columns of a service's ledger, asked for page by page.

use std::ops::Range;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamDecoder;
use counterfoil::ErrorKind;
use pyo3::prelude::*;

use crate::table::Fault;

/// Entries of a page: one query, which the service answers within its limits.
const PAGE_ROWS: u64 = 32_768;

/// The batches of a range. `fetch(columns, start, stop)` answers a page as an Arrow IPC stream.
pub fn pages(
    fetch: Py<PyAny>,
    schema: SchemaRef,
    range: Range<u64>,
) -> impl Iterator<Item = Result<RecordBatch, Fault>> + Send {
    let starts = (range.start..range.end).step_by(PAGE_ROWS as usize);
    starts.flat_map(move |start| {
        let stop = range.end.min(start + PAGE_ROWS);
        match page(&fetch, &schema, start..stop) {
            Ok(batches) => batches.into_iter().map(Ok).collect(),
            Err(fault) => vec![Err(fault)],
        }
    })
}

fn page(fetch: &Py<PyAny>, schema: &SchemaRef, range: Range<u64>) -> Result<Vec<RecordBatch>, Fault> {
    let names: Vec<&String> = schema.fields().iter().map(|field| field.name()).collect();
    let answer = Python::attach(|py| fetch.bind(py).call1((names, range.start, range.end))?.extract::<Vec<u8>>());
    let answer = answer.map_err(Fault::Python)?;
    let told =
        |error: &dyn std::fmt::Display| Fault::new(ErrorKind::Internal, format!("the service's answer: {error}"));
    let batches = decoded(answer, schema).map_err(|error| told(&error))?;
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    if rows as u64 != range.end - range.start {
        return Err(told(&format!("it has {rows} of the entries {range:?}")));
    }
    Ok(batches)
}

/// The batches of an Arrow IPC stream, with the types of `schema`: the service sends texts as views.
fn decoded(answer: Vec<u8>, schema: &SchemaRef) -> Result<Vec<RecordBatch>, ArrowError> {
    let mut rest = Buffer::from_vec(answer);
    let mut decoder = StreamDecoder::new();
    let mut batches = Vec::new();
    while let Some(batch) = decoder.decode(&mut rest)? {
        let columns = batch.columns().iter().zip(schema.fields());
        let columns = columns.map(|(column, field)| cast(column, field.data_type())).collect::<Result<_, _>>()?;
        batches.push(RecordBatch::try_new(schema.clone(), columns)?);
    }
    decoder.finish().map(|()| batches)
}
