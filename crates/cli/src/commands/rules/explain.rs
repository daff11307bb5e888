//! `counterfoil rules explain`

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use counterfoil::ErrorKind;
use counterfoil_watch::{Engine, Record};

use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, BOLD, styled};
use crate::text::{Printable, did_you_mean, parse_index};
use crate::view::View;

/// Say what a rule looks for, and why it matches an entry or does not
///
/// Every condition is shown with what the entry holds in its place. For a correlation or a detector the detections behind
/// it are explained.
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
        let engine = Engine::new(super::read(self.rules.as_deref())?)?;
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
            let (canonical, _) = View::of(ledger)?.entry(index)?;
            let told = match Record::read(index, &canonical)? {
                Some(record) => engine.explain(rule, &record),
                None => format!("entry {index} is an alert, and no rule sees alerts\n"),
            };
            write!(out, "\n{told}")?;
        }
        out.flush()?;
        Ok(Exit::Good)
    }
}
