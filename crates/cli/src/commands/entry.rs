//! `counterfoil entry`

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::exit::{Exit, Failure, Outcome};
use crate::text::parse_index;
use crate::view::View;
use crate::{json, output};

/// Print one entry
///
/// With --canonical the output is the entry's canonical bytes and nothing else, not even a newline: the SHA-256 of a
/// zero byte and these bytes is the entry's leaf, and `counterfoil check` takes them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  counterfoil entry audit 42
  counterfoil entry audit 42 --canonical > entry-42.json

Exit codes: 0 printed, 7 no such ledger or entry, 11 its bytes are not the ones that were recorded. \
Other exit codes: see `counterfoil --help`.")]
pub struct Entry {
    /// The ledger's folder, or the URL of the service that holds it.
    ledger: PathBuf,
    /// The entry's index, from 0.
    #[arg(value_parser = parse_index)]
    index: u64,
    /// Print exactly the canonical bytes.
    #[arg(long, conflicts_with = "json")]
    canonical: bool,
    /// Print one line of JSON: index, leaf_hash (hex), entry.
    #[arg(long)]
    json: bool,
}

impl Entry {
    pub(super) fn run(self) -> Outcome {
        let (canonical, leaf_hash) = View::of(&self.ledger)?.entry(self.index)?;
        let mut out = output::raw_stdout();
        if self.canonical {
            out.write_all(&canonical)?;
        } else if self.json {
            let entry = json::raw(&canonical).ok_or_else(|| not_json(self.index))?;
            let leaf_hash = leaf_hash.to_string();
            output::json_line(&mut out, &Line { index: self.index, leaf_hash, entry })?;
        } else {
            let text = std::str::from_utf8(&canonical).map_err(|_| not_json(self.index))?;
            writeln!(out, "{}", json::indented(text))?;
        }
        out.flush()?;
        Ok(Exit::Good)
    }
}

fn not_json(index: u64) -> Failure {
    Failure::new(counterfoil::ErrorKind::Tampered, format!("entry {index} is not JSON"))
}

#[derive(Serialize)]
struct Line<'a> {
    index: u64,
    leaf_hash: String,
    entry: &'a RawValue,
}
