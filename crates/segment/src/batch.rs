use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, BinaryBuilder, GenericByteBuilder, Int32Array, Int64Array, Int64Builder, RecordBatch,
    StringBuilder, TimestampMicrosecondArray, new_null_array,
};
use arrow::datatypes::ByteArrayType;
use counterfoil_entry::{Fields, ValueKind, canonical};

use crate::SegmentError;
use crate::schema::{Column, schema};

/// Entries on their way into columns: what the writer fills, and what a query fills for entries not yet sealed.
///
/// A batch addresses its text with 32-bit offsets, so it must stay below 2 GiB: 32,768 entries always fit.
#[derive(Debug)]
pub struct BatchBuilder {
    index: Vec<i64>,
    timestamp: Vec<i64>,
    recorded_at: Vec<i64>,
    timestamp_nanos: Vec<i32>,
    sequence: Int64Builder,
    texts: [Sparse<StringBuilder>; Column::TEXTS.len()],
    signature: Sparse<BinaryBuilder>,
    salt: Sparse<BinaryBuilder>,
}

/// A column that is mostly null: the nulls before a value are appended together with it.
#[derive(Debug, Default)]
struct Sparse<B>(B);

impl BatchBuilder {
    /// An empty batch.
    pub fn new() -> Self {
        Self {
            index: Vec::new(),
            timestamp: Vec::new(),
            recorded_at: Vec::new(),
            timestamp_nanos: Vec::new(),
            sequence: Int64Builder::new(),
            texts: std::array::from_fn(|_| Sparse(StringBuilder::with_capacity(0, 0))),
            signature: Sparse(BinaryBuilder::with_capacity(0, 0)),
            salt: Sparse(BinaryBuilder::with_capacity(0, 0)),
        }
    }

    /// How many entries were pushed since the last [`BatchBuilder::finish`].
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether the next batch has no row yet.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Appends the entry at `index` in the ledger as a row.
    ///
    /// Errors: [`SegmentError::Format`] when the index or the sequence is beyond 2^63-1.
    pub fn push(&mut self, index: u64, fields: &Fields<'_>) -> Result<(), SegmentError> {
        let row = self.len();
        let sequence = fields.sequence.map(signed).transpose()?;
        self.index.push(signed(index)?);
        self.timestamp.push(fields.timestamp.micros());
        self.recorded_at.push(fields.recorded_at.micros());
        self.timestamp_nanos.push(fields.timestamp.nanos_below_micro().into());
        if let Some(sequence) = sequence {
            self.sequence.append_nulls(row - self.sequence.len());
            self.sequence.append_value(sequence);
        }
        self.push_texts(row, fields);
        if let Some(signature) = &fields.signature {
            self.signature.put(row, signature.value.as_slice());
        }
        if let Some(salt) = &fields.salt {
            self.salt.put(row, salt.as_slice());
        }
        Ok(())
    }

    fn push_texts(&mut self, row: usize, fields: &Fields<'_>) {
        let mut put = |column: Column, value: &str| self.texts[column.text_position()].put(row, value);
        put(Column::EventType, &fields.event_type);
        put(Column::Actor, &fields.actor);
        put(Column::EntityId, &fields.entity_id);
        let optional = [
            (Column::ActorType, &fields.actor_type),
            (Column::OnBehalfOf, &fields.on_behalf_of),
            (Column::EntityType, &fields.entity_type),
            (Column::Outcome, &fields.outcome),
            (Column::Reason, &fields.reason),
            (Column::TraceId, &fields.trace_id),
            (Column::Id, &fields.id),
            (Column::Source, &fields.source),
            (Column::Recorder, &fields.recorder),
        ];
        for (column, value) in optional {
            if let Some(value) = value {
                put(column, value);
            }
        }
        if let Some(context) = fields.context {
            put(Column::Context, context);
        }
        if let Some(signature) = &fields.signature {
            put(Column::SignatureKeyId, &signature.key_id);
            put(Column::SignatureAlgorithm, &signature.algorithm);
        }
        let values = [
            (Column::OldValue, Column::OldValueType, fields.old_value),
            (Column::NewValue, Column::NewValueType, fields.new_value),
        ];
        for (column, type_column, value) in values {
            let Some(json) = value else { continue };
            let kind = kind(json);
            put(type_column, kind.name());
            match kind {
                ValueKind::String => put(column, &canonical::read_string(json)),
                _ => put(column, json),
            }
        }
    }

    /// The rows pushed so far as one batch of [`schema`]; the builder is empty afterwards.
    pub fn finish(&mut self) -> Result<RecordBatch, SegmentError> {
        let rows = self.len();
        let times =
            |micros| Arc::new(TimestampMicrosecondArray::from_iter_values::<Vec<i64>>(micros).with_timezone("UTC"));
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(std::mem::take(&mut self.index))),
            times(std::mem::take(&mut self.timestamp)),
            times(std::mem::take(&mut self.recorded_at)),
            Arc::new(Int32Array::from(std::mem::take(&mut self.timestamp_nanos))),
        ];
        self.sequence.append_nulls(rows - self.sequence.len());
        let sequence: ArrayRef = Arc::new(self.sequence.finish());
        columns.extend(self.texts.iter_mut().map(|text| text.finish(rows)));
        columns.insert(Column::Sequence as usize, sequence);
        columns.push(self.signature.finish(rows));
        columns.push(self.salt.finish(rows));
        Ok(RecordBatch::try_new(schema(), columns)?)
    }
}

impl Default for BatchBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: ByteArrayType<Offset = i32>> Sparse<GenericByteBuilder<T>> {
    /// Sets the cell of `row`, which lies beyond all rows set before.
    fn put(&mut self, row: usize, value: impl AsRef<T::Native>) {
        let missing = row - self.0.len();
        if missing > 0 {
            self.0.append_nulls(missing);
        }
        self.0.append_value(value);
    }

    /// The column of `rows` rows. The next one begins with room for as much.
    fn finish(&mut self, rows: usize) -> ArrayRef {
        let len = self.0.len();
        if len == 0 {
            return new_null_array(&T::DATA_TYPE, rows);
        }
        self.0.append_nulls(rows - len);
        let next = GenericByteBuilder::with_capacity(rows, self.0.values_slice().len());
        Arc::new(std::mem::replace(&mut self.0, next).finish())
    }
}

fn signed(number: u64) -> Result<i64, SegmentError> {
    number.try_into().map_err(|_| SegmentError::Format(format!("{number} does not fit 63 bits")))
}

/// The kind of a canonical JSON value, told by its first byte.
fn kind(json: &str) -> ValueKind {
    match json.as_bytes().first() {
        Some(b'"') => ValueKind::String,
        Some(b't' | b'f') => ValueKind::Boolean,
        Some(b'n') => ValueKind::Null,
        Some(b'{') => ValueKind::Object,
        Some(b'[') => ValueKind::Array,
        _ => ValueKind::Number,
    }
}
