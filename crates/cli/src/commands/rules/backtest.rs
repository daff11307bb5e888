//! `counterfoil rules backtest`

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use counterfoil_watch::{Engine, Firing, Load, Problem, Record, RuleInfo, RuleKind, now};
use serde::Serialize;

use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, BOLD, DIM, styled};
use crate::progress::{Progress, Unit};
use crate::text::{Grouped, Printable, entries};
use crate::view::View;

/// Firings of one rule that are shown with their causes; all are counted.
const MAX_SHOWN_FIRINGS: usize = 10_000;

/// Run rules against a ledger's past
///
/// Every entry is shown to every rule in the order of the ledger, as a watcher would have, and then the time of day: what
/// should have come by now and did not is told at the entry that it should have followed. Nothing is recorded. Of each
/// rule: how often it would have raised an alert, and at which entries.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  counterfoil rules backtest audit
  counterfoil rules backtest s3://trail/audit --rules rules --json | jq .rules")]
pub struct Backtest {
    /// The ledger's folder, the URL of the service that holds it, or a copy (s3://…).
    ledger: PathBuf,
    /// The folder of rules; without it, those that come with the program.
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
    /// Print the result as JSON: of each rule its id, title, count and the indices at which it fired.
    #[arg(long)]
    json: bool,
}

/// What one rule would have found.
#[derive(Serialize)]
struct Found<'r> {
    id: &'r str,
    title: &'r str,
    kind: RuleKind,
    level: &'static str,
    /// Whether it only serves other rules, and raises no alerts itself.
    base: bool,
    count: usize,
    indices: Vec<u64>,
    /// Of a rule over several entries: each time it fired.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    firings: Vec<Fired>,
}

#[derive(Serialize)]
struct Fired {
    index: u64,
    causes: Vec<u64>,
    group: Vec<(String, String)>,
    value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

#[derive(Serialize)]
struct Report<'r> {
    entries: u64,
    rules: Vec<Found<'r>>,
    problems: &'r [Problem],
    load: Load,
}

impl Backtest {
    pub(super) fn run(self) -> Outcome {
        let rules = super::read(self.rules.as_deref())?;
        let mut engine = Engine::new(rules.clone())?;
        let now = now();
        let view = View::of(&self.ledger)?;
        let mut found: Vec<Found<'_>> = rules.rules.iter().map(Found::nothing).collect();
        let progress = Progress::new("testing", Unit::Entries, Some(view.size()));
        view.each_entry(0..view.size(), |index, canonical| {
            if let Some(record) = Record::read(index, canonical)? {
                engine.observe(&record).into_iter().for_each(|firing| found[firing.rule].add(firing));
            }
            if index.is_multiple_of(1_024) {
                progress.at(index);
            }
            Ok(())
        })?;
        drop(progress);
        engine.pass(now).into_iter().for_each(|firing| found[firing.rule].add(firing));
        let report = Report { entries: view.size(), rules: found, problems: &rules.problems, load: engine.load() };
        match self.json {
            true => output::json(&report)?,
            false => write_table(&report)?,
        }
        Ok(Exit::Good)
    }
}

impl<'r> Found<'r> {
    fn nothing(rule: &'r RuleInfo) -> Self {
        let RuleInfo { id, title, kind, level, base, .. } = rule;
        Self { id, title, kind: *kind, level: *level, base: *base, count: 0, indices: Vec::new(), firings: Vec::new() }
    }

    fn add(&mut self, firing: Firing) {
        let Firing { index, causes, group, value, why, .. } = firing;
        self.count += 1;
        self.indices.push(index);
        if self.kind != RuleKind::Detection && self.firings.len() < MAX_SHOWN_FIRINGS {
            self.firings.push(Fired { index, causes, group, value, why });
        }
    }
}

fn write_table(report: &Report<'_>) -> Result<(), Failure> {
    /// Indices of a rule that a person is shown.
    const SHOWN: usize = 5;
    let mut out = output::stdout();
    let alerts: usize = report.rules.iter().filter(|found| !found.base).map(|found| found.count).sum();
    writeln!(out, "{} alerts in {}", styled(BOLD, Grouped(alerts as u64)), entries(report.entries))?;
    for found in report.rules.iter().filter(|found| !found.base && found.count > 0) {
        let first: Vec<String> =
            found.indices.iter().take(SHOWN).map(|index| format!("#{}", Grouped(*index))).collect();
        let more = if found.count > SHOWN { " …" } else { "" };
        let (count, title) = (Grouped(found.count as u64).to_string(), Printable(found.title));
        writeln!(out, "{count:>9}  {:<9} {title}  {}{more}", found.level, styled(DIM, first.join(" ")))?;
    }
    let quiet: Vec<&str> =
        report.rules.iter().filter(|found| !found.base && found.count == 0).map(|found| found.title).collect();
    if !quiet.is_empty() {
        writeln!(out, "did not fire: {}", Printable(&quiet.join("; ")))?;
    }
    if report.load.overflows + report.load.forgotten > 0 {
        let Load { overflows, forgotten, .. } = report.load;
        writeln!(out, "too many groups: forgotten {overflows} times by correlations, {forgotten} groups by detectors")?;
    }
    Ok(out.flush()?)
}
