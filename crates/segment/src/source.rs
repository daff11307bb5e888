use std::io::{self, Read};
use std::sync::{Arc, Mutex, OnceLock};

use bytes::Bytes;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

use crate::blocks::BlockMismatch;
use crate::{ReadAt, SegmentError};

/// A file as the Parquet reader wants it. It remembers why a read failed: the reader keeps only the texts of errors.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    file: Arc<dyn ReadAt>,
    mismatch: Arc<OnceLock<BlockMismatch>>,
    /// What the file answered when a read failed otherwise, until the reader's error was explained by it.
    failure: Arc<Mutex<Option<io::Error>>>,
}

/// A reader that begins somewhere in a file.
pub(crate) struct SourceReader {
    source: Source,
    offset: u64,
}

impl Source {
    pub(crate) fn new(file: Arc<dyn ReadAt>) -> Self {
        Self { file, mismatch: Arc::default(), failure: Arc::default() }
    }

    /// The error that the caller should see when the Parquet reader gave `error`.
    pub(crate) fn explain(&self, error: impl Into<SegmentError>) -> SegmentError {
        if let Some(mismatch) = self.mismatch.get() {
            return SegmentError::Block(*mismatch);
        }
        match self.failure.lock().expect("no panic while held").take() {
            Some(failure) => SegmentError::Io(failure),
            None => error.into(),
        }
    }

    fn fill(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.file.read_at(offset, buf).map_err(|error| {
            let (kind, text) = (error.kind(), error.to_string());
            match BlockMismatch::in_error(&error) {
                Some(mismatch) => drop(self.mismatch.set(mismatch)),
                None => *self.failure.lock().expect("no panic while held") = Some(error),
            }
            io::Error::new(kind, text)
        })
    }
}

impl Length for Source {
    fn len(&self) -> u64 {
        self.file.len()
    }
}

impl ChunkReader for Source {
    type T = SourceReader;

    fn get_read(&self, start: u64) -> Result<SourceReader> {
        Ok(SourceReader { source: self.clone(), offset: start })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        if start.checked_add(length as u64).is_none_or(|end| end > self.file.len()) {
            return Err(ParquetError::EOF(format!("{length} bytes at {start} lie beyond the end of the file")));
        }
        let mut bytes = vec![0; length];
        self.fill(start, &mut bytes)?;
        Ok(bytes.into())
    }
}

impl Read for SourceReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let rest = self.source.len().saturating_sub(self.offset);
        let taken = buf.len().min(usize::try_from(rest).unwrap_or(usize::MAX));
        self.source.fill(self.offset, &mut buf[..taken])?;
        self.offset += taken as u64;
        Ok(taken)
    }
}
