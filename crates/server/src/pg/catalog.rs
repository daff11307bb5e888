//! What clients ask about names and types, answered from a catalog that stands beside the ledger and never changes.

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{DataType, Field, Schema};
use async_trait::async_trait;
use counterfoil::{Error, ErrorKind, Result};
use counterfoil_query::{Engine, Limits, TABLE, Tables, aside, schema};
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::datasource::empty::EmptyTable;
use datafusion::error::DataFusionError;
use datafusion::prelude::{SessionContext, col, lit};
use datafusion_pg_catalog::pg_catalog::context::EmptyContextProvider;
use datafusion_pg_catalog::pg_catalog::setup_pg_catalog;
use datafusion_pg_catalog::sql::PostgresCompatibilityParser;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::pg::functions::{self, session_user};
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
    pub(crate) async fn new(engine: &Engine) -> Result<Self> {
        let told = |error: DataFusionError| Error::new(ErrorKind::Internal, format!("no catalog: {error}"));
        let context = aside(DATABASE, SCHEMA)?;
        context.register_table(TABLE, Arc::new(EmptyTable::new(Arc::new(plain())))).map_err(told)?;
        let catalog = context.catalog(DATABASE).expect("made with the session");
        catalog.register_schema("information_schema", information_schema().map_err(told)?).map_err(told)?;
        setup_pg_catalog(&context, DATABASE, EmptyContextProvider).map_err(|error| told(*error))?;
        functions::register(&context);
        let databases = context.table("pg_catalog.pg_database").await.map_err(told)?;
        let one = databases.filter(col("datname").eq(lit(DATABASE))).map_err(told)?.into_view();
        let pg_catalog = catalog.schema("pg_catalog").expect("set up just now");
        let indices = pg_catalog.table("pg_index").await.map_err(told)?.expect("set up just now");
        let indices = no_indices(&indices.schema());
        let truthful = Truthful { pg_catalog, databases: one, indices: Arc::new(EmptyTable::new(Arc::new(indices))) };
        catalog.register_schema("pg_catalog", Arc::new(truthful)).map_err(told)?;
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

    /// The catalog's tables and functions, as somebody sees them.
    pub(crate) fn tables(&self, name: &str) -> Tables {
        let context = SessionContext::new_with_state(self.context.state());
        context.register_udf(session_user(name));
        Tables::Aside(context)
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

/// pg_index with its vectors as vectors; no table here has an index that PostgreSQL would know.
fn no_indices(schema: &Schema) -> Schema {
    let fields = schema.fields().iter().map(|field| {
        let element = match field.name().as_str() {
            "indkey" | "indoption" => DataType::Int16,
            "indcollation" | "indclass" => DataType::Int32,
            _ => return field.as_ref().clone(),
        };
        Field::new_list(field.name(), Field::new_list_field(element, true), true)
    });
    Schema::new(fields.collect::<Vec<_>>())
}

/// pg_catalog without the database that it always names beside the one there is, and without another's indices.
#[derive(Debug)]
struct Truthful {
    pg_catalog: Arc<dyn SchemaProvider>,
    databases: Arc<dyn TableProvider>,
    indices: Arc<dyn TableProvider>,
}

#[async_trait]
impl SchemaProvider for Truthful {
    fn table_names(&self) -> Vec<String> {
        self.pg_catalog.table_names()
    }

    async fn table(&self, name: &str) -> std::result::Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        match name {
            "pg_database" => Ok(Some(Arc::clone(&self.databases))),
            "pg_index" => Ok(Some(Arc::clone(&self.indices))),
            _ => self.pg_catalog.table(name).await,
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        self.pg_catalog.table_exist(name)
    }
}
