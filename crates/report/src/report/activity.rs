//! What was recorded, where people stepped in, and what was refused.

use std::collections::BTreeMap;

use super::{Activity, Overrides, Report, Step};
use crate::chart::{Chart, MAX_BARS};
use crate::moment::{Moment, grouped, percent};
use crate::page::{Block, exact, facts, heading, number, prose, table, words};

const DAY: i64 = 86_400_000_000;
/// Columns of a chart over time: a period that has more of them is drawn from its begin.
const MAX_COLUMNS: usize = 128;

pub(super) fn blocks(report: &Report) -> Vec<Block> {
    let activity = &report.activity;
    if report.scope.entries() == 0 {
        return vec![prose("Nothing was recorded in the period.")];
    }
    vec![
        facts([
            ("Entries of programs", grouped(activity.entries)),
            ("Entries of the ledger about itself", grouped(activity.own)),
            ("Actors", grouped(activity.actors)),
            ("Entities", grouped(activity.entities)),
            ("Signed by their recorder", share(activity.signed, activity.entries)),
            (
                "Numbered by their recorder",
                share(activity.entries.saturating_sub(activity.unnumbered), activity.entries),
            ),
        ]),
        Block::Chart(volume(report)),
        counts("Entries by type of event", "Type of event", "types of event", &activity.event_types, report),
        actor_types(activity, report),
    ]
}

fn share(part: u64, whole: u64) -> String {
    format!("{} ({})", grouped(part), percent(part, whole))
}

fn counts(caption: &str, title: &str, what: &str, listed: &super::Listed<super::Count>, report: &Report) -> Block {
    let entries = report.scope.entries();
    let columns = vec![words(title, 1), number("Entries"), number("Share")];
    table(caption, columns, &listed.rows, listed.total, what, |row| {
        vec![row.name.clone(), grouped(row.entries), percent(row.entries, entries)]
    })
}

fn actor_types(activity: &Activity, report: &Report) -> Block {
    let named = |count: &super::Count| super::Count {
        name: match count.name.as_str() {
            "ai_agent" => "AI agent".to_owned(),
            "user" => "person".to_owned(),
            "service" => "program".to_owned(),
            "" => "not said".to_owned(),
            other => other.to_owned(),
        },
        entries: count.entries,
    };
    let listed = super::Listed {
        rows: activity.actor_types.rows.iter().map(named).collect(),
        total: activity.actor_types.total,
    };
    counts("Entries by kind of actor", "Kind of actor", "kinds of actor", &listed, report)
}

/// The volume of every step of the period, those without entries too.
fn volume(report: &Report) -> Chart {
    let (scope, step) = (&report.scope, Step::of(report.scope.from, report.scope.to));
    let known: BTreeMap<i64, u64> =
        report.activity.volume.iter().map(|one| (one.start.micros(), one.entries)).collect();
    let mut values = Vec::new();
    let mut start = begin(step, scope.from);
    while start < scope.to.micros() && values.len() < MAX_COLUMNS {
        let name = Moment::from_micros(start);
        let name = match step {
            Step::Hour => format!("{} {}", &name.date()[5..], name.time()),
            Step::Day | Step::Week => name.date(),
            Step::Month => name.date()[..7].to_owned(),
            Step::Year => name.date()[..4].to_owned(),
        };
        values.push((name, known.get(&start).copied().unwrap_or(0)));
        start = after(step, start);
    }
    Chart::columns(&format!("Entries by {}", step.name()), &values)
}

/// The begin of the step in which a moment lies.
fn begin(step: Step, moment: Moment) -> i64 {
    let micros = moment.micros();
    match step {
        Step::Hour => micros - micros.rem_euclid(DAY / 24),
        Step::Day => micros - micros.rem_euclid(DAY),
        // 5 January 1970 was a Monday.
        Step::Week => micros - (micros - 4 * DAY).rem_euclid(7 * DAY),
        Step::Month => first_of(&moment.date()[..7], "01").unwrap_or(micros),
        Step::Year => first_of(&moment.date()[..4], "01-01").unwrap_or(micros),
    }
}

/// The begin of the next step.
fn after(step: Step, start: i64) -> i64 {
    match step {
        Step::Hour => start + DAY / 24,
        Step::Day => start + DAY,
        Step::Week => start + 7 * DAY,
        // From the first of a month, 31 days reach the next month; from the first of a year, 366 days the next year.
        Step::Month => begin(step, Moment::from_micros(start + 31 * DAY)),
        Step::Year => begin(step, Moment::from_micros(start + 366 * DAY)),
    }
}

fn first_of(date: &str, rest: &str) -> Option<i64> {
    let text = format!("{date}-{rest}T00:00:00Z");
    counterfoil_entry::Timestamp::parse(&text).ok().map(|moment| moment.micros())
}

pub(super) fn override_blocks(overrides: &Overrides) -> Vec<Block> {
    let mut blocks = vec![facts([
        ("Manual overrides", grouped(overrides.overrides)),
        ("Without a reason", share(overrides.unreasoned, overrides.overrides)),
        ("That name no model", share(overrides.unattributed, overrides.overrides)),
    ])];
    if overrides.by_model.rows.is_empty() {
        blocks.push(prose("No entry of the period names a model (context.model_version), so there are no rates."));
    } else {
        let bars: Vec<(String, u64, u64)> =
            overrides.by_model.rows.iter().map(|row| (row.model.clone(), row.overridden, row.decisions)).collect();
        blocks.push(Block::Chart(Chart::bars("Overrides by model, of its decisions", &bars)));
        if overrides.by_model.total as usize > MAX_BARS {
            let words = format!(
                "The chart shows the {MAX_BARS} models with most overrides of {}.",
                grouped(overrides.by_model.total)
            );
            blocks.push(prose(words));
        }
        blocks.push(by_model(overrides));
    }
    if !overrides.by_actor.rows.is_empty() {
        let columns = vec![words("Person", 1), number("Overrides"), number("Share"), number("Without reason")];
        blocks.push(table(
            "Who overrode",
            columns,
            &overrides.by_actor.rows,
            overrides.by_actor.total,
            "people",
            |row| {
                let of_all = percent(row.overrides, overrides.overrides);
                vec![row.actor.clone(), grouped(row.overrides), of_all, grouped(row.unreasoned)]
            },
        ));
    }
    blocks.push(heading("Refused or failed"));
    if overrides.denials.rows.is_empty() {
        blocks.push(prose("No entry of the period says that an act was denied or failed."));
    } else {
        blocks.push(denials(overrides));
    }
    blocks
}

fn by_model(overrides: &Overrides) -> Block {
    let columns =
        vec![words("Model", 1), number("Decisions"), number("Overridden"), number("Rate"), number("Without reason")];
    table("Override rate by model", columns, &overrides.by_model.rows, overrides.by_model.total, "models", |row| {
        vec![
            row.model.clone(),
            grouped(row.decisions),
            grouped(row.overridden),
            percent(row.overridden, row.decisions),
            grouped(row.unreasoned),
        ]
    })
}

fn denials(overrides: &Overrides) -> Block {
    let columns = vec![words("Type of event", 1), exact("Outcome"), number("Entries"), number("Actors")];
    table("Acts that were denied or failed", columns, &overrides.denials.rows, overrides.denials.total, "rows", |row| {
        vec![row.event_type.clone(), row.outcome.clone(), grouped(row.entries), grouped(row.actors)]
    })
}
