//! Rules over a ledger that goes on: every committed entry once, every alert in the ledger once.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use counterfoil::{Disk, ErrorKind, Ledger, OsDisk, Result, Snapshot};
use counterfoil_entry::{ActorType, Draft, Fields, Timestamp};
use serde_json::json;

use crate::alert::{ALERT_RAISED, Alert};
use crate::engine::{Engine, Firing, Load};
use crate::folder::{Stamp, Texts};
use crate::mark::Mark;
use crate::problem::Problem;
use crate::record::Record;
use crate::set::RuleSet;
use crate::source;
use crate::state::{Memory, State, StateFile};

/// Entries of one step.
const MAX_STEP: u64 = 8_192;
/// Alerts that wait for their commit; a step ends when there are as many.
const MAX_PENDING: usize = 1_000;
/// Entries after which the ledger is told how far the rules came, and the time after which it is. After a crash they look again
/// from there.
const MARK_ENTRIES: u64 = 1 << 19;
const MARK_INTERVAL: Duration = Duration::from_secs(3600);
/// How often the folder of rules is looked at.
const RELOAD_INTERVAL: Duration = Duration::from_secs(1);
/// Problems that the entry about new rules names.
const MAX_NAMED_PROBLEMS: usize = 20;

/// Where a watcher begins that has no state yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At the first entry: the past raises alerts too.
    Beginning,
    /// At the next entry; the past is for `rules backtest`.
    End,
}

/// Watches one ledger with the rules of one folder. One a ledger, beside its writer.
#[derive(Debug)]
pub struct Watcher {
    engine: Engine,
    folder: PathBuf,
    stamp: Stamp,
    file: StateFile,
    /// The first entry that the rules have not seen.
    cursor: u64,
    /// What the ledger was told last of how far they came, and when.
    marked: u64,
    marked_at: Instant,
    /// Whether they have seen an entry since that is not the ledger's own: it does not feed itself.
    seen: bool,
    /// What the ledger was told of and the disk has not taken yet.
    unsaved: Option<Vec<u8>>,
    looked_at: Instant,
    /// Alerts that are not in the ledger yet.
    pending: Vec<Alert>,
    /// Whether the ledger has been told of these rules.
    announced: bool,
    /// Why the newest look at the folder of rules failed.
    fault: Option<String>,
    /// What was wrong with what the rules remembered.
    forgot: Option<String>,
    /// Whether its alerts are those of a drill.
    drill: bool,
}

/// What one step did.
#[derive(Debug, Default)]
pub struct Step {
    /// How many entries the rules saw.
    pub entries: u64,
    /// The alerts that are in the ledger now.
    pub alerts: Vec<Alert>,
    /// How many entries wait.
    pub behind: u64,
    /// Whether the rules were read anew.
    pub reloaded: bool,
}

impl Watcher {
    /// A watcher for the ledger in a folder, which goes on where the last one was, as far as the ledger knows it.
    ///
    /// Errors: those of reading the folder of rules; `Tampered` when the ledger is not the one that was watched, or was
    /// rolled back; `Damaged` when the state cannot be read and the ledger does not say from where to go on.
    pub fn open(ledger: &Path, rules: &Path, snapshot: &Snapshot, start: Start) -> Result<Self> {
        Self::open_on(ledger, rules, snapshot, start, Arc::new(OsDisk))
    }

    /// The same on another disk.
    pub fn open_on(
        ledger: &Path,
        rules: &Path,
        snapshot: &Snapshot,
        start: Start,
        disk: Arc<dyn Disk>,
    ) -> Result<Self> {
        let stamp = Stamp::of(rules)?;
        let set = RuleSet::of(&Texts::of(&stamp));
        let file = StateFile::of(ledger, disk);
        let mut engine = Engine::new(Arc::new(set))?;
        let Memory { state, cursor, fault: forgot } = file.recall(snapshot)?;
        let fresh = state.is_none() && cursor.is_none();
        let begin = if start == Start::Beginning { 0 } else { snapshot.size() };
        let announced = state.as_ref().is_some_and(|state| state.rules == engine.rules().digest);
        if let Some(state) = state {
            engine.restore(state.engine);
        }
        let cursor = cursor.unwrap_or(begin);
        let now = Instant::now();
        let mut watcher = Self {
            engine,
            folder: rules.to_owned(),
            stamp,
            file,
            cursor,
            marked: cursor,
            marked_at: now,
            seen: false,
            unsaved: None,
            looked_at: now,
            pending: Vec::new(),
            announced,
            fault: None,
            forgot,
            drill: false,
        };
        if fresh {
            watcher.unsaved = Some(watcher.state(snapshot)?.to_bytes());
            watcher.save_rest()?;
        }
        Ok(watcher)
    }

