//! What no rule over entries can see: how the ledger, its copy, its sinks and its sources are. A condition that begins to hold
//! raises an alert, once; when it holds no more, the alert is resolved.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use counterfoil::{ErrorKind, Result, SourceStatus};
use counterfoil_watch::{Alert, GroupMember};
use rustix::fs::statvfs;
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::inbox::{self, Ask, LEVELS, Wanted};
use crate::moment::now;
use crate::service::{Service, act};
use crate::upkeep;
use crate::verification::conditions::{is_of_verifications, tampering, verification};

/// How often conditions are looked at.
const STEP: Duration = Duration::from_secs(5);

/// How far the copy may be behind.
const MAX_SHIP_LAG: Duration = Duration::from_secs(300);

/// How long a sink may fail, and the rules may stand still.
const PATIENCE: Duration = Duration::from_secs(300);
const MAX_STANDSTILL: Duration = Duration::from_secs(60);

/// The share of the disk, in percent, that is to stay free, and the bytes.
const MIN_FREE_PERCENT: u64 = 5;
const MIN_FREE_BYTES: u64 = 1 << 30;

/// Conditions of one kind that the sources of one recorder may have at once; the others share one.
const MAX_OF_RECORDER: usize = 50;

/// Most conditions that hold at once; the others wait.
const MAX_CONDITIONS: usize = 1_000;

/// What the ids of these rules begin with.
const RULES: &str = "counterfoil.";

/// A condition that holds.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Condition {
    pub(crate) id: Cow<'static, str>,
    pub(crate) title: Cow<'static, str>,
    pub(crate) level: &'static str,
    /// What it is about, where there are several.
    pub(crate) about: Vec<(&'static str, String)>,
    pub(crate) reason: String,
    pub(crate) since: String,
    /// The entries that it is about.
    #[serde(skip)]
    pub(crate) indices: Vec<u64>,
    /// Where it stands what to do.
    #[serde(skip)]
    pub(crate) runbook: Option<&'static str>,
    #[serde(skip)]
    pub(crate) alert: Option<String>,
}

/// The conditions of one service.
#[derive(Default)]
pub(crate) struct Conditions {
    holding: Mutex<BTreeMap<String, Condition>>,
    rhythms: Mutex<BTreeMap<(Option<String>, String), Rhythm>>,
    /// The sources at a size of the ledger: finding them reads the tail.
    sources: Mutex<(u64, Vec<SourceStatus>)>,
}

/// How often a source records.
struct Rhythm {
    last: u64,
    heard: Instant,
    /// The average pause between two numbers, in seconds, and how many were seen.
    pause: f64,
    seen: u64,
}

impl Rhythm {
    /// Numbers after which a rhythm is known.
    const KNOWN: u64 = 20;

    /// How long its silence may be.
    fn patience(&self) -> Option<Duration> {
        (self.seen >= Self::KNOWN).then(|| Duration::from_secs_f64((self.pause * 10.0).clamp(300.0, 7.0 * 86_400.0)))
    }

    fn hear(&mut self, last: u64) {
        if last == self.last {
            return;
        }
        let numbers = last.saturating_sub(self.last).max(1);
        let pause = self.heard.elapsed().as_secs_f64() / numbers as f64;
        let weight = if self.seen == 0 { 1.0 } else { 0.1 };
        self.pause += weight * (pause - self.pause);
        (self.last, self.heard, self.seen) = (last, Instant::now(), self.seen.saturating_add(numbers));
    }
}

impl Conditions {
    /// Those that hold now.
    pub(crate) fn holding(&self) -> Vec<Condition> {
        self.holding.lock().expect("no panic while held").values().cloned().collect()
    }

    /// Takes up the alerts of conditions that an earlier service raised and did not resolve.
    fn remember(&self, service: &Service) {
        let ask = Ask { wanted: Wanted::Active, rules: Some(RULES), limit: MAX_CONDITIONS, ..Ask::default() };
        let found = inbox::find(&service.engine, &service.snapshot(), &ask);
        let mut holding = self.holding.lock().expect("no panic while held");
        for alert in found.alerts {
            let key = format!("{} {}", alert.rule_id, alert.group_text());
            let condition = Condition {
                id: alert.rule_id.trim_start_matches(RULES).to_owned().into(),
                title: alert.title.into(),
                level: LEVELS.into_iter().find(|level| *level == alert.level).unwrap_or("critical"),
                about: Vec::new(),
                reason: alert.why.unwrap_or_default(),
                since: alert.raised_at,
                indices: Vec::new(),
                runbook: None,
                alert: Some(alert.id),
            };
            holding.entry(key).or_insert(condition);
        }
    }

