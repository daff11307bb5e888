//! Dead letters: what a receiver refused for good. The entries themselves are in the ledger.

use std::io;

use counterfoil::{Disk, Error, ErrorKind, OsDisk, Result};
use serde::Serialize;

use crate::state::Store;

/// The most bytes of dead letters. Beyond them the sink waits until somebody has looked and moved the file away.
const MAX_BYTES: u64 = 16 << 20;

/// One line of `NAME.dead`.
#[derive(Debug, Serialize)]
pub(crate) struct DeadLetter<'a> {
    pub at: String,
    pub reason: &'a str,
    pub dedup_key: &'a str,
    /// The entries, or the first of them.
    pub indices: &'a [u64],
    pub count: u64,
}

impl Store {
    /// Keeps a dead letter, durably.
    pub fn bury(&self, letter: &DeadLetter<'_>) -> Result<()> {
        let path = self.path("dead");
        let failed = |reason: String| Error::new(ErrorKind::Unavailable, format!("{}: {reason}", path.display()));
        let mut line = serde_json::to_vec(letter).expect("texts and numbers are JSON");
        line.push(b'\n');
        let append = || {
            let file = match OsDisk.open_writable(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => OsDisk.create(&path, 0o640)?,
                other => other?,
            };
            let end = file.len();
            if end > MAX_BYTES {
                return Ok(false);
            }
            file.write_at(end, &line)?;
            file.sync()?;
            OsDisk.sync_folder(path.parent().unwrap_or(&path))?;
            Ok(true)
        };
        match append() {
            Ok(true) => Ok(()),
            Ok(false) => Err(failed("it is full of dead letters: look at them and move it away".to_owned())),
            Err::<_, io::Error>(error) => Err(failed(error.to_string())),
        }
    }
}
