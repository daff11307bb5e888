//! The rules that come with the program.

use std::sync::Arc;

use counterfoil_entry::Timestamp;
use counterfoil_watch::{RuleSet, Texts, Turnout, rehearse, run_tests, shipped};
use serde_json::json;

#[test]
fn every_shipped_rule_holds_explains_itself_and_passes_its_tests() {
    let set = Arc::new(RuleSet::of(&shipped()));
    assert_eq!(set.problems, [], "no problem and no warning");
    for rule in set.rules.iter().filter(|rule| !rule.base) {
        assert!(rule.description.as_ref().is_some_and(|text| text.contains("Why it matters")), "{}: why?", rule.title);
        assert!(rule.author.is_some() && !rule.references.is_empty() && !rule.tags.is_empty(), "{}", rule.title);
        assert!(!rule.falsepositives.is_empty(), "{}", rule.title);
    }
    for rule in &set.rules {
        let parts: Vec<usize> = rule.id.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12], "{}: its id is a UUID", rule.title);
    }
    let trials = run_tests(&set).expect("tests can be read");
    for rule in set.rules.iter().filter(|rule| !rule.base) {
        let trial = trials.iter().find(|trial| trial.id == rule.id);
        let trial = trial.unwrap_or_else(|| panic!("{} has no tests", rule.title));
        assert_eq!(trial.failed, [] as [String; 0], "{}", rule.title);
        assert!(trial.passed >= 2, "{}", rule.title);
    }
}

#[test]
fn a_test_that_fails_is_told() {
    let mut texts = shipped();
    let file = texts.files.iter_mut().find(|(name, _)| name.ends_with("override-without-reason.yml")).expect("there");
    file.1 = file.1.replace("condition: override and not reasoned", "condition: override");
    let trials = run_tests(&Arc::new(RuleSet::of(&texts))).expect("tests can be read");
    let failed: Vec<&String> = trials.iter().flat_map(|trial| &trial.failed).collect();
    assert_eq!(failed, ["no_match 1: it fired"]);
}

#[test]
fn every_shipped_rule_fires_on_an_example_among_those_of_the_others() {
    let set = Arc::new(RuleSet::of(&shipped()));
    let now = Timestamp::parse("2026-11-28T12:00:00Z").expect("a time");
    let parts = rehearse(&set, &[], now).expect("tests can be read");
    assert_eq!(parts.len(), set.rules.iter().filter(|rule| !rule.base).count());
    for part in &parts {
        assert_eq!(part.turnout, Turnout::Fires, "{}", part.title);
        assert!(part.entries.iter().all(|entry| entry["recorded_at"].is_null() && entry["actor"].is_string()));
    }
}

#[test]
fn what_cannot_be_rehearsed_is_said() {
    let rules = "title: No example\nid: one\nlogsource: {product: counterfoil}\ndetection: {s: {event_type: a}, condition: s}\n\
        ---\ntitle: Own\nid: two\nlogsource: {product: counterfoil}\ndetection: {s: {event_type: ledger.sealed}, condition: s}\n\
        tests: {match: [{event_type: ledger.sealed}]}\n\
        ---\ntitle: Wrong\nid: three\nlogsource: {product: counterfoil}\ndetection: {s: {event_type: b}, condition: s}\n\
        tests: {match: [{event_type: c}]}\n\
        ---\ntitle: By the day\nid: four\nlogsource: {product: counterfoil}\ndetection: {s: {event_type: day}, condition: s}\n";
    let texts = Texts { files: vec![("rules.yml".to_owned(), rules.to_owned())], problems: Vec::new() };
    let set = Arc::new(RuleSet::of(&texts));
    let day = [json!({"event_type": "day", "actor": "eva", "entity_id": "E-1", "timestamp": "2026-11-28T11:00:00Z"})];
    let now = Timestamp::parse("2026-11-28T12:00:00Z").expect("a time");
    let parts = rehearse(&set, &day, now).expect("tests can be read");
    let turnout = |title: &str| &parts.iter().find(|part| part.title == title).expect("every rule").turnout;
    assert!(matches!(turnout("No example"), Turnout::Untried(_)));
    assert!(matches!(turnout("Own"), Turnout::Untried(_)));
    assert_eq!((turnout("Wrong"), turnout("By the day")), (&Turnout::Broken, &Turnout::Fires));
}
