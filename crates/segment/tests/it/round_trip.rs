//! What goes into a segment comes out of it, byte for byte.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use counterfoil_entry::Fields;
use counterfoil_segment::{BatchBuilder, Segment, SegmentError, rebuild, schema, write};
use proptest::prelude::*;
use serde_json::json;

use crate::entries::{any_entry, commit, meta, plain, seal};

fn scan(segment: &Segment, rows: Range<u64>) -> Vec<(u64, Vec<u8>)> {
    let mut found = Vec::new();
    let faults = segment.scan(rows, &mut |index, entry| {
        found.push((index, entry.to_vec()));
        ControlFlow::Continue(())
    });
    assert_eq!(faults.expect("a readable segment"), []);
    found
}

fn assert_round_trip(first: u64, entries: &[Vec<u8>]) {
    let segment = Segment::open(Arc::new(seal(first, entries).parquet)).expect("a segment");
    assert_eq!(*segment.meta(), meta(first, entries));
    let found = scan(&segment, 0..entries.len() as u64);
    assert_eq!(found.len(), entries.len());
    for (row, ((index, found), entry)) in found.iter().zip(entries).enumerate() {
        assert_eq!(*index, first + row as u64);
        assert_eq!(String::from_utf8_lossy(found), String::from_utf8_lossy(entry), "row {row}");
    }
}