    /// The same watcher, whose alerts say that they were raised in a drill.
    pub fn in_drill(self, drill: bool) -> Self {
        Self { drill, ..self }
    }

    /// Shows the rules what was committed since, and records the alerts they raise. Call it after commits and about once a
    /// second; while [`Step::behind`] is not 0 there is more to do.
    ///
    /// Errors: those of reading, recording and saving. Nothing is lost: the next step goes on with what is left.
    pub fn step(&mut self, ledger: &Ledger) -> Result<Step> {
        let reloaded = self.reload_when_due()?;
        self.save_rest()?;
        let mut alerts = self.raise(ledger)?;
        if !self.announced {
            self.announce(ledger)?;
            alerts.extend(self.mark(ledger)?);
        }
        let now = now();
        let snapshot = ledger.snapshot();
        let before = self.cursor;
        self.look(&snapshot)?;
        if self.cursor == snapshot.size() {
            let over = self.engine.pass(now);
            over.iter().for_each(|firing| self.pend(firing));
        }
        alerts.extend(self.raise(ledger)?);
        let due = self.seen && self.marked_at.elapsed() >= MARK_INTERVAL;
        if due || self.cursor - self.marked >= MARK_ENTRIES {
            alerts.extend(self.mark(ledger)?);
        }
        Ok(Step { entries: self.cursor - before, alerts, behind: snapshot.size() - self.cursor, reloaded })
    }

    /// Tells the ledger where it is before it is due. Call it before the ledger is closed, so that the next watcher need not
    /// look at the same entries again.
    pub fn save(&mut self, ledger: &Ledger) -> Result<()> {
        self.save_rest()?;
        self.raise(ledger)?;
        if self.seen { self.mark(ledger).map(drop) } else { Ok(()) }
    }

    /// The first entry that the rules have not seen.
    pub fn cursor(&self) -> u64 {
        self.cursor
    }

    /// The rules that it watches with.
    pub fn rules(&self) -> &RuleSet {
        self.engine.rules()
    }

    /// How full the memory of the rules is.
    pub fn load(&self) -> Load {
        self.engine.load()
    }

    /// Why the folder of rules could not be read anew; the old rules stay in force.
    pub fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// What was wrong with what the rules remembered: from where they look again then.
    pub fn forgot(&self) -> Option<&str> {
        self.forgot.as_deref()
    }

