//! Ledgers in memory: sealed segments behind checked, counted and corruptible files, and a tail.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use counterfoil::{Error, ErrorKind, Result};
use counterfoil_entry::{Draft, Timestamp};
use counterfoil_query::{Answer, Engine, Limits, Sealed, Source};
use counterfoil_segment::blocks::{BlockCache, BlockHashes, VerifiedFile};
use counterfoil_segment::index::{Index, Key};
use counterfoil_segment::{FORMAT_VERSION, ReadAt, Segment, SegmentError, SegmentMeta};
use counterfoil_tlog::Hash;
use parquet::file::metadata::ParquetMetaData;
use serde_json::Value;

/// A ledger in memory.
#[derive(Clone)]
pub struct Ledger(Arc<Parts>);

struct Parts {
    identity: Arc<str>,
    segments: Vec<Arc<MemorySegment>>,
    sealed: u64,
    size: u64,
    entries: Vec<Vec<u8>>,
    tail_pause: Duration,
    tail_reads: AtomicU64,
}

/// How a ledger of the given entries is laid out.
pub struct Layout {
    /// Entries in each sealed segment; the rest is the tail.
    pub segments: Vec<usize>,
    /// Entries below the snapshot's checkpoint, if not all.
    pub size: Option<u64>,
    pub index: bool,
    /// A byte of a segment's file that is not what was sealed: segment, file, offset.
    pub flipped: Option<(usize, File, u64)>,
    /// Time that a read of the tail takes.
    pub tail_pause: Duration,
}

