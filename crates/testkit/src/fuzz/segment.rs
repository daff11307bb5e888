//! Cells, indexes and metadata from strangers: nothing but an error may come of them.
//!
//! The first byte chooses what the rest is: a segment file, an index file, block hashes, or an entry whose row is rebuilt.
use std::ops::ControlFlow;
use std::sync::Arc;

use counterfoil_entry::Fields;
use counterfoil_segment::blocks::BlockHashes;
use counterfoil_segment::index::{Index, Key};
use counterfoil_segment::{BatchBuilder, Segment, rebuild};

/// Nothing but an error may come of bytes from strangers.
pub fn segment(data: &[u8]) {
    let Some((choice, bytes)) = data.split_first() else { return };
    match choice % 4 {
        0 => index(bytes),
        1 => row(bytes),
        2 => block_hashes(bytes),
        _ => file(bytes),
    }
}

/// A lookup gives rows of the segment in order, or an error.
fn index(bytes: &[u8]) {
    let Ok(index) = Index::open(Arc::new(bytes.to_vec())) else { return };
    for key in Key::ALL {
        if let Ok(rows) = index.lookup(key, "INV-1") {
            assert!(rows.is_sorted() && rows.iter().all(|row| u64::from(*row) < index.rows()));
        }
    }
    let _ = index.lookup_sequence(Some("svc"), "erp", 7);
    let _ = index.sources();
}

/// What is a whole entry comes back from its row as it was.
fn row(bytes: &[u8]) {
    let Ok(fields) = Fields::check(bytes) else { return };
    let mut builder = BatchBuilder::new();
    builder.push(3, &fields).expect("a valid entry fits a row");
    let batch = builder.finish().expect("one row is a batch");
    let mut found = Vec::new();
    let faults = rebuild(&batch, &mut |_, entry| {
        found = entry.to_vec();
        ControlFlow::Continue(())
    });
    assert_eq!(faults.expect("the columns are those of a segment"), []);
    assert_eq!(found, bytes);
}

fn block_hashes(bytes: &[u8]) {
    let length = bytes.len() as u64 * 2_048;
    if let Ok(hashes) = BlockHashes::decode(bytes, length) {
        assert_eq!(hashes.encode(), bytes);
    }
}

/// The whole reader. The segment crate catches the Parquet crate's panics.
fn file(bytes: &[u8]) {
    let Ok(segment) = Segment::open(Arc::new(bytes.to_vec())) else { return };
    let rows = segment.meta().count;
    let _ = segment.entry(rows / 2);
    let _ = segment.scan(0..rows, &mut |_, _| ControlFlow::Continue(()));
}
