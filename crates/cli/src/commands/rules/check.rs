//! `counterfoil rules check`

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use counterfoil::ErrorKind;
use counterfoil_watch::RuleSet;
use serde_json::json;

use crate::exit::{Exit, Outcome};
use crate::output::{self, DIM, RED, YELLOW, styled};
use crate::text::Printable;

/// Read a folder of rules, and name what does not hold
///
/// Every document is listed with its level and title. One that does not hold is left out, and named with its file, its
/// number in the file and the reason; the others hold all the same.
#[derive(Debug, Args)]
pub struct Check {
    /// The folder of rules.
    folder: PathBuf,
    /// Print rules and problems as JSON.
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) fn run(self) -> Outcome {
        let set = RuleSet::of(&super::texts(&self.folder)?);
        let skipped = set.problems.iter().filter(|problem| problem.skipped).count();
        if self.json {
            output::json(&json!({ "digest": set.digest, "rules": set.rules, "problems": set.problems }))?;
        } else {
            let mut out = output::stdout();
            for rule in &set.rules {
                let base = if rule.base { " (serves others)" } else { "" };
                let place = format!("{}, document {}", rule.file, rule.document);
                writeln!(
                    out,
                    "{:<13} {}{base}  {}",
                    rule.level,
                    Printable(&rule.title),
                    styled(DIM, Printable(&place))
                )?;
            }
            for problem in &set.problems {
                let (style, word) = if problem.skipped { (RED, "left out") } else { (YELLOW, "warning") };
                writeln!(out, "{}: {}", styled(style, word), Printable(&problem.to_string()))?;
            }
            writeln!(out, "{} rules, {skipped} left out", set.rules.len())?;
            out.flush()?;
        }
        Ok(if skipped == 0 { Exit::Good } else { Exit::Bad(ErrorKind::Invalid) })
    }
}
