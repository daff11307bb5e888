//! Alerts with their ages; days that were reviewed; gaps in the sequences of sources.

use std::collections::BTreeSet;

use super::{Report, SourceGaps, Sources};
use crate::moment::{grouped, lasting};
use crate::page::{Block, exact, facts, heading, number, prose, table, words};

/// Runs of missing numbers that a row names.
const MAX_RUNS: usize = 4;

/// The most days of a period that are looked at one by one.
const MAX_DAYS: u64 = 4_000;
const DAY: i64 = 86_400_000_000;

pub(super) fn blocks(report: &Report) -> Vec<Block> {
    let mut blocks = Vec::new();
    match &report.alerts {
        None => blocks.push(prose("No rules were in force, so no alert could be raised.")),
        Some(alerts) => blocks.extend(alert_blocks(report, alerts)),
    }
    blocks.push(heading("Days that were reviewed"));
    blocks.extend(reviews(report));
    blocks
}

fn alert_blocks(report: &Report, alerts: &super::Alerts) -> Vec<Block> {
    let resolved = match alerts.false_positives {
        0 => grouped(alerts.resolved),
        wrong => format!("{}, {} of them as wrong", grouped(alerts.resolved), grouped(wrong)),
    };
    let raised = match alerts.drills {
        0 => grouped(alerts.raised),
        drills => format!("{}, {} of them by a drill", grouped(alerts.raised), grouped(drills)),
    };
    let mut blocks = vec![facts([
        ("Raised in the period", raised),
        ("Of these, somebody took charge of", grouped(alerts.acknowledged)),
        ("Of these, resolved", resolved),
        ("Open at the end, whenever raised", grouped(alerts.open)),
    ])];
    if alerts.listed.rows.is_empty() {
        blocks.push(prose("No alert was raised in the period, and none was open at its end."));
        return blocks;
    }
    let columns = vec![
        exact("Raised"),
        words("Alert", 3),
        exact("Level"),
        number("Causes"),
        words("State at the end", 3),
        number("Entry"),
    ];
    let row = |alert: &super::Alert| {
        let at = |moment: crate::Moment| moment.since(alert.raised_at);
        let until = report.until();
        let state = match (alert.resolved_at, alert.acknowledged_at) {
            (Some(resolved), _) if alert.false_positive => format!("resolved as wrong after {}", at(resolved)),
            (Some(resolved), _) => format!("resolved after {}", at(resolved)),
            (None, Some(taken)) => format!("OPEN for {}; taken charge of after {}", at(until), at(taken)),
            (None, None) => format!("OPEN for {}", at(until)),
        };
        let title = if alert.drill { format!("{} (a drill)", alert.title) } else { alert.title.clone() };
        let (raised, entries) = (alert.raised_at.to_string(), grouped(alert.entries));
        vec![raised, title, alert.level.clone(), entries, state, grouped(alert.index)]
    };
    blocks.push(table("Alerts, the open ones first", columns, &alerts.listed.rows, alerts.listed.total, "alerts", row));
    blocks
}

/// The days of the period, since the ledger began, that were over when the report was written.
fn days_over(report: &Report) -> impl Iterator<Item = String> {
    let since = report.scope.begun.map_or(report.scope.from, |begun| begun.max(report.scope.from));
    let (from, until) = (since.micros(), report.until().micros());
    let midnight = from - from.rem_euclid(DAY);
    let days = ((until - midnight).max(0) / DAY) as u64;
    (0..days.min(MAX_DAYS)).map(move |day| crate::Moment::from_micros(midnight + day as i64 * DAY).date())
}

/// Those of them that nobody signed.
pub(super) fn unsigned_days(report: &Report) -> u64 {
    let signed: BTreeSet<&str> = report.reviews.rows.iter().map(|review| review.day.as_str()).collect();
    days_over(report).filter(|day| !signed.contains(day.as_str())).count() as u64
}

fn reviews(report: &Report) -> Vec<Block> {
    let reviews = &report.reviews;
    if reviews.rows.is_empty() {
        return vec![prose("Nobody signed a review of a day of the period.")];
    }
    let over = days_over(report).count() as u64;
    let mut blocks = vec![facts([
        ("Days of the period that are over", grouped(over)),
        ("Days that were signed", grouped(reviews.total)),
        ("Days over and not signed", grouped(unsigned_days(report))),
    ])];
    let columns = vec![exact("Day"), exact("Signed"), words("By", 2), number("Alerts open then"), words("Note", 4)];
    let row = |one: &super::Review| {
        let by = match one.signatures {
            0 | 1 => one.actor.clone(),
            more => format!("{} and {} more", one.actor, more - 1),
        };
        vec![one.day.clone(), one.signed_at.to_string(), by, grouped(one.open_alerts), one.note.clone()]
    };
    blocks.push(table("Days that were signed", columns, &reviews.rows, reviews.total, "days", row));
    blocks
}

pub(super) fn gap_blocks(sources: &Sources) -> Vec<Block> {
    let clock = |micros: Option<i64>| match micros {
        Some(micros) if micros > 0 => lasting(micros),
        Some(_) => "not at all".to_owned(),
        None => "–".to_owned(),
    };
    let mut blocks = vec![
        prose(
            "A program that numbers its entries without gaps cannot lose one unseen: a number that is missing was never recorded, or \
             not yet. What follows is the state when this report was written.",
        ),
        facts([
            ("Programs that number their entries", grouped(sources.numbered)),
            ("With numbers missing", grouped(sources.with_gaps.total)),
            ("Recorded later than it happened, at most", clock(sources.late_micros)),
            ("Said to have happened after it was recorded, at most", clock(sources.early_micros)),
        ]),
    ];
    if let Some(fault) = &sources.fault {
        blocks.push(prose(format!("What is missing cannot be told: {fault}.")));
        return blocks;
    }
    if sources.with_gaps.rows.is_empty() {
        let told = if sources.numbered > 0 { "No number is missing." } else { "No program numbers its entries." };
        blocks.push(prose(told));
        return blocks;
    }
    let columns =
        vec![words("Source", 3), words("Records as", 2), number("Up to"), number("Missing"), words("Which", 4)];
    let row = |source: &SourceGaps| {
        let recorder = source.recorder.clone().unwrap_or_else(|| "–".to_owned());
        vec![source.source.clone(), recorder, grouped(source.last), grouped(source.missing), runs(source)]
    };
    let listed = &sources.with_gaps;
    blocks.push(table("Missing numbers by source", columns, &listed.rows, listed.total, "sources", row));
    blocks
}

fn runs(source: &SourceGaps) -> String {
    let run = |&(first, last): &(u64, u64)| match first == last {
        true => grouped(first),
        false => format!("{}–{}", grouped(first), grouped(last)),
    };
    let mut named: Vec<String> = source.gaps.iter().take(MAX_RUNS).map(run).collect();
    let shown: u64 = source.gaps.iter().take(MAX_RUNS).map(|(first, last)| last.saturating_sub(*first) + 1).sum();
    if shown < source.missing {
        named.push("and more".to_owned());
    }
    named.join(", ")
}
