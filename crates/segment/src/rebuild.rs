//! Canonical bytes out of cells, with every check that keeps the cells from saying anything else.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, Int32Array, Int64Array, RecordBatch};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type, Int64Type, TimestampMicrosecondType};
use counterfoil_entry::{DateMemo, MAX_ENTRY_BYTES, ValueKind};

use crate::literal::{
    LastCommit, Literal, member_of, member_prefix, write_bytes, write_object, write_recorded_at, write_sequence,
    write_signature, write_text, write_time, write_value,
};
use crate::schema::{Column, schema};
use crate::shape::Shapes;
use crate::text::{Fragments, TextColumn};
use crate::{RowFault, SegmentError};

/// What a rebuilt entry is given to: its index in the ledger and its canonical bytes. `Break` ends the rebuilding.
pub(crate) type Visitor<'a> = dyn FnMut(u64, &[u8]) -> ControlFlow<()> + 'a;

/// Rebuilds the canonical bytes of every row of a batch with the columns of [`schema`], whatever rows they are.
///
/// A row whose cells are not exactly those of one entry is not given to `visit`; its fault is returned.
///
/// Errors: [`SegmentError::Format`] when the batch has other columns.
pub fn rebuild(batch: &RecordBatch, visit: &mut Visitor<'_>) -> Result<Vec<RowFault>, SegmentError> {
    let mut faults = Vec::new();
    let _ = Rebuilder::default().run(batch, 0, None, &mut faults, visit)?;
    Ok(faults)
}

/// The engine of a scan: keeps what it learned of a dictionary for the next batch.
#[derive(Debug, Default)]
pub(crate) struct Rebuilder {
    fragments: [Option<Arc<Fragments>>; Column::COUNT],
    state: State,
    entry: Vec<u8>,
}

/// What one row leaves behind for the next: most are alike in these.
#[derive(Debug, Default)]
struct State {
    last: LastCommit,
    date: DateMemo,
    shapes: [Shapes; 3],
}

