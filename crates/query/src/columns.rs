//! The columns of `audit_log` as SQL sees them.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

/// The table's name.
pub const TABLE: &str = "audit_log";

/// Field metadata: the column that says which kind of JSON value this column's text is.
pub(crate) const TYPE_COLUMN: &str = "counterfoil.type_column";

/// The columns of the table: those of a segment (docs/formats, Segment), with strings as views.
pub fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let fields = counterfoil_segment::schema();
        let fields: Vec<Field> = fields.fields().iter().map(|f| viewed(f)).collect();
        Arc::new(Schema::new(fields))
    });
    Arc::clone(&SCHEMA)
}

fn viewed(field: &Field) -> Field {
    let data_type = match field.data_type() {
        DataType::Utf8 => DataType::Utf8View,
        other => other.clone(),
    };
    let viewed = Field::new(field.name(), data_type, field.is_nullable());
    match field.name().as_str() {
        name @ ("old_value" | "new_value") => {
            viewed.with_metadata([(TYPE_COLUMN.to_owned(), format!("{name}_type"))].into())
        }
        _ => viewed,
    }
}
