//! Correlations against the Sigma engine's own, entry by entry, and where they must do better than it.

use std::sync::Arc;

use counterfoil_testkit::Random;
use counterfoil_watch::{Engine, Firing, Record, Texts};
use rsigma_eval::{CorrelationConfig, CorrelationEngine, JsonEvent, ResultBody};
use rsigma_parser::parse_sigma_yaml;
use serde_json::{Value, json};

use crate::{fired, observe, rules};

const BASES: &str = "
title: Request
id: r
name: request
logsource: {product: counterfoil}
detection: {s: {event_type: request}, condition: s}
---
title: Approval
id: a
name: approval
logsource: {product: counterfoil}
detection: {s: {event_type|startswith: approv}, condition: s}
---
title: Large
id: l
logsource: {product: counterfoil}
detection: {s: {context.amount|gte: 5}, condition: s}
";

/// A correlation of each kind, with windows, groups and quiet times of every sort.
fn drawn(random: &mut Random) -> String {
    let mut text = BASES.to_owned();
    for number in 0..6 {
        let (kind, refs, condition) = random.pick(&[
            ("event_count", "[request]", "{gte: 3}"),
            ("event_count", "[r, approval]", "{gt: 2, lt: 5}"),
            ("value_count", "[approval]", "{field: actor, gte: 2}"),
            ("value_count", "[request, l]", "{field: [actor, context.amount], gte: 3}"),
            ("temporal", "[request, approval]", "{gte: 2}"),
            ("temporal", "[request, approval, l]", "request and not l"),
            ("temporal_ordered", "[request, approval]", "{gte: 2}"),
            ("temporal_ordered", "[l, request, a]", "{gte: 3}"),
            ("value_sum", "[request]", "{field: context.amount, gte: 12}"),
            ("value_avg", "[request, approval]", "{field: context.amount, gt: 6}"),
            ("value_median", "[approval]", "{field: context.amount, lte: 4}"),
        ]);
        let window = random.pick(&["", "  window: tumbling\n", "  window: session\n  gap: 20s\n"]);
        let group = random.pick(&["[]", "[actor]", "[entity_id]", "[actor, entity_id, context.none]", "[who]"]);
        let aliases = if group == "[who]" { "  aliases: {who: {r: actor, approval: context.by}}\n" } else { "" };
        let refs = if aliases.is_empty() { refs } else { "[r, approval]" };
        let condition =
            if refs == "[r, approval]" && condition == "request and not l" { "{gte: 1}" } else { condition };
        let span = random.pick(&["30s", "2m", "1h"]);
        let suppress = random.pick(&["45s", "2m", "1h"]);
        let action = random.pick(&["alert", "reset"]);
        text += &format!(
            "---\ntitle: C{number}\nid: c{number}\nname: corr{number}\ncustom_attributes: {{rsigma.suppress: {suppress}, \
             rsigma.action: {action}, rsigma.max_group_entries: \"{most}\"}}\ncorrelation:\n  type: {kind}\n  rules: {refs}\n  \
             group-by: {group}\n{aliases}  timespan: {span}\n{window}  condition: {condition}\n",
            most = random.pick(&[3, 10_000]),
        );
    }
    text += "---\ntitle: Both\nid: both\ncustom_attributes: {rsigma.suppress: 45s, rsigma.action: alert}\ncorrelation:\n  type: temporal\n  rules: [corr0, c1]\n  \
             group-by: [actor]\n  timespan: 5m\n  condition: {gte: 2}\n";
    text += "---\ntitle: Twice\nid: twice\ncustom_attributes: {rsigma.suppress: 45s, rsigma.action: alert}\ncorrelation:\n  type: event_count\n  rules: [corr0, c1, corr2, both]\n  \
             timespan: 5m\n  condition: {gte: 2}\n";
    text
}

/// An entry, now and then one that comes late: `most` seconds. Later ones wake and end sessions otherwise than the engine's.
fn event(random: &mut Random, seconds: &mut i64, most: u64) -> (Value, i64) {
    *seconds += random.below(25) as i64;
    let late = if random.below(8) == 0 { random.below(most) as i64 } else { 0 };
    let time = 1_760_000_000 + *seconds - late;
    let event = json!({
        "event_type": random.pick(&["request", "approval", "approved", "other"]),
        "actor": random.pick(&["eva", "otto"]),
        "entity_id": random.pick(&["E-1", "E-2"]),
        "timestamp": jiff::Timestamp::from_second(time).expect("a time").to_string(),
        "context": {"amount": random.below(10), "by": random.pick(&["eva", "otto", "ida"])},
    });
    (event, time)
}

