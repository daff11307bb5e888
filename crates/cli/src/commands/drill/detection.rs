//! What should be noticed is noticed, and every sink gets it: waits for alerts and for the receivers' acknowledgements.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use counterfoil::Reader;
use counterfoil_watch::{ALERT_RAISED, Turnout};
use serde::Deserialize;
use serde_json::Value;

use crate::exit::Failure;
use crate::remote::Call;
use crate::text::Counted;

use super::checks::{Checks, DELIVERY, DETECTION};
use super::plan::Plan;
use super::recording::ask;
use super::scenario::SOURCE;
use super::scratch::{Service, Stop};
use super::setup::Setup;

/// How long an alert may take.
const DETECTED_WITHIN: Duration = Duration::from_secs(30);
/// How long a message may take that a receiver does not refuse, and one that it does.
const DELIVERED_WITHIN: Duration = Duration::from_secs(90);
const FAILING_FOR: Duration = Duration::from_secs(15);

/// What the rules of conditions are called.
const GAP: &str = "counterfoil.source-gap";
const TAMPERED: &str = "counterfoil.tampering";

/// The alerts of a ledger, by rule, and how far they were read.
#[derive(Default)]
struct Alerts {
    next: u64,
    by_rule: BTreeMap<String, Vec<Raised>>,
}

struct Raised {
    index: u64,
    is_drill: bool,
    about: Value,
}

impl Alerts {
    /// Reads what came since.
    fn update(&mut self, ledger: &Path) -> counterfoil::Result<()> {
        let snapshot = Reader::open(ledger)?.snapshot()?;
        let new: Vec<u64> = (self.next..snapshot.size()).collect();
        for (index, bytes) in new.iter().zip(snapshot.entries(&new)?) {
            let entry: Value = serde_json::from_slice(&bytes).unwrap_or_default();
            if entry["event_type"] == ALERT_RAISED {
                let context = &entry["context"];
                let rule = context["rule_id"].as_str().unwrap_or_default().to_owned();
                let raised =
                    Raised { index: *index, is_drill: context["drill"] == true, about: context["group"].clone() };
                self.by_rule.entry(rule).or_default().push(raised);
            }
            self.next = index + 1;
        }
        Ok(())
    }

    fn first(&self, rule: &str) -> Option<&Raised> {
        self.by_rule.get(rule)?.first()
    }

    fn last_index(&self) -> u64 {
        self.by_rule.values().flatten().map(|raised| raised.index).max().unwrap_or_default()
    }
}

/// Waits for the alerts that the plan asks for, then tampers with a sealed segment below the running service and waits for
/// that alert, and all the while for the sinks.
pub fn watch(service: &Service, setup: &Setup, plan: &Plan, stop: &Stop, checks: &mut Checks) -> Result<(), Failure> {
    let mut alerts = Alerts::default();
    let fire: Vec<&str> =
        plan.rules.iter().filter(|rule| rule.turnout == Turnout::Fires).map(|rule| rule.id.as_str()).collect();
    stop.wait(DETECTED_WITHIN, || {
        alerts.update(&service.ledger).ok()?;
        let all = fire.iter().chain(&[GAP]).all(|rule| alerts.first(rule).is_some());
        all.then_some(())
    })?;
    grade_rules(plan, &alerts, checks);
    let gap = alerts.first(GAP).filter(|raised| raised.about.to_string().contains(SOURCE));
    checks.result(DETECTION, "an entry that is missing in a source", gap.map(told).ok_or_else(not_raised));
    let mut sinks = Sinks::default();
    sinks.wait(service, setup, alerts.last_index(), stop)?;
    let tampered = tamper(service, &mut alerts, stop)?;
    checks.result(DETECTION, "tampering with a sealed segment below the running service", tampered);
    sinks.wait(service, setup, alerts.last_index(), stop)?;
    let unmarked = alerts.by_rule.values().flatten().filter(|raised| !raised.is_drill).count();
    let count: usize = alerts.by_rule.values().map(Vec::len).sum();
    let marked = match unmarked {
        0 => Ok(Counted(count as u64, "alert", "alerts").to_string()),
        unmarked => Err(format!("{unmarked} of {count} do not")),
    };
    checks.result(DETECTION, "every alert says that it is a drill", marked);
    sinks.grade(setup, alerts.last_index(), checks);
    Ok(())
}

fn told(raised: &Raised) -> String {
    format!("alert in entry {}", raised.index)
}

fn not_raised() -> String {
    format!("no alert within {} s", DETECTED_WITHIN.as_secs())
}

