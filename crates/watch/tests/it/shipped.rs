//! The rules that come with the program.

use std::sync::Arc;

use counterfoil_watch::{RuleSet, run_tests, shipped};

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
