//! Ending on request: SIGINT and SIGTERM end what takes long or waits for a database.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use counterfoil::{Error, ErrorKind};
use counterfoil_postgres::Patience;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Failure;
use crate::output::{self, DIM, styled};
use crate::text::Printable;

/// How long a command that waits for a database may take to end in good order. A ledger loses nothing when it is ended at once.
const ENDS_WITHIN: Duration = Duration::from_millis(1_500);

/// How long what has to clear up may take: until a second signal.
const AS_LONG_AS_IT_TAKES: Duration = Duration::MAX;

/// What a shell shows of a process that a signal ended.
const EXIT_INTERRUPTED: i32 = 130;
const EXIT_TERMINATED: i32 = 143;

/// A patience that a signal ends. What does not end within a moment, or before a second signal, is ended.
pub fn patience() -> Result<Patience, Failure> {
    let patience = Patience::telling(|what| output::note(styled(DIM, Printable(what))));
    let asked = patience.clone();
    when_asked(move || asked.end(), ENDS_WITHIN)?;
    Ok(patience)
}

/// Set when the process is asked to end; a second time, it ends at once.
pub fn stop() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = stop.clone();
    when_asked(move || asked.store(true, Ordering::Relaxed), AS_LONG_AS_IT_TAKES)?;
    Ok(stop)
}

/// Tells of the first signal; after a second one, or when the time is over, the process ends.
fn when_asked(tell: impl FnOnce() + Send + 'static, ends_within: Duration) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Error::new(ErrorKind::Internal, format!("signals: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let signals = {
        let _entered = runtime.enter();
        (signal(SignalKind::interrupt()).map_err(failed)?, signal(SignalKind::terminate()).map_err(failed)?)
    };
    std::thread::spawn(move || {
        runtime.block_on(async {
            let (mut interrupt, mut terminate) = signals;
            any(&mut interrupt, &mut terminate).await;
            tell();
            let again = tokio::time::timeout(ends_within, any(&mut interrupt, &mut terminate));
            std::process::exit(again.await.unwrap_or(EXIT_TERMINATED));
        });
    });
    Ok(())
}

/// Waits for either signal; the exit code that belongs to it.
async fn any(interrupt: &mut Signal, terminate: &mut Signal) -> i32 {
    tokio::select! {
        _ = interrupt.recv() => EXIT_INTERRUPTED,
        _ = terminate.recv() => EXIT_TERMINATED,
    }
}
