//! What correlations remember over restarts, and how much.

use rsigma_parser::{CorrelationRule, parse_sigma_yaml};

use super::group::{Hit, Kept};
use super::groups::Key;
use super::{Correlations, Remembered};
use crate::limits::{MAX_CORRELATION_ENTRIES, MAX_GROUP_ENTRIES};

fn rule(text: &str) -> CorrelationRule {
    let text = format!("title: C\nid: c\ncorrelation: {{timespan: 1d, {text}}}");
    parse_sigma_yaml(&text).expect("YAML").correlations.pop().expect("a correlation")
}

fn correlations(rule: &CorrelationRule) -> Correlations {
    Correlations::new(std::iter::once((0, rule))).expect("it holds")
}

fn key(value: &str) -> Key {
    let mut key = Key::of(0);
    key.push(Some(value));
    key
}

fn hit(index: u64) -> Hit {
    Hit { time: 1_000 + index as i64 / 100, index, kept: Kept::Nothing }
}

/// What is remembered, written down and read again.
fn written(correlations: &Correlations) -> Remembered {
    serde_json::from_str(&serde_json::to_string(&correlations.remembered()).expect("JSON")).expect("the same")
}

const REQUESTS: &str = "type: event_count, rules: [request], group-by: [actor], condition: {gte: 3}";

#[test]
fn a_group_goes_on_and_stays_quiet_as_if_nothing_had_been() {
    let document = rule(&REQUESTS.replace("gte: 3", "gte: 2"));
    let mut before = correlations(&document);
    assert!(before.hit(&key("eva"), 0, hit(0)).is_none() && before.hit(&key("tom"), 0, hit(1)).is_none());
    let mut after = correlations(&document);
    after.restore(written(&before));
    assert_eq!(after.hit(&key("eva"), 0, hit(2)).expect("the second").causes, [0, 2]);
    assert_eq!(after.group_count(), 2);
}

#[test]
fn a_rule_that_means_something_else_begins_anew() {
    let mut before = correlations(&rule(REQUESTS));
    before.hit(&key("eva"), 0, hit(0));
    for (from, to) in [("[actor]", "[entity_id]"), ("[request]", "[r]"), ("event_count", "temporal")] {
        let mut after = correlations(&rule(&REQUESTS.replace(from, to)));
        after.restore(written(&before));
        assert_eq!(after.group_count(), 0, "{to}");
    }
    let mut after = correlations(&rule(&REQUESTS.replace("gte: 3", "gte: 2")));
    after.restore(written(&before));
    assert!(after.hit(&key("eva"), 0, hit(1)).is_some(), "another limit is no reason to forget");
}

#[test]
fn all_groups_together_keep_a_bounded_number_of_entries() {
    let mut correlations = correlations(&rule(&REQUESTS.replace("gte: 3", "gte: 1000000")));
    let groups = MAX_CORRELATION_ENTRIES / MAX_GROUP_ENTRIES;
    for group in 0..=groups {
        let key = key(&format!("A-{group}"));
        for number in 0..MAX_GROUP_ENTRIES {
            correlations.hit(&key, 0, hit((group * MAX_GROUP_ENTRIES + number) as u64));
        }
    }
    let kept: usize = correlations.groups.iter().map(|(_, group)| group.len()).sum();
    assert!(kept <= MAX_CORRELATION_ENTRIES, "{kept}");
    assert_eq!((correlations.overflows(), correlations.group_count()), (1, groups / 10 * 9 + 1));
}
