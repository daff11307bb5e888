//! CSV (RFC 4180) with a header.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::io::{self, BufRead, Read};
use std::rc::Rc;

use csv::{ByteRecord, StringRecord};

use super::{MAX_ROW, Position, looks};
use crate::error::ImportError;
use crate::map::Format;

/// The rows of a CSV file.
pub(crate) struct CsvRows {
    reader: csv::Reader<Metered>,
    meter: Rc<RefCell<Meter>>,
    pub(crate) header: StringRecord,
    pub(crate) columns: HashMap<String, usize>,
    number: u64,
    ended: bool,
}

/// What the parser would not tell: whether a quote was left open, whether one row runs on for ever, and on which line
/// a row starts when blank lines or `\r\n` stand before it.
#[derive(Default)]
struct Meter {
    quotes: u64,
    since_row: usize,
    offset: u64,
    line: u64,
    line_has_text: bool,
    /// Offset and number of the lines read ahead that are not blank.
    starts: VecDeque<(u64, u64)>,
}

impl Meter {
    fn pass(&mut self, bytes: &[u8]) {
        self.since_row += bytes.len();
        for &byte in bytes {
            match byte {
                b'\n' => {
                    self.line += 1;
                    self.line_has_text = false;
                }
                b'\r' => {}
                _ => {
                    if !self.line_has_text {
                        self.line_has_text = true;
                        self.starts.push_back((self.offset, self.line + 1));
                    }
                    self.quotes += u64::from(byte == b'"');
                }
            }
            self.offset += 1;
        }
    }

    /// The line of the first text at or after an offset; the lines before are forgotten.
    fn line_at(&mut self, offset: u64) -> u64 {
        while self.starts.front().is_some_and(|(start, _)| *start < offset) {
            self.starts.pop_front();
        }
        self.starts.front().map_or(self.line + 1, |(_, line)| *line)
    }
}

struct Metered {
    inner: Box<dyn BufRead>,
    meter: Rc<RefCell<Meter>>,
}

impl Read for Metered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let mut meter = self.meter.borrow_mut();
        meter.pass(&buffer[..count]);
        if meter.since_row > MAX_ROW {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a row is longer than 16 MiB; a quote may not be closed",
            ));
        }
        Ok(count)
    }
}

impl CsvRows {
    pub(crate) fn open(inner: Box<dyn BufRead>, delimiter: u8) -> Result<CsvRows, ImportError> {
        let meter = Rc::<RefCell<Meter>>::default();
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(true)
            .from_reader(Metered { inner, meter: Rc::clone(&meter) });
        let header = reader.headers().map_err(|error| input_fault(1, error))?.clone();
        let first = header.get(0).unwrap_or_default();
        if first.starts_with(['{', '['])
            && let Some(message) = looks::mismatch(header.iter().collect::<Vec<_>>().join(",").as_bytes(), Format::Csv)
        {
            return Err(ImportError::Input { line: 1, message });
        }
        let mut columns = HashMap::new();
        for (column, name) in header.iter().enumerate() {
            if columns.insert(name.to_owned(), column).is_some() {
                let message = format!("two columns are called {name:?}");
                return Err(ImportError::Input { line: 1, message });
            }
        }
        if columns.is_empty() {
            let message = "the file is empty; a CSV file starts with its column names".to_owned();
            return Err(ImportError::Input { line: 1, message });
        }
        Ok(CsvRows { reader, meter, header, columns, number: 0, ended: false })
    }

    /// The next row.
    pub(crate) fn next(&mut self) -> Option<Result<(Position, StringRecord), ImportError>> {
        if self.ended {
            return None;
        }
        self.meter.borrow_mut().since_row = 0;
        let offset = self.reader.position().byte();
        let mut record = ByteRecord::new();
        let more = self.reader.read_byte_record(&mut record);
        let position = Position { number: self.number + 1, line: self.meter.borrow_mut().line_at(offset) };
        match more {
            Ok(true) => {
                self.number += 1;
                let row = StringRecord::from_byte_record(record).map_err(|_| position.fault("is not UTF-8"));
                Some(row.map(|row| (position, row)))
            }
            Ok(false) => self.end(),
            Err(error) => Some(Err(self.fault(position, error))),
        }
    }

    /// A quote left open would have swallowed every row after it.
    fn end(&mut self) -> Option<Result<(Position, StringRecord), ImportError>> {
        self.ended = true;
        let meter = self.meter.borrow();
        if meter.quotes.is_multiple_of(2) {
            return None;
        }
        Some(Err(ImportError::Input {
            line: meter.line + 1,
            message: "the file has an odd number of quotes: one is not closed, or stands unquoted in a value"
                .to_owned(),
        }))
    }

    fn fault(&mut self, position: Position, error: csv::Error) -> ImportError {
        if let csv::ErrorKind::UnequalLengths { expected_len, len, .. } = error.kind() {
            self.number += 1;
            return position.fault(format!("has {len} values where the header has {expected_len}"));
        }
        self.ended = true;
        input_fault(position.line, error)
    }
}

fn input_fault(line: u64, error: csv::Error) -> ImportError {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => ImportError::Io(error),
        csv::ErrorKind::Utf8 { .. } => ImportError::Input { line, message: "the header is not UTF-8".to_owned() },
        kind => ImportError::Input { line, message: format!("{kind:?}") },
    }
}
