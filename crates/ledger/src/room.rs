//! Room for frames at the end of a journal file.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use crate::disk::DiskFile;

/// A journal file grows by this much at a time, so that most syncs find their space allocated.
const STEP_BYTES: u64 = 16 << 20;
/// What a file system reads before it writes a part of it.
const PAGE_BYTES: u64 = 4096;

/// What a sync costs depends on the room: in space that is only allocated the file system has to note what became of it, on
/// threads of its own that wait for a processor like everybody. So the room ahead is filled with zeros before it is needed, where the
/// disk can do that beside the writer.
#[derive(Debug)]
pub(crate) struct Room {
    file: Arc<dyn DiskFile>,
    /// Up to here frames may be written.
    end: u64,
    /// The step behind that, which somebody else writes to until it is joined.
    ahead: Option<JoinHandle<io::Result<()>>>,
    /// Where that was begun last: once from each place, also on a disk that is full.
    begun: u64,
}

impl Room {
    /// The room that a file has already.
    pub(crate) fn of(file: Arc<dyn DiskFile>) -> Self {
        Self { end: file.len(), ahead: None, begun: 0, file }
    }

    /// Makes sure of room up to `needed` bytes.
    ///
    /// # Errors
    /// Those of allocating it: a disk that is full.
    pub(crate) fn reserve(&mut self, needed: u64) -> io::Result<()> {
        if needed > self.end || self.ahead.as_ref().is_some_and(JoinHandle::is_finished) {
            self.join();
        }
        if needed > self.end {
            let length = needed.next_multiple_of(STEP_BYTES);
            self.file.allocate(length).or_else(|_| self.file.allocate(needed))?;
            self.end = self.file.len();
        }
        if self.ahead.is_none() && self.begun < self.end && self.end - needed < STEP_BYTES / 2 {
            self.begun = self.end;
            self.ahead = Arc::clone(&self.file).zero_ahead(self.end, self.end + STEP_BYTES);
        }
        Ok(())
    }

    /// How many zeros to write behind a frame that ends at `end`: a page that is written whole is not read first.
    pub(crate) fn padding(&self, end: u64) -> usize {
        end.next_multiple_of(PAGE_BYTES).min(self.end).saturating_sub(end) as usize
    }

    /// Takes over what was made ready; a step that failed is only allocated when it is needed.
    fn join(&mut self) {
        if let Some(Ok(Ok(()))) = self.ahead.take().map(JoinHandle::join) {
            self.end += STEP_BYTES;
        }
    }

    /// Cuts the file behind the last frame.
    ///
    /// # Errors
    /// Those of the disk.
    pub(crate) fn give_back(&mut self, end: u64) -> io::Result<()> {
        self.join();
        self.end = end;
        self.file.truncate(end).and_then(|()| self.file.sync())
    }
}

/// Whoever opens the file next must find nobody writing to it.
impl Drop for Room {
    fn drop(&mut self) {
        self.join();
    }
}
