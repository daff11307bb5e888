//! Files as streams of rows: gzip and byte-order marks, CSV, JSON lines and JSON arrays.

mod csv_rows;
mod json_rows;
mod looks;

use std::io::{self, BufRead, BufReader, Cursor, Read};

use flate2::read::MultiGzDecoder;

use crate::error::ImportError;

pub(crate) use csv_rows::CsvRows;
pub(crate) use json_rows::JsonRows;

/// The longest row that is read, in bytes.
pub(crate) const MAX_ROW: usize = 16 << 20;

/// How many bytes are at hand to tell what a file is, before its first row.
const PEEKED: u64 = 4 << 10;

/// Where a row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// Row, from 1.
    pub(crate) number: u64,
    /// Line of the file, from 1.
    pub(crate) line: u64,
}

impl Position {
    pub(crate) fn fault(self, reason: impl Into<String>) -> ImportError {
        ImportError::Row { number: self.number, line: self.line, reason: reason.into() }
    }
}

/// Opens a plain or gzipped text, told apart by its first bytes, without its byte-order mark.
pub(crate) fn open(reader: Box<dyn Read>) -> io::Result<Box<dyn BufRead>> {
    let (start, reader) = peek(reader)?;
    let plain: Box<dyn Read> = if start.starts_with(&[0x1f, 0x8b]) {
        let (start, reader) = peek(Box::new(MultiGzDecoder::new(BufReader::new(reader))))?;
        without_mark(&start, reader)?
    } else {
        without_mark(&start, reader)?
    };
    Ok(Box::new(BufReader::with_capacity(1 << 16, plain)))
}

/// The first bytes of a stream, and the stream from its first byte.
fn peek(mut reader: Box<dyn Read>) -> io::Result<(Vec<u8>, Box<dyn Read>)> {
    let mut start = Vec::new();
    reader.by_ref().take(PEEKED).read_to_end(&mut start)?;
    let whole = Cursor::new(start.clone()).chain(reader);
    Ok((start, Box::new(whole)))
}

fn without_mark(start: &[u8], mut reader: Box<dyn Read>) -> io::Result<Box<dyn Read>> {
    match start {
        [0xef, 0xbb, 0xbf, ..] => {
            reader.read_exact(&mut [0; 3])?;
            Ok(reader)
        }
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            Err(io::Error::new(io::ErrorKind::InvalidData, "it is UTF-16; convert it to UTF-8"))
        }
        _ => Ok(reader),
    }
}
