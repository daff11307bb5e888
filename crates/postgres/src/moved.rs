//! What a ledger holds of a table, in the order of the rows' ids: sorted in pieces on disk, so that memory stays bounded.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};

use counterfoil::{Error, ErrorKind, Result};

use crate::row::RowId;

/// Rows that are sorted in memory at once: 56 MiB.
const MAX_IN_MEMORY: usize = 1 << 20;
const RECORD_BYTES: usize = 48;

/// A row that was moved: its id, the digest of what its entry says, and where the entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moved {
    pub row: RowId,
    pub index: u64,
    pub digest: [u8; 32],
}

/// Takes rows in any order and gives them back in order.
#[derive(Debug, Default)]
pub(crate) struct Sorter {
    memory: Vec<Moved>,
    pieces: Vec<File>,
}

impl Sorter {
    pub fn push(&mut self, moved: Moved) -> Result<()> {
        self.memory.push(moved);
        if self.memory.len() < MAX_IN_MEMORY {
            return Ok(());
        }
        self.memory.sort_unstable();
        let piece = write(&self.memory).map_err(|error| failed(&error))?;
        self.memory.clear();
        self.pieces.push(piece);
        Ok(())
    }

    pub fn finish(mut self) -> Result<Sorted> {
        self.memory.sort_unstable();
        let mut sorted = Sorted { memory: self.memory.into_iter(), pieces: Vec::new(), heads: BinaryHeap::new() };
        for piece in self.pieces {
            sorted.pieces.push(BufReader::with_capacity(1 << 16, piece));
        }
        for piece in 0..=sorted.pieces.len() {
            sorted.refill(piece)?;
        }
        Ok(sorted)
    }
}

/// Rows in the order of their ids.
#[derive(Debug)]
pub(crate) struct Sorted {
    memory: std::vec::IntoIter<Moved>,
    pieces: Vec<BufReader<File>>,
    /// The next row of each piece; the last piece is the one in memory.
    heads: BinaryHeap<Reverse<(Moved, usize)>>,
}

impl Sorted {
    pub fn peek(&self) -> Option<&Moved> {
        self.heads.peek().map(|Reverse((moved, _))| moved)
    }

    pub fn next(&mut self) -> Result<Option<Moved>> {
        let Some(Reverse((moved, piece))) = self.heads.pop() else { return Ok(None) };
        self.refill(piece)?;
        Ok(Some(moved))
    }

    fn refill(&mut self, piece: usize) -> Result<()> {
        let next = match self.pieces.get_mut(piece) {
            Some(file) => read(file).map_err(|error| failed(&error))?,
            None => self.memory.next(),
        };
        self.heads.extend(next.map(|moved| Reverse((moved, piece))));
        Ok(())
    }
}

fn write(rows: &[Moved]) -> io::Result<File> {
    use std::io::Seek;
    let mut out = BufWriter::new(tempfile::tempfile()?);
    for moved in rows {
        out.write_all(&moved.row.to_le_bytes())?;
        out.write_all(&moved.index.to_le_bytes())?;
        out.write_all(&moved.digest)?;
    }
    let mut file = out.into_inner()?;
    file.rewind()?;
    Ok(file)
}

fn read(file: &mut BufReader<File>) -> io::Result<Option<Moved>> {
    let mut record = [0; RECORD_BYTES];
    match file.read_exact(&mut record) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let number = |at: usize| <[u8; 8]>::try_from(&record[at..at + 8]).expect("eight bytes");
    let digest = record[16..].try_into().expect("thirty-two bytes");
    Ok(Some(Moved { row: i64::from_le_bytes(number(0)), index: u64::from_le_bytes(number(8)), digest }))
}

fn failed(error: &io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("sorting in the folder for temporary files (TMPDIR): {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_in_order_from_several_pieces() {
        let mut sorter = Sorter::default();
        let count = 2 * MAX_IN_MEMORY as i64 + 5;
        for row in (0..count).rev() {
            sorter.push(Moved { row, index: row as u64 + 1, digest: [row as u8; 32] }).unwrap();
        }
        let mut sorted = sorter.finish().unwrap();
        for row in 0..count {
            assert_eq!(sorted.peek().map(|moved| moved.row), Some(row));
            let moved = sorted.next().unwrap().unwrap();
            assert_eq!((moved.row, moved.index, moved.digest), (row, row as u64 + 1, [row as u8; 32]));
        }
        assert!(sorted.next().unwrap().is_none());
    }
}
