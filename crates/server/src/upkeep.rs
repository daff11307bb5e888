//! Work beside the service that is done when there is something to do, and tried again when it fails.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use counterfoil::{Error, ErrorKind, Result};

use crate::moment::now;

/// The pause after a failure; it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The longest pause after a failure.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
/// How long work under way may take when the service ends; then it is left to the next start.
const CLOSING_TIME: Duration = Duration::from_secs(5);

/// Something to do again and again.
pub(crate) trait Work: Send + 'static {
    /// How often it is looked whether there is something to do.
    const LOOK: Duration;

    /// Does what there is to do; false when that was nothing.
    ///
    /// # Errors
    /// What kept it from being done: it is tried again.
    fn run(&mut self) -> Result<bool>;
}

/// How the work goes.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    /// When something was done last.
    pub(crate) last_done_at: Option<String>,
    /// Attempts that failed since the last one that did not.
    pub(crate) failures: u64,
    /// Why the last attempt failed.
    pub(crate) fault: Option<String>,
    failing_since: Option<Instant>,
}

impl State {
    /// For how long it has been failing.
    pub(crate) fn failing(&self) -> Option<Duration> {
        self.failing_since.map(|since| since.elapsed())
    }
}

/// A thread that does the work.
pub(crate) struct Upkeep {
    state: Arc<Mutex<State>>,
    /// Closed to end the thread.
    end: Option<Sender<()>>,
    /// Closed when the thread has ended.
    ended: Mutex<Receiver<()>>,
}

impl Upkeep {
    pub(crate) fn start<W: Work>(name: &str, work: W) -> Result<Self> {
        let state = Arc::new(Mutex::new(State::default()));
        let (end, ending) = channel();
        let (alive, ended) = channel();
        let seen = Arc::clone(&state);
        let body = move || {
            let _alive: Sender<()> = alive;
            keep_on(work, &seen, &ending);
        };
        let thread = std::thread::Builder::new().name(format!("counterfoil-{name}")).spawn(body);
        thread.map_err(|error| Error::new(ErrorKind::Unavailable, format!("no thread for {name}: {error}")))?;
        Ok(Self { state, end: Some(end), ended: Mutex::new(ended) })
    }

    pub(crate) fn state(&self) -> State {
        self.state.lock().expect("no panic while held").clone()
    }

    /// Ends it, if it ends in time.
    pub(crate) fn close(mut self) {
        drop(self.end.take());
        let _ = self.ended.lock().expect("no panic while held").recv_timeout(CLOSING_TIME);
    }
}

fn keep_on<W: Work>(mut work: W, state: &Mutex<State>, ending: &Receiver<()>) {
    let mut pause = FIRST_PAUSE;
    let mut wait = Duration::ZERO;
    while matches!(ending.recv_timeout(wait), Err(RecvTimeoutError::Timeout)) {
        let done = work.run();
        let mut state = state.lock().expect("no panic while held");
        match done {
            Ok(done) => {
                let last_done_at = if done { Some(now().to_string()) } else { state.last_done_at.take() };
                *state = State { last_done_at, ..State::default() };
                (wait, pause) = (W::LOOK, FIRST_PAUSE);
            }
            Err(error) => {
                state.failures += 1;
                state.fault = Some(error.to_string());
                state.failing_since.get_or_insert_with(Instant::now);
                (wait, pause) = (pause, (pause * 2).min(LONGEST_PAUSE));
            }
        }
    }
}
