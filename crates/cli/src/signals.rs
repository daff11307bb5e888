//! Ending on SIGINT and SIGTERM what works for a long time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use counterfoil::{Error, ErrorKind};

use crate::exit::Failure;

/// Set when the process is asked to end; a second time, it ends at once.
pub fn stop() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = stop.clone();
    let failed = |error: std::io::Error| Error::new(ErrorKind::Internal, format!("signals: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            use tokio::signal::unix::{SignalKind, signal};
            let (Ok(mut interrupt), Ok(mut end)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
            else {
                return;
            };
            tokio::select! { _ = interrupt.recv() => {}, _ = end.recv() => {} }
            asked.store(true, Ordering::Relaxed);
            // A second signal ends it at once: nothing is lost by that.
            tokio::select! { _ = interrupt.recv() => {}, _ = end.recv() => {} }
            std::process::exit(130);
        });
    });
    Ok(stop)
}
