//! The rows of an answer, as they are found.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use counterfoil::{Error, ErrorKind, Result};
use futures::future::{Either, select};
use futures::{Stream, StreamExt};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::Sleep;

use crate::limits::Limits;
use crate::workers::Workers;

/// What a running query sends: a batch, or that there are no more.
pub(crate) type Piece = Option<RecordBatch>;

/// A query that was handed to the workers and has not told its columns yet.
pub(crate) struct Running {
    pub(crate) schema: oneshot::Receiver<Result<SchemaRef>>,
    pub(crate) pieces: mpsc::Receiver<Result<Piece>>,
    pub(crate) task: Task,
    pub(crate) deadline: Option<Pin<Box<Sleep>>>,
    pub(crate) limits: Limits,
    pub(crate) workers: Arc<Workers>,
}

/// A task that is stopped when nobody waits for it any more.
pub(crate) struct Task {
    handle: AbortHandle,
    /// What tells the functions that are at work.
    stopped: Arc<AtomicBool>,
}

impl Task {
    pub(crate) fn new(handle: AbortHandle, stopped: Arc<AtomicBool>) -> Self {
        Self { handle, stopped }
    }

    fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        self.handle.abort();
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Running {
    /// Waits until the query is planned.
    pub(crate) async fn answer(mut self) -> Result<Answer> {
        let planned = match &mut self.deadline {
            None => (&mut self.schema).await,
            Some(deadline) => match select(&mut self.schema, deadline).await {
                Either::Left((planned, _)) => planned,
                Either::Right(_) => return Err(self.limits.time_is_up()),
            },
        };
        let schema = planned.unwrap_or_else(|_| Err(broken_off()))?;
        Ok(Answer { schema, running: self, ended: false })
    }
}

/// An answer: its columns, and its rows as a [`Stream`] of batches or, in blocking code, an iterator.
/// Dropping it stops the query.
///
/// Where a limit or an error ends the rows early, the last item is that error: an answer is whole only if none comes.
pub struct Answer {
    schema: SchemaRef,
    running: Running,
    ended: bool,
}

impl Answer {
    /// The columns.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// All batches, for answers that fit into memory. Blocks; not to be called from async code.
    ///
    /// # Errors
    /// What ended the rows early.
    pub fn collect(self) -> Result<Vec<RecordBatch>> {
        self.into_iter().collect()
    }
}

impl Stream for Answer {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let item = match self.running.pieces.poll_recv(cx) {
            Poll::Ready(Some(Ok(Some(batch)))) => return Poll::Ready(Some(Ok(batch))),
            Poll::Ready(Some(Ok(None))) => None,
            Poll::Ready(Some(Err(error))) => Some(Err(error)),
            Poll::Ready(None) => Some(Err(broken_off())),
            Poll::Pending => {
                let deadline = self.running.deadline.as_mut();
                if deadline.is_none_or(|deadline| deadline.as_mut().poll(cx).is_pending()) {
                    return Poll::Pending;
                }
                Some(Err(self.running.limits.time_is_up()))
            }
        };
        self.ended = true;
        self.running.task.stop();
        Poll::Ready(item)
    }
}

impl IntoIterator for Answer {
    type Item = Result<RecordBatch>;
    type IntoIter = Batches;

    /// The batches for blocking code; not to be used from async code.
    fn into_iter(self) -> Batches {
        Batches(self)
    }
}

/// The batches of an [`Answer`], each waited for on the calling thread.
pub struct Batches(Answer);

impl Iterator for Batches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let workers = Arc::clone(&self.0.running.workers);
        workers.block_on(self.0.next())
    }
}

fn broken_off() -> Error {
    Error::new(ErrorKind::Internal, "the query broke off; this is a defect in the query engine")
}
