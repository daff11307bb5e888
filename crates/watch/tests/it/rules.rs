//! Reading rules, and which entries they see.

use counterfoil_watch::Engine;
use serde_json::json;

use crate::{fired, observe, rules};

const OVERRIDE: &str = "
title: Override
id: o
logsource: {product: counterfoil}
detection:
  selection: {event_type: manual_override}
  condition: selection
";

fn skipped(text: &str) -> Vec<String> {
    rules(text).problems.iter().filter(|problem| problem.skipped).map(ToString::to_string).collect()
}

#[test]
fn a_bad_document_is_named_and_the_others_hold() {
    let text = format!(
        "{OVERRIDE}---\ntitle: Broken\nid: b\nlogsource: {{product: counterfoil}}\ndetection: {{selection: {{a: b}}, condition: nothing}}\n---\n- a list\n"
    );
    let set = rules(&text);
    assert_eq!(set.rules.iter().map(|rule| rule.id.as_str()).collect::<Vec<_>>(), ["o"]);
    let told = skipped(&text);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("rules.yml, document 2 (Broken): "), "{told:?}");
    assert!(told[1].starts_with("rules.yml, document 3: "), "{told:?}");
}

#[test]
fn what_cannot_mean_what_it_says_is_refused_with_a_reason() {
    let with = |detection: &str| {
        format!(
            "title: T\nid: t\nlogsource: {{product: counterfoil}}\ndetection:\n  s: {{{detection}}}\n  condition: s\n"
        )
    };
    for (text, reason) in [
        (with("actor|expand: '%admins%'"), "no value is configured for %admins%"),
        (with("actor|re: '('"), "regex"),
        (with(&format!("actor|re: '{}'", "a".repeat(3_000))), "over the limit"),
        (with("actor|nonsense: x"), "nonsense"),
        ("title: [".to_owned(), "no YAML"),
        (format!("{OVERRIDE}---{OVERRIDE}"), "its id is that of rules.yml, document 1"),
        (
            "title: C\nid: c\ncorrelation: {type: event_count, rules: [nowhere], timespan: 1h, condition: {gte: 2}}"
                .into(),
            "nowhere",
        ),
        ("title: F\nfilter: {rules: [nowhere], s: {actor: x}, condition: not s}".into(), "nowhere"),
        (
            "title: D\nid: d\ndetector: {type: dormant, rules: [nowhere], group-by: [actor], after: 90d}".into(),
            "nowhere",
        ),
        (
            "title: D\nid: d\ndetector: {type: dormant, rules: [x], group-by: [actor], after: 90d, typo: 1}".into(),
            "typo",
        ),
        (
            "title: D\nid: d\ndetector: {type: dormant, rules: [], group-by: [actor], after: 90d}".into(),
            "at least one detection",
        ),
        (
            "title: D\nid: d\ndetector: {type: clock, ahead: soon, behind: 1d, back: 1m, quiet: 1d}".into(),
            "no length of time",
        ),
    ] {
        let told = skipped(&text);
        assert!(told.len() == 1 && told[0].contains(reason), "{text}\n{told:?} does not say {reason:?}");
    }
}

#[test]
fn names_that_no_entry_holds_are_warned_of_with_the_nearest() {
    let base = |detection: &str| {
        format!(
            "title: T\nid: t\nname: base\nlogsource: {{product: counterfoil}}\ndetection: {{s: {{{detection}}}, condition: s}}\n"
        )
    };
    let with = |document: &str| format!("{}---\ntitle: D\nid: d\n{document}\n", base("event_type: login"));
    for (text, warning) in [
        (base("event_typ: login"), "no entry has a member \"event_typ\"; did you mean event_type?"),
        (base("amount|gt: 5"), "no entry has a member \"amount\""),
        (base("context.model_verison: x"), "context.model_verison; did you mean model_version?"),
        (base("event_type: [login, invoice_aproved]"), "\"invoice_aproved\"; did you mean invoice_approved?"),
        (base("actor|fieldref: contxt.requested_by"), "\"contxt\"; did you mean context?"),
        (base("event_type: login") + "level: hgih\n", "invalid level: 'hgih'"),
        (base("event_type: login") + "status: stabel\n", "invalid status: 'stabel'"),
        (
            with(
                "correlation: {type: event_count, rules: [base], group-by: [acter], timespan: 1h, condition: {gte: 2}}",
            ),
            "did you mean actor?",
        ),
        (
            with("detector: {type: dormant, rules: [base], group-by: [entityid], after: 90d}\nlevel: hgih"),
            "did you mean entity_id?",
        ),
        (
            with("detector: {type: dormant, rules: [base], group-by: [actor], after: 90d}\nlevel: hgih"),
            "invalid level: 'hgih'",
        ),
    ] {
        let set = rules(&text);
        assert!(set.problems.iter().all(|problem| !problem.skipped), "{text}\n{:?}", set.problems);
        let told: Vec<&str> = set.problems.iter().map(|problem| problem.reason.as_str()).collect();
        assert!(told.iter().any(|told| told.contains(warning)), "{text}\n{told:?} does not say {warning:?}");
    }
    for good in [
        base("context.my_own_name: x, new_value.whatever|exists: true, recorded_at|startswith: '2026'"),
        base("event_type|startswith: invoice_aprov, actor: '*'") + "level: high\nstatus: stable\n",
        base("event_type: our_own_type"),
        base("eventNme: x").replace("product: counterfoil", "product: aws"),
    ] {
        assert_eq!(rules(&good).problems, [], "{good}");
    }
}

