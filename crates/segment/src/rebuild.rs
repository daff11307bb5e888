//! Canonical bytes out of cells, with every check that keeps the cells from saying anything else.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BinaryArray, Int32Array, Int64Array, RecordBatch};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use counterfoil_entry::{Fields, Timestamp, ValueKind, canonical};

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
    shapes: [Shapes; 3],
}

/// The `recorded_at` written last, in microseconds and as a member: all entries of a commit have the same.
#[derive(Debug, Default)]
struct LastCommit {
    micros: i64,
    member: Vec<u8>,
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

/// How a cell's text stands in the entry.
#[derive(Clone, Copy)]
enum Literal {
    String,
    Reason,
}

/// The columns of one batch.
struct Columns<'a> {
    index: &'a [i64],
    timestamp: &'a [i64],
    recorded_at: &'a [i64],
    timestamp_nanos: &'a [i32],
    sequence: &'a Int64Array,
    texts: Vec<TextColumn>,
    signature: &'a BinaryArray,
    salt: &'a BinaryArray,
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
            match index.and_then(|index| steps.iter().try_for_each(|step| step.write(at, state, entry)).map(|()| index)) {
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
        steps.extend(self.text(columns, Column::Actor, Literal::String));
        steps.extend(self.text(columns, Column::ActorType, Literal::String));
        steps.push(Step::Object(",\"context\":", text(Column::Context)));
        steps.extend(self.text(columns, Column::EntityId, Literal::String));
        steps.extend(self.text(columns, Column::EntityType, Literal::String));
        steps.extend(self.text(columns, Column::EventType, Literal::String));
        steps.extend(self.text(columns, Column::Id, Literal::String));
        steps.push(Step::Value(",\"new_value\":", text(Column::NewValue), KindColumn::of(text(Column::NewValueType)), 1));
        steps.push(Step::Value(",\"old_value\":", text(Column::OldValue), KindColumn::of(text(Column::OldValueType)), 2));
        steps.extend(self.text(columns, Column::OnBehalfOf, Literal::String));
        steps.extend(self.text(columns, Column::Outcome, Literal::String));
        steps.extend(self.text(columns, Column::Reason, Literal::Reason));
        steps.push(Step::RecordedAt(columns.recorded_at));
        steps.extend(self.text(columns, Column::Recorder, Literal::String));
        steps.push(Step::Salt(columns.salt));
        steps.push(Step::Sequence(columns.sequence));
        let signer = [text(Column::SignatureAlgorithm), text(Column::SignatureKeyId)];
        steps.push(Step::Signature(signer, columns.signature));
        steps.extend(self.text(columns, Column::Source, Literal::String));
        steps.push(Step::Timestamp(columns.timestamp, columns.timestamp_nanos));
        steps.extend(self.text(columns, Column::TraceId, Literal::String));
        steps.retain(|step| !step.is_absent());
        steps
    }

    /// The step of a text column: by fragments when its dictionary is smaller than the batch.
    fn text<'a>(&mut self, columns: &'a Columns<'a>, column: Column, literal: Literal) -> Option<Step<'a>> {
        let cells = columns.text(column);
        let prefix = member_prefix(column);
        let TextColumn::Dictionary(array, values) = cells else {
            return Some(Step::Text(prefix, cells, literal));
        };
        if values.len() > array.len() {
            return Some(Step::Text(prefix, cells, literal));
        }
        let known = &mut self.fragments[column as usize];
        let fragments = match known {
            Some(fragments) if fragments.are_of(values) => fragments.clone(),
            _ => known.insert(Fragments::of(values, |value, out| write_text(prefix, value, literal, out))).clone(),
        };
        Some(Step::Fragments(array.keys().values(), array.nulls(), fragments))
    }
}

impl<'a> Columns<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Self, SegmentError> {
        let (found, expected) = (batch.schema(), schema());
        let names = |schema: &arrow::datatypes::Schema| schema.fields().iter().map(|f| f.name().clone()).collect::<Vec<_>>();
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
            signature: typed(Column::Signature, column(Column::Signature).as_binary_opt())?,
            salt: typed(Column::Salt, column(Column::Salt).as_binary_opt())?,
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
            TextColumn::Dictionary(_, values) => values.iter().map(|name| kind_named(name.unwrap_or_default())).collect(),
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
            Step::Timestamp(micros, nanos) => write_time(",\"timestamp\":\"", micros[row], nanos[row], out)?,
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

fn index(cell: i64, expected: Option<u64>) -> Result<u64, String> {
    match (u64::try_from(cell), expected) {
        (Ok(index), Some(expected)) if index == expected => Ok(index),
        (Ok(index), None) => Ok(index),
        (_, Some(expected)) => Err(format!("index is {cell}, the row's place is {expected}")),
        (Err(_), None) => Err(format!("index is {cell}")),
    }
}

fn write_text(prefix: &str, text: &str, literal: Literal, out: &mut Vec<u8>) {
    out.extend_from_slice(prefix.as_bytes());
    match literal {
        Literal::String => canonical::write_string(text, out),
        Literal::Reason if text.starts_with("{\"$sealed\":") => write_reason(text, out),
        Literal::Reason => canonical::write_string(text, out),
    }
}

/// Appends a reason that may be a sealed value, which stands in the entry as an object. Only the entry crate knows
/// which texts are, so it writes an entry around the reason, and the reason's literal is cut out of that.
fn write_reason(text: &str, out: &mut Vec<u8>) {
    let epoch = Timestamp::from_micros(0);
    let mut entry = Vec::new();
    Fields { reason: Some(text.into()), ..empty_fields(epoch) }.write_canonical(&mut entry);
    let literal = entry.strip_prefix(REASON_BEFORE).and_then(|rest| rest.strip_suffix(REASON_AFTER));
    out.extend_from_slice(literal.expect("an entry around a reason begins and ends the same whatever the reason"));
}

