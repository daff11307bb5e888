//! `information_schema`: the one table and its columns, in PostgreSQL's words.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use arrow_pg::datatypes::into_pg_type;
use counterfoil_query::{TABLE, schema};
use datafusion::catalog::{MemorySchemaProvider, SchemaProvider};
use datafusion::datasource::MemTable;
use datafusion::error::Result;
use postgres_types::Type;

use crate::pg::catalog::{DATABASE, SCHEMA};

/// Tables of the standard that nothing here fills: name and columns.
const EMPTY: [(&str, &[&str]); 9] = [
    ("views", &["table_catalog", "table_schema", "table_name", "view_definition", "is_updatable"]),
    (
        "table_constraints",
        &[
            "constraint_catalog",
            "constraint_schema",
            "constraint_name",
            "table_schema",
            "table_name",
            "constraint_type",
        ],
    ),
    (
        "key_column_usage",
        &["constraint_schema", "constraint_name", "table_schema", "table_name", "column_name", "ordinal_position"],
    ),
    (
        "referential_constraints",
        &["constraint_schema", "constraint_name", "unique_constraint_schema", "unique_constraint_name"],
    ),
    ("constraint_column_usage", &["table_schema", "table_name", "column_name", "constraint_schema", "constraint_name"]),
    ("check_constraints", &["constraint_schema", "constraint_name", "check_clause"]),
    ("routines", &["routine_schema", "routine_name", "routine_type", "data_type"]),
    ("sequences", &["sequence_schema", "sequence_name", "data_type"]),
    ("triggers", &["trigger_schema", "trigger_name", "event_object_schema", "event_object_table"]),
];

/// The schema with its tables.
///
/// # Errors
/// When the query engine refuses one.
pub(crate) fn information_schema() -> Result<Arc<dyn SchemaProvider>> {
    let provider = MemorySchemaProvider::new();
    let mut tables = vec![("schemata", schemata()?), ("tables", tables()?), ("columns", columns()?)];
    for (name, columns) in EMPTY {
        let fields: Vec<Field> = columns.iter().map(|column| Field::new(*column, DataType::Utf8, true)).collect();
        tables.push((name, RecordBatch::new_empty(Arc::new(Schema::new(fields)))));
    }
    for (name, batch) in tables {
        let table = MemTable::try_new(batch.schema(), vec![vec![batch]])?;
        provider.register_table(name.to_owned(), Arc::new(table))?;
    }
    Ok(Arc::new(provider))
}

fn schemata() -> std::result::Result<RecordBatch, ArrowError> {
    let names = [SCHEMA, "pg_catalog", "information_schema"];
    let same = |text: &str| texts(names.iter().map(|_| Some(text.to_owned())));
    batch([
        ("catalog_name", same(DATABASE)),
        ("schema_name", texts(names.map(|name| Some(name.to_owned())))),
        ("schema_owner", same("counterfoil")),
    ])
}

fn tables() -> std::result::Result<RecordBatch, ArrowError> {
    let one = |text: &str| texts([Some(text.to_owned())]);
    batch([
        ("table_catalog", one(DATABASE)),
        ("table_schema", one(SCHEMA)),
        ("table_name", one(TABLE)),
        ("table_type", one("BASE TABLE")),
        ("is_insertable_into", one("NO")),
    ])
}

fn columns() -> std::result::Result<RecordBatch, ArrowError> {
    let schema = schema();
    let fields = schema.fields();
    let same = |text: &str| texts(fields.iter().map(|_| Some(text.to_owned())));
    let types: Vec<Type> = fields.iter().map(|field| into_pg_type(field.data_type()).unwrap_or(Type::TEXT)).collect();
    let numbers =
        |of: &dyn Fn(&Type) -> Option<i32>| -> ArrayRef { Arc::new(Int32Array::from_iter(types.iter().map(of))) };
    let places: ArrayRef = Arc::new(Int32Array::from_iter_values(1..=fields.len() as i32));
    let yes_or_no = |yes: bool| Some(if yes { "YES" } else { "NO" }.to_owned());
    batch([
        ("table_catalog", same(DATABASE)),
        ("table_schema", same(SCHEMA)),
        ("table_name", same(TABLE)),
        ("column_name", texts(fields.iter().map(|field| Some(field.name().clone())))),
        ("ordinal_position", places),
        ("column_default", texts(fields.iter().map(|_| None))),
        ("is_nullable", texts(fields.iter().map(|field| yes_or_no(field.is_nullable())))),
        ("data_type", texts(types.iter().map(|of| Some(long_name(of).to_owned())))),
        ("character_maximum_length", numbers(&|_| None)),
        ("numeric_precision", numbers(&bits)),
        ("numeric_scale", numbers(&|of| bits(of).map(|_| 0))),
        ("datetime_precision", numbers(&|of| (*of == Type::TIMESTAMPTZ).then_some(6))),
        ("udt_catalog", same(DATABASE)),
        ("udt_schema", same("pg_catalog")),
        ("udt_name", texts(types.iter().map(|of| Some(of.name().to_owned())))),
        ("is_identity", same("NO")),
        ("is_generated", same("NEVER")),
        ("is_updatable", same("NO")),
    ])
}

fn batch<const N: usize>(columns: [(&str, ArrayRef); N]) -> std::result::Result<RecordBatch, ArrowError> {
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, values)| (name, values, true)))
}

fn texts(values: impl IntoIterator<Item = Option<String>>) -> ArrayRef {
    Arc::new(StringArray::from_iter(values))
}

/// A type's name in the standard.
fn long_name(of: &Type) -> &str {
    match *of {
        Type::INT2 => "smallint",
        Type::INT4 => "integer",
        Type::INT8 => "bigint",
        Type::TIMESTAMPTZ => "timestamp with time zone",
        _ => of.name(),
    }
}

fn bits(of: &Type) -> Option<i32> {
    match *of {
        Type::INT2 => Some(16),
        Type::INT4 => Some(32),
        Type::INT8 => Some(64),
        _ => None,
    }
}
