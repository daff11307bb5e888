//! Why a rule matches an entry or does not, in words.

use std::fmt::Write;

use rsigma_eval::{ConditionTrace, DetectionTrace, ItemTrace, MatchReason, SelectionBranch, explain_rule};
use rsigma_parser::{CorrelationCondition, CorrelationRule};
use serde_json::Value;

use crate::detector::{Check, Process, Spec, length};
use crate::engine::Engine;
use crate::record::{Record, View};
use crate::rule::{RuleInfo, RuleKind};

/// What an engine's rules say of one entry.
impl Engine {
    /// What a rule looks for, in words.
    pub fn describe(&self, rule: &RuleInfo) -> String {
        match rule.kind {
            RuleKind::Detection => {
                let found = self.detections().iter().find(|one| one.id.as_deref() == Some(&rule.id));
                let Some(compiled) = found else { return String::new() };
                let source = &compiled.logsource;
                let parts = [&source.product, &source.service, &source.category];
                let named: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
                let conditions: Vec<String> = compiled.conditions.iter().map(ToString::to_string).collect();
                format!("looks at each entry of {} for: {}\n", named.join(" "), conditions.join(" or "))
            }
            RuleKind::Correlation => {
                let found = self.rules().sigma.correlations.iter().find(|one| one.id.as_deref() == Some(&rule.id));
                found.map(describe_correlation).unwrap_or_default()
            }
            RuleKind::Detector => {
                let found = self.rules().detectors.iter().find(|bound| bound.id == rule.id);
                found.map(|bound| describe_detector(&bound.rule.detector)).unwrap_or_default()
            }
        }
    }

    /// Why a detection matches an entry or does not; for other rules, what of the detections behind them does.
    pub fn explain(&self, rule: &RuleInfo, record: &Record) -> String {
        let mut out = String::new();
        let detections = self.detections_behind(rule);
        if detections.is_empty() {
            let times = record.times();
            let (delay, index) = (times.recorded - times.claimed, record.index);
            let order = if delay < 0 { "after" } else { "before" };
            let _ =
                writeln!(out, "entry {index} says that it happened {} {order} it was recorded", length(delay.abs()));
        }
        for id in detections {
            let Some(compiled) = self.detections().iter().find(|one| one.id.as_deref() == Some(&id)) else {
                continue;
            };
            let source = &compiled.logsource;
            let seen = |view: &View<'_>| {
                let fits = |rule: &Option<String>, view: &Option<String>| {
                    rule.as_ref().is_none_or(|rule| view.as_ref().is_some_and(|view| view.eq_ignore_ascii_case(rule)))
                };
                fits(&source.product, &view.source.product)
                    && fits(&source.service, &view.source.service)
                    && fits(&source.category, &view.source.category)
            };
            let Some(view) = record.views().find(seen) else {
                let parts = [&source.product, &source.service, &source.category];
                let named: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
                let _ = writeln!(out, "✗ {}: entry {} is not of {}", compiled.title, record.index, named.join(" "));
                continue;
            };
            let told = explain_rule(compiled, &view);
            let _ = writeln!(out, "{} {}: {}", mark(told.matched), compiled.title, verdict(told.matched, record.index));
            told.conditions.iter().for_each(|condition| tell_condition(condition, 1, &mut out));
        }
        out
    }

    /// The ids of the detections that a rule comes down to.
    fn detections_behind(&self, rule: &RuleInfo) -> Vec<String> {
        let names: Vec<String> = match rule.kind {
            RuleKind::Detection => return vec![rule.id.clone()],
            RuleKind::Correlation => {
                let found = self.rules().sigma.correlations.iter().find(|one| one.id.as_deref() == Some(&rule.id));
                found.map(|correlation| correlation.rules.clone()).unwrap_or_default()
            }
            RuleKind::Detector => {
                let found = self.rules().detectors.iter().find(|bound| bound.id == rule.id);
                found.map(|bound| bound.looks_at.iter().map(|(id, _)| id.clone()).collect()).unwrap_or_default()
            }
        };
        let rules = names.iter().filter_map(|name| self.rules().find(name));
        rules.flat_map(|rule| self.detections_behind(rule)).collect()
    }
}

fn describe_correlation(rule: &CorrelationRule) -> String {
    let wanted = match &rule.condition {
        CorrelationCondition::Threshold { predicates, field, .. } => {
            let limits: Vec<String> =
                predicates.iter().map(|(operator, value)| format!("{operator:?} {value}").to_lowercase()).collect();
            let of = field.as_ref().map(|fields| format!(" of {}", fields.join(", "))).unwrap_or_default();
            format!("{}{of} {}", rule.correlation_type.as_str(), limits.join(" and "))
        }
        CorrelationCondition::Extended(expression) => format!("{} {expression}", rule.correlation_type.as_str()),
    };
    let group = if rule.group_by.is_empty() { "all entries together".into() } else { rule.group_by.join(", ") };
    let (rules, within) = (rule.rules.join(", "), &rule.timespan.original);
    format!("counts matches of {rules} within {within} by {group}: {wanted}\n")
}

