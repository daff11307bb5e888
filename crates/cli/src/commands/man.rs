//! `counterfoil man`

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory};
use clap_mangen::Man as Page;

use crate::arguments::Arguments;
use crate::exit::{Exit, Failure, Outcome};
use crate::output;

/// Write the manual pages: all of them into a folder, or the first to standard output
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  counterfoil man | man -l -
  counterfoil man ~/.local/share/man/man1

Exit codes: 0 written, 6 no right to write there.")]
pub struct Man {
    /// The folder for `counterfoil.1`, `counterfoil-append.1` and so on. It is created if it is not there.
    dir: Option<PathBuf>,
}

impl Man {
    pub(super) fn run(self) -> Outcome {
        match self.dir {
            Some(dir) => write_all(&dir)?,
            None => {
                let mut out = output::raw_stdout();
                Page::new(Arguments::command()).render(&mut out)?;
                out.flush()?;
            }
        }
        Ok(Exit::Good)
    }
}

fn write_all(dir: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(dir)
        .and_then(|()| clap_mangen::generate_to(Arguments::command(), dir))
        .map_err(|error| Failure::file(dir.display(), &error))
}
