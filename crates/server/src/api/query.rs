//! `POST /api/v1/query`.

use std::sync::Arc;

use arrow::csv::WriterBuilder as CsvWriter;
use arrow::datatypes::SchemaRef;
use arrow::ipc::writer::StreamWriter;
use arrow::json::ArrayWriter;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use counterfoil_query::{Answer, Engine};
use futures::{Stream, StreamExt};
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;
use serde::Deserialize;
use serde_json::json;

use crate::access::Reads;
use crate::api::sending::{Broken, pieces, whole};
use crate::body::{Body, json, media_type, unsupported};
use crate::problem::{Answered, Problem};
use crate::service::Service;

/// The forms of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Csv,
    Arrow,
    Parquet,
}

impl Form {
    const ALL: [Self; 4] = [Self::Json, Self::Csv, Self::Arrow, Self::Parquet];

    fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv",
            Self::Arrow => "application/vnd.apache.arrow.stream",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }

    /// The form that `Accept` gives the most weight, the first among equals (RFC 9110, 12.5.1); JSON without one.
    fn wanted(headers: &HeaderMap) -> Result<Self, Problem> {
        let lines = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let ranges: Vec<&str> =
            lines.flat_map(|line| line.split(',')).filter(|range| !range.trim().is_empty()).collect();
        if ranges.is_empty() {
            return Ok(Self::Json);
        }
        let mut best = None;
        for range in ranges {
            let mut parts = range.split(';').map(|part| part.trim().to_ascii_lowercase());
            let form = match parts.next().unwrap_or_default().as_str() {
                "*/*" | "application/*" => Some(Self::Json),
                "text/*" => Some(Self::Csv),
                name => Self::ALL.into_iter().find(|form| form.media_type() == name),
            };
            let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok()).unwrap_or(1.0_f32);
            if let Some(form) = form
                && weight > best.map_or(0.0, |(most, _)| most)
            {
                best = Some((weight, form));
            }
        }
        best.map(|(_, form)| form).ok_or_else(|| {
            let forms = Self::ALL.map(Self::media_type).join(", ");
            Problem::new("invalid", StatusCode::NOT_ACCEPTABLE, format!("answers come as {forms}"))
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    sql: String,
}

pub(crate) async fn query(
    Reads(caller): Reads,
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    Body(body, _room): Body,
) -> Answered {
    let form = Form::wanted(&headers)?;
    let sql = match media_type(&headers).as_str() {
        "application/json" => json::<Question>(&body)?.sql,
        "application/sql" | "text/plain" => {
            String::from_utf8(body.to_vec()).map_err(|_| Problem::invalid("the statement is not UTF-8"))?
        }
        other => return Err(unsupported(other, "application/json or application/sql")),
    };
    let engine = service.query_engine().await?;
    service.record_reading(&caller, json!({"sql": sql, "form": form.media_type()})).await?;
    let snapshot = service.snapshot();
    let answer = engine.query_async(&snapshot, &sql).await?;
    if form == Form::Csv
        && let Some(nested) = answer.schema().fields().iter().find(|field| field.data_type().is_nested())
    {
        let detail = format!("CSV has no form for lists and structures, as in the column {:?}", nested.name());
        return Err(Problem::invalid(detail));
    }
    let body = match form {
        Form::Parquet => whole(parquet(&engine, answer).await?, &engine),
        Form::Json => pieces(json_pieces(answer, snapshot.size()), engine.limits().time),
        Form::Csv => pieces(csv_pieces(answer), engine.limits().time),
        Form::Arrow => pieces(arrow_pieces(answer)?, engine.limits().time),
    };
    Ok(([(header::CONTENT_TYPE, form.media_type())], body).into_response())
}

/// Rows as JSON arrays, each batch as it comes; what ended them early stands behind them.
fn json_pieces(answer: Answer, tree_size: u64) -> impl Stream<Item = Result<Bytes, Broken>> + Send {
    let schema = answer.schema();
    let columns: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| json!({"name": field.name(), "type": type_name(field.data_type())}))
        .collect();
    let head = format!("{{\"columns\":{},\"rows\":[", json!(columns));
    let mut first = true;
    let rows = answer.map(move |batch| match batch.map_err(Problem::from).and_then(|batch| rows_of(&batch)) {
        Ok(rows) if rows.is_empty() => Ok(Vec::new()),
        Ok(rows) => {
            let mut piece = if std::mem::take(&mut first) { Vec::new() } else { b",".to_vec() };
            piece.extend(rows);
            Ok(piece)
        }
        Err(problem) => Err(problem),
    });
    let ended = std::sync::Arc::new(std::sync::Mutex::new(None));
    let noted = Arc::clone(&ended);
    let rows = rows.filter_map(move |piece| {
        let piece = match piece {
            Ok(piece) => Some(Ok(Bytes::from(piece))),
            Err(problem) => {
                *noted.lock().expect("no panic while held") = Some(problem);
                None
            }
        };
        futures::future::ready(piece)
    });
    let tail = futures::stream::once(async move {
        let problem = ended.lock().expect("no panic while held").take();
        let mut tail = format!("],\"complete\":{},\"tree_size\":{tree_size}", problem.is_none());
        if let Some(problem) = problem {
            tail.push_str(&format!(",\"problem\":{}", json!(problem)));
        }
        tail.push('}');
        Ok(Bytes::from(tail))
    });
    futures::stream::once(futures::future::ready(Ok(Bytes::from(head)))).chain(rows).chain(tail)
}