/// The batch as a query engine may hand it back: text and bytes as views.
fn viewed(batch: &RecordBatch) -> RecordBatch {
    let columns = batch.columns().iter().map(|array| match array.data_type() {
        DataType::Utf8 => cast(array, &DataType::Utf8View).unwrap(),
        DataType::Binary => cast(array, &DataType::BinaryView).unwrap(),
        _ => array.clone(),
    });
    let named = schema().fields().iter().map(|field| field.name().clone()).zip(columns).collect::<Vec<_>>();
    RecordBatch::try_from_iter(named).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_entries_come_back(entries in prop::collection::vec(any_entry(), 1..24), first in 0..1_u64 << 40) {
        assert_round_trip(first, &entries);
        let segment = Segment::open(Arc::new(seal(first, &entries).parquet)).unwrap();
        for (row, entry) in entries.iter().enumerate() {
            prop_assert_eq!(&segment.entry(row as u64).unwrap(), entry);
        }
    }

    #[test]
    fn a_batch_of_any_entries_is_rebuilt(entries in prop::collection::vec(any_entry(), 1..24)) {
        let mut builder = BatchBuilder::new();
        for (row, entry) in entries.iter().enumerate() {
            builder.push(1_000 + 3 * row as u64, &Fields::split(entry).unwrap()).unwrap();
        }
        let batch = builder.finish().unwrap();
        prop_assert_eq!(batch.schema(), schema());
        prop_assert!(builder.is_empty());
        let mut found = Vec::new();
        let visit = &mut |index: u64, entry: &[u8]| {
            found.push((index, entry.to_vec()));
            ControlFlow::Continue(())
        };
        prop_assert_eq!(rebuild(&batch, visit).unwrap(), []);
        prop_assert_eq!(rebuild(&viewed(&batch), visit).unwrap(), []);
        let again = found.split_off(entries.len());
        prop_assert_eq!(&found, &again);
        let expected: Vec<_> = entries.into_iter().enumerate().map(|(row, entry)| (1_000 + 3 * row as u64, entry)).collect();
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn segments_of_every_size_come_back() {
    for count in [1, 2, 255, 256, 8_192, 8_193, 65_536, 65_537] {
        let entries: Vec<Vec<u8>> = (0..count).map(plain).collect();
        assert_round_trip(262_144, &entries);
    }
}

#[test]
fn a_part_of_a_segment_is_scanned() {
    let entries: Vec<Vec<u8>> = (0..66_000).map(plain).collect();
    let segment = Segment::open(Arc::new(seal(512, &entries).parquet)).unwrap();
    for rows in [0..1, 65_535..65_537, 65_536..66_000, 100..20_000, 7..7] {
        let found = scan(&segment, rows.clone());
        let expected: Vec<_> = rows.map(|row| (512 + row, entries[row as usize].clone())).collect();
        assert_eq!(found, expected);
    }
    let mut seen = 0;
    let visit = &mut |_: u64, _: &[u8]| {
        seen += 1;
        if seen == 10 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    segment.scan(0..66_000, visit).unwrap();
    assert_eq!(seen, 10);
    let beyond = segment.scan(0..66_001, &mut |_, _| ControlFlow::Continue(()));
    assert!(matches!(beyond, Err(SegmentError::NoSuchRow { row: 66_001, count: 66_000 })));
    let rows = [0, 1, 65_535, 65_536, 65_999];
    let expected: Vec<_> = rows.iter().map(|row| entries[*row as usize].clone()).collect();
    assert_eq!(segment.entries(&rows).unwrap(), expected);
    assert!(matches!(segment.entry(66_000), Err(SegmentError::NoSuchRow { .. })));
    assert!(matches!(segment.entries(&[5, 5]), Err(SegmentError::NotAscending { row: 5 })));
    assert!(segment.entries(&[]).unwrap().is_empty());
}

#[test]
fn entries_of_the_greatest_length_come_back() {
    let long = "x".repeat(60_000);
    let entries: Vec<Vec<u8>> = (0..2_000)
        .map(|number: i64| {
            let client =
                json!({"event_type": "e", "actor": "a", "entity_id": "i", "context": {"n": number, "text": long}});
            commit(&client, number, None, None)
        })
        .collect();
    assert_round_trip(0, &entries);
}

#[test]
fn a_column_may_change_its_ways_between_row_groups() {
    let entries: Vec<Vec<u8>> = (0..70_000_i64)
        .map(|number| {
            let mut client = json!({"event_type": "e", "actor": "a", "entity_id": "i"});
            if number > 65_600 {
                client["reason"] = json!(format!("reason {number}"));
                client["actor"] = json!(format!("actor {number}"));
            }
            commit(&client, number, None, None)
        })
        .collect();
    assert_round_trip(0, &entries);
}

#[test]
fn what_sql_sees_is_the_entry() {
    let client = json!({"event_type": "e", "actor": "a", "entity_id": "i", "old_value": "text", "new_value": null,
        "timestamp": "2026-01-01T00:00:00.000000009Z", "context": {"b": 1, "a": [true]}});
    let entry = commit(&client, 5, Some("me"), None);
    let mut builder = BatchBuilder::new();
    builder.push(77, &Fields::split(&entry).unwrap()).unwrap();
    let batch = builder.finish().unwrap();
    let cell = |column: &str| {
        let array = batch.column_by_name(column).unwrap();
        (!array.is_null(0)).then(|| arrow::util::display::array_value_to_string(array, 0).unwrap())
    };
    let expected = [
        ("index", Some("77")),
        ("timestamp_nanos", Some("9")),
        ("old_value", Some("text")),
        ("old_value_type", Some("string")),
        ("new_value", Some("null")),
        ("new_value_type", Some("null")),
        ("context", Some("{\"a\":[true],\"b\":1}")),
        ("recorder", Some("me")),
        ("reason", None),
    ];
    for (column, text) in expected {
        assert_eq!(cell(column).as_deref(), text, "{column}");
    }
    let micros = |column| batch.column_by_name(column).unwrap().as_primitive::<TimestampMicrosecondType>().value(0);
    assert_eq!((micros("timestamp"), micros("recorded_at")), (1_767_225_600_000_000, 5));
}

#[test]
fn what_is_no_entry_is_refused_by_its_row() {
    let mut entries: Vec<Vec<u8>> = (0..5).map(plain).collect();
    entries[3] = b"{\"actor\":\"a\"}".to_vec();
    let error = write(&meta(0, &entries), &[], &entries).unwrap_err();
    assert!(matches!(error, SegmentError::NotAnEntry { row: 3, .. }), "{error}");
    let good: Vec<Vec<u8>> = (0..5).map(plain).collect();
    let other_count = write(&meta(0, &good[..4]), &[], &good).unwrap_err();
    assert!(matches!(other_count, SegmentError::Format(_)), "{other_count}");
    assert!(write(&meta(0, &[]), &[], Vec::<Vec<u8>>::new()).is_err());
}
