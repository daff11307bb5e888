//! Cells that say something which the leaf does not say.
//!
//! An attacker who holds the file may write any cells. Whatever they rebuild to must either be another leaf or be
//! found as a fault; never the same leaf with other cells.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{Field, Int32Type, Int64Type, Schema, TimestampMicrosecondType};
use counterfoil_segment::{Segment, schema};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::file::properties::WriterProperties;
use serde_json::json;

use crate::entries::{commit, plain, seal};

/// The row that is tampered with.
const ROW: usize = 2;

fn entries() -> Vec<Vec<u8>> {
    let mut entries: Vec<Vec<u8>> = (0..4).map(plain).collect();
    let signature = json!({"algorithm": "ed25519", "key_id": "0".repeat(64),
        "value": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="});
    let client = json!({"event_type": "e", "actor": "a", "entity_id": "mallory", "actor_type": "user",
        "on_behalf_of": "b", "entity_type": "t", "outcome": "success", "reason": "r", "trace_id": "run", "id": "id-1",
        "source": "s", "sequence": 5, "signature": signature, "timestamp": "2026-01-01T00:00:00.123456789Z",
        "old_value": {"a": 1}, "new_value": "text", "context": {"k": [1, {"z": null}]}});
    entries[ROW] = commit(&client, 1_000, Some("me"), Some([3; 16]));
    entries
}

fn read(parquet: &[u8]) -> RecordBatch {
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::copy_from_slice(parquet)).unwrap();
    let batches: Vec<RecordBatch> = builder.build().unwrap().map(Result::unwrap).collect();
    concat_batches(&batches[0].schema(), &batches).unwrap()
}

/// Writes columns as a segment file with the metadata of `original`.
fn rewrite(original: &[u8], columns: Vec<(Field, ArrayRef)>) -> Vec<u8> {
    let (fields, arrays): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap();
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::copy_from_slice(original)).unwrap();
    let metadata = builder.metadata().file_metadata().key_value_metadata().cloned();
    let options = ArrowWriterOptions::new()
        .with_properties(WriterProperties::builder().set_key_value_metadata(metadata).build())
        .with_skip_arrow_metadata(true)
        .with_schema_root("entry".into());
    let mut out = Vec::new();
    let mut writer = ArrowWriter::try_new_with_options(&mut out, batch.schema(), options).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    out
}

fn columns(batch: &RecordBatch) -> Vec<(Field, ArrayRef)> {
    let fields = schema().fields().iter().map(|field| field.as_ref().clone()).collect::<Vec<_>>();
    fields.into_iter().zip(batch.columns().iter().cloned()).collect()
}

