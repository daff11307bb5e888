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