#[test]
fn correlations_that_refer_to_each_other_in_a_circle_are_left_out() {
    let text = "title: A\nid: a\ncorrelation: {type: event_count, rules: [b], timespan: 1h, condition: {gte: 2}}\n---\n\
                title: B\nid: b\ncorrelation: {type: event_count, rules: [a], timespan: 1h, condition: {gte: 2}}\n";
    assert_eq!(skipped(text).len(), 2);
}

#[test]
fn a_rule_sees_only_entries_of_its_log_source() {
    let text = "
title: Cloud
id: c
logsource: {product: aws, service: cloudtrail}
detection:
  selection: {eventName: DeleteTrail, userIdentity.type|startswith: IAM}
  condition: selection
---
title: Ours
id: e
logsource: {product: counterfoil}
detection:
  selection: {event_type|startswith: 'aws.'}
  condition: selection
---
title: Agent
id: a
logsource: {product: opentelemetry, service: trace}
detection:
  selection: {gen_ai.request.model: gpt-4o, name|contains: chat}
  condition: selection
---
title: Windows
id: w
logsource: {product: windows}
detection:
  selection: {eventName: DeleteTrail}
  condition: selection
";
    let set = rules(text);
    let warned: Vec<String> = set.problems.iter().map(ToString::to_string).collect();
    assert!(warned.len() == 1 && warned[0].contains("windows"), "{warned:?}");
    let mut engine = Engine::new(set).expect("rules");
    let record = json!({"eventSource": "cloudtrail.amazonaws.com", "eventName": "DeleteTrail", "userIdentity": {"type": "IAMUser"}});
    let firings = observe(
        &mut engine,
        &[
            json!({"event_type": "aws.cloudtrail.DeleteTrail", "context": record}),
            json!({"event_type": "note", "new_value": record}),
            json!({"event_type": "model_inference", "context": {"span_id": "00f067aa0ba902b7", "kind": "client", "name": "chat gpt-4o", "attributes": {"gen_ai.request.model": "gpt-4o"}}}),
        ],
    );
    assert_eq!(fired(&engine, &firings, "Cloud"), [0]);
    assert_eq!(fired(&engine, &firings, "Ours"), [0]);
    assert_eq!(fired(&engine, &firings, "Agent"), [2]);
    assert_eq!(fired(&engine, &firings, "Windows"), [] as [u64; 0]);
}

#[test]
fn fields_reach_into_objects_and_arrays_and_their_texts() {
    let text = "
title: Deep
id: d
logsource: {product: counterfoil}
detection:
  path: {new_value.lines.account: '4711'}
  text: {old_value|contains: '\"status\":\"held\"'}
  number: {context.confidence|lt: 0.5}
  silent: {reason: null}
  dotted: {context.run.id: r-1}
  inner: {new_value.lines.party|contains: '\"country\":\"KP\"'}
  condition: path and text and number and silent and dotted and inner
";
    let mut engine = Engine::new(rules(text)).expect("rules");
    let entry = json!({
        "event_type": "journal_entry_posted",
        "old_value": {"status": "held"},
        "new_value": {"lines": [{"account": "100", "party": {"country": "CH"}}, {"account": "4711", "party": {"country": "KP"}}]},
        "context": {"confidence": 0.25, "tags": ["urgent"], "run.id": "r-1"},
    });
    let mut other = entry.clone();
    other["context"]["confidence"] = json!(0.75);
    let firings = observe(&mut engine, &[entry, other]);
    assert_eq!(fired(&engine, &firings, "Deep"), [0]);
}

#[test]
fn members_of_arrays_are_selected_as_sigma_3_says() {
    let text = "
title: Selected
id: s
sigma-version: 3
logsource: {product: counterfoil}
detection:
  one: {'new_value.lines[1].account': '4711', 'context.tags[0]': urgent, 'context.tags[-1]': late}
  same:
    new_value.lines[any]:
      account: '4711'
      side: debit
  condition: one and same
";
    let set = rules(text);
    assert!(set.is_whole(), "{:?}", set.problems);
    let mut engine = Engine::new(set).expect("rules");
    let entry = |side: &str, tag: &str| {
        json!({
            "event_type": "journal_entry_posted",
            "new_value": {"lines": [{"account": "100", "side": "debit"}, {"account": "4711", "side": side}]},
            "context": {"tags": [tag, "late"]},
        })
    };
    let firings = observe(&mut engine, &[entry("debit", "urgent"), entry("credit", "urgent"), entry("debit", "calm")]);
    assert_eq!(fired(&engine, &firings, "Selected"), [0]);
}

