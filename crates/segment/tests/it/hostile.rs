//! Files that no writer of ours made.

use std::ops::ControlFlow;
use std::sync::Arc;

use counterfoil_segment::index::{Index, Key};
use counterfoil_segment::{Segment, SegmentError};

use crate::entries::{meta, plain, seal};

fn entries() -> Vec<Vec<u8>> {
    (0..300).map(plain).collect()
}

/// Reads all that can be read of a segment file; what comes out is what the untouched file holds, or a finding.
fn read_all(file: Vec<u8>) -> Result<(), SegmentError> {
    let segment = Segment::open(Arc::new(file))?;
    let rows = segment.meta().count.min(1_000);
    let _ = segment.entry(rows / 2)?;
    segment.scan(0..rows, &mut |_, _| ControlFlow::Continue(())).map(|_| ())
}

#[test]
fn a_damaged_segment_is_an_error_or_other_entries_but_never_a_crash() {
    let whole = seal(0, &entries()).parquet;
    let mut refused = 0;
    for at in (0..whole.len()).step_by(31) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0xFF;
        refused += u32::from(read_all(damaged).is_err());
    }
    for length in (0..whole.len()).step_by(499) {
        assert!(read_all(whole[..length].to_vec()).is_err(), "cut at {length}");
    }
    assert!(refused > 0);
}

#[test]
fn a_damaged_index_is_an_error_or_other_rows_but_never_a_crash() {
    let whole = seal(0, &entries()).index;
    let lookup = |file: Vec<u8>| -> Result<(), SegmentError> {
        let index = Index::open(Arc::new(file))?;
        for (key, value) in
            [(Key::EntityId, "INV-5"), (Key::Actor, "bot-1"), (Key::TraceId, "run-9"), (Key::Id, "id-3")]
        {
            let rows = index.lookup(key, value)?;
            assert!(
                rows.windows(2).all(|pair| pair[0] < pair[1]) && rows.iter().all(|row| u64::from(*row) < index.rows())
            );
        }
        index.lookup_sequence(None, "worker-0", 5)?;
        index.sources().map(|_| ())
    };
    for at in 0..whole.len() {
        for change in [0x01, 0x80, 0xFF] {
            let mut damaged = whole.clone();
            damaged[at] ^= change;
            let _ = lookup(damaged);
        }
    }
    for length in 0..whole.len() {
        assert!(lookup(whole[..length].to_vec()).is_err(), "cut at {length}");
    }
    assert!(lookup([whole.as_slice(), &[0]].concat()).is_err());
    assert!(lookup(whole).is_ok());
}

#[test]
fn metadata_is_complete_and_consistent() {
    let entries = entries();
    let refused = |change: &dyn Fn(&mut counterfoil_segment::SegmentMeta)| {
        let mut meta = meta(256, &entries);
        change(&mut meta);
        let written = counterfoil_segment::write(&meta, &[], &entries);
        assert!(matches!(written, Err(SegmentError::Format(_))));
    };
    refused(&|meta| meta.format_version = 2);
    refused(&|meta| meta.first = 512);
    refused(&|meta| meta.count = 299);
    refused(&|meta| meta.before.clear());
    refused(&|meta| meta.after.clear());
    let whole = seal(256, &entries).parquet;
    for (from, to) in [
        ("counterfoil.count", "counterfoil.kount"),
        ("counterfoil.first", "counterfoil.count"),
        ("counterfoil.root", "counterfoil.r00t"),
        ("counterfoil.before", "counterfoil.after_"),
    ] {
        let error = Segment::open(Arc::new(replace(&whole, from, to))).unwrap_err();
        assert!(matches!(error, SegmentError::Format(_)), "{from}: {error}");
    }
}

fn replace(file: &[u8], from: &str, to: &str) -> Vec<u8> {
    let at = file.windows(from.len()).position(|window| window == from.as_bytes()).expect("it is there");
    let mut changed = file.to_vec();
    changed[at..at + to.len()].copy_from_slice(to.as_bytes());
    changed
}