/// One member of the entries of a batch, in canonical order.
enum Step<'a> {
    Fragments(&'a [i32], Option<&'a NullBuffer>, Arc<Fragments>),
    Text(&'static str, &'a TextColumn, Literal),
    Object(&'static str, &'a TextColumn),
    Value(&'static str, &'a TextColumn, KindColumn<'a>, usize),
    Timestamp(&'a [i64], &'a [i32]),
    RecordedAt(&'a [i64]),
    Sequence(&'a Int64Array),
    Salt(&'a BinaryArray),
    Signature([&'a TextColumn; 2], &'a BinaryArray),
}

/// A type column, its names understood once per dictionary.
struct KindColumn<'a> {
    cells: &'a TextColumn,
    kinds: Vec<Option<ValueKind>>,
}

/// The columns of one batch.
struct Columns<'a> {
    index: &'a [i64],
    timestamp: &'a [i64],
    recorded_at: &'a [i64],
    timestamp_nanos: &'a [i32],
    sequence: &'a Int64Array,
    texts: Vec<TextColumn>,
    signature: BinaryArray,
    salt: BinaryArray,
}

impl Rebuilder {
    /// Rebuilds a batch whose first row is row `row` of its segment. With `first`, the index of the segment's first
    /// entry, the `index` cells must count on from it.
    pub(crate) fn run(
        &mut self,
        batch: &RecordBatch,
        row: u64,
        first: Option<u64>,
        faults: &mut Vec<RowFault>,
        visit: &mut Visitor<'_>,
    ) -> Result<ControlFlow<()>, SegmentError> {
        let columns = Columns::of(batch)?;
        let steps = self.plan(&columns);
        let Self { state, entry, .. } = self;
        for at in 0..batch.num_rows() {
            entry.clear();
            let index = index(columns.index[at], first.map(|first| first + row + at as u64));
            let written = steps.iter().try_for_each(|step| step.write(at, state, entry));
            match index.and_then(|index| written.and_then(|()| refuse_too_long(entry)).map(|()| index)) {
                Ok(index) => {
                    entry[0] = b'{';
                    entry.push(b'}');
                    if visit(index, entry).is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
                Err(message) => faults.push(RowFault { row: row + at as u64, message }),
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The members that occur in the batch, in the order of their names (RFC 8785, section 3.2.3).
    fn plan<'a>(&mut self, columns: &'a Columns<'a>) -> Vec<Step<'a>> {
        let mut steps = Vec::with_capacity(Column::COUNT);
        let text = |column| columns.text(column);
        steps.push(self.text(columns, Column::Actor, Literal::String));
        steps.push(self.text(columns, Column::ActorType, Literal::String));
        steps.push(Step::Object(",\"context\":", text(Column::Context)));
        steps.push(self.text(columns, Column::EntityId, Literal::String));
        steps.push(self.text(columns, Column::EntityType, Literal::String));
        steps.push(self.text(columns, Column::EventType, Literal::String));
        steps.push(self.text(columns, Column::Id, Literal::String));
        let kind = |column| KindColumn::of(text(column));
        steps.push(Step::Value(",\"new_value\":", text(Column::NewValue), kind(Column::NewValueType), 1));
        steps.push(Step::Value(",\"old_value\":", text(Column::OldValue), kind(Column::OldValueType), 2));
        steps.push(self.text(columns, Column::OnBehalfOf, Literal::String));
        steps.push(self.text(columns, Column::Outcome, Literal::String));
        steps.push(self.text(columns, Column::Reason, Literal::Reason));
        steps.push(Step::RecordedAt(columns.recorded_at));
        steps.push(self.text(columns, Column::Recorder, Literal::String));
        steps.push(Step::Salt(&columns.salt));
        steps.push(Step::Sequence(columns.sequence));
        let signer = [text(Column::SignatureAlgorithm), text(Column::SignatureKeyId)];
        steps.push(Step::Signature(signer, &columns.signature));
        steps.push(self.text(columns, Column::Source, Literal::String));
        steps.push(Step::Timestamp(columns.timestamp, columns.timestamp_nanos));
        steps.push(self.text(columns, Column::TraceId, Literal::String));
        steps.retain(|step| !step.is_absent());
        steps
    }

    /// The step of a text column: by fragments when its dictionary is smaller than the batch.
    fn text<'a>(&mut self, columns: &'a Columns<'a>, column: Column, literal: Literal) -> Step<'a> {
        let cells = columns.text(column);
        let prefix = member_prefix(column);
        let TextColumn::Dictionary(array, values) = cells else {
            return Step::Text(prefix, cells, literal);
        };
        if values.len() > array.len() {
            return Step::Text(prefix, cells, literal);
        }
        let known = &mut self.fragments[column as usize];
        let fragments = match known {
            Some(fragments) if fragments.are_of(values) => fragments.clone(),
            _ => known.insert(Fragments::of(values, |value, out| write_text(prefix, value, literal, out))).clone(),
        };
        Step::Fragments(array.keys().values(), array.nulls(), fragments)
    }
}

impl<'a> Columns<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Self, SegmentError> {
        let (found, expected) = (batch.schema(), schema());
        let names =
            |schema: &arrow::datatypes::Schema| schema.fields().iter().map(|f| f.name().clone()).collect::<Vec<_>>();
        if names(&found) != names(&expected) {
            return Err(SegmentError::Format(format!("the columns are {:?}", names(&found))));
        }
        let column = |column: Column| batch.column(column as usize);
        let micros = |at: Column| required(at, column(at).as_primitive_opt::<TimestampMicrosecondType>());
        Ok(Self {
            index: required(Column::Index, column(Column::Index).as_primitive_opt::<Int64Type>())?.values(),
            timestamp: micros(Column::Timestamp)?.values(),
            recorded_at: micros(Column::RecordedAt)?.values(),
            timestamp_nanos: nanos(batch)?.values(),
            sequence: typed(Column::Sequence, column(Column::Sequence).as_primitive_opt())?,
            texts: Column::TEXTS.iter().map(|text| TextColumn::new(column(*text))).collect::<Result<_, _>>()?,
            signature: binary(column(Column::Signature))?,
            salt: binary(column(Column::Salt))?,
        })
    }

    fn text(&self, column: Column) -> &TextColumn {
        &self.texts[column.text_position()]
    }
}

fn nanos(batch: &RecordBatch) -> Result<&Int32Array, SegmentError> {
    let column = batch.column(Column::TimestampNanos as usize);
    required(Column::TimestampNanos, column.as_primitive_opt::<Int32Type>())
}

/// Takes any Arrow form of bytes.
fn binary(array: &ArrayRef) -> Result<BinaryArray, SegmentError> {
    match array.as_binary_opt() {
        Some(array) => Ok(array.clone()),
        None => Ok(cast(array, &DataType::Binary)?.as_binary().clone()),
    }
}

fn typed<T>(column: Column, array: Option<T>) -> Result<T, SegmentError> {
    array.ok_or_else(|| SegmentError::Format(format!("{} has another type", column.name())))
}

/// A column that may have no null.
fn required<T: Array>(column: Column, array: Option<&T>) -> Result<&T, SegmentError> {
    let array = typed(column, array)?;
    match array.null_count() {
        0 => Ok(array),
        nulls => Err(SegmentError::Format(format!("{} has {nulls} nulls", column.name()))),
    }
}

impl<'a> KindColumn<'a> {
    fn of(cells: &'a TextColumn) -> Self {
        let kinds = match cells {
            TextColumn::Plain(_) => Vec::new(),
            TextColumn::Dictionary(_, values) => {
                values.iter().map(|name| kind_named(name.unwrap_or_default())).collect()
            }
        };
        Self { cells, kinds }
    }

    /// The kind that the cell names; `None` when it is null or names none.
    #[inline]
    fn get(&self, row: usize) -> Option<ValueKind> {
        match self.cells {
            TextColumn::Plain(_) => self.cells.get(row).and_then(kind_named),
            TextColumn::Dictionary(keys, _) => keys.key(row).and_then(|key| self.kinds[key]),
        }
    }
}

fn kind_named(name: &str) -> Option<ValueKind> {
    use ValueKind::*;
    [String, Number, Boolean, Null, Object, Array].into_iter().find(|kind| kind.name() == name)
}

impl Step<'_> {
    /// Whether no row of the batch has the member.
    fn is_absent(&self) -> bool {
        let none = |array: &dyn Array| array.null_count() == array.len();
        match self {
            Step::Fragments(keys, nulls, _) => nulls.is_some_and(|nulls| nulls.null_count() == keys.len()),
            Step::Text(_, cells, _) => cells.is_absent(),
            Step::Object(_, cells) => cells.is_absent(),
            Step::Value(_, cells, types, _) => cells.is_absent() && types.cells.is_absent(),
            Step::Timestamp(..) | Step::RecordedAt(_) => false,
            Step::Sequence(cells) => none(*cells),
            Step::Salt(cells) => none(*cells),
            Step::Signature(texts, value) => texts.iter().all(|text| text.is_absent()) && none(*value),
        }
    }

    /// Appends the member of row `row`, a comma before it, or nothing when the row does not have it.
    fn write(&self, row: usize, state: &mut State, out: &mut Vec<u8>) -> Result<(), String> {
        match self {
            Step::Fragments(keys, nulls, fragments) => {
                if nulls.is_none_or(|nulls| nulls.is_valid(row)) {
                    out.extend_from_slice(fragments.get(keys[row] as usize));
                }
            }
            Step::Text(prefix, cells, literal) => {
                if let Some(text) = cells.get(row) {
                    write_text(prefix, text, *literal, out);
                }
            }
            Step::Object(prefix, cells) => {
                if let Some(json) = cells.get(row) {
                    write_object(prefix, json, &mut state.shapes[0], out)?;
                }
            }
            Step::Value(prefix, cells, types, shapes) => match (cells.get(row), types.get(row)) {
                (Some(cell), Some(kind)) => write_value(prefix, cell, kind, &mut state.shapes[*shapes], out)?,
                (None, None) if types.cells.get(row).is_none() => {}
                _ => return Err(format!("{0} and {0}_type do not belong together", member_of(prefix))),
            },
            Step::Timestamp(micros, nanos) => {
                write_time(",\"timestamp\":\"", micros[row], nanos[row], &mut state.date, out)?
            }
            Step::RecordedAt(micros) => write_recorded_at(micros[row], &mut state.last, out)?,
            Step::Sequence(cells) => {
                if cells.is_valid(row) {
                    write_sequence(cells.value(row), out)?;
                }
            }
            Step::Salt(cells) => {
                if cells.is_valid(row) {
                    write_bytes::<16>(",\"salt\":\"", "salt", cells.value(row), out)?;
                }
            }
            Step::Signature([algorithm, key_id], value) => {
                let value = value.is_valid(row).then(|| value.value(row));
                write_signature(algorithm.get(row), key_id.get(row), value, out)?;
            }
        }
        Ok(())
    }
}

fn refuse_too_long(entry: &[u8]) -> Result<(), String> {
    if entry.len() >= MAX_ENTRY_BYTES {
        return Err(format!("its cells make an entry of more than {MAX_ENTRY_BYTES} bytes"));
    }
    Ok(())
}

fn index(cell: i64, expected: Option<u64>) -> Result<u64, String> {
    match (u64::try_from(cell), expected) {
        (Ok(index), Some(expected)) if index == expected => Ok(index),
        (Ok(index), None) => Ok(index),
        (_, Some(expected)) => Err(format!("index is {cell}, the row's place is {expected}")),
        (Err(_), None) => Err(format!("index is {cell}")),
    }
}