/// What fires at one entry: rule, group, figure.
type Told = Vec<(String, Vec<(String, String)>, f64)>;

#[test]
fn correlations_fire_as_those_of_the_sigma_engine() {
    let mut fired = 0;
    for seed in 0..400 {
        let mut random = Random::new(seed);
        let text = drawn(&mut random);
        let set = rules(&text);
        assert!(set.is_whole(), "{:?}\n{text}", set.problems);
        let mut ours = Engine::new(set.clone()).expect("rules that hold");
        let mut theirs = CorrelationEngine::new(CorrelationConfig::default());
        theirs.add_collection(&parse_sigma_yaml(&text).expect("YAML")).expect("rules that hold");
        let most = if text.contains("session") { 1 } else { 40 };
        let (mut seconds, mut past) = (0, Vec::new());
        for index in 0..150 {
            let (event, time) = event(&mut random, &mut seconds, most);
            let canonical = event.to_string();
            let record = Record::read(index, canonical.as_bytes()).expect("an entry").expect("one to be seen");
            let mut got: Told = ours
                .observe(&record)
                .into_iter()
                .filter_map(|firing| {
                    let id = set.rules[firing.rule].id.clone();
                    assert!(firing.causes.contains(&index) && firing.causes.is_sorted());
                    Some((id, firing.group, firing.value?))
                })
                .collect();
            let mut wanted: Told = theirs
                .process_event_at(&JsonEvent::borrow(&event), time)
                .into_iter()
                .filter_map(|result| {
                    let ResultBody::Correlation(body) = result.body else { return None };
                    Some((result.header.rule_id?, body.group_key, body.aggregated_value))
                })
                .collect();
            got.sort_by(|a, b| a.partial_cmp(b).expect("numbers"));
            wanted.sort_by(|a, b| a.partial_cmp(b).expect("numbers"));
            past.push(canonical.clone());
            assert_eq!(got, wanted, "seed {seed}, entry {index}\n{text}\n{}", past.join("\n"));
            fired += got.len();
        }
    }
    assert!(fired > 5_000, "only {fired} firings compare nothing");
}

fn correlation(body: &str) -> String {
    format!("{BASES}---\ntitle: C\nid: c\ncorrelation:\n  rules: [request]\n  timespan: 1d\n{body}\n")
}

fn at(second: u32, event_type: &str, amount: Value) -> Value {
    let timestamp = format!("2026-01-07T09:{:02}:{:02}Z", second / 60, second % 60);
    json!({"event_type": event_type, "timestamp": timestamp, "context": {"amount": amount}})
}

#[test]
fn a_percentile_is_held_against_the_condition() {
    let set =
        rules(&correlation("  type: value_percentile\n  condition: {field: context.amount, percentile: 90, gte: 100}"));
    let mut engine = Engine::new(set).expect("rules that hold");
    let small: Vec<Value> = (0..20).map(|second| at(second, "request", json!(second))).collect();
    let firings = observe(&mut engine, &small);
    assert!(fired(&engine, &firings, "C").is_empty(), "nine of ten are below 100");
    let large: Vec<Value> = (20..30).map(|second| at(second, "request", json!(1_000))).collect();
    let firings = observe(&mut engine, &large);
    assert_eq!(fired(&engine, &firings, "C").len(), 1);
}

#[test]
fn an_amount_that_is_no_number_does_not_blind_a_sum() {
    let set = rules(&correlation("  type: value_sum\n  condition: {field: context.amount, gte: 100}"));
    let mut engine = Engine::new(set).expect("rules that hold");
    let entries = [at(0, "request", json!("NaN")), at(1, "request", json!("-inf")), at(2, "request", json!(150))];
    let firings = observe(&mut engine, &entries);
    assert_eq!(fired(&engine, &firings, "C"), [2]);
}

