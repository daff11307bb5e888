//! Ending on request: SIGINT and SIGTERM end what waits for a database, and after a moment the process itself.

use std::time::Duration;

use counterfoil::{Error, ErrorKind};
use counterfoil_postgres::Patience;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Failure;
use crate::output::{self, DIM, styled};
use crate::text::Printable;

/// How long a command may take to end in good order. A ledger loses nothing when it is ended at once.
const ENDS_WITHIN: Duration = Duration::from_millis(1_500);

/// A patience that a signal ends. What does not end within a moment, or before a second signal, is ended.
pub fn patience() -> Result<Patience, Failure> {
    let patience = Patience::telling(|what| output::note(styled(DIM, Printable(what))));
    let asked = patience.clone();
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
            asked.end();
            let again = tokio::time::timeout(ENDS_WITHIN, any(&mut interrupt, &mut terminate));
            std::process::exit(again.await.unwrap_or(EXIT_TERMINATED));
        });
    });
    Ok(patience)
}

/// What a shell shows of a process that a signal ended.
const EXIT_INTERRUPTED: i32 = 130;
const EXIT_TERMINATED: i32 = 143;

/// Waits for either signal; the exit code that belongs to it.
async fn any(interrupt: &mut Signal, terminate: &mut Signal) -> i32 {
    tokio::select! {
        _ = interrupt.recv() => EXIT_INTERRUPTED,
        _ = terminate.recv() => EXIT_TERMINATED,
    }
}