/// What stands before and after the reason in the entry of [`write_reason`].
const REASON_BEFORE: &[u8] = br#"{"actor":"","entity_id":"","event_type":"","reason":"#;
const REASON_AFTER: &[u8] = br#","recorded_at":"1970-01-01T00:00:00Z","timestamp":"1970-01-01T00:00:00Z"}"#;

fn empty_fields<'a>(time: Timestamp) -> Fields<'a> {
    Fields {
        timestamp: time,
        recorded_at: time,
        event_type: "".into(),
        actor: "".into(),
        entity_id: "".into(),
        actor_type: None,
        on_behalf_of: None,
        entity_type: None,
        outcome: None,
        reason: None,
        trace_id: None,
        id: None,
        source: None,
        recorder: None,
        sequence: None,
        old_value: None,
        new_value: None,
        context: None,
        signature: None,
        salt: None,
    }
}

fn write_object(prefix: &str, json: &str, shapes: &mut Shapes, out: &mut Vec<u8>) -> Result<(), String> {
    match shapes.check(json) {
        Ok(ValueKind::Object) => out.extend_from_slice(prefix.as_bytes()),
        Ok(kind) => return Err(format!("{} is {kind}, not an object", member_of(prefix))),
        Err(error) => return Err(format!("{} is not one canonical JSON value: {error}", member_of(prefix))),
    }
    out.extend_from_slice(json.as_bytes());
    Ok(())
}

fn write_value(
    prefix: &str,
    cell: &str,
    kind: ValueKind,
    shapes: &mut Shapes,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    out.extend_from_slice(prefix.as_bytes());
    if kind == ValueKind::String {
        canonical::write_string(cell, out);
        return Ok(());
    }
    match shapes.check(cell) {
        Ok(found) if found == kind => out.extend_from_slice(cell.as_bytes()),
        Ok(found) => return Err(format!("{} is {found}, its type column says {kind}", member_of(prefix))),
        Err(error) => return Err(format!("{} is not one canonical JSON value: {error}", member_of(prefix))),
    }
    Ok(())
}

fn write_time(prefix: &str, micros: i64, nanos: i32, out: &mut Vec<u8>) -> Result<(), String> {
    let below = u16::try_from(nanos).ok().filter(|below| *below <= 999);
    let nanos = below.ok_or_else(|| format!("timestamp_nanos is {nanos}, not 0 to 999"))?;
    let time = Timestamp::from_parts(micros, nanos).map_err(|error| format!("{}: {error}", member_of(prefix)))?;
    out.extend_from_slice(prefix.as_bytes());
    time.write(out);
    out.push(b'"');
    Ok(())
}

fn write_recorded_at(micros: i64, last: &mut LastCommit, out: &mut Vec<u8>) -> Result<(), String> {
    if last.member.is_empty() || last.micros != micros {
        last.member.clear();
        write_time(",\"recorded_at\":\"", micros, 0, &mut last.member)?;
        last.micros = micros;
    }
    out.extend_from_slice(&last.member);
    Ok(())
}

fn write_sequence(sequence: i64, out: &mut Vec<u8>) -> Result<(), String> {
    if sequence < 0 {
        return Err(format!("sequence is {sequence}"));
    }
    out.extend_from_slice(format!(",\"sequence\":{sequence}").as_bytes());
    Ok(())
}

fn write_signature(
    algorithm: Option<&str>,
    key_id: Option<&str>,
    value: Option<&[u8]>,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    let (algorithm, key_id, value) = match (algorithm, key_id, value) {
        (Some(algorithm), Some(key_id), Some(value)) => (algorithm, key_id, value),
        (None, None, None) => return Ok(()),
        _ => return Err("the signature columns are neither all set nor all null".into()),
    };
    out.extend_from_slice(b",\"signature\":{\"algorithm\":");
    canonical::write_string(algorithm, out);
    out.extend_from_slice(b",\"key_id\":");
    canonical::write_string(key_id, out);
    write_bytes::<64>(",\"value\":\"", "signature", value, out)?;
    out.push(b'}');
    Ok(())
}

/// Appends exactly `N` bytes as base64.
fn write_bytes<const N: usize>(prefix: &str, column: &str, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    if bytes.len() != N {
        return Err(format!("{column} has {} bytes, not {N}", bytes.len()));
    }
    let mut text = [0; 88];
    let length = BASE64.encode_slice(bytes, &mut text).expect("64 bytes take 88 characters");
    out.extend_from_slice(prefix.as_bytes());
    out.extend_from_slice(&text[..length]);
    out.push(b'"');
    Ok(())
}

/// The member's name inside what is written before its value.
fn member_of(prefix: &str) -> &str {
    prefix.split('"').nth(1).unwrap_or(prefix)
}

/// What stands before a text member's value.
fn member_prefix(column: Column) -> &'static str {
    match column {
        Column::Actor => ",\"actor\":",
        Column::ActorType => ",\"actor_type\":",
        Column::Context => ",\"context\":",
        Column::EntityId => ",\"entity_id\":",
        Column::EntityType => ",\"entity_type\":",
        Column::EventType => ",\"event_type\":",
        Column::Id => ",\"id\":",
        Column::OnBehalfOf => ",\"on_behalf_of\":",
        Column::Outcome => ",\"outcome\":",
        Column::Reason => ",\"reason\":",
        Column::Recorder => ",\"recorder\":",
        Column::Source => ",\"source\":",
        Column::TraceId => ",\"trace_id\":",
        _ => unreachable!("not a text member"),
    }
}