fn describe_detector(spec: &Spec) -> String {
    let rules: Vec<&str> = spec.references().into_iter().map(|(name, _)| name).collect();
    let group = if spec.group_by().is_empty() { String::new() } else { format!(" by {}", spec.group_by().join(", ")) };
    let what = match spec {
        Spec::Hours { hours, .. } => format!("outside {} to {}", hours.from, hours.to),
        Spec::Dormant { after, .. } => format!("after nothing for {} days", after.0 / 86_400),
        Spec::Missing { before, .. } => format!("without {} before", before.join(" or ")),
        Spec::Volume { usual, .. } => format!("more than {} times what is usual in {} s", usual.factor, usual.period.0),
        Spec::Rate { usual, .. } => {
            format!("a share of more than {} times what is usual in {} s", usual.factor, usual.period.0)
        }
        Spec::Clock(skew) => format!(
            "a time more than {} after it was recorded; where entries usually come in time also more than {} before, or \
             {} before that of the entry before",
            length(skew.ahead.0),
            length(skew.behind.0),
            length(skew.back.0)
        ),
        Spec::Amount(far) => {
            let what = far.from.as_ref().map_or_else(|| far.field.clone(), |from| format!("{from} to {}", far.field));
            format!("{what} of {} at least, {} times the usual spread from the median", far.at_least, far.factor)
        }
        Spec::Process(process) => describe_steps(process),
    };
    let whom = if rules.is_empty() { "every entry".to_owned() } else { format!("matches of {}", rules.join(", ")) };
    format!("looks at {whom}{group}: {what}\n")
}

fn describe_steps(process: &Process) -> String {
    let steps = process.steps.iter().map(|step| match step.within {
        Some(within) => format!("{} (within {})", step.name, length(within.0)),
        None => step.name.clone(),
    });
    let checks = [
        (Check::Late, "a step that does not come in time"),
        (Check::Skipped, "one that comes without the one before it"),
        (Check::Back, "one that comes after a later one"),
    ];
    let checked = checks.into_iter().filter(|(check, _)| process.checks(*check)).map(|(_, text)| text);
    format!("{}; told are {}", steps.collect::<Vec<_>>().join(", then "), checked.collect::<Vec<_>>().join(", "))
}

fn mark(matched: bool) -> &'static str {
    if matched { "✓" } else { "✗" }
}

fn verdict(matched: bool, index: u64) -> String {
    let matches = if matched { "matches" } else { "does not match" };
    format!("entry {index} {matches}")
}

fn line(out: &mut String, depth: usize, matched: bool, text: &str) {
    let _ = writeln!(out, "{}{} {text}", "  ".repeat(depth), mark(matched));
}

fn tell_condition(condition: &ConditionTrace, depth: usize, out: &mut String) {
    match condition {
        ConditionTrace::Selection { name, matched, detection } => {
            line(out, depth, *matched, name);
            tell_detection(detection, depth + 1, out);
        }
        ConditionTrace::And { matched, children } => {
            line(out, depth, *matched, "all of");
            children.iter().for_each(|child| tell_condition(child, depth + 1, out));
        }
        ConditionTrace::Or { matched, children } => {
            line(out, depth, *matched, "one of");
            children.iter().for_each(|child| tell_condition(child, depth + 1, out));
        }
        ConditionTrace::Not { matched, child } => {
            line(out, depth, *matched, "not");
            tell_condition(child, depth + 1, out);
        }
        ConditionTrace::Quantified { quantifier, matched, need, got, branches } => {
            line(out, depth, *matched, &format!("{quantifier} of these: {need} needed, {got} matched"));
            for SelectionBranch { name, matched, detection } in branches {
                line(out, depth + 1, *matched, name);
                tell_detection(detection, depth + 2, out);
            }
        }
    }
}

fn tell_detection(detection: &DetectionTrace, depth: usize, out: &mut String) {
    match detection {
        DetectionTrace::AllOf { items, .. } => items.iter().for_each(|item| tell_item(item, depth, out)),
        DetectionTrace::AnyOf { branches, .. } | DetectionTrace::And { branches, .. } => {
            branches.iter().for_each(|branch| tell_detection(branch, depth, out));
        }
        DetectionTrace::Keywords { item, .. } => tell_item(item, depth, out),
        DetectionTrace::ArrayMatch { field, quantifier, matched, member_count, matched_count, .. } => {
            line(out, depth, *matched, &format!("{quantifier} of {field}: {matched_count} of {member_count} matched"));
        }
        DetectionTrace::Conditional { condition, .. } => tell_condition(condition, depth, out),
        DetectionTrace::Other { kind, matched } => line(out, depth, *matched, kind),
    }
}

fn tell_item(item: &ItemTrace, depth: usize, out: &mut String) {
    let field = item.field.as_deref().unwrap_or("any text");
    let wanted = item.pattern.as_deref().map(|pattern| format!(" {pattern:?}")).unwrap_or_default();
    let kind = format!("{:?}", item.matcher).to_lowercase();
    let found = match (&item.reason, &item.actual) {
        (MatchReason::FieldAbsent, _) | (_, None) => "it is absent".to_owned(),
        (MatchReason::CaseMismatch, Some(actual)) => format!("it is {} (another case)", shown(actual)),
        (_, Some(actual)) => format!("it is {}", shown(actual)),
    };
    line(out, depth, item.matched, &format!("{field} {kind}{wanted}: {found}"));
}

fn shown(value: &Value) -> String {
    const MOST: usize = 120;
    let text = value.to_string();
    match text.len() > MOST {
        true => format!("{}…", &text[..text.floor_char_boundary(MOST)]),
        false => text,
    }
}
