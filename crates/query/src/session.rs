//! The query engine's session: what SQL may use here.

use std::sync::Arc;

use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList, MemorySchemaProvider,
    SchemaProvider, TableProvider,
};
use datafusion::common::config::Dialect;
use datafusion::error::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::execution::context::SessionContext;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::object_store::memory::InMemory;
use datafusion::prelude::SessionConfig;

use crate::columns::TABLE;
use crate::error::translate;
use crate::json::TypedJson;
use crate::pauses::Pauses;
use crate::sealed::STORE;
use crate::spans::ByLength;

const CATALOG: &str = "counterfoil";
const SCHEMA: &str = "public";

/// Functions that make much out of little: a few bytes of query must not become gigabytes that no limit counts.
const LEFT_OUT: [&str; 12] = [
    "arrow_cast",
    "arrow_try_cast",
    "repeat",
    "lpad",
    "rpad",
    "levenshtein",
    "array_repeat",
    "list_repeat",
    "array_resize",
    "list_resize",
    "generate_series",
    "range",
];

/// Aggregates that allocate as much as their argument says.
const AGGREGATES_LEFT_OUT: [&str; 2] = ["approx_percentile_cont", "approx_percentile_cont_with_weight"];

/// What all queries have in common: dialect, functions, optimizer.
pub(crate) fn template(cores: usize) -> Result<SessionState> {
    let mut state = SessionStateBuilder::new_with_default_features()
        .with_config(config(cores))
        .with_physical_optimizer_rule(Arc::new(Pauses))
        // Behind those of the engine.
        .with_analyzer_rule(Arc::new(ByLength))
        .build();
    datafusion_functions_json::register_all(&mut state)?;
    state.register_function_rewrite(Arc::new(TypedJson))?;
    for function in LEFT_OUT {
        state.deregister_udf(function)?;
    }
    for function in AGGREGATES_LEFT_OUT {
        state.deregister_udaf(function)?;
    }
    Ok(state)
}

fn config(cores: usize) -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_target_partitions(cores)
        .with_create_default_catalog_and_schema(false)
        .with_default_catalog_and_schema(CATALOG, SCHEMA)
        // The scan divides its work by row groups itself.
        .with_repartition_file_scans(false);
    let options = config.options_mut();
    options.sql_parser.dialect = Dialect::PostgreSQL;
    options.sql_parser.collect_spans = true;
    options.execution.time_zone = Some("UTC".to_owned());
    // Nothing spills, so nothing needs to be held back for it.
    options.execution.sort_spill_reservation_bytes = 0;
    options.execution.parquet.pushdown_filters = true;
    options.execution.parquet.reorder_filters = true;
    config
}

/// The session of one query: the common state, the table, and memory of its own.
pub(crate) fn session(
    template: &SessionState,
    table: Arc<dyn TableProvider>,
    memory_bytes: usize,
) -> Result<SessionContext> {
    let schema = MemorySchemaProvider::new();
    schema.register_table(TABLE.to_owned(), table)?;
    let catalog = MemoryCatalogProvider::new();
    catalog.register_schema(SCHEMA, Arc::new(schema))?;
    let catalogs = MemoryCatalogProviderList::new();
    catalogs.register_catalog(CATALOG.to_owned(), Arc::new(catalog));
    let state = SessionStateBuilder::new_from_existing(template.clone())
        .with_catalog_list(Arc::new(catalogs))
        .with_runtime_env(runtime(memory_bytes)?)
        .build();
    Ok(SessionContext::new_with_state(state))
}

/// A session beside the ledger, for questions about names and types: the language of all queries here, one empty schema
/// in one catalog, no files. Whoever makes it registers its tables and functions and asks by
/// [`Tables::Aside`](crate::Tables).
///
/// # Errors
/// `Internal` when the query engine cannot be set up.
pub fn aside(catalog: &str, schema: &str) -> counterfoil::Result<SessionContext> {
    build_aside(catalog, schema).map_err(|error| translate(&error, ""))
}

fn build_aside(catalog: &str, schema: &str) -> Result<SessionContext> {
    // There is little to divide.
    let template = template(1)?;
    let config = template.config().clone().with_default_catalog_and_schema(catalog, schema);
    let provider = MemoryCatalogProvider::new();
    provider.register_schema(schema, Arc::new(MemorySchemaProvider::new()))?;
    let catalogs = MemoryCatalogProviderList::new();
    catalogs.register_catalog(catalog.to_owned(), Arc::new(provider));
    let state = SessionStateBuilder::new_from_existing(template)
        .with_config(config)
        .with_catalog_list(Arc::new(catalogs))
        .with_runtime_env(runtime(0)?)
        .build();
    Ok(SessionContext::new_with_state(state))
}

/// The same session with memory of its own, for one query.
pub(crate) fn with_memory(context: &SessionContext, memory_bytes: usize) -> Result<SessionContext> {
    let state =
        SessionStateBuilder::new_from_existing(context.state()).with_runtime_env(runtime(memory_bytes)?).build();
    Ok(SessionContext::new_with_state(state))
}

/// Counted memory, no disk, and no store but an empty one under the address that scans carry.
fn runtime(memory_bytes: usize) -> Result<Arc<RuntimeEnv>> {
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(GreedyMemoryPool::new(memory_bytes)))
        .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled))
        .build_arc()?;
    runtime.deregister_object_store(ObjectStoreUrl::local_filesystem().as_ref())?;
    runtime.register_object_store(ObjectStoreUrl::parse(STORE)?.as_ref(), Arc::new(InMemory::new()));
    Ok(runtime)
}
