//! The load: lines of JSON from a file that genload.py wrote.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor};
use std::path::Path;

/// Reads the load batch by batch, so that memory does not grow with it.
pub struct Load {
    lines: Box<dyn BufRead + Send>,
    left: u64,
}

impl Load {
    /// The first `count` lines of a load file.
    pub fn open(path: &Path, count: u64) -> Self {
        let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { lines: Box::new(BufReader::with_capacity(1 << 20, file)), left: count }
    }

    /// The same load in memory, so that reading its file is no part of what is measured.
    pub fn preloaded(mut self) -> Self {
        let count = self.left;
        let batch = self.batch(count).unwrap_or_default();
        Self { lines: Box::new(Cursor::new(batch.bytes)), left: count }
    }

    /// The next lines, at most `size`; none at the end.
    pub fn batch(&mut self, size: u64) -> Option<Batch> {
        let mut batch = Batch::default();
        while self.left > 0 && (batch.ends.len() as u64) < size {
            let read = self.lines.read_until(b'\n', &mut batch.bytes).expect("the load can be read");
            assert!(read > 0, "the load has as many lines as it should");
            batch.ends.push(batch.bytes.len());
            self.left -= 1;
        }
        (!batch.ends.is_empty()).then_some(batch)
    }
}

/// Some lines.
#[derive(Default)]
pub struct Batch {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Batch {
    /// The lines without their newlines.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.bytes[start..end - 1])
    }

    /// All bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
