use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;

use super::group::{self, Place};
use super::layout::{BLOCK_BYTES, HEADER_BYTES, Key, MAGIC, VERSION, sequence_hash, source_hash, text_hash};
use super::sources::{self, SourceState};
use crate::SegmentError;
use crate::schema::Column;
use crate::text::TextColumn;

/// Bits of a posting below its hash: room for any row of a segment.
const ROW_BITS: u32 = 24;

/// How many hashes of sources are remembered.
const MEMO_ENTRIES: usize = 4_096;

/// Collects the keys of a segment's entries and writes its index file.
#[derive(Debug)]
pub struct Builder {
    first: u64,
    rows: u32,
    /// For each key, the hash above the row of every entry that has it.
    postings: [Vec<u64>; Key::ALL.len()],
    programs: HashMap<(Option<String>, String), u64>,
}

impl Builder {
    /// For the segment whose first entry has the index `first`.
    pub fn new(first: u64) -> Self {
        let postings = std::array::from_fn(|_| Vec::new());
        Self { first, rows: 0, postings, programs: HashMap::new() }
    }

    /// Adds the entries of a batch with the columns of [`schema`](crate::schema), with one hash for
    /// each distinct value of a dictionary.
    ///
    /// Errors: [`SegmentError::Format`] when a column is missing or of another type.
    pub fn push_batch(&mut self, batch: &RecordBatch) -> Result<(), SegmentError> {
        for (key, column) in [
            (Key::EntityId, Column::EntityId),
            (Key::Actor, Column::Actor),
            (Key::TraceId, Column::TraceId),
            (Key::Id, Column::Id),
        ] {
            self.push_texts(key, &TextColumn::new(batch_column(batch, column)?)?);
        }
        let sources = TextColumn::new(batch_column(batch, Column::Source)?)?;
        if !sources.is_absent() {
            let recorders = TextColumn::new(batch_column(batch, Column::Recorder)?)?;
            let sequences = batch_column(batch, Column::Sequence)?.as_primitive_opt::<Int64Type>();
            let sequences = sequences.ok_or_else(|| SegmentError::Format("`sequence` is no INT64 column".into()))?;
            for row in 0..batch.num_rows() {
                if let (Some(source), true) = (sources.get(row), sequences.is_valid(row)) {
                    let program = self.program_hash(recorders.get(row), source);
                    let hash = sequence_hash(program, sequences.value(row) as u64);
                    self.add(Key::SourceSequence, hash, row);
                }
            }
        }
        self.rows += batch.num_rows() as u32;
        Ok(())
    }

    fn push_texts(&mut self, key: Key, cells: &TextColumn) {
        match cells {
            _ if cells.is_absent() => {}
            TextColumn::Plain(values) => {
                for (row, value) in values.iter().enumerate() {
                    if let Some(value) = value {
                        self.add(key, text_hash(value), row);
                    }
                }
            }
            TextColumn::Dictionary(keys, values) => {
                let mut hashes: Vec<Option<u64>> = vec![None; values.len()];
                for (row, position) in keys.keys().iter().enumerate() {
                    if let Some(position) = position {
                        let known = &mut hashes[position as usize];
                        let hash = *known.get_or_insert_with(|| text_hash(values.value(position as usize)));
                        self.add(key, hash, row);
                    }
                }
            }
        }
    }

    fn add(&mut self, key: Key, hash: u64, row: usize) {
        self.postings[key as usize].push(hash << ROW_BITS | (u64::from(self.rows) + row as u64));
    }

    fn program_hash(&mut self, recorder: Option<&str>, source: &str) -> u64 {
        let name = (recorder.map(str::to_owned), source.to_owned());
        if self.programs.len() == MEMO_ENTRIES {
            self.programs.clear();
        }
        *self.programs.entry(name).or_insert_with(|| source_hash(recorder, source))
    }

    /// Brings what was collected into order: the longest part of [`Builder::finish`], which can thus be done earlier.
    pub fn sort(&mut self) {
        self.postings.iter_mut().for_each(|postings| postings.sort_unstable());
    }

    /// The bytes of the file. `sources` is what was seen of every source when the last entry was committed.
    pub fn finish(mut self, sources: &[SourceState]) -> Vec<u8> {
        let mut file = vec![0; HEADER_BYTES];
        let mut header = Vec::with_capacity(HEADER_BYTES);
        header.extend_from_slice(&MAGIC);
        header.extend_from_slice(&VERSION.to_le_bytes());
        header.extend_from_slice(&self.rows.to_le_bytes());
        header.extend_from_slice(&self.first.to_le_bytes());
        self.sort();
        for postings in &self.postings {
            write_section(postings, &mut file, &mut header);
        }
        let start = file.len() as u64;
        sources::write(sources, &mut file);
        header.extend_from_slice(&start.to_le_bytes());
        header.extend_from_slice(&(file.len() as u64).to_le_bytes());
        file[..HEADER_BYTES].copy_from_slice(&header);
        file
    }
}

/// Appends the blocks and the directory of one key, and the section's description to the header.
fn write_section(postings: &[u64], file: &mut Vec<u8>, header: &mut Vec<u8>) {
    let start = file.len();
    let mut directory = Vec::new();
    let mut blocks = 0_u32;
    let mut block_start = usize::MAX;
    let mut place = Place::default();
    let mut rows = Vec::new();
    for group in postings.chunk_by(|a, b| a >> ROW_BITS == b >> ROW_BITS) {
        let hash = group[0] >> ROW_BITS;
        if block_start == usize::MAX || file.len() - block_start >= BLOCK_BYTES {
            block_start = file.len();
            place = Place { hash, row: 0 };
            blocks += 1;
            directory.extend_from_slice(&hash.to_le_bytes());
            directory.extend_from_slice(&((block_start - start) as u32).to_le_bytes());
        }
        rows.clear();
        rows.extend(group.iter().map(|posting| (posting & ((1 << ROW_BITS) - 1)) as u32));
        group::write(&mut place, hash, &rows, file);
    }
    let directory_start = file.len();
    file.extend_from_slice(&directory);
    header.extend_from_slice(&(start as u64).to_le_bytes());
    header.extend_from_slice(&(directory_start as u64).to_le_bytes());
    header.extend_from_slice(&blocks.to_le_bytes());
}

fn batch_column(batch: &RecordBatch, column: Column) -> Result<&ArrayRef, SegmentError> {
    let found = batch.column_by_name(column.name());
    found.ok_or_else(|| SegmentError::Format(format!("the column {:?} is missing", column.name())))
}