    /// Compares what holds with what held.
    fn look(&self, service: &Service) -> Result<()> {
        let mut now_holding: BTreeMap<String, Condition> =
            self.seen(service).into_iter().take(MAX_CONDITIONS).map(|condition| (condition.key(), condition)).collect();
        let before = self.holding.lock().expect("no panic while held").clone();
        let mut outcome = Ok(());
        for (key, mut condition) in before {
            match now_holding.get_mut(&key) {
                Some(still) => {
                    (still.since, still.alert) = (condition.since, condition.alert);
                }
                // What verifications found is not known yet.
                None if is_of_verifications(&condition.id) && !service.verifications.took_up() => {
                    now_holding.insert(key, condition);
                }
                None => {
                    // What could not be recorded is tried again.
                    if let Err(error) = resolve(service, condition.alert.as_deref()) {
                        condition.reason = error.message.clone();
                        outcome = Err(error);
                        now_holding.insert(key, condition);
                    }
                }
            }
        }
        for condition in now_holding.values_mut().filter(|condition| condition.alert.is_none()) {
            match raise(service, condition) {
                Ok(alert) => condition.alert = Some(alert),
                Err(error) => outcome = Err(error),
            }
        }
        *self.holding.lock().expect("no panic while held") = now_holding;
        outcome
    }

    fn seen(&self, service: &Service) -> Vec<Condition> {
        let mut seen = Vec::new();
        if service.verifications.took_up() {
            tampering(service, &self.held(), &mut seen);
            verification(service, &mut seen);
        }
        copy(service, &mut seen);
        beside_copy(service, &mut seen);
        disk(service, &mut seen);
        watcher(service, &mut seen);
        sinks(service, &mut seen);
        searches(service, &mut seen);
        self.sources(service, &mut seen);
        seen
    }

    /// The keys of those that hold.
    fn held(&self) -> BTreeSet<String> {
        self.holding.lock().expect("no panic while held").keys().cloned().collect()
    }

    fn sources(&self, service: &Service, seen: &mut Vec<Condition>) {
        let mut sources = self.sources.lock().expect("no panic while held");
        let size = service.snapshot().size();
        if sources.0 != size {
            let Ok(status) = service.backing.status() else { return };
            *sources = (size, status.sources);
        }
        let sources = &sources.1;
        let mut rhythms = self.rhythms.lock().expect("no panic while held");
        let known: BTreeSet<(Option<&str>, &str)> =
            sources.iter().map(|source| (source.recorder.as_deref(), source.source.as_str())).collect();
        rhythms.retain(|(recorder, source), _| known.contains(&(recorder.as_deref(), source.as_str())));
        let mut found: BTreeMap<(&str, &'static str), Vec<Condition>> = BTreeMap::new();
        for source in sources {
            let recorder = source.recorder.as_deref().unwrap_or_default();
            let about =
                vec![("source", source.source.clone()), ("recorder", source.recorder.clone().unwrap_or_default())];
            if let Some((first, last)) = source.gaps.first() {
                let missing = source.gaps.iter().map(|(first, last)| (last - first).saturating_add(1));
                let missing = missing.fold(0, u64::saturating_add);
                let reason = format!("{missing} numbers never arrived, the first from {first} to {last}");
                let gap = Condition::new(GAP, "Entries of a source are missing", "high", reason);
                found.entry((recorder, GAP)).or_default().push(Condition { about: about.clone(), ..gap });
            }
            let fresh = Rhythm { last: source.last, heard: Instant::now(), pause: 0.0, seen: 0 };
            let rhythm = rhythms.entry((source.recorder.clone(), source.source.clone())).or_insert(fresh);
            rhythm.hear(source.last);
            let silent = rhythm.heard.elapsed();
            if rhythm.patience().is_some_and(|patience| silent > patience) {
                let (silent, pause) = (silent.as_secs(), rhythm.pause);
                let reason = format!("nothing for {silent} s; it used to record every {pause:.0} s");
                let silence = Condition::new(SILENT, "A source has gone silent", "medium", reason);
                found.entry((recorder, SILENT)).or_default().push(Condition { about, ..silence });
            }
        }
        let held = self.held();
        for ((recorder, id), conditions) in found {
            // Sources are named by whoever records: one recorder must not hide the others.
            let rest = first_of(conditions, MAX_OF_RECORDER, &held, seen);
            if rest > 0 {
                let reason = format!("{rest} more sources of this recorder: GET /api/v1/sources names them");
                let (title, level) = if id == GAP {
                    ("Entries of many sources of a recorder are missing", "high")
                } else {
                    ("Many sources of a recorder have gone silent", "medium")
                };
                let others = Condition::new(id, title, level, reason);
                seen.push(Condition {
                    about: vec![("recorder", recorder.to_owned()), ("others", "all".into())],
                    ..others
                });
            }
        }
    }
}

const GAP: &str = "source-gap";
const SILENT: &str = "source-silent";

/// Takes the first of many, those that hold already before others, so that none is resolved because of another; how many are
/// left.
pub(crate) fn first_of(
    mut many: Vec<Condition>,
    most: usize,
    held: &BTreeSet<String>,
    seen: &mut Vec<Condition>,
) -> usize {
    let rest = many.len().saturating_sub(most);
    if rest > 0 {
        many.sort_by_cached_key(|condition| !held.contains(&condition.key()));
    }
    seen.extend(many.into_iter().take(most));
    rest
}

impl Condition {
    pub(crate) fn level(&self) -> &'static str {
        self.level
    }

