//! `counterfoil rules`

mod backtest;
mod check;
mod explain;
mod init;
mod test;

use std::path::Path;
use std::sync::Arc;

use clap::{Args, Subcommand};
use counterfoil::{Error, ErrorKind};
use counterfoil_watch::{RuleSet, Texts, shipped};

use crate::exit::{Failure, Outcome};
use crate::output;

/// Write, check, test, explain and backtest the rules that watch a ledger
///
/// Rules are Sigma documents (detections, correlations, filters) and detectors, in the .yml files of a folder. A set for
/// finance comes with the program. docs/guides/rules.md says how to write one.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  counterfoil rules init rules
  counterfoil rules check rules && counterfoil rules test rules
  counterfoil rules backtest audit --rules rules
  counterfoil rules explain \"Bulk changes by one actor\" audit 1042 --rules rules

Exit codes: 0 done, 2 `check` or `test` left a rule out or a test failed, 7 no such folder, rule or entry. \
Other exit codes: see `counterfoil --help`.")]
pub struct Rules {
    #[command(subcommand)]
    command: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Write the finance rules that come with the program into a folder
    Init(init::Init),
    /// Read a folder of rules, and name what does not hold
    Check(check::Check),
    /// Run the tests that the rules of a folder carry
    Test(test::Test),
    /// Say what a rule looks for, and why it matches an entry or does not
    Explain(explain::Explain),
    /// Run rules against a ledger's past
    Backtest(backtest::Backtest),
}

impl Rules {
    pub(super) fn run(self) -> Outcome {
        match self.command {
            Act::Init(init) => init.run(),
            Act::Check(check) => check.run(),
            Act::Test(test) => test.run(),
            Act::Explain(explain) => explain.run(),
            Act::Backtest(backtest) => backtest.run(),
        }
    }
}

/// Refuses a folder that a service could not watch with.
pub(super) fn refuse_missing(folder: &Path) -> Result<(), Failure> {
    let refused = |error: Error| {
        let advice = format!(
            "Name another folder, or write the rules that come with the program: counterfoil rules init {}",
            folder.display()
        );
        Failure::from(Error { message: format!("--rules {}", error.message), ..error }).advise(advice)
    };
    Texts::read(folder).map(drop).map_err(refused)
}

/// The texts of a folder that has some: a wrong path that happens to be there must not pass for a good one.
fn texts(folder: &Path) -> Result<Texts, Failure> {
    let texts = Texts::read(folder)?;
    if texts.files.is_empty() && texts.problems.is_empty() {
        let message = format!("{} holds no .yml or .yaml file", folder.display());
        return Err(Failure::new(ErrorKind::NotFound, message));
    }
    Ok(texts)
}

/// The rules of a folder, or those that come with the program; what is left out is told.
fn read(folder: Option<&Path>) -> Result<Arc<RuleSet>, Failure> {
    let set = RuleSet::of(&folder.map_or_else(|| Ok(shipped()), texts)?);
    for problem in set.problems.iter().filter(|problem| problem.skipped) {
        output::note(format_args!("left out: {problem}"));
    }
    Ok(Arc::new(set))
}
