//! `rules`: shipped, checked, tested, explained, and run against real logs.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::place::{FIRST, Place, shared};

#[test]
fn the_shipped_rules_are_written_once_and_hold() {
    let place = Place::new();
    assert!(place.ok(&["rules", "init", "rules"]).starts_with("19 files written"), "19 files");
    let name = "rules/finance/after-hours-privileged-act.yml";
    let ours = std::fs::read_to_string(place.path(name)).unwrap().replace("Europe/Amsterdam", "America/New_York");
    place.write(name, &ours);
    assert!(place.ok(&["rules", "init", "rules"]).contains("19 were there already"));
    assert_eq!(std::fs::read_to_string(place.path(name)).unwrap(), ours);
    let checked = place.json(&["rules", "check", "rules", "--json"]);
    assert_eq!(checked["problems"], Value::Array(Vec::new()));
    let tested = place.run(&["rules", "test", "rules"]).refused(2, &[]);
    assert!(tested.stdout.contains("no_match 1: it fired"), "the hours are another zone's: {}", tested.stdout);
}

#[test]
fn a_rule_that_does_not_hold_is_named_and_left_out() {
    let place = Place::ledger();
    std::fs::create_dir(place.path("rules")).unwrap();
    place.write(
        "rules/bad.yml",
        "title: Bad\nlogsource: {product: counterfoil}\ndetection: {s: {a|expand: '%x%'}, condition: s}\n",
    );
    let checked = place.run(&["rules", "check", "rules"]).refused(2, &[]);
    assert!(checked.stdout.contains("left out: bad.yml, document 1 (Bad): a|expand: no value"), "{}", checked.stdout);
    place.run(&["rules", "backtest", "audit", "--rules", "rules"]).expect(0);
    place.run(&["rules", "check", "nowhere"]).refused(7, &["nowhere"]);
}

#[test]
fn a_rule_is_explained_and_backtested_on_a_ledger() {
    let place = Place::ledger();
    let entry = (FIRST + 3).to_string();
    let told = place.ok(&["rules", "explain", "Manual override without a reason", "audit", &entry]);
    for part in ["Why it matters", "✓ override", "✓ reasoned", "supplier changed its bank account"] {
        assert!(told.contains(part), "{told} does not say {part:?}");
    }
    place.run(&["rules", "explain", "Manual override without reason"]).refused(7, &["did you mean"]);
    let report = place.json(&["rules", "backtest", "audit", "--json"]);
    assert_eq!(count(&report, "Model version not approved in the ledger"), 2);
    assert_eq!(count(&report, "Manual override without a reason"), 0);
    assert!(
        place.ok(&["rules", "backtest", "audit"]).contains("2  high      Model version not approved in the ledger")
    );
}

fn count(report: &Value, title: &str) -> u64 {
    let rules = report["rules"].as_array().unwrap();
    let found = rules.iter().find(|rule| rule["title"] == title);
    found.unwrap_or_else(|| panic!("{title:?} is there"))["count"].as_u64().unwrap()
}

/// A ledger with one of the published CloudTrail sets.
fn imported(place: &Place, shared: &Path, dataset: &str) -> String {
    let ledger = dataset.to_owned();
    place.ok(&["init", &ledger, "--origin", "example.com/cloudtrail"]);
    let files = std::fs::read_dir(shared.join("datasets").join(dataset)).unwrap();
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    for file in files.iter().filter(|file| file.to_string_lossy().contains(".json")) {
        place.ok(&["import", &ledger, file.to_str().unwrap(), "--map", dataset]);
    }
    ledger
}

