//! `counterfoil bundle`

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use counterfoil::{ErrorKind, Snapshot};
use counterfoil_evidence::{Bundle as Evidence, BundleSource, MAX_BUNDLE_BYTES, MAX_BUNDLE_ENTRIES};
use counterfoil_query::{Engine, Limits, Order};
use counterfoil_tlog::Hash;
use serde::Serialize;

use crate::exit::{Exit, Failure, Outcome};
use crate::files;
use crate::output;
use crate::progress::{Progress, Unit};
use crate::remote::Call;
use crate::text::{Counted, entries};
use crate::view::View;

/// Write an evidence bundle: entries with proofs, in one file that is checked offline
///
/// The bundle holds the entries, a proof for each, the newest signed checkpoint, and the registrations of the keys
/// that signed entries. An auditor checks it with `counterfoil verify --bundle`, or with the short Python script
/// verify_bundle.py that lies beside the program, without the ledger and without trusting who made it. Same ledger
/// state and same choice: same bytes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  counterfoil bundle audit --entity INV-1042 -o INV-1042.bundle.json
  counterfoil bundle audit --where \"event_type = 'manual_override'\" \\
    -o overrides.bundle.json
  counterfoil verify --bundle INV-1042.bundle.json --key \"$(cat audit.vkey)\"

Exit codes: 0 written, 2 the predicate is wrong or the file is already there, 7 no ledger there, or nothing matches. \
Other exit codes: see `counterfoil --help`.")]
pub struct Bundle {
    /// The ledger's folder, or the URL of the service that holds it.
    ledger: PathBuf,
    /// The entries of this entity.
    #[arg(long, value_name = "ID", required_unless_present = "predicate", conflicts_with = "predicate")]
    entity: Option<String>,
    /// The entries for which this SQL condition over the columns of audit_log holds.
    #[arg(long = "where", value_name = "PREDICATE")]
    predicate: Option<String>,
    /// The file to write; `-` is standard output.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Print the summary as JSON.
    #[arg(long)]
    json: bool,
}

impl Bundle {
    pub(super) fn run(self) -> Outcome {
        let text = match View::of(&self.ledger)? {
            View::Folder { snapshot, .. } => self.build(&snapshot)?,
            View::Service { service, .. } => {
                let choice = match (&self.entity, &self.predicate) {
                    (Some(entity), _) => serde_json::json!({"entity_id": entity}),
                    (None, predicate) => serde_json::json!({"where": predicate}),
                };
                service.text_within(Call::post("/api/v1/bundles", &choice), MAX_BUNDLE_BYTES)?
            }
        };
        if self.output.as_os_str() == "-" {
            let mut out = output::raw_stdout();
            out.write_all(&text)?;
            out.flush()?;
        } else {
            files::write_new(&self.output, &text)?;
        }
        let bundle = Evidence::parse(&text)
            .map_err(|error| Failure::new(ErrorKind::Internal, format!("the bundle cannot be read: {error}")))?;
        self.tell(&bundle, text.len())?;
        Ok(Exit::Good)
    }

    /// The bundle out of a ledger in its folder.
    fn build(&self, snapshot: &Snapshot) -> Result<Vec<u8>, Failure> {
        let (scope, indices) = self.choose(snapshot)?;
        if indices.is_empty() {
            let message = format!("no entry among {} where {scope}", entries(snapshot.size()));
            return Err(Failure::new(ErrorKind::NotFound, message));
        }
        if indices.len() > MAX_BUNDLE_ENTRIES {
            return Err(too_large(&entries(indices.len() as u64)));
        }
        let source = Source { snapshot, progress: Progress::new("proving", Unit::Entries, Some(indices.len() as u64)) };
        let bundle = Evidence::build(&source, &scope, &indices)?;
        drop(source);
        let text = bundle.format();
        if text.len() > MAX_BUNDLE_BYTES {
            return Err(too_large(&Counted(text.len() as u64, "byte", "bytes")));
        }
        Ok(text.into_bytes())
    }

    fn choose(&self, snapshot: &Snapshot) -> Result<(String, Vec<u64>), Failure> {
        match (&self.entity, &self.predicate) {
            (Some(entity), _) => {
                let found = snapshot.history(entity)?;
                let scope = format!("entity_id = '{}'", entity.replace('\'', "''"));
                Ok((scope, found.into_iter().map(|(index, _)| index).collect()))
            }
            (None, Some(predicate)) => {
                let indices = Engine::new(Limits::default())?.select_indices(snapshot, predicate, Order::Ascending)?;
                Ok((predicate.clone(), indices))
            }
            (None, None) => unreachable!("the command line asks for one of them"),
        }
    }

    fn tell(&self, bundle: &Evidence, bytes: usize) -> Result<(), Failure> {
        let written = Written {
            entries: bundle.entries.len() as u64,
            key_entries: bundle.keys.len() as u64,
            bytes: bytes as u64,
            scope: &bundle.scope,
            tree_size: tree_size(&bundle.checkpoint),
            file: self.output.display().to_string(),
        };
        if self.json && self.output.as_os_str() != "-" {
            return output::json(&written);
        }
        output::note(format_args!(
            "{} with {} under the checkpoint of {}; check with: counterfoil verify --bundle {} --key VKEY",
            written.file,
            entries(written.entries),
            entries(written.tree_size),
            written.file
        ));
        Ok(())
    }
}

/// The size in a checkpoint's text.
fn tree_size(checkpoint: &str) -> u64 {
    checkpoint.lines().nth(1).and_then(|size| size.parse().ok()).unwrap_or_default()
}

fn too_large(size: &dyn std::fmt::Display) -> Failure {
    let limits = (entries(MAX_BUNDLE_ENTRIES as u64), Counted(MAX_BUNDLE_BYTES as u64, "byte", "bytes"));
    Failure::invalid(format!("{size} are too many for one bundle: it holds at most {} and {}", limits.0, limits.1))
        .advise("Choose fewer entries, by time for example, and make several bundles.")
}

#[derive(Serialize)]
struct Written<'a> {
    file: String,
    bytes: u64,
    scope: &'a str,
    entries: u64,
    key_entries: u64,
    tree_size: u64,
}

struct Source<'a> {
    snapshot: &'a Snapshot,
    progress: Progress,
}

impl BundleSource for Source<'_> {
    type Error = Failure;

    fn origin(&self) -> &counterfoil_tlog::Origin {
        self.snapshot.origin()
    }

    fn verifier_key(&self) -> &counterfoil_tlog::VerifierKey {
        self.snapshot.verifier_key()
    }

    fn checkpoint(&self) -> &str {
        self.snapshot.checkpoint()
    }

    fn entry(&self, index: u64) -> Result<Vec<u8>, Failure> {
        Ok(self.snapshot.entry(index)?)
    }

    fn proof(&self, index: u64) -> Result<Vec<Hash>, Failure> {
        let proof = self.snapshot.prove_inclusion(index, self.snapshot.size())?;
        self.progress.more(1);
        Ok(proof)
    }

    fn about(&self, entity_id: &str) -> Result<Vec<(u64, Vec<u8>)>, Failure> {
        Ok(self.snapshot.history(entity_id)?)
    }
}
