//! A file of JSON lines, for a forwarder that reads files.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use counterfoil::Result;
use serde::Deserialize;

use super::{Failure, Format, Receiver, Sent};
use crate::config::invalid;
use crate::message::Message;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Options {
    /// An absolute path.
    pub address: PathBuf,
    #[serde(default)]
    pub format: Format,
}

/// Appends a line for each entry. It is opened anew each time, so that it may be moved away at any time.
pub(crate) struct LogFile {
    options: Options,
}

impl LogFile {
    pub fn open(options: &Options) -> Result<Self> {
        if !options.address.is_absolute() {
            return Err(invalid("address: write the file's whole path, as /var/log/counterfoil.jsonl"));
        }
        Ok(Self { options: options.clone() })
    }

    fn append(&self, lines: &[u8]) -> std::io::Result<()> {
        // A pipe that nobody reads would hold up the sink for ever.
        if std::fs::metadata(&self.options.address).is_ok_and(|about| !about.is_file()) {
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "it is no regular file"));
        }
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.create(true).append(true).mode(0o640).open(&self.options.address)?;
        file.write_all(lines)?;
        file.sync_data()
    }
}

impl Receiver for LogFile {
    fn send(&mut self, message: &Message<'_>) -> std::result::Result<Sent, Failure> {
        let mut lines = Vec::new();
        for event in &message.events {
            lines.extend_from_slice(self.options.format.json(event, message.origin).get().as_bytes());
            lines.push(b'\n');
        }
        self.append(&lines).map_err(|error| Failure::later(format!("{}: {error}", self.options.address.display())))?;
        Ok(Sent::saying(format!("written to {}", self.options.address.display())))
    }
}
