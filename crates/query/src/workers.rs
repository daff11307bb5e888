//! The threads that queries run on.

use counterfoil::{Error, ErrorKind, Result, run_in_background};
use tokio::runtime::{Builder, Handle, Runtime};

/// The planner recurses over an expression's depth; the stack is only reserved, not used, until something needs it.
const STACK_BYTES: usize = 128 << 20;

/// Threads of their own, one a core: queries compute and read in place, which must not hold up a server's threads.
#[derive(Debug)]
pub(crate) struct Workers {
    queries: Option<Runtime>,
    /// One thread that only looks at deadlines: a long step of a query must not hold them up.
    clock: Option<Runtime>,
}

impl Workers {
    pub(crate) fn start(threads: usize) -> Result<Self> {
        let queries = Builder::new_multi_thread()
            .worker_threads(threads.max(2))
            .thread_name("counterfoil-query")
            .thread_stack_size(STACK_BYTES)
            .on_thread_start(run_in_background)
            // Deadlines are looked at between a few steps of work, not only when there is none.
            .event_interval(5)
            .enable_time()
            .build();
        let clock =
            Builder::new_multi_thread().worker_threads(1).thread_name("counterfoil-clock").enable_time().build();
        match (queries, clock) {
            (Ok(queries), Ok(clock)) => Ok(Self { queries: Some(queries), clock: Some(clock) }),
            (Err(error), _) | (_, Err(error)) => {
                Err(Error::new(ErrorKind::Unavailable, format!("no threads for queries: {error}")))
            }
        }
    }

    pub(crate) fn handle(&self) -> &Handle {
        handle_of(&self.queries)
    }

    /// Where timers are made that must fire in time.
    pub(crate) fn clock(&self) -> &Handle {
        handle_of(&self.clock)
    }

    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.handle().block_on(future)
    }
}

fn handle_of(runtime: &Option<Runtime>) -> &Handle {
    match runtime {
        Some(runtime) => runtime.handle(),
        None => unreachable!("the runtimes go only when their owner does"),
    }
}

impl Drop for Workers {
    /// Without waiting, so that the last owner may go in async code too.
    fn drop(&mut self) {
        for runtime in [self.queries.take(), self.clock.take()].into_iter().flatten() {
            runtime.shutdown_background();
        }
    }
}
