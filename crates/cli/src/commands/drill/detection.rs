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

    /// The alert of the number that never arrived.
    fn of_gap(&self) -> Result<String, String> {
        let gaps = self.by_rule.get(GAP).into_iter().flatten();
        let gap = gaps.into_iter().find(|raised| raised.about.to_string().contains(SOURCE));
        gap.map(told).ok_or_else(not_raised)
    }

    fn marked(&self) -> Result<String, String> {
        let count = self.by_rule.values().map(Vec::len).sum::<usize>();
        match self.by_rule.values().flatten().filter(|raised| !raised.is_drill).count() {
            0 => Ok(Counted(count as u64, "alert", "alerts").to_string()),
            unmarked => Err(format!("{unmarked} of {count} do not")),
        }
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
    checks.result(DETECTION, "an entry that is missing in a source", alerts.of_gap());
    let mut sinks = Sinks::default();
    sinks.wait(service, setup, alerts.last_index(), stop)?;
    let tampered = tamper(service, &mut alerts, stop)?;
    checks.result(DETECTION, "tampering with a sealed segment below the running service", tampered);
    sinks.wait(service, setup, alerts.last_index(), stop)?;
    checks.result(DETECTION, "every alert says that it is a drill", alerts.marked());
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
                let acknowledged = state.last_answer.as_ref().filter(|answer| !answer.is_empty());
                let told =
                    acknowledged.map(|answer| format!("{messages} for {} entries: {answer}", state.entries_total));
                checks.result(
                    DELIVERY,
                    name,
                    told.ok_or_else(|| format!("{messages}, and its receiver acknowledged none")),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use counterfoil_report::drill::Grade;
    use counterfoil_sink::Config;
    use counterfoil_watch::Rehearsed;
    use serde_json::json;

    use super::*;

    fn alerts(rule: &str, about: Value, is_drill: bool) -> Alerts {
        let raised = Raised { index: 7, is_drill, about };
        Alerts { next: 8, by_rule: BTreeMap::from([(rule.to_owned(), vec![raised])]) }
    }

    fn graded(turnout: Turnout, alerts: &Alerts) -> Grade {
        let rule = Rehearsed { id: "r".to_owned(), title: "Rule".to_owned(), entries: Vec::new(), turnout };
        let mut checks = Checks::default();
        grade_rules(&Plan { day: Vec::new(), rules: vec![rule] }, alerts, &mut checks);
        checks.only().0
    }

    #[test]
    fn a_rule_that_raises_no_alert_fails() {
        let (none, one) = (Alerts::default(), alerts("r", Value::Null, true));
        assert_eq!(graded(Turnout::Fires, &one), Grade::Passed);
        assert_eq!(graded(Turnout::Fires, &none), Grade::Failed);
        assert_eq!(graded(Turnout::Fires, &alerts("another", Value::Null, true)), Grade::Failed);
        assert_eq!(graded(Turnout::Broken, &none), Grade::Failed);
        assert_eq!(graded(Turnout::Untried("it has no example"), &none), Grade::NotExercised);
    }

    #[test]
    fn a_gap_of_another_source_and_an_alert_without_the_mark_fail() {
        assert!(alerts(GAP, json!([{"field": "source", "value": SOURCE}]), true).of_gap().is_ok());
        assert!(alerts(GAP, json!([{"field": "source", "value": "another"}]), true).of_gap().is_err());
        assert!(Alerts::default().of_gap().is_err());
        assert!(alerts("r", Value::Null, true).marked().is_ok());
        assert_eq!(alerts("r", Value::Null, false).marked(), Err("1 of 1 do not".to_owned()));
    }

    #[test]
    fn a_sink_that_has_not_all_or_was_told_nothing_fails() {
        let config = "[[sink]]\nname = \"log\"\ntype = \"file\"\naddress = \"/tmp/alerts\"\n";
        let config = Config::parse(config).expect("a configuration");
        let setup = Setup { rules: None, sinks: Some(("sinks.toml".into(), config)), ship: None, postgres: None };
        let grade = |change: fn(&mut Value)| {
            let mut state = json!({"name": "log", "type": "file", "address": "/tmp/alerts", "last_answer": "written",
                "last_error": null, "messages_total": 3, "entries_total": 9, "dead_letters": 0, "waiting": 0, "next": 10});
            change(&mut state);
            let mut checks = Checks::default();
            let state: Sink = serde_json::from_value(state).expect("a state");
            Sinks(vec![state]).grade(&setup, 7, &mut checks);
            checks.only().0
        };
        assert_eq!(grade(|_| ()), Grade::Passed);
        let failing: [fn(&mut Value); 6] = [
            |state| state["next"] = 7.into(),
            |state| state["waiting"] = 1.into(),
            |state| state["last_error"] = "no route to host".into(),
            |state| state["dead_letters"] = 1.into(),
            |state| state["last_answer"] = Value::Null,
            |state| state["name"] = "another".into(),
        ];
        for (number, change) in failing.into_iter().enumerate() {
            assert_eq!(grade(change), Grade::Failed, "change {number}");
        }
        assert_eq!(grade(|state| state["messages_total"] = 0.into()), Grade::NotExercised);
    }
}
