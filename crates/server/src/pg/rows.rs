//! Record batches as rows of the protocol.

use std::sync::Arc;

use arrow::array::Array;
use arrow::datatypes::{DataType, Schema};
use arrow::record_batch::RecordBatch;
use arrow_pg::datatypes::field_into_pg_type;
use arrow_pg::encoder::encode_value;
use pgwire::api::results::{DataRowEncoder, FieldFormat, FieldInfo};
use pgwire::messages::data::{DataRow, RowDescription};
use postgres_types::Type;

use crate::pg::refusal::Refusal;

/// The columns of an answer, each in the format that its client wants.
#[derive(Clone)]
pub(crate) struct Columns(Arc<Vec<FieldInfo>>);

impl Columns {
    /// The columns of a schema; `formats` as Bind has them: none for text, one for all, or one for each.
    ///
    /// # Errors
    /// For a type that the protocol has nothing for, and for a wrong number of formats.
    pub(crate) fn new(schema: &Schema, formats: &[i16]) -> Result<Self, Refusal> {
        let fields = schema.fields();
        if formats.len() > 1 && formats.len() != fields.len() {
            let (wanted, found) = (formats.len(), fields.len());
            return Err(Refusal::protocol(format!("{wanted} result formats for {found} columns")));
        }
        let columns = fields.iter().enumerate().map(|(place, field)| {
            let data_type = match field.data_type() {
                DataType::Null => Type::TEXT,
                _ => field_into_pg_type(field).map_err(|_| {
                    let name = field.name();
                    Refusal::unsupported(format!("the column {name} has a type that is none of PostgreSQL's: cast it"))
                })?,
            };
            let format = formats.get(place).or(formats.first()).copied().unwrap_or_default();
            let format = FieldFormat::from(format);
            let width = width(&data_type);
            Ok(FieldInfo::new(field.name().clone(), None, None, data_type, format).with_type_size(width))
        });
        columns.collect::<Result<_, _>>().map(|columns| Self(Arc::new(columns)))
    }

    pub(crate) fn description(&self) -> RowDescription {
        RowDescription::new(self.0.iter().map(Into::into).collect())
    }

    pub(crate) fn encoder(&self) -> Encoder {
        Encoder { columns: Arc::clone(&self.0), row: DataRowEncoder::new(Arc::clone(&self.0)) }
    }
}

/// Makes rows of the protocol.
pub(crate) struct Encoder {
    columns: Arc<Vec<FieldInfo>>,
    row: DataRowEncoder,
}

impl Encoder {
    /// One row of a batch.
    ///
    /// # Errors
    /// For a value that its type in PostgreSQL does not reach.
    pub(crate) fn row(&mut self, batch: &RecordBatch, row: usize) -> Result<DataRow, Refusal> {
        let schema = batch.schema_ref();
        for (place, array) in batch.columns().iter().enumerate() {
            let column = &self.columns[place];
            if array.is_null(row) || array.data_type() == &DataType::Null {
                self.row.encode_field(&None::<i8>)?;
            } else {
                encode_value(&mut self.row, array, row, schema.field(place), column)?;
            }
        }
        Ok(self.row.take_row())
    }
}

/// Bytes of a type's values; -1 when they vary.
fn width(data_type: &Type) -> i16 {
    match *data_type {
        Type::BOOL | Type::CHAR => 1,
        Type::INT2 => 2,
        Type::INT4 | Type::FLOAT4 | Type::DATE | Type::OID => 4,
        Type::INT8 | Type::FLOAT8 | Type::TIME | Type::TIMESTAMP | Type::TIMESTAMPTZ => 8,
        Type::INTERVAL => 16,
        _ => -1,
    }
}
