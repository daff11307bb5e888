//! How long one waits for a server, who may end the waiting, and who hears of a long one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use counterfoil::{Error, ErrorKind};

/// How often a wait looks around.
pub(crate) const LOOK: Duration = Duration::from_millis(200);
/// How long a server may be silent that is asked for what takes no work.
pub(crate) const ANSWERS_WITHIN: Duration = Duration::from_secs(15);
/// After so much silence during work another connection asks whether the server is still at it.
pub(crate) const ASK_AFTER: Duration = Duration::from_secs(5);
/// The longest pause between two such questions; the first ones follow each other at twice the silence.
pub(crate) const ASKS_EVERY: Duration = Duration::from_secs(60);
/// How long a server may work on one statement without sending anything.
pub(crate) const WORKS_AT_MOST: Duration = Duration::from_secs(3_600);

/// Ends what waits for a server, and is told what a long wait is about. Copies belong together.
#[derive(Debug, Clone)]
pub struct Patience {
    over: Arc<AtomicBool>,
    told: fn(&str),
}

impl Patience {
    /// With somebody who is told, in a sentence, what the server has been doing for seconds.
    pub fn telling(told: fn(&str)) -> Self {
        Self { over: Arc::default(), told }
    }

    /// Ended by whoever sets this.
    pub fn ended_by(over: Arc<AtomicBool>) -> Self {
        Self { over, told: |_| () }
    }

    /// Ends every wait within a moment.
    pub fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// Whether it was ended.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    pub(crate) fn tell(&self, what: &str) {
        (self.told)(what);
    }

    /// What a wait that was ended answers.
    pub(crate) fn stopped() -> Error {
        Error::new(ErrorKind::Closed, "stopped on request")
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self::telling(|_| ())
    }
}
