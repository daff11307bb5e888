//! The index finds what a scan would find.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::RecordBatch;
use counterfoil_entry::Fields;
use counterfoil_segment::index::{Builder, Index, Key, SourceState};
use counterfoil_segment::{BatchBuilder, Segment};
use proptest::prelude::*;
use serde_json::json;

use crate::entries::{any_entry, commit, plain, seal, seal_with};

/// The rows of every value of a key, found by looking at every entry.
fn naive(entries: &[Vec<u8>], key: Key) -> BTreeMap<String, Vec<u32>> {
    let mut rows: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for (row, entry) in entries.iter().enumerate() {
        let fields = Fields::split(entry).unwrap();
        let value = match key {
            Key::EntityId => Some(fields.entity_id),
            Key::Actor => Some(fields.actor),
            Key::TraceId => fields.trace_id,
            Key::Id => fields.id,
            Key::SourceSequence => None,
        };
        if let Some(value) = value {
            rows.entry(value.into_owned()).or_default().push(row as u32);
        }
    }
    rows
}

fn assert_finds_everything(entries: &[Vec<u8>], index: &Index) {
    for key in Key::ALL {
        for (value, rows) in naive(entries, key) {
            assert_eq!(index.lookup(key, &value).unwrap(), rows, "{key:?} {value}");
        }
        assert!(index.lookup(key, "nobody at all").unwrap().is_empty());
    }
    for (row, entry) in entries.iter().enumerate() {
        let fields = Fields::split(entry).unwrap();
        let (Some(source), Some(sequence)) = (&fields.source, fields.sequence) else { continue };
        let found = index.lookup_sequence(fields.recorder.as_deref(), source, sequence).unwrap();
        assert!(found.contains(&(row as u32)), "{source} {sequence}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_entries_are_found(entries in prop::collection::vec(any_entry(), 1..40)) {
        let index = Index::open(Arc::new(seal(0, &entries).index)).unwrap();
        assert_finds_everything(&entries, &index);
    }

    #[test]
    fn any_row_lists_are_kept(lists in prop::collection::vec(prop::collection::btree_set(0..5_000_usize, 1..300), 1..20)) {
        let mut actors = vec![usize::MAX; 5_000];
        for (actor, rows) in lists.iter().enumerate() {
            rows.iter().for_each(|row| actors[*row] = actor);
        }
        let mut builder = Builder::new(0);
        let entries: Vec<Vec<u8>> = actors.iter().enumerate().map(|(row, actor)| {
            commit(&json!({"event_type": "e", "actor": format!("a{actor}"), "entity_id": (row / 700).to_string()}), 0, None, None)
        }).collect();
        push_all(&mut builder, &entries);
        let index = Index::open(Arc::new(builder.finish(&[]))).unwrap();
        for key in [Key::Actor, Key::EntityId] {
            for (value, rows) in naive(&entries, key) {
                prop_assert_eq!(index.lookup(key, &value).unwrap(), rows);
            }
        }
    }
}

#[test]
fn a_large_segment_is_found_entry_by_entry() {
    let entries: Vec<Vec<u8>> = (0..20_000).map(plain).collect();
    let index = Index::open(Arc::new(seal(4_096, &entries).index)).unwrap();
    assert_eq!((index.first(), index.rows()), (4_096, 20_000));
    assert_finds_everything(&entries, &index);
    assert!(index.lookup_sequence(None, "worker-2", 0).unwrap().is_empty(), "another recorder's source");
    assert_eq!(index.lookup_sequence(Some("svc-ingest"), "worker-2", 0).unwrap(), [2]);
}

#[test]
fn the_index_rebuilt_from_the_segment_is_the_same_to_the_byte() {
    let entries: Vec<Vec<u8>> = (0..9_000).map(plain).collect();
    let sources = [state(Some("svc"), "b", &[(0, 10)]), state(None, "z", &[(3, 3)])];
    let sealed = seal_with(256, &entries, &sources);
    let segment = Segment::open(Arc::new(sealed.parquet)).unwrap();
    let mut builder = Builder::new(256);
    let look = &mut |batch: &RecordBatch| builder.push_batch(batch).unwrap();
    assert_eq!(segment.scan_batches(0..9_000, look, &mut |_, _| ControlFlow::Continue(())).unwrap(), []);
    let reordered = [sources[1].clone(), sources[0].clone()];
    assert!(builder.finish(&reordered) == sealed.index);
}

/// Adds entries to an index, as the writer does.
fn push_all<E: AsRef<[u8]>>(builder: &mut Builder, entries: impl IntoIterator<Item = E>) {
    let mut batch = BatchBuilder::new();
    for (row, entry) in entries.into_iter().enumerate() {
        batch.push(row as u64, &Fields::split(entry.as_ref()).unwrap()).unwrap();
    }
    builder.push_batch(&batch.finish().unwrap()).unwrap();
}

fn state(recorder: Option<&str>, source: &str, ranges: &[(u64, u64)]) -> SourceState {
    SourceState { recorder: recorder.map(str::to_owned), source: source.to_owned(), ranges: ranges.to_vec() }
}

#[test]
fn the_sources_come_back_in_order() {
    let max = i64::MAX as u64;
    let sources = [
        state(Some("svc"), "b", &[(0, 10), (12, 12), (1_000, max)]),
        state(None, "z", &[]),
        state(Some(""), "é", &[(max, max)]),
        state(None, "a", &[(5, 5)]),
    ];
    let index = Index::open(Arc::new(seal_with(0, &[plain(0)], &sources).index)).unwrap();
    let mut ordered = sources.to_vec();
    ordered.sort();
    assert_eq!(index.sources().unwrap(), ordered);
}

#[test]
fn a_value_that_fills_the_segment_costs_next_to_nothing() {
    let client = json!({"event_type": "e", "actor": "one", "entity_id": "one", "trace_id": "one"});
    let entries: Vec<Vec<u8>> = (0..10_000).map(|number| commit(&client, number, None, None)).collect();
    let sealed = seal(0, &entries);
    assert!(sealed.index.len() < 400, "{} bytes", sealed.index.len());
    let index = Index::open(Arc::new(sealed.index)).unwrap();
    assert_eq!(index.lookup(Key::EntityId, "one").unwrap(), (0..10_000).collect::<Vec<u32>>());
}

#[test]
fn a_source_in_order_costs_a_few_bytes_an_entry() {
    let entry = |number: u64| {
        let client = json!({"event_type": "e", "actor": "a", "entity_id": "i", "source": format!("w{}", number % 3),
            "sequence": 1_000_000 + number / 3});
        commit(&client, 0, None, None)
    };
    let entries: Vec<Vec<u8>> = (0..10_000).map(entry).collect();
    let with = seal(0, &entries).index.len();
    assert!(with < 40_000, "{with} bytes");
}