    fn look(&mut self, snapshot: &Snapshot) -> Result<()> {
        let range = self.cursor..snapshot.size().min(self.cursor + MAX_STEP);
        source::read(snapshot, range, &mut |index, canonical| {
            if let Some(record) = Record::read(index, canonical)? {
                self.seen |= !record.is_own();
                let firings = self.engine.observe(&record);
                firings.iter().for_each(|firing| self.pend(firing));
            }
            self.cursor = index + 1;
            Ok(if self.pending.len() < MAX_PENDING { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })
    }

    /// Puts the alert of a firing among those that wait.
    fn pend(&mut self, firing: &Firing) {
        let rule = self.engine.rule(firing);
        if !rule.base {
            self.pending.push(Alert { drill: self.drill, ..Alert::of(rule, firing) });
        }
    }

    /// Records the alerts that wait, in commits of a bounded size.
    fn raise(&mut self, ledger: &Ledger) -> Result<Vec<Alert>> {
        let mut raised = Vec::new();
        while !self.pending.is_empty() {
            let count = self.pending.len().min(MAX_PENDING);
            record(ledger, &self.pending[..count])?;
            raised.extend(self.pending.drain(..count));
        }
        Ok(raised)
    }

    /// Records how far the rules came and the digest of what they remember, and then writes that down: at the next start it is
    /// believed because the ledger knows it.
    fn mark(&mut self, ledger: &Ledger) -> Result<Vec<Alert>> {
        let raised = self.raise(ledger)?;
        let state = self.state(&ledger.snapshot())?.to_bytes();
        ledger.record_act(Mark::of(self.cursor, &state).entry())?;
        (self.marked, self.marked_at, self.seen) = (self.cursor, Instant::now(), false);
        self.unsaved = Some(state);
        self.save_rest()?;
        Ok(raised)
    }

    fn save_rest(&mut self) -> Result<()> {
        if let Some(state) = &self.unsaved {
            self.file.save(state)?;
            self.unsaved = None;
        }
        Ok(())
    }

    fn state(&self, snapshot: &Snapshot) -> Result<State> {
        State::at(self.cursor, &self.announced_rules(), self.engine.state(), snapshot)
    }

    fn announced_rules(&self) -> String {
        if self.announced { self.engine.rules().digest.clone() } else { String::new() }
    }

    /// Takes the folder's rules when they changed; what the old rules remember goes over to those that stay.
    fn reload_when_due(&mut self) -> Result<bool> {
        if self.looked_at.elapsed() < RELOAD_INTERVAL {
            return Ok(false);
        }
        self.looked_at = Instant::now();
        let stamp = match Stamp::of(&self.folder) {
            Ok(stamp) => stamp,
            Err(error) => {
                self.fault = Some(error.message);
                return Ok(false);
            }
        };
        self.fault = None;
        if stamp == self.stamp && !stamp.is_fresh() {
            return Ok(false);
        }
        let texts = Texts::of(&stamp);
        self.stamp = stamp;
        if texts.digest() == self.engine.rules().digest {
            return Ok(false);
        }
        let mut engine = Engine::new(Arc::new(RuleSet::of(&texts)))?;
        engine.restore(self.engine.state());
        (self.engine, self.announced) = (engine, false);
        Ok(true)
    }

    /// Records which rules are in force from here on.
    fn announce(&mut self, ledger: &Ledger) -> Result<()> {
        let RuleSet { rules, problems, digest, .. } = self.engine.rules();
        let skipped: Vec<&Problem> = problems.iter().filter(|problem| problem.skipped).collect();
        let named: Vec<String> = skipped.iter().take(MAX_NAMED_PROBLEMS).map(ToString::to_string).collect();
        let act = Draft::builder("ledger.rules_loaded", "counterfoil", "rules")
            .actor_type(ActorType::Service)
            .entity_type("rules")
            .context(json!({
                "digest": digest, "rules": rules.len(), "skipped": skipped.len(), "problems": named, "from": self.cursor,
            }));
        ledger.record_act(act)?;
        self.announced = true;
        Ok(())
    }
}

/// What time it is on this machine.
pub fn now() -> Timestamp {
    Timestamp::from_micros(jiff::Timestamp::now().as_microsecond())
}

/// Records alerts. One that the ledger has already is not recorded again, whatever it says: rules may have changed since.
fn record(ledger: &Ledger, alerts: &[Alert]) -> Result<()> {
    let mut acts: Vec<_> = alerts.iter().map(|alert| (alert, alert.id.clone())).collect();
    while !acts.is_empty() {
        let entries = acts.iter().map(|(alert, id)| alert.entry_as(id)).collect();
        match ledger.record_acts(entries) {
            Ok(_) => return Ok(()),
            Err(error) if error.kind == ErrorKind::Conflict && error.position.is_some_and(|at| at < acts.len()) => {
                let at = error.position.unwrap_or_default();
                let (alert, id) = &mut acts[at];
                if is_raised(&ledger.snapshot(), alert)? {
                    acts.remove(at);
                } else {
                    // A client took the id for an entry of its own.
                    id.push('~');
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether an alert is in the ledger. Only the ledger itself records entries of this type.
fn is_raised(snapshot: &Snapshot, alert: &Alert) -> Result<bool> {
    let entries = snapshot.history(&alert.id)?;
    Ok(entries.iter().any(|(_, bytes)| Fields::split(bytes).is_ok_and(|fields| fields.event_type == ALERT_RAISED)))
}
