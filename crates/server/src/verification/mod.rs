//! Verifications that the service runs in the background: of what is new every few minutes, of everything every day, of the sealed
//! blocks one after the other, and of the copy and the table. What came of each is recorded as `ledger.verified`.

pub(crate) mod conditions;
mod kept;
mod kind;
mod lane;
mod rounds;
mod run;
mod scrub;
mod work;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use counterfoil::run_in_background;
use counterfoil_entry::Timestamp;
use counterfoil_ship::Bucket;
use serde::Serialize;
use serde_json::json;

use crate::moment::now;
use crate::problem::Problem;
use crate::service::{Service, act};
use crate::settings::Settings;
use kept::Kept;
pub(crate) use kind::{Extent, Kind, Of};
use lane::Lane;
pub(crate) use rounds::rounds;
pub(crate) use run::{Run, Told};
use scrub::Scrub;

/// Runs that are kept in memory, newest first.
const MAX_RUNS: usize = 50;

/// How far a verification under way is.
#[derive(Debug)]
struct Progress {
    started_at: Timestamp,
    checked: AtomicU64,
    total: AtomicU64,
}

impl Progress {
    fn note(&self, checked: u64, total: u64) {
        self.checked.store(checked, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
    }
}

#[derive(Debug)]
struct State {
    lanes: BTreeMap<Kind, Lane>,
    /// The verification of everything that is under way.
    running: Option<Arc<Progress>>,
    /// What was recorded, newest first.
    runs: Vec<Run>,
}

/// The verifications of one service.
pub(crate) struct Verifications {
    state: Mutex<State>,
    /// Whether it was looked for what earlier services verified.
    took_up: AtomicBool,
    of_ledger: Kept,
    of_copy: Kept,
    scrub: Mutex<Scrub>,
    /// The copy, open since it was verified last.
    copy: Mutex<Option<Bucket>>,
}

/// What is answered about them.
#[derive(Debug, Serialize)]
pub(crate) struct Overview {
    running: Option<Under>,
    last: Option<Run>,
    schedule: Vec<Standing>,
    runs: Vec<Run>,
}

#[derive(Debug, Serialize)]
struct Under {
    started_at: String,
    checked: u64,
    total: u64,
}

/// How one kind of verification stands.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Standing {
    pub(crate) of: Of,
    pub(crate) extent: Extent,
    /// How often it is due; 0 is never.
    pub(crate) every_seconds: f64,
    pub(crate) running_since: Option<String>,
    /// When the last ended that was run to its end. Of a scrub, when the block was read that was read longest ago.
    pub(crate) last_at: Option<String>,
    pub(crate) age_seconds: u64,
    pub(crate) findings: Option<u64>,
    /// How many entries, or rows, it read.
    pub(crate) entries_checked: Option<u64>,
    pub(crate) next_at: Option<String>,
    pub(crate) late: bool,
    /// How many in a row could not be run, and why the last could not.
    pub(crate) faults: u64,
    pub(crate) fault: Option<String>,
    #[serde(skip)]
    pub(crate) not_moved: u64,
}

