//! Portals and cursors: statements with their values, and their rows as far as they were taken.

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use counterfoil_query::Answer;
use futures::StreamExt;
use tokio::time::Instant;

use crate::pg::refusal::Refusal;
use crate::pg::rows::Columns;
use crate::pg::statement::{Read, Statement};
use crate::pg::value::Value;

/// A statement with values for its parameters, to be run; or a cursor, which runs already.
pub(crate) struct Portal {
    /// The prepared statement; none for an empty text.
    pub(crate) statement: Option<Arc<Prepared>>,
    pub(crate) values: Vec<Value>,
    /// The formats that its columns are wanted in.
    pub(crate) formats: Vec<i16>,
    pub(crate) state: State,
    /// Whether it outlives its transaction.
    pub(crate) hold: bool,
}

/// A statement that a client prepared.
pub(crate) struct Prepared {
    pub(crate) statement: Option<Statement>,
    pub(crate) types: Vec<postgres_types::Type>,
    pub(crate) bytes: usize,
}

/// How far a portal is.
pub(crate) enum State {
    Bound,
    Running(Box<Running>),
    Ended,
    /// Its time was up before its rows were taken.
    Late,
}

impl Portal {
    /// A cursor.
    pub(crate) fn cursor(running: Running, hold: bool) -> Self {
        let state = State::Running(Box::new(running));
        Self { statement: None, values: Vec::new(), formats: Vec::new(), state, hold }
    }

    /// When its rows must have been taken, if they are being taken.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Running(running) => running.deadline,
            _ => None,
        }
    }
}

/// An answer whose rows are being taken.
pub(crate) struct Running {
    schema: SchemaRef,
    rows: Rows,
    batch: Option<(RecordBatch, usize)>,
    sql: Arc<str>,
    pub(crate) tag: &'static str,
    pub(crate) deadline: Option<Instant>,
}

enum Rows {
    Answer(Box<Answer>),
    Ended,
}

impl Running {
    /// An answer of the query engine, which ends by itself after the time that it was given.
    pub(crate) fn new(answer: Answer, time: Duration, read: &Read) -> Self {
        let (schema, rows) = (read.named(answer.schema()), Rows::Answer(Box::new(answer)));
        let deadline = Instant::now().checked_add(time);
        let (sql, tag) = (Arc::clone(&read.sql), read.tag);
        Self { schema, rows, batch: None, sql, tag, deadline }
    }

    /// Rows that are there already.
    pub(crate) fn ready(batch: RecordBatch, tag: &'static str) -> Self {
        let schema = batch.schema();
        Self { schema, rows: Rows::Ended, batch: Some((batch, 0)), sql: "".into(), tag, deadline: None }
    }

    pub(crate) fn columns(&self, formats: &[i16]) -> Result<Columns, Refusal> {
        Columns::new(&self.schema, formats)
    }

    /// Sees to it that there is a row to take; whether there is one.
    ///
    /// # Errors
    /// What ended the rows early.
    pub(crate) async fn advance(&mut self) -> Result<bool, Refusal> {
        loop {
            if self.batch.as_ref().is_some_and(|(batch, taken)| *taken < batch.num_rows()) {
                return Ok(true);
            }
            let Rows::Answer(answer) = &mut self.rows else {
                return Ok(false);
            };
            match answer.next().await {
                Some(Ok(batch)) => self.batch = Some((batch, 0)),
                Some(Err(error)) => {
                    self.rows = Rows::Ended;
                    return Err(Refusal::of(&error, &self.sql));
                }
                None => self.rows = Rows::Ended,
            }
        }
    }

    /// The batch and the place in it of the next row, if it is at hand; it counts as taken.
    pub(crate) fn take(&mut self) -> Option<(&RecordBatch, usize)> {
        let (batch, taken) = self.batch.as_mut()?;
        let row = *taken;
        *taken += 1;
        (row < batch.num_rows()).then_some((batch, row))
    }
}
