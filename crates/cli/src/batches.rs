//! Lines of JSON, read into checked batches.

use std::io::{self, BufRead, BufReader, Read};

use counterfoil_entry::{Draft, EntryError, catalog};

/// The most lines that one batch holds.
pub const MAX_BATCH_LINES: usize = 1_000;
/// A batch takes no further line once it holds so many bytes.
pub const MAX_BATCH_BYTES: usize = 4 << 20;
/// The longest line that is read. An entry has at most 65,535 bytes in canonical form; escapes may make its line
/// longer.
pub const MAX_LINE_BYTES: usize = 1 << 20;

/// How many bytes are asked of the input at once.
const READ_BYTES: usize = 1 << 20;

/// What a line must satisfy beyond being a valid entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// Nothing.
    Valid,
    /// Its event type is in the catalog and the members that this type requires are there.
    Catalogued,
}

/// When a batch that is not full is handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// At the end of the input: batches are as full as they can be, and always cut at the same lines.
    WaitForFull,
    /// As soon as the input has no further whole line at hand: what a live source writes is recorded at once.
    TakeWhatIsThere,
}

/// Lines that were read and checked together, to be recorded together.
#[derive(Debug)]
pub struct Batch {
    /// The entries, one for each line that is not blank.
    pub drafts: Vec<Draft>,
    /// The number of the line that each entry stands on, counted from 1.
    pub lines: Vec<u64>,
    /// How many bytes of the input were read up to the end of the batch.
    pub read_bytes: u64,
}

impl Batch {
    /// The first line that holds an entry.
    pub fn first_line(&self) -> u64 {
        self.lines.first().copied().unwrap_or_default()
    }

    /// The last line that holds an entry.
    pub fn last_line(&self) -> u64 {
        self.lines.last().copied().unwrap_or_default()
    }
}

/// Why a batch could not be read.
#[derive(Debug)]
pub enum BatchError {
    /// A line that is not an acceptable entry.
    Line {
        /// Its number, counted from 1.
        line: u64,
        /// The line that its batch began with.
        batch_first_line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The input itself could not be read.
    Read(io::Error),
}

/// Reads batches from an input.
#[derive(Debug)]
pub struct Batches<R> {
    input: BufReader<R>,
    strictness: Strictness,
    patience: Patience,
    lines: u64,
    read_bytes: u64,
    buffer: Vec<u8>,
}

impl<R: Read> Batches<R> {
    /// Batches of the lines of `input`.
    pub fn new(input: R, strictness: Strictness, patience: Patience) -> Batches<R> {
        Batches {
            input: BufReader::with_capacity(READ_BYTES, input),
            strictness,
            patience,
            lines: 0,
            read_bytes: 0,
            buffer: Vec::new(),
        }
    }

    /// The next batch; none at the end of the input. After an error there is none.
    pub fn next(&mut self) -> Result<Option<Batch>, BatchError> {
        let first_line = self.lines + 1;
        let mut batch = Batch { drafts: Vec::new(), lines: Vec::new(), read_bytes: 0 };
        let mut bytes = 0;
        while batch.drafts.len() < MAX_BATCH_LINES && bytes < MAX_BATCH_BYTES {
            let bad = |line, reason| BatchError::Line { line, batch_first_line: first_line, reason };
            match self.read_line() {
                Ok(0) => break,
                Ok(_) if self.buffer.len() > MAX_LINE_BYTES => {
                    let reason = format!("it is longer than {MAX_LINE_BYTES} bytes");
                    return Err(bad(self.lines, reason));
                }
                Ok(length) => bytes += length,
                Err(error) => return Err(BatchError::Read(error)),
            }
            let line = self.buffer.trim_ascii();
            if !line.is_empty() {
                let draft = self.check(line).map_err(|error| bad(self.lines, explained(line, &error)))?;
                batch.drafts.push(draft);
                batch.lines.push(self.lines);
            }
            if self.must_hand_on(&batch) {
                break;
            }
        }
        batch.read_bytes = self.read_bytes;
        Ok((!batch.drafts.is_empty()).then_some(batch))
    }

    /// Reads one line into the buffer, or one byte more than the longest. Returns its length; 0 at the end.
    fn read_line(&mut self) -> io::Result<usize> {
        self.buffer.clear();
        let limit = MAX_LINE_BYTES as u64 + 1;
        let length = (&mut self.input).take(limit).read_until(b'\n', &mut self.buffer)?;
        if length > 0 {
            self.lines += 1;
            self.read_bytes += length as u64;
        }
        Ok(length)
    }

    fn check(&self, line: &[u8]) -> Result<Draft, EntryError> {
        let draft = Draft::parse(line)?;
        if self.strictness == Strictness::Catalogued {
            catalog::check(&draft)?;
        }
        Ok(draft)
    }

    fn must_hand_on(&self, batch: &Batch) -> bool {
        self.patience == Patience::TakeWhatIsThere && !batch.drafts.is_empty() && !self.input.buffer().contains(&b'\n')
    }
}

/// What is wrong with a line, and what to do where an object runs on over several.
fn explained(line: &[u8], error: &EntryError) -> String {
    match line {
        [b'{' | b'[', ..] if !line.ends_with(b"}") && !line.ends_with(b"]") => {
            format!("{error}; write one object a line (jq -c . makes them)")
        }
        _ => error.to_string(),
    }
}
