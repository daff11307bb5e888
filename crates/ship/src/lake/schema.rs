//! The columns of a segment as an Iceberg schema: field ids are the columns' numbers, from 1.

use arrow::datatypes::DataType;
use counterfoil_segment::schema;
use serde_json::{Value, json};

/// The columns with bounds in manifests: those by which entries are in order, so that engines skip files.
pub const BOUNDED: [&str; 3] = ["index", "timestamp", "recorded_at"];

/// The schema, as table metadata and manifests hold it.
pub fn iceberg() -> Value {
    let schema = schema();
    let fields = schema.fields().iter().enumerate().map(|(column, field)| {
        let kind = type_name(field.data_type());
        json!({ "id": column + 1, "name": field.name(), "required": !field.is_nullable(), "type": kind })
    });
    json!({ "type": "struct", "schema-id": 0, "fields": fields.collect::<Vec<_>>() })
}

/// How many columns there are, which is the greatest field id.
pub fn width() -> usize {
    schema().fields().len()
}

/// The number of a column, from 0.
pub fn column(name: &str) -> usize {
    schema().index_of(name).expect("a segment has the column")
}

/// Which field a column without a field id is: segments have none.
pub fn name_mapping() -> String {
    let schema = schema();
    let fields = schema.fields().iter().enumerate();
    let fields = fields.map(|(column, field)| json!({ "field-id": column + 1, "names": [field.name()] }));
    Value::Array(fields.collect()).to_string()
}

fn type_name(column: &DataType) -> &'static str {
    match column {
        DataType::Int32 => "int",
        DataType::Int64 => "long",
        DataType::Timestamp(..) => "timestamptz",
        DataType::Binary => "binary",
        _ => "string",
    }
}
