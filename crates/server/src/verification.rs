//! Verifications that the service runs: one at a time, on a thread of its own, each recorded as `ledger.verified`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use counterfoil::{VerifyOptions, run_in_background};
use counterfoil_entry::Timestamp;
use counterfoil_evidence::{Finding, Report};
use counterfoil_query::Order;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::moment::now;
use crate::problem::Problem;
use crate::service::{Service, act};

/// Findings that an entry and an answer hold; the rest is counted.
const MAX_FINDINGS: usize = 100;

/// Entries among which earlier runs are looked for at the start, so that its cost does not grow with the ledger.
const LOOK_BACK: u64 = 1 << 20;

/// Runs that are kept in memory, newest first.
const MAX_RUNS: usize = 50;

/// One verification that ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Run {
    started_at: String,
    finished_at: String,
    verified: bool,
    tree_size: u64,
    anchored: bool,
    #[serde(default)]
    compared_against: Vec<String>,
    findings: Vec<Told>,
    findings_total: u64,
    /// Why it could not be run to its end.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    fault: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Told {
    kind: String,
    class: String,
    file: Option<String>,
    offset: Option<u64>,
    index: Option<u64>,
    message: String,
}

/// A verification under way.
#[derive(Debug)]
struct Running {
    started_at: Timestamp,
    checked: AtomicU64,
    total: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    running: Option<Arc<Running>>,
    runs: Vec<Run>,
}

/// The verifications of one service.
#[derive(Debug, Default)]
pub(crate) struct Verifications(Mutex<State>);

/// What is answered about them.
#[derive(Debug, Serialize)]
pub(crate) struct Overview {
    running: Option<Progress>,
    last: Option<Run>,
    runs: Vec<Run>,
}

#[derive(Debug, Serialize)]
struct Progress {
    started_at: String,
    checked: u64,
    total: u64,
}

impl Verifications {
    /// How many seconds ago the last one that was run to its end ended, and its findings.
    pub(crate) fn last_outcome(&self) -> Option<(i64, u64)> {
        let state = self.0.lock().expect("no panic while held");
        let run = state.runs.iter().find(|run| run.fault.is_none())?;
        let finished_at = Timestamp::parse(&run.finished_at).ok()?;
        let age_seconds = (now().micros() - finished_at.micros()).max(0) / 1_000_000;
        Some((age_seconds, run.findings_total))
    }

    /// What runs and what has run.
    pub(crate) fn overview(&self) -> Overview {
        let state = self.0.lock().expect("no panic while held");
        let running = state.running.as_ref().map(|running| Progress {
            started_at: running.started_at.to_string(),
            checked: running.checked.load(Ordering::Relaxed),
            total: running.total.load(Ordering::Relaxed),
        });
        Overview { running, last: state.runs.first().cloned(), runs: state.runs.clone() }
    }

    /// Takes up the runs that earlier services recorded, newest first.
    pub(crate) fn remember(&self, earlier: Vec<Run>) {
        let mut state = self.0.lock().expect("no panic while held");
        state.runs.extend(earlier);
        state.runs.truncate(MAX_RUNS);
    }

    fn begin(&self, total: u64) -> Option<Arc<Running>> {
        let mut state = self.0.lock().expect("no panic while held");
        if state.running.is_some() {
            return None;
        }
        let running = Running { started_at: now(), checked: AtomicU64::new(0), total: AtomicU64::new(total) };
        Some(Arc::clone(state.running.insert(Arc::new(running))))
    }

    fn finish(&self, run: Run) {
        let mut state = self.0.lock().expect("no panic while held");
        state.runs.insert(0, run);
        state.runs.truncate(MAX_RUNS);
    }
}

/// The one verification under way; the next may begin when it is dropped, however it ended.
struct Turn {
    service: Arc<Service>,
    running: Arc<Running>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.service.verifications.0.lock().expect("no panic while held").running = None;
    }
}

/// How long it rests before it tries again to read what earlier services verified.
const REST: Duration = Duration::from_secs(30);

