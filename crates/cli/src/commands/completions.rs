//! `counterfoil completions`

use std::io::Write;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::arguments::Arguments;
use crate::exit::{Exit, Outcome};
use crate::output;

/// Write the completion script for a shell to standard output
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  counterfoil completions bash > \\
    ~/.local/share/bash-completion/completions/counterfoil
  counterfoil completions zsh > ~/.zfunc/_counterfoil
  counterfoil completions fish > ~/.config/fish/completions/counterfoil.fish

Exit codes: 0 written.")]
pub struct Completions {
    /// The shell.
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self) -> Outcome {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "counterfoil", &mut script);
        let mut out = output::raw_stdout();
        out.write_all(&script)?;
        out.flush()?;
        Ok(Exit::Good)
    }
}
