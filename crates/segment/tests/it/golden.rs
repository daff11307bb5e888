//! Files written by an earlier build stay readable. Nobody edits them.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;
use counterfoil_segment::Segment;
use counterfoil_segment::index::{Builder, Index, Key};

/// A file of `testdata/segment`.
fn testdata(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/segment").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn version_1_is_read() {
    let lines = testdata("v1.jsonl");
    let expected: Vec<&[u8]> = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let segment = Segment::open(Arc::new(testdata("v1.parquet"))).unwrap();
    assert_eq!((segment.meta().first, segment.meta().count), (512, expected.len() as u64));
    let mut builder = Builder::new(512);
    let look = &mut |batch: &RecordBatch| builder.push_batch(batch).unwrap();
    let mut row = 0;
    let visit = &mut |index: u64, entry: &[u8]| {
        assert_eq!((index, entry), (512 + row as u64, expected[row]));
        row += 1;
        ControlFlow::Continue(())
    };
    assert_eq!(segment.scan_batches(0..segment.meta().count, look, visit).unwrap(), []);
    assert_eq!(row, expected.len());
    let index = Index::open(Arc::new(testdata("v1.index"))).unwrap();
    assert_eq!(builder.finish(&index.sources().unwrap()), testdata("v1.index"));
    assert_eq!(index.lookup(Key::Id, "id-9").unwrap(), [9]);
}