    pub(crate) fn new(id: &'static str, title: &'static str, level: &'static str, reason: String) -> Self {
        let (id, title) = (id.into(), title.into());
        Self {
            id,
            title,
            level,
            about: Vec::new(),
            reason,
            since: now().to_string(),
            indices: Vec::new(),
            runbook: None,
            alert: None,
        }
    }

    pub(crate) fn key(&self) -> String {
        let about: Vec<String> = self.about.iter().map(|(field, value)| format!("{field}={value}")).collect();
        format!("{RULES}{} {}", self.id, about.join(" "))
    }
}

fn copy(service: &Service, seen: &mut Vec<Condition>) {
    let Some(shipping) = service.backing.shipping() else { return };
    let lag = shipping.lag();
    let fault = lag.fault.clone().unwrap_or_else(|| "it is slow".to_owned());
    if lag.stopped {
        seen.push(Condition::new("ship-stopped", "The copy holds another history", "critical", fault));
    } else if lag.waiting() > MAX_SHIP_LAG {
        let reason =
            format!("the oldest entry that the copy does not hold waits for {} s: {fault}", lag.waiting().as_secs());
        seen.push(Condition::new("ship-lag", "The copy is behind", "high", reason));
    } else if lag.failures == 0 && (lag.fault.is_some() || lag.taken > 0) {
        let taken = format!("{} of its keys were taken: verify the copy names them", lag.taken);
        let reason = lag.fault.clone().unwrap_or(taken);
        seen.push(Condition::new("ship-foreign", "Somebody else writes into the copy", "high", reason));
    }
}

/// What works with the copy: its table, and pruning.
fn beside_copy(service: &Service, seen: &mut Vec<Condition>) {
    let mut failing = |id, title, state: upkeep::State| {
        if let (Some(fault), Some(since)) = (&state.fault, state.failing().filter(|since| *since > PATIENCE)) {
            let reason = format!("nothing works for {} s: {fault}", since.as_secs());
            seen.push(Condition::new(id, title, "medium", reason));
        }
    };
    if let Some(lake) = service.backing.lake() {
        failing("lake-failing", "The lake table does not grow", lake.state());
    }
    if let Some(pruning) = service.backing.pruning() {
        failing("prune-failing", "Old segments cannot be pruned", pruning);
    }
}

fn disk(service: &Service, seen: &mut Vec<Condition>) {
    if let Some(fault) = service.backing.fault() {
        seen.push(Condition::new("ledger-fault", "The ledger cannot seal, publish or record", "critical", fault));
    }
    let Some(stat) = service.backing.folder().and_then(|folder| statvfs(folder).ok()) else { return };
    let (free, all) = (stat.f_bavail * stat.f_frsize, stat.f_blocks * stat.f_frsize);
    if free < MIN_FREE_BYTES || free < all / 100 * MIN_FREE_PERCENT {
        let reason = format!("{} MiB are free of {} MiB", free >> 20, all >> 20);
        seen.push(Condition::new("disk-filling", "The ledger's disk is almost full", "high", reason));
    }
}

fn watcher(service: &Service, seen: &mut Vec<Condition>) {
    let Some(state) = service.backing.watching() else { return };
    let stands = state.moved.is_some_and(|moved| moved.elapsed() > MAX_STANDSTILL);
    if stands || state.moved.is_none() && state.fault.is_some() {
        let reason = state.fault.unwrap_or_else(|| format!("{} entries wait", state.behind));
        seen.push(Condition::new("watcher-stalled", "The rules do not see new entries", "critical", reason));
    }
    if let [first, ..] = state.skipped.as_slice() {
        let reason = format!("left out: {}; the first is {first}", state.skipped.len());
        seen.push(Condition::new("rules-skipped", "Rules are left out", "medium", reason));
    }
}