impl Verifications {
    pub(crate) fn new(settings: &Settings) -> Self {
        let lane = |(kind, period): (Kind, Duration)| (kind, Lane::new(kind, period));
        let lanes = Kind::all(settings).into_iter().map(lane).collect();
        Self {
            state: Mutex::new(State { lanes, running: None, runs: Vec::new() }),
            took_up: AtomicBool::new(false),
            of_ledger: Kept::default(),
            of_copy: Kept::default(),
            scrub: Mutex::default(),
            copy: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while held")
    }

    fn kept(&self, of: Of) -> &Kept {
        if of == Of::Copy { &self.of_copy } else { &self.of_ledger }
    }

    /// Whether what earlier services verified is known, as far as it can be.
    pub(crate) fn took_up(&self) -> bool {
        self.took_up.load(Ordering::Acquire)
    }

    /// How many seconds ago the last one of everything that was run to its end ended, and its findings.
    pub(crate) fn last_outcome(&self) -> Option<(i64, u64)> {
        let state = self.state();
        let lane = &state.lanes[&Kind::EVERYTHING];
        let last = lane.last.as_ref()?;
        Some((i64::try_from(lane.age().as_secs()).unwrap_or(i64::MAX), last.findings_total))
    }

    /// What runs, what has run and what is due.
    pub(crate) fn overview(&self) -> Overview {
        let schedule = self.standing();
        let state = self.state();
        let running = state.running.as_ref().map(|running| Under {
            started_at: running.started_at.to_string(),
            checked: running.checked.load(Ordering::Relaxed),
            total: running.total.load(Ordering::Relaxed),
        });
        let last = state.runs.iter().find(|run| run.kind() == Kind::EVERYTHING);
        let last = last.or(state.lanes[&Kind::EVERYTHING].last.as_ref()).cloned();
        Overview { running, last, schedule, runs: state.runs.clone() }
    }

    /// How each kind stands.
    pub(crate) fn standing(&self) -> Vec<Standing> {
        let state = self.state();
        let whole_runs =
            |of| state.lanes.get(&Kind { of, extent: Extent::Whole }).is_some_and(|lane| lane.running_since.is_some());
        // One of everything reads what is new as well.
        let excused = |lane: &Lane| lane.kind.extent == Extent::New && whole_runs(lane.kind.of);
        let standing = |lane: &Lane| Standing {
            of: lane.kind.of,
            extent: lane.kind.extent,
            every_seconds: lane.period.as_secs_f64(),
            running_since: lane.running_since.map(|since| since.to_string()),
            last_at: lane.last.as_ref().map(|run| run.finished_at.clone()),
            age_seconds: lane.age().as_secs(),
            findings: lane.last.as_ref().map(|run| run.findings_total),
            entries_checked: lane.last.as_ref().map(|run| run.entries_checked),
            next_at: (!lane.period.is_zero()).then(|| lane.due.to_string()),
            late: lane.is_late() && !excused(lane),
            faults: if excused(lane) { 0 } else { lane.faults },
            fault: lane.fault.clone(),
            not_moved: lane.last.as_ref().map_or(0, |run| run.not_moved),
        };
        state.lanes.values().map(standing).collect()
    }

    /// What the last verifications found wrong with something and no later one of everything refuted.
    pub(crate) fn findings(&self, of: Of) -> Vec<Told> {
        let state = self.state();
        let last = |extent| state.lanes.get(&Kind { of, extent }).and_then(|lane| lane.last.as_ref());
        let whole = last(Extent::Whole);
        let refuted = |run: &Run| whole.is_some_and(|whole| whole.verified && whole.begun_at() > run.ended());
        let new = last(Extent::New).filter(|run| !refuted(run));
        // Blocks with a fault are read again and again: what the scrub says is of now.
        let runs = [whole, new, last(Extent::Scrub)].into_iter().flatten();
        let mut findings: Vec<Told> = runs.flat_map(|run| run.findings.iter().cloned()).collect();
        findings
            .sort_by(|one, other| (&one.file, one.index, one.offset).cmp(&(&other.file, other.index, other.offset)));
        findings.dedup();
        findings
    }

    /// Whether one of what is new, which has nothing to go on from, leaves it to the next of everything: one runs, or would find
    /// again what was found.
    fn leaves_it_to_the_whole(&self, of: Of) -> bool {
        let state = self.state();
        let lane = |extent| state.lanes.get(&Kind { of, extent });
        let found = |lane: &Lane| lane.last.as_ref().is_some_and(|run| run.findings_total > 0);
        let whole = lane(Extent::Whole).filter(|lane| !lane.period.is_zero());
        whole.is_some_and(|whole| whole.running_since.is_some() || found(whole) || lane(Extent::New).is_some_and(found))
    }

    /// Takes up the runs that earlier services recorded, newest first.
    fn remember(&self, earlier: Vec<Run>) {
        let mut state = self.state();
        for run in &earlier {
            if let Some(lane) = state.lanes.get_mut(&run.kind()) {
                lane.remember(run);
            }
        }
        state.runs.extend(earlier);
        state.runs.truncate(MAX_RUNS);
    }

    /// How long it is until one is due.
    fn due_in(&self, kind: Kind) -> Duration {
        let due = self.state().lanes[&kind].due;
        Duration::from_micros(u64::try_from(due.micros() - now().micros()).unwrap_or_default())
    }

    fn begin(&self, kind: Kind, total: u64) -> Option<Arc<Progress>> {
        let mut state = self.state();
        let lane = state.lanes.get_mut(&kind).filter(|lane| lane.running_since.is_none())?;
        lane.begin();
        let progress = Progress { started_at: now(), checked: AtomicU64::new(0), total: AtomicU64::new(total) };
        let progress = Arc::new(progress);
        if kind == Kind::EVERYTHING {
            state.running = Some(Arc::clone(&progress));
        }
        Some(progress)
    }

    /// Takes in what one came to; what is to be recorded of it.
    fn finish(&self, kind: Kind, run: Run) -> Option<Run> {
        let mut state = self.state();
        if kind.extent == Extent::Whole
            && run.verified
            && let Some(lane) = state.lanes.get_mut(&Kind { extent: Extent::New, ..kind })
        {
            lane.go_on();
        }
        state.lanes.get_mut(&kind)?.finish(run)
    }

    fn keep(&self, run: Run) {
        let mut state = self.state();
        state.runs.insert(0, run);
        state.runs.truncate(MAX_RUNS);
    }
}

/// A verification under way; the next of its kind may begin when it is dropped, however it ended.
struct Turn {
    service: Arc<Service>,
    kind: Kind,
    progress: Arc<Progress>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.service.verifications.state();
        if let Some(lane) = state.lanes.get_mut(&self.kind) {
            lane.running_since = None;
        }
        if self.kind == Kind::EVERYTHING {
            state.running = None;
        }
    }
}

