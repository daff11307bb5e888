//! The rules that watch a ledger while it is served.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use counterfoil::{Error, ErrorKind, Ledger, Result};
use counterfoil_watch::{Load, Start, Watcher};
use serde::Serialize;

/// How often new commits are looked for.
const STEP: Duration = Duration::from_millis(100);

/// How long a watcher rests that could not go on.
const REST: Duration = Duration::from_secs(1);

/// Left-out rules that are named.
const MAX_NAMED: usize = 100;

/// The rules of one ledger, on a thread of their own.
pub(crate) struct Watching {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    ending: AtomicBool,
}

/// How the watcher is.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct State {
    folder: PathBuf,
    /// Rules in force.
    pub(crate) loaded: usize,
    /// Documents that were left out.
    pub(crate) skipped: Vec<Skipped>,
    /// The first entry that the rules have not seen.
    pub(crate) cursor: u64,
    /// How many entries wait for them.
    pub(crate) behind: u64,
    /// Alerts raised since the start.
    pub(crate) alerts: u64,
    /// How full the memory of the rules is, and what it had to forget.
    load: Load,
    /// What was wrong with what the rules remembered.
    #[serde(skip)]
    pub(crate) forgot: Option<String>,
    /// Why it does not go on.
    pub(crate) fault: Option<String>,
    /// When it last came to the end of the ledger, or a good step towards it.
    #[serde(skip)]
    pub(crate) moved: Option<Instant>,
}

/// A document that is no rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Skipped {
    file: String,
    document: usize,
    reason: String,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.reason)
    }
}

impl Watching {
    /// Starts to watch a ledger with the rules of a folder.
    ///
    /// # Errors
    /// Those of reading the folder of rules.
    pub(crate) fn start(folder: &Path, rules: &Path, ledger: &Arc<Ledger>, drill: bool) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        shared.state().folder = rules.to_owned();
        let watcher = match Watcher::open(folder, rules, &ledger.snapshot(), Start::End) {
            Ok(watcher) => watcher.in_drill(drill),
            // What the rules remember lies in `state/`: it keeps no ledger from recording, and a condition says it.
            Err(error) if matches!(error.kind, ErrorKind::Tampered | ErrorKind::Damaged) => {
                tracing::error!(detail = error.message, "the rules do not watch");
                shared.state().fault = Some(error.message);
                return Ok(Self { shared, thread: None });
            }
            Err(error) => return Err(error),
        };
        shared.told(&watcher);
        let (in_thread, ledger) = (Arc::clone(&shared), Arc::downgrade(ledger));
        let work = move || {
            let watched = catch_unwind(AssertUnwindSafe(|| in_thread.watch(watcher, &ledger)));
            if watched.is_err() {
                in_thread.state().fault = Some("a defect stopped the watcher: start the service again".to_owned());
            }
        };
        let thread = std::thread::Builder::new().name("counterfoil-watch".to_owned()).spawn(work);
        let no_thread = |error| Error::new(ErrorKind::Unavailable, format!("no thread to watch: {error}"));
        Ok(Self { shared, thread: Some(thread.map_err(no_thread)?) })
    }

    /// How it is.
    pub(crate) fn state(&self) -> State {
        self.shared.state().clone()
    }

    /// Lets it note where it is, and ends it.
    pub(crate) fn close(mut self) {
        self.shared.ending.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while held")
    }

    fn watch(&self, mut watcher: Watcher, ledger: &Weak<Ledger>) {
        while !self.ending.load(Ordering::Relaxed) {
            let Some(ledger) = ledger.upgrade() else { return };
            let pause = match watcher.step(&ledger) {
                Ok(step) => {
                    self.told(&watcher);
                    let mut state = self.state();
                    (state.behind, state.moved) = (step.behind, Some(Instant::now()));
                    state.alerts += step.alerts.len() as u64;
                    if step.behind == 0 { STEP } else { Duration::ZERO }
                }
                Err(error) => {
                    tracing::error!(detail = error.message, "the rules could not go on; they try again");
                    self.state().fault = Some(error.message);
                    REST
                }
            };
            drop(ledger);
            std::thread::sleep(pause);
        }
        let saved = ledger.upgrade().map_or(Ok(()), |ledger| watcher.save(&ledger));
        if let Err(error) = saved {
            tracing::warn!(
                detail = error.message,
                "where the rules are could not be saved; they look at some entries again"
            );
        }
    }

    fn told(&self, watcher: &Watcher) {
        let rules = watcher.rules();
        let skipped = rules.problems.iter().filter(|problem| problem.skipped).take(MAX_NAMED);
        let skipped = skipped.map(|problem| Skipped {
            file: problem.place.file.clone(),
            document: problem.place.document,
            reason: problem.reason.clone(),
        });
        let mut state = self.state();
        state.loaded = rules.rules.len();
        state.skipped = skipped.collect();
        state.cursor = watcher.cursor();
        state.load = watcher.load();
        state.fault = watcher.fault().map(str::to_owned);
        state.forgot = watcher.forgot().map(str::to_owned);
    }
}