fn sinks(service: &Service, seen: &mut Vec<Condition>) {
    for sink in service.backing.sinks() {
        let about = vec![("sink", sink.name.clone())];
        let since = sink.failing_since.as_deref().and_then(|since| counterfoil_entry::Timestamp::parse(since).ok());
        let failing = since.map(|since| (now().micros() - since.micros()).max(0) as u64 / 1_000_000);
        if let Some(seconds) = failing.filter(|seconds| *seconds > PATIENCE.as_secs()) {
            let reason = format!("nothing arrives for {seconds} s: {}", sink.last_error.unwrap_or_default());
            let failing = Condition::new("sink-failing", "Alerts do not arrive", "high", reason);
            seen.push(Condition { about: about.clone(), ..failing });
        }
        if sink.dead_letters > 0 {
            let reason =
                format!("{} messages were refused for good: state/sinks/{}.dead", sink.dead_letters, sink.name);
            let dead = Condition::new("sink-refused", "Messages were refused for good", "medium", reason);
            seen.push(Condition { about, ..dead });
        }
    }
}

fn searches(service: &Service, seen: &mut Vec<Condition>) {
    if let Some(fault) = service.searches.fault() {
        seen.push(Condition::new("searches-unread", "The saved searches do not run", "medium", fault.to_owned()));
    }
}

/// Records the alert of a condition; its id.
fn raise(service: &Service, condition: &Condition) -> Result<String> {
    let snapshot = service.snapshot();
    let mut hash = Sha256::new();
    hash.update(format!("{} {} {}", condition.key(), condition.since, snapshot.size()));
    let alert = Alert {
        id: format!("alert-{}", &hex::encode(hash.finalize())[..32]),
        rule_id: format!("{RULES}{}", condition.id),
        title: condition.title.to_string(),
        level: condition.level,
        author: Some("Counterfoil".to_owned()),
        description: None,
        references: condition.runbook.iter().map(|runbook| (*runbook).to_owned()).collect(),
        tags: Vec::new(),
        indices: condition.indices.clone(),
        group: condition
            .about
            .iter()
            .map(|(field, value)| GroupMember { field: (*field).to_owned(), value: value.clone() })
            .collect(),
        value: None,
        why: Some(condition.reason.clone()),
        drill: service.settings.drill,
    };
    let writer = service.backing.writer()?;
    match writer.record_act(alert.entry()) {
        // An alert about tampering must not be kept out by the tampering.
        Err(error) if matches!(error.kind, ErrorKind::Tampered | ErrorKind::Damaged) => {
            writer.record_act(alert.entry_without_id())?;
        }
        recorded => drop(recorded?),
    }
    Ok(alert.id)
}

/// Records that a condition holds no more, unless a person has said so already.
fn resolve(service: &Service, alert: Option<&str>) -> Result<()> {
    let Some(id) = alert else { return Ok(()) };
    let (alert, _) = inbox::one(&service.snapshot(), id)?;
    if matches!(alert.state, inbox::AlertState::Resolved | inbox::AlertState::FalsePositive) {
        return Ok(());
    }
    let mut context = json!({"state": "resolved", "rule_id": alert.rule_id, "title": alert.title, "level": alert.level,
        "indices": [], "raised": alert.index});
    if service.settings.drill {
        context["drill"] = true.into();
    }
    let entry = act("ledger.alert_resolved", "counterfoil", id, "alert", context).reason("it holds no more");
    service.backing.writer()?.record_act(entry).map(drop)
}

/// Looks at the conditions until the service ends.
pub(crate) async fn keep_looking(service: Arc<Service>) {
    if service.backing.folder().is_none() {
        return;
    }
    let remembered = service.blocking(|service| {
        service.conditions.remember(service);
        Ok(())
    });
    if let Err(problem) = remembered.await {
        tracing::error!(detail = problem.detail, "earlier alerts cannot be taken up");
    }
    while !service.is_ending() {
        let looked = service.blocking(|service| Ok(service.conditions.look(service)?)).await;
        if let Err(problem) = looked {
            tracing::error!(
                detail = problem.detail,
                "what should be an alert could not be recorded; it is tried again"
            );
        }
        tokio::time::sleep(STEP).await;
    }
}