#[test]
fn a_correlation_names_the_entries_behind_it_and_is_quiet_for_its_time() {
    let text = format!(
        "{OVERRIDE}---
title: Many
id: m
correlation:
  type: event_count
  rules: [Override]
  group-by: [actor]
  timespan: 1h
  condition: {{gte: 3}}
"
    );
    let set = rules(&text);
    assert!(set.problems.iter().any(|problem| problem.reason.contains("by its title")), "{:?}", set.problems);
    assert!(set.find("o").is_some_and(|rule| rule.base), "a base rule raises no alert itself");
    let mut engine = Engine::new(set).expect("rules");
    let at = |time: &str, actor: &str| json!({"event_type": "manual_override", "actor": actor, "timestamp": format!("2026-01-07T{time}Z")});
    let firings = observe(
        &mut engine,
        &[
            at("09:00:00", "eva"),
            at("09:10:00", "tom"),
            at("09:20:00", "eva"),
            at("09:30:00", "eva"),
            at("09:40:00", "eva"),
            at("10:35:00", "eva"),
            at("10:36:00", "eva"),
            at("10:37:00", "eva"),
        ],
    );
    let many: Vec<_> = firings.iter().filter(|firing| engine.rule(firing).id == "m").collect();
    assert_eq!(many.iter().map(|firing| firing.index).collect::<Vec<_>>(), [3, 6]);
    assert_eq!(many[0].causes, [0, 2, 3]);
    assert_eq!(many[0].group, [("actor".to_owned(), "eva".to_owned())]);
    assert_eq!(many[0].value, Some(3.0));
}

#[test]
fn a_filter_takes_entries_out_of_a_rule() {
    let text = format!(
        "{OVERRIDE}---
title: Not the trainer
logsource: {{product: counterfoil}}
filter:
  rules: [Override]
  selection: {{actor: trainer}}
  condition: not selection
"
    );
    let mut engine = Engine::new(rules(&text)).expect("rules");
    let entries =
        [json!({"event_type": "manual_override"}), json!({"event_type": "manual_override", "actor": "trainer"})];
    let firings = observe(&mut engine, &entries);
    assert_eq!(fired(&engine, &firings, "Override"), [0]);
}

#[test]
fn an_explanation_names_what_held_and_what_did_not() {
    let text = OVERRIDE
        .replace("condition: selection", "reasoned: {reason|re: '.+'}\n  condition: selection and not reasoned");
    let engine = Engine::new(rules(&text)).expect("rules");
    let rule = engine.rules().find("Override").expect("there").clone();
    assert!(engine.describe(&rule).contains("counterfoil"), "{}", engine.describe(&rule));
    let entry =
        json!({"event_type": "manual_override", "actor": "eva", "reason": "seen", "timestamp": "2026-01-07T09:00:00Z"});
    let canonical = entry.to_string();
    let record = counterfoil_watch::Record::read(7, canonical.as_bytes()).expect("an entry").expect("seen");
    let told = engine.explain(&rule, &record);
    for part in ["✗ Override: entry 7 does not match", "✓ selection", "✓ reasoned", "it is \"seen\""] {
        assert!(told.contains(part), "{told} does not say {part:?}");
    }
}

#[test]
fn no_rule_sees_an_alert() {
    let text = "title: All\nid: a\nlogsource: {product: counterfoil}\ndetection: {s: {event_type|startswith: ledger.}, condition: s}\n";
    let mut engine = Engine::new(rules(text)).expect("rules");
    let entries = [
        json!({"event_type": "ledger.alert_raised"}),
        json!({"event_type": "ledger.alert_resolved"}),
        json!({"event_type": "ledger.sealed"}),
    ];
    let firings = observe(&mut engine, &entries);
    assert_eq!(fired(&engine, &firings, "All"), [2]);
}

#[test]
fn what_is_no_file_is_named_and_links_in_circles_come_to_an_end() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(
        path("good.yml"),
        "title: x\nlogsource: {product: counterfoil}\ndetection: {a: {actor: b}, condition: a}\n",
    )
    .unwrap();
    assert!(std::process::Command::new("mkfifo").arg(path("pipe.yml")).status().unwrap().success());
    for number in 0..12 {
        std::os::unix::fs::symlink(".", path(&format!("d{number}"))).unwrap();
    }
    let texts = counterfoil_watch::Texts::read(folder.path()).unwrap();
    assert!(texts.files.iter().any(|(name, _)| name == "good.yml"));
    assert!(texts.problems.iter().any(|problem| problem.reason.contains("no regular file")), "{:?}", texts.problems);
}

#[test]
fn no_rule_takes_an_id_of_the_service() {
    let folder = tempfile::TempDir::new().unwrap();
    let rule = "title: x\nid: counterfoil.tampering\nlogsource: {product: counterfoil}\ndetection: {a: {actor: b}, condition: a}\n";
    std::fs::write(folder.path().join("rule.yml"), rule).unwrap();
    let set = counterfoil_watch::RuleSet::of(&counterfoil_watch::Texts::read(folder.path()).unwrap());
    assert!(set.rules.is_empty() && set.problems[0].reason.contains("the service's own"), "{:?}", set.problems);
}
