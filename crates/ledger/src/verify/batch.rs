//! What verification reads of all entries from a segment's columns, so that few entries have to be taken apart.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};
use counterfoil_entry::{OWN_PREFIX, Timestamp};
use counterfoil_segment::index;

/// The batch that is being rebuilt.
#[derive(Default)]
pub(super) struct BatchLook {
    first: u64,
    recorded_at: Vec<i64>,
    needs_reading: Vec<bool>,
}

/// What the columns say of one row.
pub(super) struct RowLook {
    pub recorded_at: Timestamp,
    /// Whether the entry is the ledger's own, has an id or a source, or is signed.
    pub needs_reading: bool,
}

impl BatchLook {
    /// Looks at the columns of the next batch and adds its keys to the index. A batch with other columns is left to the
    /// rebuilding, which refuses it.
    pub fn look(&mut self, batch: &RecordBatch, index: &mut index::Builder) {
        let _ = index.push_batch(batch);
        let micros = |name: &str| batch.column_by_name(name)?.as_primitive_opt::<TimestampMicrosecondType>().cloned();
        let numbers = |name: &str| batch.column_by_name(name)?.as_primitive_opt::<Int64Type>().cloned();
        self.first = numbers("index").filter(|index| !index.is_empty()).map_or(0, |index| index.value(0) as u64);
        self.recorded_at = micros("recorded_at").map(|times| times.values().to_vec()).unwrap_or_default();
        self.needs_reading = own_rows(batch);
        for name in ["id", "source", "signature"] {
            if let Some(column) = batch.column_by_name(name).filter(|column| column.null_count() < column.len()) {
                for (row, needed) in self.needs_reading.iter_mut().enumerate() {
                    *needed |= column.is_valid(row);
                }
            }
        }
    }

    /// What was seen of the entry with this index.
    pub fn row(&self, at: u64) -> RowLook {
        let row = at.wrapping_sub(self.first) as usize;
        RowLook {
            recorded_at: Timestamp::from_micros(self.recorded_at.get(row).copied().unwrap_or_default()),
            needs_reading: self.needs_reading.get(row).copied().unwrap_or(true),
        }
    }
}

/// The rows whose event type is one of the ledger's own.
fn own_rows(batch: &RecordBatch) -> Vec<bool> {
    let Some(column) = batch.column_by_name("event_type") else { return Vec::new() };
    let is_own = |text: &ArrayRef| -> Option<Vec<bool>> {
        let text = cast(text, &DataType::Utf8).ok()?;
        let text = text.as_string_opt::<i32>()?;
        Some(text.iter().map(|name| name.is_some_and(|name| name.starts_with(OWN_PREFIX))).collect())
    };
    match column.as_any_dictionary_opt() {
        Some(dictionary) if !dictionary.is_empty() && !dictionary.values().is_empty() => {
            let own = is_own(dictionary.values()).unwrap_or_default();
            let keys = dictionary.normalized_keys();
            keys.into_iter().map(|key| own.get(key).copied().unwrap_or(true)).collect()
        }
        _ => is_own(column).unwrap_or_default(),
    }
}
