//! Questions in, answers out.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::available_parallelism;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{Int64Type, SchemaRef};
use arrow::record_batch::RecordBatch;
use counterfoil::{Error, ErrorKind, Result};
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SessionContext;
use datafusion::execution::session_state::SessionState;
use datafusion::physical_plan::execute_stream;
use datafusion::sql::parser::Statement;
use futures::StreamExt;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep_until;

use crate::answer::{Answer, Piece, Running, Task};
use crate::budget::Budget;
use crate::error::translate;
use crate::fault::Fault;
use crate::guard::{guard, guard_functions};
use crate::json::as_text;
use crate::limits::Limits;
use crate::order::{by_index, newest_only};
use crate::session::{session, template, with_memory};
use crate::shape::check_steps;
use crate::sizes::bytes_of;
use crate::source::Source;
use crate::statement::{check_plan, parse, select_where};
use crate::table::AuditLog;
use crate::tables::{Parameters, Prepared, Tables};
use crate::tail::TailCache;
use crate::workers::Workers;

/// Bytes of unsealed entries, as columns, that are kept between queries.
const TAIL_BUDGET_BYTES: usize = 256 << 20;

/// Batches that wait for whoever takes the rows, before the query waits too.
const BATCHES_AHEAD: usize = 2;

/// Bytes of a batch, about, that is handed on at once.
const PIECE_BYTES: usize = 16 << 20;

/// In which order entries are selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// All, oldest first.
    Ascending,
    /// So many of the oldest, oldest first.
    Oldest(usize),
    /// So many of the newest, newest first.
    Newest(usize),
}

/// Answers SQL over snapshots of ledgers. Cheap to clone; clones share threads and what is kept of unsealed entries.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
    limits: Limits,
    held: Option<Arc<dyn Any + Send + Sync>>,
}

struct Shared {
    workers: Arc<Workers>,
    template: SessionState,
    tails: Arc<TailCache>,
}

/// What is asked.
enum Question {
    Sql(String),
    /// Columns of the rows where a predicate holds, in order; each batch in the given columns' types.
    Where {
        columns: &'static str,
        predicate: Option<String>,
        order: Order,
        types: Option<SchemaRef>,
    },
    Prepared(Prepared),
}

impl Engine {
    /// An engine with threads of its own, one a core.
    ///
    /// # Errors
    /// `Unavailable` when no threads can be had.
    pub fn new(limits: Limits) -> Result<Self> {
        let cores = available_parallelism().map_or(2, usize::from);
        let template = template(cores).map_err(|error| translate(&error, ""))?;
        let workers = Arc::new(Workers::start(cores)?);
        let tails = Arc::new(TailCache::new(TAIL_BUDGET_BYTES));
        Ok(Self { shared: Arc::new(Shared { workers, template, tails }), limits, held: None })
    }

    /// Answers one SQL statement over the table `audit_log`. Blocks until the query is planned; not to be called from
    /// async code.
    ///
    /// Rows come in the order of `index` unless the statement groups, joins or orders them.
    ///
    /// # Errors
    /// `Invalid` for what cannot be asked, `Unavailable` for a limit, `Damaged` or `Tampered` for what was read.
    pub fn query<S: Source + Clone>(&self, source: &S, sql: &str) -> Result<Answer> {
        self.shared.workers.block_on(self.query_async(source, sql))
    }

    /// [`query`](Self::query) for async code, on any executor.
    ///
    /// # Errors
    /// Those of [`query`](Self::query).
    pub async fn query_async<S: Source + Clone>(&self, source: &S, sql: &str) -> Result<Answer> {
        self.ask(over(source), Question::Sql(sql.to_owned())).answer().await
    }

    /// The indices of the entries for which one SQL condition holds, in an order that may end early. Blocks; not to be called
    /// from async code.
    ///
    /// # Errors
    /// Those of [`query`](Self::query); `Invalid` also for a predicate that is not exactly one condition.
    pub fn select_indices<S: Source + Clone>(&self, source: &S, predicate: &str, order: Order) -> Result<Vec<u64>> {
        let predicate = Some(predicate.to_owned());
        let question = Question::Where { columns: "index", predicate, order, types: None };
        let answer = self.shared.workers.block_on(self.ask(over(source), question).answer())?;
        let mut indices = Vec::new();
        for batch in answer {
            let batch = batch?;
            indices.extend(batch.column(0).as_primitive::<Int64Type>().values().iter().map(|&i| i as u64));
        }
        Ok(indices)
    }

    /// Whole entries as rows of a segment's schema, in order: all, or those for which one SQL condition holds.
    /// Blocks until the query is planned; not to be called from async code.
    ///
    /// # Errors
    /// Those of [`select_indices`](Self::select_indices).
    pub fn rows<S: Source + Clone>(&self, source: &S, predicate: Option<&str>) -> Result<Answer> {
        self.shared.workers.block_on(self.rows_async(source, predicate))
    }

