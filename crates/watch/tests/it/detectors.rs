//! Memory and limits of detectors that the shipped rules' own tests do not show.

use counterfoil_watch::{Engine, Record, limits};
use serde_json::json;

use crate::{fired, observe, rules};

const USED: &str = "
title: Used
id: used
logsource: {product: counterfoil}
detection:
  selection: {event_type: model_inference}
  condition: selection
---
title: Spent
id: spent
detector:
  type: volume
  rules: [used]
  group-by: [actor]
  sum: new_value.tokens
  usual: {period: 1h, periods: 24, factor: 2, at_least: 100}
";

#[test]
fn a_volume_says_what_is_usual_once_a_period() {
    let mut engine = Engine::new(rules(USED)).expect("rules");
    let at = |hour: u32, tokens: u32| json!({"event_type": "model_inference", "timestamp": format!("2026-01-07T{hour:02}:10:00Z"), "new_value": {"tokens": tokens}});
    let firings = observe(
        &mut engine,
        &[at(1, 100), at(2, 120), at(3, 90), at(4, 150), at(5, 200), at(5, 60), at(5, 500), at(4, 900), at(6, 300)],
    );
    let spent: Vec<_> = firings.iter().filter(|firing| engine.rule(firing).id == "spent").collect();
    assert_eq!(spent.iter().map(|firing| firing.index).collect::<Vec<_>>(), [5, 8]);
    assert_eq!(spent[0].causes, [4, 5]);
    assert_eq!(spent[0].why.as_deref(), Some("260 in the period, and 120 is usual"));
}

#[test]
fn a_group_without_its_field_does_not_count() {
    let mut engine = Engine::new(rules(&USED.replace("group-by: [actor]", "group-by: [context.team]"))).expect("rules");
    let entries = vec![json!({"event_type": "model_inference", "new_value": {"tokens": 1_000_000}}); 5];
    let firings = observe(&mut engine, &entries);
    assert_eq!(fired(&engine, &firings, "Spent"), [] as [u64; 0]);
}

#[test]
fn too_many_groups_are_forgotten_and_counted() {
    let text = format!(
        "{USED}---
title: Often
id: often
correlation: {{type: event_count, rules: [used], group-by: [actor], timespan: 400d, condition: {{gte: 3}}}}
"
    );
    let mut engine = Engine::new(rules(&text.replace("sum: new_value.tokens", ""))).expect("rules");
    let (correlations, detectors) = (limits::MAX_CORRELATION_GROUPS, limits::MAX_DETECTOR_GROUPS);
    for index in 0..=correlations as u64 {
        let (day, minute) = (index / 1_440 % 28 + 1, index % 1_440);
        let entry = format!(
            r#"{{"event_type":"model_inference","actor":"a-{index}","timestamp":"2026-01-{day:02}T{:02}:{:02}:00Z"}}"#,
            minute / 60,
            minute % 60,
        );
        let record = Record::read(index, entry.as_bytes()).expect("an entry").expect("seen");
        engine.observe(&record);
    }
    let load = engine.load();
    assert_eq!(load.overflows, 1);
    assert!(load.groups <= correlations && load.groups >= correlations * 8 / 10, "{load:?}");
    let kept = correlations as u64 - load.forgotten;
    assert!(load.forgotten > 0 && kept <= detectors as u64, "{load:?}");
}

const AMOUNTS: &str = "
title: Paid
id: paid
logsource: {product: counterfoil}
detection: {selection: {event_type: payment_initiated}, condition: selection}
---
title: Far
id: far
detector:
  type: amount
  rules: [paid]
  group-by: [entity_type]
  field: new_value.amount
  factor: 4
  observations: 20
  at_least: 100
";

fn payment(kind: &str, amount: serde_json::Value) -> serde_json::Value {
    json!({"event_type": "payment_initiated", "entity_type": kind, "new_value": {"amount": amount}})
}

#[test]
fn an_amount_is_far_from_the_usual_ones_of_its_kind() {
    let mut engine = Engine::new(rules(AMOUNTS)).expect("rules");
    let usual = |kind, at: u32| (0..40).map(move |n| payment(kind, json!(at + n * 10)));
    let mut entries: Vec<_> = usual("fee", 200).chain(usual("loan", 200_000)).collect();
    entries.extend([
        payment("loan", json!("230000.00")),
        payment("fee", json!("230000.00")),
        payment("fee", json!(230_000)),
        payment("other", json!(230_000)),
        payment("fee", json!("a lot")),
        payment("fee", json!(1)),
    ]);
    let firings = observe(&mut engine, &entries);
    let far: Vec<_> = firings.iter().filter(|firing| engine.rule(firing).id == "far").collect();
    assert_eq!(far.iter().map(|firing| firing.index).collect::<Vec<_>>(), [81, 82]);
    assert_eq!(far[0].group, [("entity_type".to_owned(), "fee".to_owned())]);
    let why = far[0].why.as_deref().expect("a reason");
    assert!(why.starts_with("230000, where 360") && why.contains("is usual among the last 41, and "), "{why}");
    let limit: f64 = why.split(" and ").last().and_then(|end| end.split(' ').next()?.parse().ok()).expect("a figure");
    assert!((400.0..230_000.0).contains(&limit), "{why}");
    assert!(far[0].value.is_some_and(|deviation| deviation > 10.0), "{:?}", far[0].value);
}

