//! The threads that queries run on.

use counterfoil::{Error, ErrorKind, Result};
use tokio::runtime::{Builder, Handle, Runtime};

/// The planner recurses over an expression's depth; the stack is only reserved, not used, until something needs it.
const STACK_BYTES: usize = 128 << 20;

/// Threads of their own, one a core: queries compute and read in place, which must not hold up a server's threads.
#[derive(Debug)]
pub(crate) struct Workers(Option<Runtime>);

impl Workers {
    pub(crate) fn start(threads: usize) -> Result<Self> {
        Builder::new_multi_thread()
            .worker_threads(threads.max(2))
            .thread_name("counterfoil-query")
            .thread_stack_size(STACK_BYTES)
            // Deadlines are looked at between a few steps of work, not only when there is none.
            .event_interval(5)
            .enable_time()
            .build()
            .map(|runtime| Self(Some(runtime)))
            .map_err(|error| Error::new(ErrorKind::Unavailable, format!("no threads for queries: {error}")))
    }

    pub(crate) fn handle(&self) -> &Handle {
        match &self.0 {
            Some(runtime) => runtime.handle(),
            None => unreachable!("the runtime goes only when its owner does"),
        }
    }

    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.handle().block_on(future)
    }
}

impl Drop for Workers {
    /// Without waiting, so that the last owner may go in async code too.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
