//! Real kills: a process that appends and watches is shot again and again; every alert is in the ledger, once.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use counterfoil::{Ledger, OpenOptions};
use counterfoil_entry::{Draft, Fields};

use crate::watcher::{OVERRIDE, Place, alerts, catch_up};

/// Set for the process that is shot: the ledger's folder, that of the rules and a seed.
const ROLE: &str = "COUNTERFOIL_KILLED_WATCHER";
const KILLS: u64 = 30;

/// One alert for each override; one for every third of an actor's, with its window kept across the kills.
fn rules() -> String {
    format!(
        "{OVERRIDE}---
title: Pair
id: pair
generate: true
correlation: {{type: event_count, rules: [Override], group-by: [actor], timespan: 400d, condition: {{gte: 3}}}}
rsigma.action: reset
rsigma.suppress: 0s
"
    )
}

/// The process that is shot; in an ordinary run there is nothing for it to do.
#[test]
fn the_watcher_that_is_killed() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let mut words = role.split('\n');
    let mut word = || words.next().expect("a word");
    let (folder, rules, seed) = (word().to_owned(), word().to_owned(), word().parse::<u64>().expect("a number"));
    let ledger = Ledger::open(&folder, OpenOptions::default()).expect("the ledger opens");
    let mut watcher = counterfoil_watch::Watcher::open(
        folder.as_ref(),
        rules.as_ref(),
        &ledger.snapshot(),
        counterfoil_watch::Start::End,
    )
    .expect("the watcher opens");
    println!("\nwatching");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut random = seed;
            loop {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let (what, who) = (["note", "manual_override"][(random >> 33) as usize % 2], (random >> 40) % 5);
                let draft = Draft::builder(what, &format!("actor-{who}"), "LOAN-1").build().expect("an entry");
                ledger.append(draft).expect("appended");
            }
        });
        for round in seed.. {
            watcher.step(&ledger).expect("a step");
            if round % 5 == 0 {
                watcher.save(&ledger).expect("saved");
            }
        }
    });
}

#[test]
fn no_alert_is_lost_or_doubled_when_the_watcher_is_killed_thirty_times() {
    let (place, ledger) = Place::with(&rules());
    place.watcher(&ledger).expect("it begins here");
    ledger.close().expect("closed");
    let mut random = std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
    println!("seed {random}");
    for _ in 0..KILLS {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "kill::the_watcher_that_is_killed", "--nocapture"])
            .env(ROLE, format!("{}\n{}\n{random}", place.ledger.display(), place.rules.display()))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        assert!(lines.any(|line| line.is_ok_and(|line| line == "watching")), "it watches");
        std::thread::sleep(Duration::from_micros((random >> 33) % 150_000));
        child.kill().expect("it can be killed");
        child.wait().expect("it is dead");
    }
    let ledger = Ledger::open(&place.ledger, OpenOptions::default()).expect("opened");
    let mut watcher = place.watcher(&ledger).expect("a watcher");
    catch_up(&mut watcher, &ledger);
    assert_eq!(sorted(alerts(&ledger).into_iter().map(|(_, causes)| causes)), sorted(expected(&ledger)));
    let ids: Vec<String> = alerts(&ledger).into_iter().map(|(id, _)| id).collect();
    let distinct: std::collections::BTreeSet<&String> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len(), "no alert stands twice");
    assert!(ids.len() > KILLS as usize, "{} alerts", ids.len());
}

/// What the rules must have found, counted by hand.
fn expected(ledger: &Ledger) -> Vec<Vec<u64>> {
    let snapshot = ledger.snapshot();
    let (mut causes, mut waiting) = (Vec::new(), BTreeMap::<String, Vec<u64>>::new());
    for index in 0..snapshot.size() {
        let bytes = snapshot.entry(index).expect("an entry");
        let fields = Fields::split(&bytes).expect("fields");
        if fields.event_type == "manual_override" {
            causes.push(vec![index]);
            let of_actor = waiting.entry(fields.actor.to_string()).or_default();
            of_actor.push(index);
            if of_actor.len() == 3 {
                causes.push(std::mem::take(of_actor));
            }
        }
    }
    causes
}

fn sorted(causes: impl IntoIterator<Item = Vec<u64>>) -> Vec<Vec<u64>> {
    let mut causes: Vec<_> = causes.into_iter().collect();
    causes.sort();
    causes
}
