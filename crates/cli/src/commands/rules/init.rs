//! `counterfoil rules init`

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use counterfoil_watch::shipped;

use crate::exit::{Exit, Failure, Outcome};
use crate::output;

/// Write the finance rules that come with the program into a folder
///
/// Files that are there already are left as they are, so that your own limits and hours stay.
#[derive(Debug, Args)]
pub struct Init {
    /// The folder; it is made where it is not there.
    folder: PathBuf,
}

impl Init {
    pub(super) fn run(self) -> Outcome {
        let (mut written, mut kept) = (0, 0);
        for (name, text) in shipped().files {
            let path = self.folder.join(name);
            let folder = path.parent().unwrap_or(&self.folder);
            fs::create_dir_all(folder).map_err(|error| Failure::file(folder.display(), &error))?;
            match fs::File::create_new(&path) {
                Ok(mut file) => {
                    file.write_all(text.as_bytes()).map_err(|error| Failure::file(path.display(), &error))?;
                    written += 1;
                }
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => kept += 1,
                Err(error) => return Err(Failure::file(path.display(), &error)),
            }
        }
        let mut out = output::stdout();
        writeln!(out, "{written} files written into {}, {kept} were there already", self.folder.display())?;
        out.flush()?;
        Ok(Exit::Good)
    }
}