fn grade_rules(plan: &Plan, alerts: &Alerts, checks: &mut Checks) {
    for rule in &plan.rules {
        let name = format!("the rule “{}”", rule.title);
        match (&rule.turnout, alerts.first(&rule.id)) {
            (_, Some(raised)) => checks.passed(DETECTION, name, told(raised)),
            (Turnout::Fires, None) => checks.failed(DETECTION, name, not_raised()),
            (Turnout::Untried(why), None) => checks.untried(DETECTION, name, *why),
            (Turnout::Broken, None) => {
                checks.failed(DETECTION, name, "it does not fire on its own examples (counterfoil rules test)");
            }
        }
    }
}

/// Flips a byte of a sealed segment while the service runs, and puts it back when the alert is there.
fn tamper(service: &Service, alerts: &mut Alerts, stop: &Stop) -> Result<Result<String, String>, Failure> {
    let segment = service.ledger.join("segments").join(format!("{:020}.parquet", 0));
    let before = ask(service, "/api/v1/seal").and_then(|()| std::fs::read(&segment).map_err(|error| error.to_string()));
    let before = match before {
        Ok(before) => before,
        Err(error) => return Ok(Err(format!("nothing could be sealed: {error}"))),
    };
    let mut changed = before.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    let written = overwrite(&segment, &changed).and_then(|()| ask(service, "/api/v1/verification"));
    let raised = match written {
        Err(error) => Ok(Err(error)),
        Ok(()) => stop
            .wait(DETECTED_WITHIN, || {
                alerts.update(&service.ledger).ok()?;
                alerts.first(TAMPERED).map(told)
            })
            .map(|found| found.ok_or_else(not_raised)),
    };
    // It goes on with the ledger that was recorded, whatever came of this.
    let restored = overwrite(&segment, &before);
    raised.map(|raised| raised.and_then(|told| restored.map(|()| told)))
}

fn overwrite(path: &Path, bytes: &[u8]) -> Result<(), String> {
    super::tampering::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()))
}

/// How the sinks of the scratch service are.
#[derive(Default)]
struct Sinks(Vec<Sink>);

#[derive(Deserialize)]
struct Sink {
    name: String,
    r#type: String,
    address: String,
    last_answer: Option<String>,
    last_error: Option<String>,
    messages_total: u64,
    entries_total: u64,
    dead_letters: u64,
    waiting: u64,
    next: u64,
}

impl Sink {
    fn has(&self, alert: u64) -> bool {
        self.next > alert && self.waiting == 0 && self.last_error.is_none()
    }

    fn why_not(&self) -> String {
        match (&self.last_error, self.dead_letters) {
            (Some(error), _) => error.clone(),
            (None, 1..) => format!("{} were refused for good", Counted(self.dead_letters, "message", "messages")),
            (None, 0) => format!("{} entries still wait", self.waiting),
        }
    }
}

impl Sinks {
    /// Waits until every sink has all up to an alert, or goes on failing.
    fn wait(&mut self, service: &Service, setup: &Setup, alert: u64, stop: &Stop) -> Result<(), Failure> {
        #[derive(Deserialize)]
        struct Watch {
            sinks: Vec<Sink>,
        }
        if setup.sinks.is_none() {
            return Ok(());
        }
        let since = std::time::Instant::now();
        stop.wait(DELIVERED_WITHIN, || {
            let watch: Watch = service.owner.ask(Call::get("/api/v1/watch")).ok()?;
            self.0 = watch.sinks;
            let patience = since.elapsed() < FAILING_FOR;
            let settled = |sink: &Sink| sink.has(alert) || sink.last_error.is_some() && !patience;
            self.0.iter().all(settled).then_some(())
        })?;
        Ok(())
    }

    fn grade(&self, setup: &Setup, alert: u64, checks: &mut Checks) {
        let Some((_, config)) = &setup.sinks else {
            return checks.untried(DELIVERY, "sinks", "none is configured (--sinks FILE)");
        };
        if config.sinks.is_empty() {
            checks.untried(DELIVERY, "sinks", "the file names none");
        }
        for sink in &config.sinks {
            let Some(state) = self.0.iter().find(|state| state.name == sink.name) else {
                checks.failed(DELIVERY, format!("sink {}", sink.name), "the service does not know it");
                continue;
            };
            let name = format!("sink {} ({}, {})", state.name, state.r#type, state.address);
            if !state.has(alert) || state.dead_letters > 0 {
                checks.failed(DELIVERY, name, state.why_not());
            } else if state.messages_total == 0 {
                checks.untried(DELIVERY, name, "nothing in the drill passes its filter");
            } else {
                let messages = Counted(state.messages_total, "message", "messages");
                let answer = state.last_answer.as_deref().unwrap_or_default();
                checks.passed(DELIVERY, name, format!("{messages} for {} entries: {answer}", state.entries_total));
            }
        }
    }
}