#[test]
fn values_of_any_length_are_told_apart_and_take_a_bounded_room() {
    let set =
        rules(&correlation("  type: value_count\n  condition: {field: context.amount, gte: 2}\n  group-by: [actor]"));
    let mut engine = Engine::new(set).expect("rules that hold");
    let long = |end: &str| json!("x".repeat(10_000) + end);
    let firings =
        observe(&mut engine, &[at(0, "request", long("a")), at(1, "request", long("a")), at(2, "request", long("b"))]);
    assert_eq!(fired(&engine, &firings, "C"), [2], "two of them, which differ at their ends only");
    let entry = json!({"event_type": "request", "actor": "y".repeat(10_000), "context": {"amount": 1}});
    let other = json!({"event_type": "request", "actor": "y".repeat(10_000), "context": {"amount": 2}});
    let firings = observe(&mut engine, &[entry, other]);
    let firing: &Firing = firings.iter().find(|firing| firing.value.is_some()).expect("it fires");
    assert!(firing.group[0].1.len() <= 256, "{}", firing.group[0].1.len());
}

#[test]
fn a_median_of_the_largest_numbers_is_a_number() {
    let set = rules(&correlation("  type: value_median\n  condition: {field: context.amount, lte: 4}"));
    let mut engine = Engine::new(set).expect("rules that hold");
    let firings = observe(&mut engine, &[-1.7e308, -1.7e308, 1.7e308].map(|amount| at(0, "request", json!(amount))));
    assert_eq!(fired(&engine, &firings, "C"), [0]);
    let firings = observe(
        &mut engine,
        &[json!({"event_type": "request", "timestamp": "2026-03-07T09:00:00Z", "context": {"amount": 1.7e308}})],
    );
    assert!(fired(&engine, &firings, "C").is_empty(), "the others are over");
}

#[test]
fn integers_are_told_apart_digit_for_digit() {
    let set = rules(&correlation("  type: value_count\n  condition: {field: context.amount, gte: 2}"));
    let mut engine = Engine::new(set).expect("rules that hold");
    let numbers = [10_000_000_000_000_000_001_u64, 10_000_000_000_000_000_002];
    let firings = observe(&mut engine, &numbers.map(|number| at(0, "request", json!(number))));
    assert_eq!(fired(&engine, &firings, "C"), [1]);
}

#[test]
fn without_a_condition_all_rules_must_match() {
    let body = "  type: temporal\n  group-by: [actor]";
    let text = correlation(body).replace("rules: [request]", "rules: [request, approval]");
    let mut engine = Engine::new(rules(&text)).expect("rules that hold");
    let firings =
        observe(&mut engine, &[at(0, "request", json!(1)), at(1, "request", json!(1)), at(2, "approval", json!(1))]);
    assert_eq!(fired(&engine, &firings, "C"), [2]);
}

#[test]
fn a_condition_names_rules_as_they_are_known_and_no_others() {
    let text = |condition: &str| {
        let body = format!("  type: temporal\n  condition: {condition}");
        correlation(&body).replace("rules: [request]", "rules: [Request, a]")
    };
    let mut engine = Engine::new(rules(&text("Request and approval"))).expect("rules that hold");
    let firings = observe(&mut engine, &[at(0, "request", json!(1)), at(1, "approval", json!(1))]);
    assert_eq!(fired(&engine, &firings, "C"), [1], "one by its title, the other by its name");
    for (condition, reason) in
        [("Request and aproval", "\"aproval\", which is not among its rules"), ("1 of re*", "name each")]
    {
        let set = rules(&text(condition));
        let skipped = set.problems.iter().find(|problem| problem.skipped).expect("it is left out");
        assert!(skipped.reason.contains(reason), "{}", skipped.reason);
    }
}

#[test]
fn a_count_that_no_group_can_come_to_is_warned_of() {
    let limited = |most: &str| {
        format!(
            "{}custom_attributes: {{rsigma.max_group_entries: {most}}}\n",
            correlation("  type: event_count\n  condition: {gte: 101}")
        )
    };
    let told = |text: &str| rules(text).problems.iter().any(|problem| problem.reason.contains("never fires"));
    assert!(told(&limited("100")) && told(&limited("\"100\"")) && !told(&limited("101")));
    assert!(told(&correlation("  type: value_count\n  condition: {field: actor, gt: 10000}")));
}