    /// [`rows`](Self::rows) for async code, on any executor.
    ///
    /// # Errors
    /// Those of [`select_indices`](Self::select_indices).
    pub async fn rows_async<S: Source + Clone>(&self, source: &S, predicate: Option<&str>) -> Result<Answer> {
        let predicate = predicate.map(str::to_owned);
        let types = Some(counterfoil_segment::schema());
        let question = Question::Where { columns: "*", predicate, order: Order::Ascending, types };
        self.ask(over(source), question).answer().await
    }

    /// The limits of its queries.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// The same engine, with the same threads, under other limits.
    pub fn with_limits(&self, limits: Limits) -> Self {
        Self { limits, ..self.clone() }
    }

    /// The same engine, whose queries hold something, such as a place among few, until they have really ended.
    pub fn holding(&self, held: impl Send + Sync + 'static) -> Self {
        Self { held: Some(Arc::new(held)), ..self.clone() }
    }

    /// Answers a statement that was parsed already, for async code.
    ///
    /// # Errors
    /// Those of [`query`](Self::query).
    pub async fn answer(&self, tables: Tables, prepared: Prepared) -> Result<Answer> {
        self.ask(tables, Question::Prepared(prepared)).answer().await
    }

    /// The types of the parameters that a statement was left with, as far as they follow from it.
    ///
    /// # Errors
    /// Those of [`query`](Self::query); many statements can be planned only when their parameters are filled in.
    pub async fn parameters(&self, tables: Tables, prepared: Prepared) -> Result<Parameters> {
        let run = self.run(tables, Question::Prepared(prepared));
        self.on_workers(async move {
            let (context, statement, _) = run.session()?;
            let told = |error: DataFusionError| translate(&error, run.text());
            let plan = context.state().statement_to_plan(statement).await.map_err(told)?;
            plan.get_parameter_types().map_err(told)
        })
        .await?
    }

    /// Runs something on the engine's threads: parsing and walking a deep statement needs their stacks.
    ///
    /// # Errors
    /// `Internal` when it panics, `Unavailable` at the limit of time.
    pub async fn on_workers<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Result<T> {
        let task = self.shared.workers.handle().spawn(work);
        let _stopped_with_this = Task::new(task.abort_handle(), Arc::default());
        let done = async { task.await.map_err(|error| Error::new(ErrorKind::Internal, error.to_string())) };
        match self.deadline() {
            None => done.await,
            Some(deadline) => {
                let timed = {
                    let _inside = self.shared.workers.clock().enter();
                    tokio::time::timeout_at(deadline, done)
                };
                timed.await.unwrap_or_else(|_| Err(self.limits.time_is_up()))
            }
        }
    }

    fn deadline(&self) -> Option<tokio::time::Instant> {
        self.limits.deadline().map(tokio::time::Instant::from_std)
    }

    fn run(&self, tables: Tables, question: Question) -> Run {
        let (fault, stopped) = (Fault::default(), Arc::<AtomicBool>::default());
        let budget = Budget::new(self.limits, self.limits.deadline(), Arc::clone(&stopped), fault.clone());
        let (shared, limits) = (Arc::clone(&self.shared), self.limits);
        Run { shared, tables, question, limits, fault, budget, stopped, _held: self.held.clone() }
    }

    fn ask(&self, tables: Tables, question: Question) -> Running {
        let (schema_to, schema) = oneshot::channel();
        let (pieces_to, pieces) = mpsc::channel(BATCHES_AHEAD);
        let workers = Arc::clone(&self.shared.workers);
        let deadline = self.deadline();
        let run = self.run(tables, question);
        let (limits, stopped) = (self.limits, Arc::clone(&run.stopped));
        let task = workers.handle().spawn(async move {
            let to = pieces_to.clone();
            let run = run.drive(schema_to, pieces_to);
            let Some(deadline) = deadline else {
                return run.await;
            };
            if tokio::time::timeout_at(deadline, run).await.is_err() {
                // Nobody listens any more: then nobody needs to know.
                let _ = to.send(Err(limits.time_is_up())).await;
            }
        });
        let _inside = workers.clock().enter();
        Running {
            schema,
            pieces,
            task: Task::new(task.abort_handle(), stopped),
            deadline: deadline.map(|deadline| Box::pin(sleep_until(deadline))),
            limits: self.limits,
            workers: Arc::clone(&workers),
        }
    }
}

/// One query on the workers' side.
struct Run {
    shared: Arc<Shared>,
    tables: Tables,
    question: Question,
    limits: Limits,
    fault: Fault,
    budget: Budget,
    stopped: Arc<AtomicBool>,
    _held: Option<Arc<dyn Any + Send + Sync>>,
}

