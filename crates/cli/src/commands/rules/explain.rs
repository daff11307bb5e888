//! `counterfoil rules explain`

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use counterfoil::ErrorKind;
use counterfoil_watch::{Engine, Firing, Record, RuleInfo, RuleKind, RuleSet, now};

use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, BOLD, styled};
use crate::progress::{Progress, Unit};
use crate::text::{Printable, did_you_mean, parse_index};
use crate::view::View;

/// Say what a rule looks for, and why it matches an entry or does not
///
/// Every condition is shown with what the entry holds in its place. For a correlation or a detector the detections behind
/// it are explained, and every entry of the ledger is shown to it, to say whether it fires here and why.
#[derive(Debug, Args)]
pub struct Explain {
    /// The rule's id, name or title.
    rule: String,
    /// The ledger that the entry is in: its folder, the URL of its service, or a copy (s3://…).
    #[arg(requires = "index")]
    ledger: Option<PathBuf>,
    /// The entry's index.
    #[arg(value_parser = parse_index)]
    index: Option<u64>,
    /// The folder of rules; without it, those that come with the program.
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
}

impl Explain {
    pub(super) fn run(self) -> Outcome {
        let rules = super::read(self.rules.as_deref())?;
        let engine = Engine::new(rules.clone())?;
        let titles = engine.rules().rules.iter().map(|rule| rule.title.as_str());
        let rule = engine.rules().find(&self.rule).ok_or_else(|| {
            let near = did_you_mean(&self.rule, titles);
            Failure::new(ErrorKind::NotFound, format!("there is no rule {:?}{near}", self.rule))
                .advise("`counterfoil rules check DIR` lists the rules of a folder.")
        })?;
        let mut out = output::stdout();
        writeln!(out, "{}  {}, {}", styled(BOLD, Printable(&rule.title)), rule.level, Printable(&rule.id))?;
        for text in rule.description.iter().chain([&engine.describe(rule)]) {
            writeln!(out, "{}", text.trim_end())?;
        }
        if let Some((ledger, index)) = self.ledger.as_deref().zip(self.index) {
            let view = View::of(ledger)?;
            let (canonical, _) = view.entry(index)?;
            match Record::read(index, &canonical)? {
                Some(record) => write!(out, "\n{}", engine.explain(rule, &record))?,
                None => writeln!(out, "\nentry {index} is an alert, and no rule sees alerts")?,
            }
            if rule.kind != RuleKind::Detection {
                let firings = firings(&rules, rule, &view, index)?;
                if firings.is_empty() {
                    writeln!(out, "\nit does not fire at entry {index}, nor because of it")?;
                }
                firings.iter().try_for_each(|firing| write_firing(&mut out, firing))?;
            }
        }
        out.flush()?;
        Ok(Exit::Good)
    }
}

/// When a rule fires at an entry or because of it, in the past of a ledger.
fn firings(rules: &Arc<RuleSet>, rule: &RuleInfo, view: &View, index: u64) -> Result<Vec<Firing>, Failure> {
    let mut engine = Engine::new(rules.clone())?;
    let now = now();
    let is_it = |engine: &Engine, firing: &Firing| {
        engine.rule(firing).id == rule.id && (firing.index == index || firing.causes.contains(&index))
    };
    let mut found = Vec::new();
    let progress = Progress::new("testing", Unit::Entries, Some(view.size()));
    view.each_entry(0..view.size(), |at, canonical| {
        if let Some(record) = Record::read(at, canonical)? {
            let firings = engine.observe(&record);
            found.extend(firings.into_iter().filter(|firing| is_it(&engine, firing)));
        }
        if at.is_multiple_of(1_024) {
            progress.at(at);
        }
        Ok(())
    })?;
    let firings = engine.pass(now);
    found.extend(firings.into_iter().filter(|firing| is_it(&engine, firing)));
    Ok(found)
}

fn write_firing(out: &mut impl Write, firing: &Firing) -> std::io::Result<()> {
    let why = firing.why.as_deref().map(|why| format!(": {}", Printable(why))).unwrap_or_default();
    writeln!(out, "\n{} at entry {}{why}", styled(BOLD, "it fires"), firing.index)?;
    let causes: Vec<String> = firing.causes.iter().map(ToString::to_string).collect();
    let group: Vec<String> =
        firing.group.iter().map(|(field, value)| format!(", {field} {}", Printable(value))).collect();
    let value = firing.value.map(|value| format!(", {value}")).unwrap_or_default();
    writeln!(out, "because of entries {}{}{value}", causes.join(", "), group.concat())
}
