//! `counterfoil bundle`

use std::path::PathBuf;

use clap::Args;
use counterfoil::{ErrorKind, Snapshot};
use counterfoil_evidence::{Bundle as Evidence, MAX_BUNDLE_BYTES};
use counterfoil_query::{Engine, Limits, Order};
use serde::Serialize;

use crate::evidence::{self, State};
use crate::exit::{Exit, Failure, Outcome};
use crate::files;
use crate::output;
use crate::remote::Call;
use crate::text::entries;
use crate::view::View;

/// Write an evidence bundle: entries with proofs, in one file that is checked offline
///
/// The bundle holds the entries, a proof for each, the newest signed checkpoint, and the registrations of the keys
/// that signed entries. An auditor checks it with `counterfoil verify --bundle`, or with the short Python script
/// verify_bundle.py that lies beside the program, without the ledger and without trusting who made it. Same ledger
/// state and same choice: same bytes. --size asks for an earlier checkpoint, which is signed now: that needs the ledger's key.
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
    /// Prove under the checkpoint of this size instead of the newest, and leave out what came later.
    #[arg(long, value_name = "SIZE")]
    size: Option<u64>,
    /// The file to write; `-` is standard output.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Print the summary as JSON.
    #[arg(long)]
    json: bool,
}

impl Bundle {
    pub(super) fn run(self) -> Outcome {
        let view = View::of(&self.ledger)?;
        if let Some(size) = self.size {
            view.check_size(size)?;
        }
        let text = match &view {
            View::Folder { snapshot, .. } => self.build(&view, snapshot)?,
            View::Service { service, .. } => {
                let mut choice = match (&self.entity, &self.predicate) {
                    (Some(entity), _) => serde_json::json!({"entity_id": entity}),
                    (None, predicate) => serde_json::json!({"where": predicate}),
                };
                if let Some(size) = self.size {
                    choice["size"] = size.into();
                }
                service.text_within(Call::post("/api/v1/bundles", &choice), MAX_BUNDLE_BYTES)?
            }
        };
        files::write_output(&self.output, &text)?;
        let bundle = Evidence::parse(&text)
            .map_err(|error| Failure::new(ErrorKind::Internal, format!("the bundle cannot be read: {error}")))?;
        self.tell(&bundle, text.len())?;
        Ok(Exit::Good)
    }

    /// The bundle out of a ledger in its folder.
    fn build(&self, view: &View, snapshot: &Snapshot) -> Result<Vec<u8>, Failure> {
        let size = self.size.unwrap_or(snapshot.size());
        let (scope, mut indices) = self.choose(snapshot)?;
        indices.retain(|index| *index < size);
        if indices.is_empty() {
            let message = format!("no entry among {} where {scope}", entries(size));
            return Err(Failure::new(ErrorKind::NotFound, message));
        }
        evidence::build(State { snapshot, size, checkpoint: view.checkpoint_at(size)? }, &scope, &indices)
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

#[derive(Serialize)]
struct Written<'a> {
    file: String,
    bytes: u64,
    scope: &'a str,
    entries: u64,
    key_entries: u64,
    tree_size: u64,
}