impl Run {
    async fn drive(self, schema: oneshot::Sender<Result<SchemaRef>>, pieces: mpsc::Sender<Result<Piece>>) {
        let (stream, types) = match self.plan().await {
            Ok(planned) => planned,
            Err(error) => {
                let _ = schema.send(Err(self.fault.get().unwrap_or(error)));
                return;
            }
        };
        if schema.send(Ok(Arc::clone(&types))).is_err() {
            return;
        }
        let last = match self.pass_on(stream, types, &pieces).await {
            Ok(()) => Ok(None),
            Err(error) => Err(error),
        };
        let _ = pieces.send(last).await;
    }

    fn text(&self) -> &str {
        match &self.question {
            Question::Sql(sql) => sql,
            Question::Where { predicate, .. } => predicate.as_deref().unwrap_or_default(),
            Question::Prepared(prepared) => &prepared.sql,
        }
    }

    /// The session that the question is asked in, the question as a statement, and the types to answer it in.
    fn session(&self) -> Result<(SessionContext, Statement, Option<SchemaRef>)> {
        let (statement, types) = match &self.question {
            Question::Sql(sql) => (parse(sql)?, None),
            Question::Where { columns, predicate, order, types } => {
                (select_where(columns, predicate.as_deref(), *order)?, types.clone())
            }
            Question::Prepared(prepared) => (prepared.statement.clone(), None),
        };
        let memory = self.limits.memory_bytes;
        let context = match &self.tables {
            Tables::Ledger(source) => {
                let (source, tails) = (Arc::clone(source), Arc::clone(&self.shared.tails));
                let table = AuditLog { source, tails, fault: self.fault.clone() };
                session(&self.shared.template, Arc::new(table), memory)
            }
            Tables::Aside(context) => with_memory(context, memory),
        };
        Ok((context.map_err(|error| translate(&error, self.text()))?, statement, types))
    }

    async fn plan(&self) -> Result<(SendableRecordBatchStream, SchemaRef)> {
        let (context, statement, types) = self.session()?;
        let told = |error: DataFusionError| translate(&error, self.text());
        let state = context.state();
        let plan = state.statement_to_plan(statement).await.map_err(told)?;
        check_plan(&plan)?;
        check_steps(&plan).map_err(told)?;
        let plan = by_index(plan).and_then(as_text).map_err(told)?;
        let plan = guard_functions(plan, &self.budget).and_then(|plan| state.optimize(&plan)).map_err(told)?;
        let plan = match &self.tables {
            Tables::Ledger(source) => newest_only(plan, source.size()).map_err(told)?,
            Tables::Aside(_) => plan,
        };
        let plan = guard(plan, &self.budget).map_err(told)?;
        let plan = state.query_planner().create_physical_plan(&plan, &state).await.map_err(told)?;
        let stream = execute_stream(plan, context.task_ctx()).map_err(told)?;
        let types = types.unwrap_or_else(|| stream.schema());
        Ok((stream, types))
    }

    /// Sends the batches, as far as the limit of rows allows.
    async fn pass_on(
        &self,
        mut stream: SendableRecordBatchStream,
        types: SchemaRef,
        pieces: &mpsc::Sender<Result<Piece>>,
    ) -> Result<()> {
        let mut left = self.limits.rows;
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(|error| translate(&error, self.text()));
            if let Some(fault) = self.fault.get() {
                return Err(fault);
            }
            let batch = typed(batch?, &types)?;
            let rows = (batch.num_rows() as u64).min(left);
            let whole = rows == batch.num_rows() as u64;
            left -= rows;
            for piece in in_pieces(&batch.slice(0, rows as usize)) {
                if pieces.send(Ok(Some(piece))).await.is_err() {
                    return Ok(());
                }
            }
            if !whole {
                return Err(self.limits.too_many_rows());
            }
        }
        self.fault.get().map_or(Ok(()), Err)
    }
}

/// A batch as batches that take little when they are written out: columns of a wide answer may share their texts.
fn in_pieces(batch: &RecordBatch) -> impl Iterator<Item = RecordBatch> + use<> {
    let bytes = batch.columns().iter().fold(0_usize, |sum, column| sum.saturating_add(bytes_of(column.as_ref())));
    let rows = batch.num_rows();
    let of_a_piece = rows.div_ceil(bytes.div_ceil(PIECE_BYTES).max(1)).max(1);
    let batch = batch.clone();
    (0..rows).step_by(of_a_piece).map(move |first| batch.slice(first, of_a_piece.min(rows - first)))
}

fn over<S: Source + Clone>(source: &S) -> Tables {
    Tables::Ledger(Arc::new(source.clone()))
}

fn typed(batch: RecordBatch, types: &SchemaRef) -> Result<RecordBatch> {
    if batch.schema_ref() == types {
        return Ok(batch);
    }
    let columns = batch.columns().iter().zip(types.fields());
    columns
        .map(|(column, field)| cast(column, field.data_type()))
        .collect::<std::result::Result<_, _>>()
        .and_then(|columns| RecordBatch::try_new(Arc::clone(types), columns))
        .map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))
}