/// Starts a verification of everything.
///
/// # Errors
/// `busy` when one runs already.
pub(crate) fn start(service: &Arc<Service>, caused_by: &str) -> Result<(), Problem> {
    let turn = Turn::take(service, Kind::EVERYTHING);
    turn.ok_or_else(|| Problem::busy("a verification runs already"))?.go(caused_by.to_owned(), || {})
}

impl Turn {
    /// The turn of a kind, unless one of it runs already.
    fn take(service: &Arc<Service>, kind: Kind) -> Option<Self> {
        let progress = service.verifications.begin(kind, service.snapshot().size())?;
        Some(Self { service: Arc::clone(service), kind, progress })
    }

    /// Runs it on a thread of its own, then calls `then`.
    fn go(self, caused_by: String, then: impl FnOnce() + Send + 'static) -> Result<(), Problem> {
        let work = move || {
            // What is recorded of it is a commit like any other.
            let run = std::thread::scope(|scope| {
                let checking = scope.spawn(|| {
                    run_in_background();
                    self.check()
                });
                checking.join().unwrap_or_else(|_| self.failed("a defect stopped it: start the service again"))
            });
            if let Some(run) = run {
                self.record(run, &caused_by);
            }
            drop(self);
            then();
        };
        let thread = std::thread::Builder::new().name("counterfoil-verify".to_owned()).spawn(work);
        thread.map(|_| ()).map_err(|error| Problem::internal(format!("no thread for the verification: {error}")))
    }

    /// Checks, and takes in what that came to; what is to be recorded.
    fn check(&self) -> Option<Run> {
        let verifications = &self.service.verifications;
        if self.kind != scrub::KIND {
            return verifications.finish(self.kind, work::carry_out(&self.service, self.kind, &self.progress));
        }
        let period = verifications.state().lanes[&self.kind].period;
        let step = verifications.scrub.lock().unwrap_or_else(PoisonError::into_inner).go_on(&self.service, period);
        match step {
            Ok((run, to_record)) => verifications.finish(self.kind, run).filter(|_| to_record),
            Err(error) => {
                tracing::error!(detail = error.message, "a sealed segment could not be read again");
                self.failed(&error.message)
            }
        }
    }

    /// Takes in that it could not be run to its end.
    fn failed(&self, why: &str) -> Option<Run> {
        let run = Run::begun(self.kind, self.progress.started_at, 0);
        self.service.verifications.finish(self.kind, Run { fault: Some(why.to_owned()), ..run })
    }

    fn record(&self, run: Run, caused_by: &str) {
        let service = &self.service;
        let origin = service.snapshot().origin().to_string();
        let context = serde_json::to_value(&run).unwrap_or_else(|_| json!({}));
        if let Err(error) = service.backing.record(act("ledger.verified", caused_by, &origin, "ledger", context)) {
            tracing::error!(detail = error.message, "a verification could not be recorded");
        }
        service.verifications.keep(run);
    }
}