#[test]
fn amounts_follow_a_new_level_and_stay_bounded() {
    let mut engine = Engine::new(rules(AMOUNTS)).expect("rules");
    let count = limits::MAX_AMOUNTS * 2;
    let entries = (0..count).map(|n| payment("fee", json!(if n < count / 2 { 200 + n } else { 200_000 + n })));
    let firings = observe(&mut engine, &entries.collect::<Vec<_>>());
    let far = fired(&engine, &firings, "Far");
    let newest = *far.last().expect("the first of them") as usize;
    assert!(far.len() < limits::MAX_AMOUNTS && newest < count * 3 / 4, "{} until {newest}", far.len());
}

const CLOCK: &str = "
title: Clock
id: clock
detector: {type: clock, ahead: 5m, behind: 1h, back: 10m, quiet: 1d}
";

/// An entry of a program at a minute of a day, recorded so many minutes later.
fn at(source: &str, sequence: u64, minute: i64, delay: i64) -> serde_json::Value {
    let time = |minute: i64| format!("2026-01-07T{:02}:{:02}:00Z", minute / 60, minute % 60);
    json!({"event_type": "note", "source": source, "sequence": sequence, "recorder": "batch",
        "timestamp": time(minute), "recorded_at": time(minute + delay)})
}

#[test]
fn a_clock_is_judged_by_what_is_usual_of_its_program() {
    let mut engine = Engine::new(rules(CLOCK)).expect("rules");
    let live = (0..12).map(|n| at("live", n, 600 + n as i64, 0));
    let history = (0..12).map(|n| at("history", n, 60 + n as i64, 600));
    let mut entries: Vec<_> = live.chain(history).collect();
    entries.extend([
        at("history", 12, 30, 640), // 24: late, and back, as a history is
        at("live", 12, 660, 3),     // 25
        at("live", 13, 645, 20),    // 26: its clock went back
        at("live", 14, 500, 180),   // 27: backdated, and told today already
        at("history", 13, 690, -6), // 28: of the future
        at("other", 0, 300, 400),   // 29: nothing is known of it
    ]);
    let firings = observe(&mut engine, &entries);
    let told: Vec<_> = firings.iter().map(|firing| (firing.index, firing.value.unwrap_or_default() as i64)).collect();
    assert_eq!(told, [(26, -900), (28, -360)]);
    let group: Vec<&str> = firings[0].group.iter().map(|(_, value)| value.as_str()).collect();
    assert_eq!(group, ["batch", "live"]);
    assert_eq!(firings[0].why.as_deref(), Some("it happened 15 minutes before the one before it"));
}

#[test]
fn the_new_detectors_say_what_they_look_for() {
    let engine = Engine::new(rules(&format!("{AMOUNTS}---{CLOCK}"))).expect("rules");
    let rule = |id: &str| engine.rules().find(id).expect("there");
    assert_eq!(
        engine.describe(rule("far")),
        "looks at matches of paid by entity_type: new_value.amount of 100 at least, 4 times the usual spread from the median\n"
    );
    let told = engine.describe(rule("clock"));
    assert!(told.starts_with("looks at every entry by recorder, source: a time more than 5 minutes after"), "{told}");
    let entry = at("live", 0, 600, 90).to_string();
    let record = Record::read(7, entry.as_bytes()).expect("an entry").expect("seen");
    let why = engine.explain(rule("clock"), &record);
    assert_eq!(why, "entry 7 says that it happened 1.5 hours before it was recorded\n");
}

#[test]
fn a_backlog_is_told_once_and_then_usual() {
    let mut engine = Engine::new(rules(&CLOCK.replace("quiet: 1d", "quiet: 1m"))).expect("rules");
    let live = (0..16).map(|n| at("live", n, n as i64, 0));
    let backlog = (16..40).map(|n| at("live", n, n as i64, 300));
    let firings = observe(&mut engine, &live.chain(backlog).collect::<Vec<_>>());
    let told: Vec<_> = firings.iter().map(|firing| firing.index).collect();
    assert_eq!(told, (16..24).collect::<Vec<_>>(), "until half of the newest are late");
    assert_eq!(firings[0].why.as_deref(), Some("it was recorded 5 hours after it happened, which is not usual there"));
}