impl Default for Layout {
    fn default() -> Self {
        Self { segments: Vec::new(), size: None, index: true, flipped: None, tail_pause: Duration::ZERO }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum File {
    Parquet,
    Index,
}

#[derive(Debug)]
pub struct MemorySegment {
    name: String,
    first: u64,
    count: u64,
    parquet: Arc<dyn ReadAt>,
    index: Option<Arc<dyn ReadAt>>,
    segment: OnceLock<Segment>,
    pub parquet_bytes: Arc<[u8]>,
    read: Arc<AtomicU64>,
}

/// A file whose reads are counted, and one byte of which may be wrong.
#[derive(Debug)]
struct Watched {
    bytes: Arc<[u8]>,
    read: Arc<AtomicU64>,
    flipped: Option<u64>,
}

impl ReadAt for Watched {
    fn len(&self) -> u64 {
        self.bytes.len()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> std::io::Result<()> {
        self.read.fetch_add(buf.len() as u64, Ordering::Relaxed);
        ReadAt::read_at(&self.bytes, offset, buf)?;
        if let Some(place) = self.flipped.and_then(|flipped| flipped.checked_sub(offset))
            && let Some(byte) = buf.get_mut(place as usize)
        {
            *byte ^= 0x10;
        }
        Ok(())
    }
}

impl Ledger {
    pub fn new(entries: &[Value], layout: Layout) -> Self {
        let entries: Vec<Vec<u8>> = entries.iter().map(canonical).collect();
        let mut segments = Vec::new();
        let mut first = 0;
        for (position, &count) in layout.segments.iter().enumerate() {
            let flipped = layout.flipped.filter(|(segment, ..)| *segment == position);
            let flipped = flipped.map(|(_, file, offset)| (file, offset));
            let sealed = seal(first as u64, &entries[first..first + count], layout.index, flipped);
            segments.push(Arc::new(sealed));
            first += count;
        }
        Self(Arc::new(Parts {
            identity: format!("{:p}", entries.as_ptr()).into(),
            segments,
            sealed: first as u64,
            size: layout.size.unwrap_or(entries.len() as u64),
            entries,
            tail_pause: layout.tail_pause,
            tail_reads: AtomicU64::new(0),
        }))
    }

    pub fn segment(&self, position: usize) -> &MemorySegment {
        &self.0.segments[position]
    }

    /// Bytes of the Parquet files, and those read of them since the last call.
    pub fn bytes(&self) -> (u64, u64) {
        let total = self.0.segments.iter().map(|s| s.parquet_bytes.len()).sum();
        let read = self.0.segments.iter().map(|s| s.read.swap(0, Ordering::Relaxed)).sum();
        (total, read)
    }

    pub fn tail_reads(&self) -> u64 {
        self.0.tail_reads.load(Ordering::Relaxed)
    }
}

/// The committed form of a client's entry; `recorded_at` follows `timestamp` by a second.
fn canonical(entry: &Value) -> Vec<u8> {
    let draft = Draft::parse(entry.to_string().as_bytes()).expect("a valid entry");
    let happened = draft.timestamp().expect("test entries say when");
    let mut bytes = Vec::new();
    draft.write_entry(Timestamp::from_micros(happened.micros() + 1_000_000), None, &mut bytes);
    bytes
}

fn seal(first: u64, entries: &[Vec<u8>], index: bool, flipped: Option<(File, u64)>) -> MemorySegment {
    let count = entries.len() as u64;
    let hashes = |of: u64| vec![Hash([7; 32]); of.count_ones() as usize];
    let meta = SegmentMeta {
        format_version: FORMAT_VERSION,
        origin: "example.com/test".to_owned(),
        first,
        count,
        root: Hash([7; 32]),
        before: hashes(first),
        after: hashes(first + count),
        checkpoint: String::new(),
    };
    let sealed = counterfoil_segment::write(&meta, &[], entries).expect("a segment");
    let read = Arc::new(AtomicU64::new(0));
    let file = |bytes: &Arc<[u8]>, kind: File| {
        let flipped = flipped.filter(|(file, _)| *file == kind).map(|(_, offset)| offset);
        let read = if kind == File::Parquet { Arc::clone(&read) } else { Arc::default() };
        let inner = Arc::new(Watched { bytes: Arc::clone(bytes), read, flipped });
        let hashes = Arc::new(BlockHashes::of(bytes));
        let cache = Arc::new(BlockCache::new(64 << 20));
        Arc::new(VerifiedFile::new(inner, hashes, cache).expect("its own length")) as Arc<dyn ReadAt>
    };
    let parquet_bytes: Arc<[u8]> = sealed.parquet.into();
    let index_bytes: Arc<[u8]> = sealed.index.into();
    MemorySegment {
        name: format!("segments/{first:012}.parquet"),
        first,
        count,
        parquet: file(&parquet_bytes, File::Parquet),
        index: index.then(|| file(&index_bytes, File::Index)),
        segment: OnceLock::new(),
        parquet_bytes,
        read,
    }
}

impl Source for Ledger {
    fn identity(&self) -> Arc<str> {
        Arc::clone(&self.0.identity)
    }

    fn size(&self) -> u64 {
        self.0.size
    }

    fn sealed(&self) -> Vec<Arc<dyn Sealed>> {
        self.0.segments.iter().map(|s| Arc::clone(s) as Arc<dyn Sealed>).collect()
    }

    fn tail(&self, range: Range<u64>, each: &mut dyn FnMut(u64, &[u8])) -> Result<()> {
        assert!(range.start >= self.0.sealed && range.end <= self.0.size, "{range:?} is not in the tail");
        self.0.tail_reads.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(self.0.tail_pause);
        range.for_each(|index| each(index, &self.0.entries[index as usize]));
        Ok(())
    }
}

impl MemorySegment {
    fn error(&self, error: SegmentError) -> Error {
        let kind = match error {
            SegmentError::Block(_) => ErrorKind::Tampered,
            _ => ErrorKind::Damaged,
        };
        Error::new(kind, format!("{}: {error}", self.name))
    }
}

impl Sealed for MemorySegment {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn first(&self) -> u64 {
        self.first
    }

    fn count(&self) -> u64 {
        self.count
    }

    fn file(&self) -> Result<Arc<dyn ReadAt>> {
        Ok(Arc::clone(&self.parquet))
    }

    fn metadata(&self) -> Result<Arc<ParquetMetaData>> {
        if let Some(segment) = self.segment.get() {
            return Ok(segment.parquet_metadata());
        }
        let segment = Segment::open(Arc::clone(&self.parquet)).map_err(|error| self.error(error))?;
        Ok(self.segment.get_or_init(|| segment).parquet_metadata())
    }

    fn lookup(&self, key: Key, value: &str) -> Result<Option<Vec<u64>>> {
        let Some(file) = &self.index else {
            return Ok(None);
        };
        let rows = Index::open(Arc::clone(file)).and_then(|index| index.lookup(key, value));
        let rows = rows.map_err(|error| self.error(error))?;
        Ok(Some(rows.into_iter().map(u64::from).collect()))
    }
}

/// A small random number generator: the same numbers on every run.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize].clone()
    }
}

pub fn engine() -> Engine {
    // A debug build on a busy machine plans some of the questions for half a minute.
    Engine::new(Limits { time: std::time::Duration::from_secs(300), ..Limits::default() }).expect("threads")
}

/// The answer as the lines that a table would have, cells separated by bars.
pub fn lines(answer: Answer) -> Vec<String> {
    let batches = answer.collect().expect("an answer");
    let mut lines = Vec::new();
    for batch in batches {
        let options = arrow::util::display::FormatOptions::default().with_null("NULL");
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| arrow::util::display::ArrayFormatter::try_new(column, &options).expect("a printable column"))
            .collect();
        for row in 0..batch.num_rows() {
            let cells: Vec<String> = columns.iter().map(|column| column.value(row).to_string()).collect();
            lines.push(cells.join("|"));
        }
    }
    lines
}

/// The lines of the answer to a question.
pub fn ask(ledger: &Ledger, sql: &str) -> Vec<String> {
    lines(engine().query(ledger, sql).unwrap_or_else(|error| panic!("{sql}: {error}")))
}

/// The error that a question ends with, at once or while its rows are read.
pub fn ask_in_vain(engine: &Engine, ledger: &Ledger, sql: &str) -> Error {
    match engine.query(ledger, sql).and_then(Answer::collect) {
        Ok(rows) => panic!("{sql}: answered with {} batches", rows.len()),
        Err(error) => error,
    }
}
