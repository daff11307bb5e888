//! `counterfoil prove`

use std::io::Write;
use std::path::PathBuf;

use clap::{ArgGroup, Args};
use counterfoil_tlog::witness::AddCheckpoint;
use counterfoil_tlog::{Note, TreeSize};

use crate::exit::{Exit, Failure, Outcome};
use crate::text::{Grouped, parse_index};
use crate::view::View;
use crate::{ledgers, output};

/// Write a proof: that an entry is in the ledger, or that the ledger only grew
///
/// With INDEX: an inclusion proof as C2SP tlog-proof text, which holds the path from the entry to the root and the
/// signed checkpoint with this root. With --from: a consistency proof, that the ledger of today begins with the SIZE
/// entries that an older checkpoint signed; its text is the body of C2SP tlog-witness `add-checkpoint`: `old SIZE`,
/// the hashes in base64, an empty line, the newer checkpoint. `counterfoil check` verifies both offline.
///
/// Proofs lead to the newest checkpoint. --size and --to ask for an earlier one, which is signed now: that needs the
/// ledger's key, so who may not read it is answered not-found or denied.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").args(["index", "from"]).required(true).multiple(true))]
#[command(after_help = "\
Examples:
  counterfoil prove audit 42 > 42.tlog-proof
  counterfoil check 42.tlog-proof --entry entry-42.json --key audit.vkey
  counterfoil prove audit --from 36000 > growth.proof
  counterfoil check growth.proof --checkpoint audit.checkpoint --key audit.vkey

Exit codes: 0 written, 2 INDEX is not below --size or --from is above --to, 7 no such ledger, entry or size, 11 the ledger's own hashes disagree: run `verify`. \
Other exit codes: see `counterfoil --help`.")]
pub struct Prove {
    /// The ledger's folder, or the URL of the service that holds it.
    ledger: PathBuf,
    /// The entry's index, from 0.
    #[arg(conflicts_with_all = ["from", "to"], value_parser = parse_index)]
    index: Option<u64>,
    /// Prove under the checkpoint of this size instead of the newest.
    #[arg(long, value_name = "SIZE", requires = "index")]
    size: Option<u64>,
    /// Prove that the ledger of this size is the beginning of the later one.
    #[arg(long, value_name = "SIZE")]
    from: Option<u64>,
    /// The later size instead of the newest.
    #[arg(long, value_name = "SIZE", requires = "from")]
    to: Option<u64>,
}

impl Prove {
    pub(super) fn run(self) -> Outcome {
        let view = View::of(&self.ledger)?;
        let size = self.size.or(self.to).unwrap_or(view.size());
        let proof = match (self.index, self.from) {
            (Some(index), _) => self.inclusion(&view, index, size)?,
            (None, Some(from)) => self.consistency(&view, from, size)?,
            (None, None) => unreachable!("the command line asks for one of them"),
        };
        let mut out = output::raw_stdout();
        out.write_all(proof.as_bytes())?;
        out.flush()?;
        Ok(Exit::Good)
    }

    fn inclusion(&self, view: &View, index: u64, size: u64) -> Result<String, Failure> {
        ledgers::check_index(view.size(), index)?;
        if index >= size {
            return Err(Failure::invalid(format!(
                "entry {} is not among the first {}: give a --size above its index",
                Grouped(index),
                Grouped(size)
            )));
        }
        view.check_size(size)?;
        Ok(view.inclusion(index, size)?)
    }

    fn consistency(&self, view: &View, from: u64, to: u64) -> Result<String, Failure> {
        view.check_size(from.max(to))?;
        if from > to {
            return Err(Failure::invalid(format!(
                "a ledger of {} entries is not the beginning of one of {}",
                Grouped(from),
                Grouped(to)
            )));
        }
        let note = Note::parse(view.checkpoint_at(to)?.as_bytes()).map_err(ledgers::tlog)?;
        let hashes = view.consistency(from, to)?;
        let proof = AddCheckpoint::new(TreeSize(from), hashes, &note).map_err(ledgers::tlog)?;
        Ok(proof.to_string())
    }
}