/// The history of another year is no reason to be silent, nor is what was just told one to be silent about it.
#[test]
fn a_group_is_quiet_near_the_time_of_its_alert_only() {
    let set = rules(&correlation("  type: event_count\n  condition: {gte: 1}"));
    let mut engine = Engine::new(set).expect("rules that hold");
    let on = |day: &str| json!({"event_type": "request", "timestamp": format!("{day}T09:00:00Z")});
    let firings = observe(&mut engine, &[on("2026-01-07"), on("2024-01-07"), on("2024-01-07"), on("2024-01-09")]);
    assert_eq!(fired(&engine, &firings, "C"), [0, 1, 3]);
}

#[test]
fn an_entry_of_long_ago_ends_no_session() {
    let set = rules(&correlation("  type: event_count\n  window: session\n  gap: 1m\n  condition: {gte: 3}"));
    let mut engine = Engine::new(set).expect("rules that hold");
    let old = json!({"event_type": "request", "timestamp": "2026-01-07T08:00:00Z"});
    let firings = observe(&mut engine, &[at(0, "request", json!(1)), old, at(1, "request", json!(1))]);
    assert_eq!(fired(&engine, &firings, "C"), [2]);
}

/// Every pair, or every value once more at each entry, would take hours here.
#[test]
fn a_group_that_is_flooded_keeps_nobody_waiting() {
    let ordered = "---\ntitle: Ordered\nid: ordered\ncorrelation:\n  type: temporal_ordered\n  rules: [request, approval, l]\n  \
                   timespan: 1d\n  condition: {gte: 3}\n";
    let set = rules(&(correlation("  type: value_count\n  condition: {field: context.amount, gte: 100000}") + ordered));
    let mut engine = Engine::new(set).expect("rules that hold");
    for (start, event_type, amount) in [(0, "other", 9), (600, "request", 0), (1_200, "approval", 0)] {
        let flood: Vec<Value> =
            (0..3_000).map(|number| at(start + number / 10, event_type, json!(amount * number))).collect();
        let firings = observe(&mut engine, &flood);
        assert!(fired(&engine, &firings, "Ordered").is_empty(), "the large ones came before the others");
    }
    let firings = observe(&mut engine, &[at(1_800, "other", json!(9))]);
    assert_eq!(fired(&engine, &firings, "Ordered"), [0]);
}

#[test]
fn memory_is_bounded_and_the_stalest_is_forgotten_first() {
    let text = correlation("  type: event_count\n  condition: {gte: 2}\n  group-by: [entity_id]");
    let set =
        Arc::new(counterfoil_watch::RuleSet::of(&Texts { files: vec![("r.yml".into(), text)], problems: Vec::new() }));
    let mut engine = Engine::new(set).expect("rules that hold");
    let most = engine.load().most_groups;
    let entry = |number: usize| {
        let timestamp = jiff::Timestamp::from_second(1_760_000_000 + number as i64 / 10).expect("a time").to_string();
        json!({"event_type": "request", "entity_id": format!("E-{number}"), "timestamp": timestamp})
    };
    for number in 0..=most {
        observe(&mut engine, &[entry(number)]);
    }
    let load = engine.load();
    assert_eq!((load.overflows, load.groups), (1, most / 10 * 9 + 1));
    let at_end = |of: usize| json!({"entity_id": format!("E-{of}"), "timestamp": entry(most)["timestamp"], "event_type": "request"});
    let firings = observe(&mut engine, &[at_end(most / 2), at_end(1)]);
    assert_eq!(fired(&engine, &firings, "C"), [0], "the newer one was remembered, the oldest not");
}

#[test]
fn an_entry_of_long_ago_makes_a_group_no_staler() {
    let text = correlation("  type: event_count\n  condition: {gte: 3}\n  group-by: [entity_id]");
    let mut engine = Engine::new(rules(&text)).expect("rules that hold");
    let entry = |number: usize, entity: &str| {
        let timestamp = jiff::Timestamp::from_second(1_760_000_000 + number as i64).expect("a time").to_string();
        json!({"event_type": "request", "entity_id": entity, "timestamp": timestamp})
    };
    observe(&mut engine, &[entry(20_000, "E"), entry(0, "E")]);
    for number in 0..engine.load().most_groups {
        observe(&mut engine, &[entry(1 + number / 10, &format!("E-{number}"))]);
    }
    assert_eq!(engine.load().overflows, 1);
    let firings = observe(&mut engine, &[entry(20_001, "E")]);
    assert_eq!(fired(&engine, &firings, "C"), [0]);
}
