//! Alerts with their ages; gaps in the sequences of sources.

use super::{Report, SourceGaps, Sources};
use crate::moment::{grouped, lasting};
use crate::page::{Block, exact, facts, number, prose, table, words};

/// Runs of missing numbers that a row names.
const MAX_RUNS: usize = 4;

pub(super) fn blocks(report: &Report) -> Vec<Block> {
    let Some(alerts) = &report.alerts else {
        return vec![prose("No rules were in force, so no alert could be raised.")];
    };
    let mut blocks = vec![facts([
        ("Raised in the period", grouped(alerts.raised)),
        ("Of these, somebody took charge of", grouped(alerts.acknowledged)),
        ("Of these, resolved", grouped(alerts.resolved)),
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
        let state = match (alert.resolved_at, alert.acknowledged_at) {
            (Some(resolved), _) => format!("resolved after {}", at(resolved)),
            (None, Some(taken)) => format!("OPEN for {}; taken charge of after {}", at(report.scope.to), at(taken)),
            (None, None) => format!("OPEN for {}", at(report.scope.to)),
        };
        let (raised, entries) = (alert.raised_at.to_string(), grouped(alert.entries));
        vec![raised, alert.title.clone(), alert.level.clone(), entries, state, grouped(alert.index)]
    };
    blocks.push(table("Alerts, the open ones first", columns, &alerts.listed.rows, alerts.listed.total, "alerts", row));
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