/// A cell's new content.
#[derive(Clone, Debug)]
enum Cell {
    Null,
    Text(&'static str),
    Number(i64),
    Bytes(Vec<u8>),
}

/// The column with the cell of [`ROW`] changed.
fn replace(array: &ArrayRef, cell: &Cell) -> ArrayRef {
    let number = |found: Option<i64>, row: usize| match cell {
        Cell::Number(number) if row == ROW => Some(*number),
        Cell::Null if row == ROW => None,
        _ => found,
    };
    let values = |row: usize, found: Option<Vec<u8>>| match cell {
        Cell::Text(text) if row == ROW => Some(text.as_bytes().to_vec()),
        Cell::Bytes(bytes) if row == ROW => Some(bytes.clone()),
        Cell::Null if row == ROW => None,
        _ => found,
    };
    let rows = 0..array.len();
    if let Some(found) = array.as_string_opt::<i32>() {
        let cells = rows.map(|row| values(row, found.is_valid(row).then(|| found.value(row).as_bytes().to_vec())));
        return Arc::new(StringArray::from_iter(cells.map(|cell| cell.map(|bytes| String::from_utf8(bytes).unwrap()))));
    }
    if let Some(found) = array.as_binary_opt::<i32>() {
        let cells = rows.map(|row| values(row, found.is_valid(row).then(|| found.value(row).to_vec())));
        return Arc::new(BinaryArray::from_iter(cells));
    }
    if let Some(found) = array.as_primitive_opt::<Int64Type>() {
        return Arc::new(Int64Array::from_iter(
            rows.map(|row| number(found.is_valid(row).then(|| found.value(row)), row)),
        ));
    }
    if let Some(found) = array.as_primitive_opt::<Int32Type>() {
        return Arc::new(Int32Array::from_iter_values(
            rows.map(|row| number(Some(found.value(row).into()), row).unwrap() as i32),
        ));
    }
    let found = array.as_primitive::<TimestampMicrosecondType>();
    let times = rows.map(|row| number(Some(found.value(row)), row).unwrap());
    Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"))
}

/// What a scan says of the file in which these cells of [`ROW`] are changed: the rebuilt entry of the row, or its fault.
fn tampered(changes: &[(&str, Cell)]) -> Result<Vec<u8>, String> {
    let original = seal(0, &entries()).parquet;
    let mut columns = columns(&read(&original));
    for (name, cell) in changes {
        let (_, array) = columns.iter_mut().find(|(field, _)| field.name() == name).expect("a column");
        *array = replace(array, cell);
    }
    let segment = Segment::open(Arc::new(rewrite(&original, columns))).expect("columns and metadata are as they were");
    let mut found = Vec::new();
    let faults = segment
        .scan(0..4, &mut |index, entry| {
            found.push((index, entry.to_vec()));
            ControlFlow::Continue(())
        })
        .expect("a readable file");
    let untouched: Vec<_> =
        found.iter().filter(|(index, _)| *index != ROW as u64).map(|(_, entry)| entry.clone()).collect();
    let expected: Vec<_> = entries().into_iter().enumerate().filter(|(row, _)| *row != ROW).map(|(_, e)| e).collect();
    assert_eq!(untouched, expected, "the other rows are as they were");
    match faults.as_slice() {
        [] => Ok(found.into_iter().find(|(index, _)| *index == ROW as u64).expect("the row").1),
        [fault] => {
            assert_eq!(fault.row, ROW as u64);
            assert!(matches!(segment.entry(ROW as u64), Err(counterfoil_segment::SegmentError::Fault(_))));
            Err(fault.message.clone())
        }
        more => panic!("{more:?}"),
    }
}

fn assert_fault(changes: &[(&str, Cell)]) {
    let found = tampered(changes);
    let named = changes
        .iter()
        .any(|(name, _)| found.as_ref().is_err_and(|message| message.contains(&name.replace("_type", ""))));
    let signature = changes.iter().any(|(name, _)| name.starts_with("signature"));
    let fault = found.as_ref().is_err_and(|message| named || (signature && message.contains("signature")));
    assert!(fault, "{changes:?} gave {:?}", found.map(|entry| String::from_utf8_lossy(&entry).into_owned()));
}

#[test]
fn the_helper_itself_changes_nothing() {
    assert_eq!(tampered(&[]).unwrap(), entries()[ROW]);
}

#[test]
fn members_spliced_into_a_value_are_caught_although_the_leaf_is_the_same() {
    // Copied out, this cell gives exactly the bytes of the leaf, and a query for the reason or the outcome finds nothing.
    let spliced = "{\"a\":1},\"on_behalf_of\":\"b\",\"outcome\":\"success\",\"reason\":\"r\"";
    let leaf = String::from_utf8(entries()[ROW].clone()).unwrap();
    assert!(leaf.contains(&format!("\"old_value\":{spliced},\"recorded_at\"")));
    let hidden = [("on_behalf_of", Cell::Null), ("outcome", Cell::Null), ("reason", Cell::Null)];
    assert_fault(&[&[("old_value", Cell::Text(spliced))], hidden.as_slice()].concat());
}

#[test]
fn a_member_spliced_into_context_is_caught() {
    let spliced = "{\"k\":[1,{\"z\":null}]},\"entity_id\":\"mallory\"";
    assert_fault(&[("context", Cell::Text(spliced)), ("entity_id", Cell::Text("nobody"))]);
    assert_fault(&[("context", Cell::Text("{},\"entity_id\":\"X\""))]);
}

#[test]
fn json_cells_hold_one_canonical_value_of_the_kind_that_their_type_says() {
    for column in ["context", "old_value"] {
        for text in [
            "",
            " ",
            "{",
            "{}}",
            "{} ",
            " {}",
            "{},{}",
            "{\"b\":1,\"a\":2}",
            "{\"a\":1,\"a\":2}",
            "{\"a\": 1}",
            "{\"a\":01}",
            "{\"a\":1.0}",
            "{\"a\":1e2}",
            "{\"a\":\"\\u0041\"}",
            "{\"a\":\"\\/\"}",
            "{\"a\":tru}",
            "{\"a\":1},\"new_value\":1",
            "{\"a\":1}\u{0}",
            "[1]",
            "1",
            "null",
            "\"text\"",
            "text",
        ] {
            assert_fault(&[(column, Cell::Text(text))]);
        }
    }
    // A string's cell is its bare text, so anything may stand there, but then it is another entry.
    assert_ne!(tampered(&[("new_value", Cell::Text("\"text\""))]).unwrap(), entries()[ROW]);
    assert_fault(&[("new_value_type", Cell::Text("object"))]);
    assert_fault(&[("new_value", Cell::Text("\"text\"")), ("new_value_type", Cell::Text("array"))]);
    for kind in ["string ", "String", "", "any", "array", "null"] {
        assert_fault(&[("old_value_type", Cell::Text(kind))]);
    }
    // The literal of the string in a cell that claims not to be one.
    assert_fault(&[("new_value", Cell::Text("\"text\"")), ("new_value_type", Cell::Text("object"))]);
    assert_fault(&[("old_value_type", Cell::Null)]);
    assert_fault(&[("old_value", Cell::Null)]);
    assert_fault(&[("new_value_type", Cell::Null)]);
    assert_fault(&[("new_value", Cell::Null)]);
}

#[test]
fn a_splice_into_any_text_column_makes_another_entry() {
    let texts = [
        "event_type",
        "actor",
        "actor_type",
        "on_behalf_of",
        "entity_id",
        "entity_type",
        "outcome",
        "reason",
        "trace_id",
        "id",
        "source",
        "recorder",
        "signature_key_id",
        "signature_algorithm",
    ];
    for column in texts {
        for text in ["x\",\"y\":\"", "", "\"", "\\", "\u{0}", "{\"$sealed\":{\"x\":1}}", "{},\"entity_id\":\"X\"", "é"]
        {
            let found = tampered(&[(column, Cell::Text(text))]).expect("text is text");
            assert_ne!(found, entries()[ROW], "{column} {text:?}");
            let parsed: serde_json::Value = serde_json::from_slice(&found).expect("still one JSON object");
            let member = match column {
                "signature_key_id" => &parsed["signature"]["key_id"],
                "signature_algorithm" => &parsed["signature"]["algorithm"],
                _ => &parsed[column],
            };
            assert_eq!(member, text, "{column}: SQL and the entry agree");
        }
    }
}

#[test]
fn an_absent_cell_makes_another_entry() {
    for column in [
        "actor_type",
        "on_behalf_of",
        "entity_type",
        "outcome",
        "reason",
        "trace_id",
        "id",
        "source",
        "recorder",
        "sequence",
        "context",
        "salt",
    ] {
        let found = tampered(&[(column, Cell::Null)]).expect("absent is absent");
        let parsed: serde_json::Value = serde_json::from_slice(&found).unwrap();
        assert_eq!(parsed.get(column), None);
        assert_ne!(found, entries()[ROW], "{column}");
    }
}

#[test]
fn numbers_stay_in_their_ranges_and_in_their_places() {
    for index in [-1, 0, 1, 3, i64::MAX, i64::MIN] {
        assert_fault(&[("index", Cell::Number(index))]);
    }
    for nanos in [-1, 1_000, i64::from(i32::MAX), i64::from(i32::MIN)] {
        assert_fault(&[("timestamp_nanos", Cell::Number(nanos))]);
    }
    for micros in [i64::MIN, i64::MAX, -9_300_000_000_000_000, 9_300_000_000_000_000] {
        assert_fault(&[("timestamp", Cell::Number(micros))]);
        assert_fault(&[("recorded_at", Cell::Number(micros))]);
    }
    assert_fault(&[("sequence", Cell::Number(-1))]);
    // The same instant in other cells would be another moment to SQL: one microsecond less, 1,000 nanoseconds more.
    let micros = 1_767_225_600_123_456;
    assert_eq!(
        tampered(&[("timestamp", Cell::Number(micros)), ("timestamp_nanos", Cell::Number(789))]).unwrap(),
        entries()[ROW]
    );
    assert_fault(&[("timestamp", Cell::Number(micros - 1)), ("timestamp_nanos", Cell::Number(1_789))]);
}

#[test]
fn signatures_and_salts_are_whole() {
    for column in ["signature_key_id", "signature_algorithm", "signature"] {
        assert_fault(&[(column, Cell::Null)]);
    }
    for length in [0, 63, 65] {
        assert_fault(&[("signature", Cell::Bytes(vec![0; length]))]);
    }
    for length in [0, 15, 17] {
        assert_fault(&[("salt", Cell::Bytes(vec![3; length]))]);
    }
    assert_ne!(tampered(&[("signature", Cell::Bytes(vec![1; 64]))]).unwrap(), entries()[ROW]);
}

#[test]
fn columns_are_exactly_those_of_a_segment() {
    let original = seal(0, &entries()).parquet;
    let whole = columns(&read(&original));
    let refused = |columns: Vec<(Field, ArrayRef)>| {
        let error = Segment::open(Arc::new(rewrite(&original, columns))).unwrap_err();
        assert!(matches!(error, counterfoil_segment::SegmentError::Format(_)), "{error}");
    };
    let mut extra = whole.clone();
    extra.push((Field::new("note", extra[4].0.data_type().clone(), true), extra[4].1.clone()));
    refused(extra);
    refused(whole[..whole.len() - 1].to_vec());
    let mut swapped = whole.clone();
    swapped.swap(5, 8);
    refused(swapped);
    let mut renamed = whole.clone();
    renamed[5].0 = renamed[5].0.clone().with_name("actor_");
    refused(renamed);
    let mut nullable = whole.clone();
    nullable[5].0 = nullable[5].0.clone().with_nullable(true);
    refused(nullable);
    assert!(Segment::open(Arc::new(rewrite(&original, whole))).is_ok());
}
