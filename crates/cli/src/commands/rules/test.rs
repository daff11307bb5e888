//! `counterfoil rules test`

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use counterfoil::ErrorKind;
use counterfoil_watch::run_tests;

use crate::exit::{Exit, Outcome};
use crate::output::{self, GREEN, RED, YELLOW, styled};
use crate::text::Printable;

/// Run the tests that the rules of a folder carry
///
/// A rule's member `tests` lists entries on which it must fire (`match`) and must not (`no_match`): an entry, or a list of
/// entries in order. A rule that raises alerts and has no tests is named.
#[derive(Debug, Args)]
pub struct Test {
    /// The folder of rules; without it, those that come with the program.
    folder: Option<PathBuf>,
    /// Print the results as JSON.
    #[arg(long)]
    json: bool,
}

impl Test {
    pub(super) fn run(self) -> Outcome {
        let set = super::read(self.folder.as_deref())?;
        let trials = run_tests(&set)?;
        let failed = trials.iter().filter(|trial| !trial.failed.is_empty()).count();
        if self.json {
            output::json(&trials)?;
        } else {
            let mut out = output::stdout();
            for trial in &trials {
                let (style, word) = if trial.failed.is_empty() { (GREEN, "ok") } else { (RED, "failed") };
                writeln!(out, "{:<6} {} ({} passed)", styled(style, word), Printable(&trial.title), trial.passed)?;
                for failure in &trial.failed {
                    writeln!(out, "       {}", Printable(failure))?;
                }
            }
            let untested = set.rules.iter().filter(|rule| !rule.base);
            for rule in untested.filter(|rule| trials.iter().all(|trial| trial.id != rule.id)) {
                writeln!(out, "{} {} has no tests", styled(YELLOW, "note  "), Printable(&rule.title))?;
            }
            out.flush()?;
        }
        Ok(if failed == 0 && set.is_whole() { Exit::Good } else { Exit::Bad(ErrorKind::Invalid) })
    }
}
