//! What clients ask about names and types, answered from a catalog that stands beside the ledger and never changes.

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{DataType, Field, Schema};
use counterfoil::{Error, ErrorKind, Result};
use counterfoil_query::{Engine, Limits, TABLE, Tables, aside, schema};
use datafusion::datasource::empty::EmptyTable;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use datafusion_pg_catalog::pg_catalog::context::EmptyContextProvider;
use datafusion_pg_catalog::pg_catalog::setup_pg_catalog;
use datafusion_pg_catalog::sql::PostgresCompatibilityParser;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::pg::functions;
use crate::pg::information::information_schema;
use crate::pg::refusal::Refusal;

/// The one database.
pub(crate) const DATABASE: &str = "audit";

/// The schema of its one table.
pub(crate) const SCHEMA: &str = "public";

/// What a question about the catalog may take.
const LIMITS: Limits = Limits { time: Duration::from_secs(10), memory_bytes: 64 << 20, rows: 100_000 };

/// Questions about the catalog at once; others wait.
const AT_ONCE: usize = 4;

/// The catalog of a service.
pub(crate) struct Catalog {
    context: SessionContext,
    engine: Engine,
    places: Arc<Semaphore>,
    /// Makes clients' questions about the catalog such as the query engine understands.
    pub(crate) rewriting: PostgresCompatibilityParser,
}

impl Catalog {
    /// The catalog, asked on an engine's threads.
    ///
    /// # Errors
    /// `Internal` when it cannot be set up.
    pub(crate) fn new(engine: &Engine) -> Result<Self> {
        let told = |error: DataFusionError| Error::new(ErrorKind::Internal, format!("no catalog: {error}"));
        let context = aside(DATABASE, SCHEMA)?;
        context.register_table(TABLE, Arc::new(EmptyTable::new(Arc::new(plain())))).map_err(told)?;
        let catalog = context.catalog(DATABASE).expect("made with the session");
        catalog.register_schema("information_schema", information_schema().map_err(told)?).map_err(told)?;
        setup_pg_catalog(&context, DATABASE, EmptyContextProvider).map_err(|error| told(*error))?;
        functions::register(&context);
        Ok(Self {
            context,
            engine: engine.with_limits(LIMITS),
            places: Arc::new(Semaphore::new(AT_ONCE)),
            rewriting: PostgresCompatibilityParser::new(),
        })
    }

    /// The engine under the catalog's limits.
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn tables(&self) -> Tables {
        Tables::Aside(self.context.clone())
    }

    /// A place among the questions at once.
    ///
    /// # Errors
    /// When none comes free in time.
    pub(crate) async fn place(&self) -> std::result::Result<OwnedSemaphorePermit, Refusal> {
        let place = Arc::clone(&self.places).acquire_owned();
        match tokio::time::timeout(LIMITS.time, place).await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(Refusal::new("53300", "too many questions about the catalog wait; retry in a moment")),
        }
    }
}

/// The table's schema in types that pg_catalog has names for.
fn plain() -> Schema {
    let fields = schema()
        .fields()
        .iter()
        .map(|field| match field.data_type() {
            DataType::Utf8View => Field::new(field.name(), DataType::Utf8, field.is_nullable()),
            _ => field.as_ref().clone(),
        })
        .collect::<Vec<_>>();
    Schema::new(fields)
}