#[test]
fn published_rules_match_published_logs_as_another_engine_says() {
    let Some(shared) = shared("Sigma rules of others over real logs") else { return };
    let folder = shared.join("rules-sigmahq");
    let expected = std::fs::read_to_string(folder.join("expected-matches.tsv")).unwrap();
    let groups = std::fs::read_to_string(folder.join("expected-correlations.tsv")).unwrap();
    let place = Place::new();
    let mut wrong = Vec::new();
    for dataset in ["cloudtrail-invictus", "cloudtrail-otrf-bank-breach", "cloudtrail-stratus-labelled"] {
        let ledger = imported(&place, &shared, dataset);
        let report = place.json(&["rules", "backtest", &ledger, "--rules", folder.to_str().unwrap(), "--json"]);
        let rule = |id: &str| report["rules"].as_array().unwrap().iter().find(|rule| rule["id"] == id);
        for line in expected.lines().skip(1) {
            let [id, file, of, matches] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
            if of.trim_end_matches("(shared)") != dataset {
                continue;
            }
            let count = rule(id).map(|rule| rule["count"].as_u64().unwrap());
            let wanted = matches.parse::<u64>().unwrap();
            if count != Some(wanted) {
                wrong.push(format!("{file} on {dataset}: {count:?} instead of {wanted}"));
            }
        }
        wrong.extend(compare_groups(&groups, dataset, rule));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Compares which groups of each correlation fired.
fn compare_groups<'r>(expected: &str, dataset: &str, rule: impl Fn(&str) -> Option<&'r Value>) -> Vec<String> {
    let lines: Vec<Vec<&str>> = expected.lines().skip(1).map(|line| line.split('\t').collect()).collect();
    let ids: BTreeSet<&str> = lines.iter().map(|line| line[0]).collect();
    let mut wrong = Vec::new();
    for id in ids {
        let here = lines.iter().filter(|line| line[0] == id && line[2] == dataset && line[4].starts_with("fires"));
        let wanted: BTreeSet<String> = here.map(|line| line[3].to_owned()).collect();
        let Some(found) = rule(id) else {
            wrong.push(format!("{id} is not there"));
            continue;
        };
        let firings = found["firings"].as_array().map(Vec::as_slice).unwrap_or_default().iter();
        let group = |firing: &Value| {
            let members = firing["group"].as_array().unwrap().iter();
            members.map(|member| member[1].as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" | ")
        };
        let fired: BTreeSet<String> = firings.map(group).collect();
        if fired != wanted {
            wrong.push(format!("{id} on {dataset}: {fired:?} instead of {wanted:?}"));
        }
    }
    wrong
}

/// Rules that a bank would add for its own event types.
const LOANS: &str = "
title: An offer was made by a person
id: offered
logsource: {product: counterfoil}
detection: {selection: {event_type: loan_offer_created, actor_type: user}, condition: selection}
---
title: A loan was approved by a person
id: approved
logsource: {product: counterfoil}
detection: {selection: {event_type: loan_application_approved, actor_type: user}, condition: selection}
---
title: One person made the offer and approved the loan
id: two_eyes
correlation: {type: temporal_ordered, rules: [offered, approved], group-by: [entity_id, actor], timespan: 90d}
---
title: An application came in
id: submitted
logsource: {product: counterfoil}
detection: {selection: {event_type: loan_application_submitted}, condition: selection}
---
title: An application was decided
id: decided
logsource: {product: counterfoil}
detection:
  selection:
    event_type: [loan_application_approved, loan_application_declined, loan_application_cancelled]
  condition: selection
---
title: Application without a decision in thirty days
id: undecided
detector:
  type: process
  group-by: [entity_id]
  steps:
    - {step: the application, rules: [submitted]}
    - {step: decision, rules: [decided], within: 30d}
  checks: [late]
---
title: An offer was accepted
id: accepted
logsource: {product: counterfoil}
detection: {selection: {event_type: loan_offer_accepted}, condition: selection}
---
title: A loan was approved
id: granted
logsource: {product: counterfoil}
detection: {selection: {event_type: loan_application_approved}, condition: selection}
---
title: Loan approved without an accepted offer before
id: unaccepted
detector:
  type: process
  group-by: [entity_id]
  steps:
    - {step: acceptance, rules: [accepted]}
    - {step: approval, rules: [granted]}
  checks: [skipped]
---
title: Amount asked for far above what is usual
id: large
detector:
  type: amount
  rules: [submitted]
  group-by: [event_type]
  field: context.amount_requested_eur
  factor: 4
  observations: 50
  at_least: 10000
";

#[test]
fn the_finance_rules_find_in_a_bank_log_what_another_count_finds() {
    let Some(shared) = shared("the finance rules over a bank's loans") else { return };
    let place = Place::new();
    let log = shared.join("datasets/bpic2012-loan/events.csv.gz");
    place.ok(&["init", "loans", "--origin", "example.com/loans"]);
    place.ok(&["import", "loans", log.to_str().unwrap(), "--map", "bpic2012-loan"]);
    let report = place.json(&["rules", "backtest", "loans", "--json"]);
    let fired = report["rules"].as_array().unwrap().iter().filter(|rule| rule["base"] == false && rule["count"] != 0);
    let fired: Vec<_> = fired.map(|rule| (&rule["title"], &rule["firings"][0]["why"], &rule["indices"])).collect();
    // Employee 11339 was away from 7 October 2011 to 14 March 2012; nobody else for more than 55 days.
    let dormant = ("Dormant account active again".into(), "the first sign after 159 days".into(), vec![261_606].into());
    assert_eq!(fired, [(&dormant.0, &dormant.1, &dormant.2)]);
    std::fs::create_dir(place.path("rules")).unwrap();
    place.write("rules/loans.yml", LOANS);
    let report = place.json(&["rules", "backtest", "loans", "--rules", "rules", "--json"]);
    // Counted from the CSV by a few lines of Python.
    assert_eq!(count(&report, "One person made the offer and approved the loan"), 226);
    // 1,353 decided later than that, and 61 of those never decided came in 30 days before the log ends.
    assert_eq!(count(&report, "Application without a decision in thirty days"), 1_353 + 61);
    assert_eq!(count(&report, "Loan approved without an accepted offer before"), 801);
    assert_eq!(count(&report, "Amount asked for far above what is usual"), 0);
}

/// Amounts, and a step that must follow within an hour.
const FAR_AND_LATE: &str = "
title: Paid
id: paid
logsource: {product: counterfoil}
detection: {selection: {event_type: invoice_paid}, condition: selection}
---
title: Asked
id: asked
logsource: {product: counterfoil}
detection: {selection: {event_type: loan_asked}, condition: selection}
---
title: Decided
id: decided
logsource: {product: counterfoil}
detection: {selection: {event_type: loan_decided}, condition: selection}
---
title: Far
id: far
detector: {type: amount, rules: [paid], group-by: [event_type], field: new_value.amount, factor: 4, observations: 10, at_least: 500}
---
title: Late
id: late
detector:
  type: process
  group-by: [entity_id]
  steps:
    - {step: request, rules: [asked]}
    - {step: decision, rules: [decided], within: 1h}
";

#[test]
fn why_an_amount_is_far_and_what_did_not_follow_is_explained() {
    let place = Place::new();
    place.ok(&["init", "audit", "--origin", "bank.example/audit"]);
    std::fs::create_dir(place.path("rules")).unwrap();
    place.write("rules/rules.yml", FAR_AND_LATE);
    let entry = |what: &str, entity: String, day: usize, amount: usize| {
        serde_json::json!({"event_type": what, "actor": "eva", "entity_id": entity, "new_value": {"amount": amount},
            "timestamp": format!("2026-01-{day:02}T09:00:00Z")})
        .to_string()
            + "\n"
    };
    let mut lines: String =
        (1..=12).map(|day| entry("invoice_paid", format!("INV-{day}"), day, 100 + day % 3)).collect();
    lines += &entry("invoice_paid", "INV-13".into(), 13, 9_000);
    lines += &entry("loan_asked", "LN-1".into(), 13, 1);
    lines += &entry("loan_asked", "LN-2".into(), 20, 1);
    place.feed(&["append", "audit"], &lines).expect(0);
    let sql = "SELECT index FROM audit_log WHERE entity_id IN ('INV-12', 'INV-13', 'LN-1') ORDER BY index";
    let rows = place.json(&["query", "audit", sql, "--format", "json"]);
    let [usual, far, late] = [0, 1, 2].map(|row| rows[row]["index"].to_string());
    let explain = |rule: &str, index: &str| place.ok(&["rules", "explain", rule, "audit", index, "--rules", "rules"]);
    let told = explain("far", &far);
    for part in [
        &format!("it fires at entry {far}: 9000, where 101 is usual among the last 13, and 500 would be far"),
        "event_type invoice_paid",
    ] {
        assert!(told.contains(part), "{part:?} is not in {told}");
    }
    let told = explain("far", &usual);
    assert!(told.contains(&format!("it does not fire at entry {usual}")), "{told}");
    let told = explain("late", &late);
    assert!(told.contains(&format!("it fires at entry {late}: no decision within 1 hour after request")), "{told}");
}
