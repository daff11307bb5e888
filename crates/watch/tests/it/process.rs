//! Processes: steps that come late, without the one before, or after a later one.

use counterfoil_entry::Timestamp;
use counterfoil_watch::{Engine, Firing, limits};
use serde_json::{Value, json};

use crate::{observe, rules};

/// Four steps of a loan, with what the detector is told beside them.
fn loan(told: &str) -> String {
    let mut text = String::new();
    for step in ["asked", "scored", "decided", "paid"] {
        text += &format!(
            "title: {step}\nid: {step}\nlogsource: {{product: counterfoil}}\n\
             detection: {{selection: {{event_type: loan_{step}}}, condition: selection}}\n---\n"
        );
    }
    text + "title: Loan\nid: loan\ndetector:\n  type: process\n  group-by: [entity_id]\n  steps:\n    - {step: request, rules: [asked]}\n    \
            - {step: score, rules: [scored], within: 1h}\n    - {step: decision, rules: [decided], within: 2d}\n    - {step: payment, rules: [paid]}\n"
        + told
}

fn step(what: &str, entity: &str, day: u32, hour: u32) -> Value {
    json!({"event_type": format!("loan_{what}"), "entity_id": entity,
        "timestamp": format!("2026-01-{day:02}T{hour:02}:00:00Z"), "recorded_at": format!("2026-01-{day:02}T{hour:02}:00:00Z")})
}

/// Why the process was told of, and at which entry.
fn told(engine: &Engine, firings: &[Firing]) -> Vec<(u64, Vec<u64>, String)> {
    let of_process = firings.iter().filter(|firing| engine.rule(firing).id == "loan");
    of_process.map(|firing| (firing.index, firing.causes.clone(), firing.why.clone().unwrap_or_default())).collect()
}

#[test]
fn four_steps_in_order_and_in_time_are_not_told() {
    let mut engine = Engine::new(rules(&loan(""))).expect("rules");
    let steps =
        [step("asked", "L", 5, 9), step("scored", "L", 5, 10), step("decided", "L", 7, 10), step("paid", "L", 20, 9)];
    let mut firings = observe(&mut engine, &steps);
    firings.extend(engine.pass(Timestamp::parse("2027-01-01T00:00:00Z").expect("a time")));
    assert_eq!(told(&engine, &firings), []);
}

#[test]
fn what_is_late_skipped_or_out_of_order_is_told_once_with_its_entries() {
    let mut engine = Engine::new(rules(&loan(""))).expect("rules");
    let firings = observe(
        &mut engine,
        &[
            step("asked", "LATE", 5, 9),
            step("asked", "SKIPS", 5, 9),
            step("decided", "SKIPS", 5, 9),
            step("decided", "SKIPS", 5, 9),
            step("asked", "BACK", 5, 9),
            step("scored", "BACK", 5, 9),
            step("decided", "BACK", 5, 9),
            step("paid", "BACK", 5, 9),
            step("decided", "BACK", 5, 10),
            step("scored", "LATE", 5, 11),
        ],
    );
    let wanted = [
        (2, vec![1, 2], "decision came without score before it"),
        (8, vec![4, 5, 7, 8], "decision came after payment"),
        (0, vec![0], "no score within 1 hour after request"),
    ];
    assert_eq!(told(&engine, &firings), wanted.map(|(index, causes, why)| (index, causes, why.to_owned())));
}

#[test]
fn a_deadline_is_over_though_nothing_is_recorded() {
    let mut engine = Engine::new(rules(&loan("  checks: [late]\n"))).expect("rules");
    let firings = observe(&mut engine, &[step("asked", "L", 5, 9), step("scored", "L", 5, 9)]);
    assert_eq!(told(&engine, &firings), []);
    let pass = |engine: &mut Engine, at: &str| {
        let firings = engine.pass(Timestamp::parse(at).expect("a time"));
        told(engine, &firings)
    };
    assert_eq!(pass(&mut engine, "2026-01-07T09:00:00Z"), []);
    let over = pass(&mut engine, "2026-01-07T09:00:06Z");
    assert_eq!(over, [(1, vec![1], "no decision within 2 days after score".to_owned())]);
    assert_eq!(pass(&mut engine, "2026-02-07T09:00:06Z"), [], "once");
}

#[test]
fn a_history_that_is_read_in_is_judged_by_when_things_happened() {
    let mut engine = Engine::new(rules(&loan("  checks: [late]\n"))).expect("rules");
    let mut entries = [
        step("asked", "GOOD", 1, 9),
        step("scored", "GOOD", 1, 9),
        step("asked", "NEVER", 1, 10),
        step("decided", "GOOD", 2, 10),
        // A second file begins earlier; its step came late, and nothing was over meanwhile.
        step("scored", "LATE", 1, 9),
        step("decided", "LATE", 4, 9),
    ];
    entries.iter_mut().for_each(|entry| entry["recorded_at"] = json!("2026-06-01T00:00:00Z"));
    let sealed = json!({"event_type": "ledger.sealed", "timestamp": "2026-06-01T00:00:00Z", "recorded_at": "2026-06-01T00:00:00Z"});
    let entries = [vec![sealed], entries.to_vec()].concat();
    let firings = observe(&mut engine, &entries);
    let wanted = [
        (3, vec![3], "no score within 1 hour after request"),
        (5, vec![5, 6], "decision came 3 days after score, and 2 days is the limit"),
    ];
    assert_eq!(told(&engine, &firings), wanted.map(|(index, causes, why)| (index, causes, why.to_owned())));
}

#[test]
fn too_many_open_cases_are_forgotten_and_counted() {
    let mut engine = Engine::new(rules(&loan("  checks: [late]\n"))).expect("rules");
    let most = limits::MAX_DETECTOR_GROUPS;
    let entries: Vec<Value> = (0..=most).map(|case| step("scored", &format!("L-{case}"), 5, 9)).collect();
    let firings = observe(&mut engine, &entries);
    assert_eq!(told(&engine, &firings), []);
    let forgotten = engine.load().forgotten;
    assert!(forgotten > 0, "counted");
    let over = engine.pass(Timestamp::parse("2026-02-01T00:00:00Z").expect("a time"));
    assert_eq!(told(&engine, &over).len() as u64 + forgotten, entries.len() as u64);
}

#[test]
fn a_process_that_cannot_be_meant_is_refused() {
    for (from, to, reason) in [
        ("{step: request, rules: [asked]}", "{step: request, rules: [asked], within: 1h}", "the first step"),
        ("rules: [paid]", "rules: []", "at least one rule"),
        ("rules: [paid]", "rules: [paid], soon: yes", "soon"),
        ("rules: [paid]", "rules: [nowhere]", "nowhere"),
    ] {
        let set = rules(&loan("").replace(from, to));
        let skipped: Vec<String> = set.problems.iter().filter(|one| one.skipped).map(ToString::to_string).collect();
        assert!(skipped.len() == 1 && skipped[0].contains(reason), "{to}: {skipped:?} does not say {reason:?}");
    }
}
