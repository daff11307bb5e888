//! Reading one row costs a few pages, and finding it a few reads.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use counterfoil_segment::index::{Index, Key};
use counterfoil_segment::{ReadAt, Segment};

use crate::entries::{plain, seal};

#[derive(Debug)]
struct Counting {
    file: Vec<u8>,
    bytes: AtomicU64,
    reads: AtomicU64,
}

impl Counting {
    fn new(file: Vec<u8>) -> Arc<Self> {
        Arc::new(Self { file, bytes: AtomicU64::new(0), reads: AtomicU64::new(0) })
    }

    /// Bytes and reads since the last call.
    fn taken(&self) -> (u64, u64) {
        (self.bytes.swap(0, Ordering::Relaxed), self.reads.swap(0, Ordering::Relaxed))
    }
}

impl ReadAt for Counting {
    fn len(&self) -> u64 {
        ReadAt::len(&self.file)
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.bytes.fetch_add(buf.len() as u64, Ordering::Relaxed);
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.file.read_at(offset, buf)
    }
}

#[test]
fn one_row_is_read_from_less_than_a_twentieth_of_the_file() {
    let entries: Vec<Vec<u8>> = (0..70_000).map(plain).collect();
    let sealed = seal(0, &entries);
    let file = Counting::new(sealed.parquet);
    let segment = Segment::open(file.clone()).unwrap();
    let (opening, _) = file.taken();
    assert!(opening < file.len() / 20, "{opening} of {} bytes to open", file.len());
    for row in [0, 1, 33_333, 65_535, 65_536, 69_999] {
        assert_eq!(segment.entry(row).unwrap(), entries[row as usize]);
        let (bytes, _) = file.taken();
        assert!(bytes < file.len() / 20, "row {row}: {bytes} of {} bytes", file.len());
    }
}

#[test]
fn a_lookup_takes_a_header_a_directory_and_a_block() {
    let entries: Vec<Vec<u8>> = (0..70_000).map(plain).collect();
    let file = Counting::new(seal(0, &entries).index);
    let index = Index::open(file.clone()).unwrap();
    assert_eq!(file.taken().1, 1);
    assert_eq!(index.lookup(Key::Id, "id-300").unwrap(), [300]);
    let (bytes, reads) = file.taken();
    assert!(reads == 2 && bytes < 16_384, "{reads} reads of {bytes} bytes");
    assert_eq!(index.lookup(Key::Id, "id-69000").unwrap(), [69_000]);
    let (bytes, reads) = file.taken();
    assert!(reads == 1 && bytes < 8_192, "{reads} reads of {bytes} bytes");
}
