//! The threads that read the ledger for requests: behind those that record, when the processors are busy.

use counterfoil::{Error, ErrorKind, Result, run_in_background};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// Requests that read at once; more wait.
const MOST_THREADS: usize = 64;

/// Threads that may wait, in the background.
#[derive(Debug)]
pub(crate) struct Readers(Option<Runtime>);

impl Readers {
    pub(crate) fn start() -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(MOST_THREADS)
            .thread_name("counterfoil-read")
            .on_thread_start(run_in_background)
            .build();
        let unavailable = |error| Error::new(ErrorKind::Unavailable, format!("no threads for readers: {error}"));
        runtime.map(|runtime| Self(Some(runtime))).map_err(unavailable)
    }

    pub(crate) fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        self.0.as_ref().expect("it goes only when its owner does").spawn_blocking(work)
    }
}

impl Drop for Readers {
    /// Without waiting, so that the owner may go in async code too.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
