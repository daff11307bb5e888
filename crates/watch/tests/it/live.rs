//! Rules that remember, beside a ledger that goes on: time passes, watchers restart, and the past says the same.

use std::collections::BTreeSet;
use std::time::Duration;

use counterfoil::{Ledger, OpenOptions};
use counterfoil_entry::{Draft, Timestamp};
use counterfoil_watch::{Alert, Engine, Record, Start, Watcher, now};
use serde_json::json;

use crate::watcher::{Place, alerts, append, catch_up};

/// A decision within a second, and never without its request; amounts; times.
const PROCESS: &str = "
title: Asked
id: asked
logsource: {product: counterfoil}
detection: {selection: {event_type: asked}, condition: selection}
---
title: Decided
id: decided
logsource: {product: counterfoil}
detection: {selection: {event_type: decided}, condition: selection}
---
title: In time
id: in-time
detector:
  type: process
  group-by: [entity_id]
  steps:
    - {step: request, rules: [asked]}
    - {step: decision, rules: [decided], within: 1s}
---
title: Far
id: far
detector: {type: amount, rules: [asked], group-by: [event_type], field: new_value.amount, factor: 4, observations: 20, at_least: 100}
---
title: Clock
id: clock
detector: {type: clock, ahead: 5m, behind: 1h, back: 10m, quiet: 1s}
---
title: Often
id: often
correlation: {type: event_count, rules: [asked], group-by: [actor], timespan: 1h, condition: {gte: 30}}
";

fn record(ledger: &Ledger, what: &str, entity: &str, amount: u64) -> u64 {
    let draft = Draft::builder(what, "eva", entity).new_value(json!({"amount": amount})).build().expect("an entry");
    ledger.append(draft).expect("appended").index
}

/// Steps until the ledger has so many alerts.
fn wait_for(count: usize, watcher: &mut Watcher, ledger: &Ledger) {
    for _ in 0..300 {
        catch_up(watcher, ledger);
        if alerts(ledger).len() >= count {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{} alerts within 30 s", alerts(ledger).len());
}

#[test]
fn a_deadline_is_told_while_nothing_is_recorded_and_once_over_restarts() {
    let (place, ledger) = Place::with(PROCESS);
    let mut watcher = place.watcher(&ledger).expect("a watcher");
    let asked = append(&ledger, "asked", "eva");
    catch_up(&mut watcher, &ledger);
    watcher.save(&ledger).expect("saved");
    ledger.close().expect("closed");
    let ledger = Ledger::open(&place.ledger, OpenOptions::default()).expect("opened");
    let mut watcher = place.watcher(&ledger).expect("a watcher");
    wait_for(1, &mut watcher, &ledger);
    assert_eq!(alerts(&ledger)[0].1, [asked]);
    // It was shot before it could save: the time is over again, and the alert is the same.
    drop(watcher);
    let mut watcher = place.watcher(&ledger).expect("a watcher");
    catch_up(&mut watcher, &ledger);
    assert_eq!(alerts(&ledger).len(), 1);
}

#[test]
fn what_was_told_live_is_what_the_past_tells() {
    let (place, ledger) = Place::with(PROCESS);
    let open = |ledger: &Ledger| {
        Watcher::open(&place.ledger, &place.rules, &ledger.snapshot(), Start::Beginning).expect("a watcher")
    };
    let mut watcher = open(&ledger);
    for case in 0..60 {
        record(&ledger, "asked", &format!("LOAN-{case}"), 200 + case * 7 % 40);
        if case % 3 > 0 {
            record(&ledger, "decided", &format!("LOAN-{case}"), 1);
        }
        if case % 20 == 19 {
            catch_up(&mut watcher, &ledger);
            // Every other time it is shot, and sees some entries again.
            if case == 39 {
                watcher.save(&ledger).expect("saved");
            }
            watcher = open(&ledger);
        }
    }
    record(&ledger, "asked", "LOAN-70", 900_000);
    record(&ledger, "decided", "LOAN-71", 1);
    let old = Draft::builder("note", "eva", "LOAN-0").timestamp(Timestamp::from_micros(1_700_000_000_000_000));
    ledger.append(old.build().expect("an entry")).expect("appended");
    // 20 late decisions, the largest amount, the one without a request, the backdated entry, and two counts of thirty.
    wait_for(20 + 5, &mut watcher, &ledger);
    record(&ledger, "decided", "LOAN-0", 1);
    catch_up(&mut watcher, &ledger);

    let mut engine = Engine::new(crate::rules(PROCESS)).expect("rules");
    let (snapshot, mut past) = (ledger.snapshot(), BTreeSet::new());
    let mut tell = |engine: &Engine, firings: Vec<counterfoil_watch::Firing>| {
        let raised = firings.iter().filter(|firing| !engine.rule(firing).base);
        past.extend(raised.map(|firing| Alert::of(engine.rule(firing), firing).id));
    };
    for index in 0..snapshot.size() {
        let canonical = snapshot.entry(index).expect("an entry");
        if let Some(record) = Record::read(index, &canonical).expect("an entry") {
            let firings = engine.observe(&record);
            tell(&engine, firings);
        }
    }
    let firings = engine.pass(now());
    tell(&engine, firings);
    let live: BTreeSet<String> = alerts(&ledger).into_iter().map(|(id, _)| id).collect();
    assert_eq!(live, past);
    assert_eq!(alerts(&ledger).len(), live.len(), "each once");
}