/// Starts a verification of the whole ledger.
///
/// # Errors
/// `busy` when one runs already.
pub(crate) fn start(service: &Arc<Service>, caused_by: &str) -> Result<(), Problem> {
    let Some(running) = service.verifications.begin(service.snapshot().size()) else {
        return Err(Problem::busy("a verification runs already"));
    };
    let (turn, caused_by) = (Turn { service: Arc::clone(service), running }, caused_by.to_owned());
    let work = move || {
        let Turn { service, running } = &turn;
        // What is recorded of it is a commit like any other.
        let run = std::thread::scope(|scope| {
            let checking = scope.spawn(|| {
                run_in_background();
                carry_out(service, running)
            });
            checking.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        let origin = service.snapshot().origin().to_string();
        let context = serde_json::to_value(&run).unwrap_or_else(|_| json!({}));
        let recorded = service.backing.record(act("ledger.verified", &caused_by, &origin, "ledger", context));
        if let Err(error) = recorded {
            tracing::error!(detail = error.message, "a verification could not be recorded");
        }
        service.verifications.finish(run);
    };
    let thread = std::thread::Builder::new().name("counterfoil-verify".to_owned()).spawn(work);
    thread.map(|_| ()).map_err(|error| Problem::internal(format!("no thread for the verification: {error}")))
}

fn carry_out(service: &Service, running: &Running) -> Run {
    let snapshot = service.snapshot();
    let progress = |checked, total| {
        running.checked.store(checked, Ordering::Relaxed);
        running.total.store(total, Ordering::Relaxed);
    };
    let options = VerifyOptions {
        checkpoint: Some(snapshot.checkpoint().as_bytes().to_vec()),
        // One: writers and readers go on meanwhile.
        threads: 1,
        progress: Some(&progress),
        ..VerifyOptions::default()
    };
    let outcome = service.backing.verify(&options);
    let run = Run {
        started_at: running.started_at.to_string(),
        finished_at: now().to_string(),
        verified: false,
        tree_size: service.snapshot().size(),
        anchored: false,
        compared_against: Vec::new(),
        findings: Vec::new(),
        findings_total: 0,
        fault: None,
    };
    match outcome {
        Ok(report) => told(run, &report),
        Err(error) => {
            tracing::error!(detail = error.message, "the verification could not be run");
            Run { fault: Some(error.message), ..run }
        }
    }
}

fn told(run: Run, report: &Report) -> Run {
    let tell = |finding: &Finding| Told {
        kind: finding.kind.name().to_owned(),
        class: finding.kind.class().name().to_owned(),
        file: finding.file.clone(),
        offset: finding.offset,
        index: finding.index,
        message: finding.message.chars().take(300).collect(),
    };
    if !report.is_clean() {
        tracing::error!(findings = report.findings.len(), "the verification found that the ledger was changed");
    }
    Run {
        verified: report.is_clean(),
        tree_size: report.size,
        // The checkpoint that it was compared with is the service's own: nothing from outside.
        anchored: false,
        compared_against: report.compared_against.clone(),
        findings: report.findings.iter().take(MAX_FINDINGS).map(tell).collect(),
        findings_total: report.findings.len() as u64,
        ..run
    }
}

/// Takes up what earlier services verified, then verifies as often as the settings say.
pub(crate) async fn rounds(service: Arc<Service>) {
    loop {
        match service.blocking(|service| Ok(earlier(service)?)).await {
            Ok(runs) => break service.verifications.remember(runs),
            Err(problem) => {
                tracing::error!(detail = problem.detail, "earlier verifications cannot be read; it is tried again");
            }
        }
        tokio::time::sleep(REST).await;
    }
    let every = service.settings.verify_every;
    if every.is_zero() {
        return;
    }
    loop {
        tokio::time::sleep(every).await;
        if let Err(problem) = start(&service, "counterfoil") {
            tracing::warn!(detail = problem.detail, "the scheduled verification was left out");
        }
    }
}

fn earlier(service: &Service) -> counterfoil::Result<Vec<Run>> {
    let snapshot = service.snapshot();
    let from = snapshot.size().saturating_sub(LOOK_BACK);
    let runs = format!("index >= {from} AND event_type = 'ledger.verified'");
    let indices = service.engine.select_indices(&snapshot, &runs, Order::Newest(MAX_RUNS))?;
    let mut runs = Vec::with_capacity(indices.len());
    for bytes in snapshot.entries(&indices)? {
        let fields = counterfoil_entry::Fields::split(&bytes)?;
        runs.extend(fields.context.and_then(|context| serde_json::from_str(context).ok()));
    }
    Ok(runs)
}
