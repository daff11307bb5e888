//! The answers to the statements of a report, over one span of entries.

use std::time::Duration;

use arrow::json::ArrayWriter;
use counterfoil::{Error, ErrorKind, Result};
use counterfoil_query::Limits;
use counterfoil_report::report::{Listed, Step, figures};
use counterfoil_report::sql;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::exit::Failure;
use crate::remote::{Call, Problem};
use crate::view::View;

/// The longest that one statement may take; memory and rows are bounded as for any query.
const MAX_TIME: Duration = Duration::from_secs(600);

/// A span of entries that is asked about.
pub struct Answers<'a> {
    pub view: &'a View,
    /// Runs of entries that cannot be read, both ends included.
    pub unread: &'a [(u64, u64)],
    pub first: u64,
    pub end: u64,
    pub step: Step,
}

impl<'a> Answers<'a> {
    /// Answers over everything up to a size.
    pub fn up_to(view: &'a View, size: u64, unread: &'a [(u64, u64)]) -> Self {
        Self { view, unread, first: 0, end: size, step: Step::Day }
    }

    /// The rows of a statement, each a JSON object.
    pub fn rows(&self, statement: &str) -> Result<Vec<Value>> {
        let filled = sql::over(&sql::without(statement, self.unread), self.first, self.end, self.step);
        match self.view {
            View::Folder { .. } => in_folder(self.view, &filled),
            View::Service { service, .. } => told(service.ask(Call::post("/api/v1/query", &json!({"sql": filled})))?),
        }
    }

    /// The one row of a statement.
    pub fn one<T: DeserializeOwned>(&self, statement: &str) -> std::result::Result<T, Failure> {
        Ok(figures(self.rows(statement)?.pop().unwrap_or_default())?)
    }

    /// The rows of a statement, and how many there are.
    pub fn listed<T: DeserializeOwned>(&self, statement: &str) -> std::result::Result<Listed<T>, Failure> {
        Ok(Listed::from_rows(self.rows(statement)?)?)
    }

    /// The number in a column of the one row of a statement; none for NULL.
    pub fn number(&self, statement: &str, column: &str) -> Result<Option<u64>> {
        Ok(self.rows(statement)?.first().and_then(|row| row[column].as_u64()))
    }
}

fn in_folder(view: &View, sql: &str) -> Result<Vec<Value>> {
    let broken = |error: &dyn std::fmt::Display| Error::new(ErrorKind::Internal, error.to_string());
    let mut writer = ArrayWriter::new(Vec::new());
    for batch in view.query(sql, Limits { time: MAX_TIME, ..Limits::default() })?.batches {
        writer.write(&batch?).map_err(|error| broken(&error))?;
    }
    writer.finish().map_err(|error| broken(&error))?;
    match writer.into_inner() {
        text if text.is_empty() => Ok(Vec::new()),
        text => serde_json::from_slice(&text).map_err(|error| broken(&error)),
    }
}

/// An answer of a service in JSON, which says why it ends early, if it does.
#[derive(Deserialize)]
struct Told {
    columns: Vec<Column>,
    rows: Vec<Vec<Value>>,
    #[serde(default)]
    problem: Option<Problem>,
}

#[derive(Deserialize)]
struct Column {
    name: String,
}

fn told(answer: Told) -> Result<Vec<Value>> {
    answer.problem.map_or(Ok(()), |problem| Err(problem.error()))?;
    let names = || answer.columns.iter().map(|column| column.name.clone());
    Ok(answer.rows.into_iter().map(|row| Value::Object(names().zip(row).collect())).collect())
}

/// Whether something failed since what was read is not what was recorded.
pub fn is_damage(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Damaged | ErrorKind::Tampered)
}

/// The parts of a ledger that cannot be read: whole segments, and the tail behind them.
pub fn unreadable(view: &View) -> Result<Vec<(u64, u64)>> {
    let mut unread = Vec::new();
    for (first, end) in view.parts() {
        let part = Answers { first, ..Answers::up_to(view, end, &[]) };
        match part.rows(sql::READABLE) {
            Err(error) if is_damage(error.kind) => unread.push((first, end - 1)),
            read => drop(read?),
        }
    }
    Ok(unread)
}