/// The rows of a batch as JSON arrays, with commas between them.
fn rows_of(batch: &RecordBatch) -> Result<Vec<u8>, Problem> {
    if batch.num_rows() == 0 {
        return Ok(Vec::new());
    }
    // Columns may share a name, and JSON objects may not: rows are written under their positions, in order.
    let fields: Vec<_> = batch
        .schema()
        .fields()
        .iter()
        .enumerate()
        .map(|(at, field)| arrow::datatypes::Field::new(format!("{at:05}"), field.data_type().clone(), true))
        .collect();
    let schema = Arc::new(arrow::datatypes::Schema::new(fields));
    let told = |error: arrow::error::ArrowError| Problem::internal(error.to_string());
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let batch = RecordBatch::try_new_with_options(schema, batch.columns().to_vec(), &rows).map_err(told)?;
    let builder = arrow::json::WriterBuilder::new().with_explicit_nulls(true);
    let mut writer: ArrayWriter<Vec<u8>> = builder.build(Vec::new());
    writer.write(&batch).and_then(|()| writer.finish()).map_err(told)?;
    let objects: Vec<std::collections::BTreeMap<&str, &serde_json::value::RawValue>> =
        serde_json::from_slice(writer.get_ref()).map_err(|error| Problem::internal(error.to_string()))?;
    let mut rows = Vec::with_capacity(writer.get_ref().len());
    for (at, object) in objects.iter().enumerate() {
        rows.extend_from_slice(if at == 0 { b"[" } else { b",[" });
        for (at, value) in object.values().enumerate() {
            if at > 0 {
                rows.push(b',');
            }
            rows.extend_from_slice(value.get().as_bytes());
        }
        rows.push(b']');
    }
    Ok(rows)
}

/// The type of a column in SQL's words.
fn type_name(data_type: &arrow::datatypes::DataType) -> String {
    use arrow::datatypes::DataType as T;
    match data_type {
        T::Utf8 | T::LargeUtf8 | T::Utf8View => "text".to_owned(),
        T::Boolean => "boolean".to_owned(),
        T::Int8 | T::Int16 | T::Int32 | T::Int64 | T::UInt8 | T::UInt16 | T::UInt32 | T::UInt64 => "integer".to_owned(),
        T::Float16 | T::Float32 | T::Float64 => "number".to_owned(),
        T::Timestamp(..) => "timestamp".to_owned(),
        T::Date32 | T::Date64 => "date".to_owned(),
        T::Binary | T::LargeBinary | T::BinaryView => "binary".to_owned(),
        T::Dictionary(_, value) => type_name(value),
        other => other.to_string().to_lowercase(),
    }
}

fn csv_pieces(answer: Answer) -> impl Stream<Item = Result<Bytes, Broken>> + Send {
    let schema = answer.schema();
    let head = csv(&RecordBatch::new_empty(schema), true);
    futures::stream::once(futures::future::ready(head)).chain(answer.map(|batch| csv(&batch?, false)))
}

fn csv(batch: &RecordBatch, header: bool) -> Result<Bytes, Broken> {
    let mut writer = CsvWriter::new().with_header(header).build(Vec::new());
    writer.write(batch)?;
    Ok(writer.into_inner().into())
}

/// An Arrow IPC stream: written into a buffer that is handed on after each batch.
fn arrow_pieces(answer: Answer) -> Result<impl Stream<Item = Result<Bytes, Broken>> + Send, Problem> {
    let schema: SchemaRef = answer.schema();
    let told = |error: arrow::error::ArrowError| Problem::internal(error.to_string());
    let writer = StreamWriter::try_new(Vec::new(), &schema).map_err(told)?;
    Ok(futures::stream::unfold((answer, Some(writer)), |(mut answer, writer)| async move {
        let mut writer = writer?;
        let piece = match answer.next().await {
            Some(Ok(batch)) => writer.write(&batch).map(|()| Some(std::mem::take(writer.get_mut()))),
            Some(Err(error)) => return Some((Err(Broken::from(error)), (answer, None))),
            None => writer.finish().map(|()| None),
        };
        match piece {
            Ok(Some(piece)) => Some((Ok(Bytes::from(piece)), (answer, Some(writer)))),
            Ok(None) => Some((Ok(Bytes::from(std::mem::take(writer.get_mut()))), (answer, None))),
            Err(error) => Some((Err(Broken::from(error)), (answer, None))),
        }
    }))
}

/// A Parquet file has its footer at its end, so it is made whole before it is sent.
async fn parquet(engine: &Engine, mut answer: Answer) -> Result<Bytes, Problem> {
    let told = |error: ParquetError| match error {
        ParquetError::NYI(what) => Problem::invalid(format!("Parquet has no form for a column of the answer: {what}")),
        error => Problem::internal(error.to_string()),
    };
    let mut writer = ArrowWriter::try_new(Vec::new(), answer.schema(), None).map_err(told)?;
    while let Some(batch) = answer.next().await {
        writer.write(&batch?).map_err(told)?;
        if writer.bytes_written() + writer.in_progress_size() > engine.limits().memory_bytes {
            let detail = "memory limit reached: the Parquet file would be too large; choose fewer rows or CSV";
            return Err(Problem::new("unavailable", StatusCode::SERVICE_UNAVAILABLE, detail));
        }
    }
    Ok(writer.into_inner().map_err(told)?.into())
}
