//! What the functions of one query may still take.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use counterfoil::Error;
use datafusion::error::{DataFusionError, Result};

use crate::cause::Cause;
use crate::fault::Fault;
use crate::limits::Limits;

/// Bytes that a function over constants may make: such values are kept in the plan, and there may be thousands.
const CONSTANT_BYTES: usize = 256 << 10;

/// What the functions of one query may still take. The engine's memory pool counts what operators hold, not what a function
/// makes of its arguments, and its time limit is looked at between batches only.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    limits: Limits,
    deadline: Option<Instant>,
    stopped: Arc<AtomicBool>,
    fault: Fault,
}

impl Budget {
    pub(crate) fn new(limits: Limits, deadline: Option<Instant>, stopped: Arc<AtomicBool>, fault: Fault) -> Self {
        Self { limits, deadline, stopped, fault }
    }

    /// Refuses to make a value of this many bytes, or anything more at the end of the query's time.
    pub(crate) fn take(&self, bytes: usize, constant: bool) -> Result<()> {
        if self.stopped.load(Ordering::Relaxed) {
            return Err(DataFusionError::Execution("nobody waits for the query any more".to_owned()));
        }
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return self.refuse(self.limits.time_is_up());
        }
        if constant && bytes > CONSTANT_BYTES {
            let message = format!("memory limit reached: a constant may be at most {CONSTANT_BYTES} bytes");
            return self.refuse(Cause::limit(message));
        }
        if bytes > self.limits.memory_bytes || crate::memory::is_short_of(bytes) {
            return self.refuse(self.limits.memory_is_used_up());
        }
        Ok(())
    }

    pub(crate) fn refuse<T>(&self, error: Error) -> Result<T> {
        Err(self.fault.raise(error))
    }
}
