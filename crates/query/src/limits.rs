//! How much one query may take.

use std::time::{Duration, Instant};

use counterfoil::Error;

use crate::cause::Cause;

/// How much one query may take before it is stopped with an `Unavailable` error that names the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Wall-clock time from the call to the last row that is taken.
    pub time: Duration,
    /// Bytes that sorting, grouping and joining may hold at once. Nothing spills to disk.
    pub memory_bytes: usize,
    /// Rows that an answer may have. The rows before the limit are delivered, then the error.
    pub rows: u64,
}

impl Default for Limits {
    /// 30 seconds, 1 GiB, 1,000,000 rows.
    fn default() -> Self {
        Self { time: Duration::from_secs(30), memory_bytes: 1 << 30, rows: 1_000_000 }
    }
}

impl Limits {
    /// No limits, for exports by whoever owns the machine.
    pub const NONE: Self = Self { time: Duration::MAX, memory_bytes: usize::MAX, rows: u64::MAX };

    /// When a query that starts now must have ended; `None` when that lies beyond the clock's range.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        Instant::now().checked_add(self.time)
    }

    pub(crate) fn time_is_up(&self) -> Error {
        let message = format!("time limit reached: the query ran for {:?}", self.time);
        Cause::limit(message)
    }

    pub(crate) fn memory_is_used_up(&self) -> Error {
        Cause::limit(format!(
            "memory limit reached: a function of the query would make more than {} MiB at once",
            self.memory_bytes >> 20
        ))
    }

    pub(crate) fn too_many_rows(&self) -> Error {
        let message =
            format!("row limit reached: the answer has more than {} rows, which came before this error", self.rows);
        Cause::limit(message)
    }
}
