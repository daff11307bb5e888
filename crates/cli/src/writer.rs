//! A ledger as it is written: opened in its folder, or through the service that holds it.

use std::path::Path;
use std::sync::Arc;

use counterfoil::{ClientKey, Config, Disk, Error, ErrorKind, Ledger, OpenOptions, OsDisk, Receipt, Result};
use counterfoil_entry::{Draft, Timestamp};
use counterfoil_server::{Drilled, LOCAL_ADMINISTRATOR, Sealed};
use counterfoil_tlog::{Checkpoint, Hash, TlogProof, verify_inclusion};
use hyper::Method;
use serde::Deserialize;
use serde_json::json;

use crate::exit::Failure;
use crate::ledgers;
use crate::remote::{Call, Remote, percent, strange};

/// Whoever records.
pub enum Writer {
    Folder(Box<Ledger>),
    Service(Remote),
}

#[derive(Deserialize)]
struct Recorded {
    receipts: Vec<ReceiptBody>,
}

#[derive(Deserialize)]
struct ReceiptBody {
    index: u64,
    leaf_hash: String,
    tree_size: u64,
    recorded_at: String,
    proof: Option<String>,
}

impl Writer {
    /// The ledger that an argument names, for writing: through the service at a URL, through the one that holds the
    /// folder, or the folder itself; `Busy` while another process has it.
    pub fn of(ledger: &Path) -> std::result::Result<Self, Failure> {
        if crate::remote::url(ledger).is_none() {
            ledgers::check_folder_to_write(ledger)?;
        }
        if let Some(service) = Remote::of(ledger)? {
            return Ok(Self::Service(service));
        }
        let opened = Ledger::open(ledger, OpenOptions::default());
        Ok(Self::Folder(Box::new(opened.map_err(|error| ledgers::held(ledger, error))?)))
    }

    /// How many entries the ledger holds.
    pub fn size(&self) -> Result<u64> {
        #[derive(Deserialize)]
        struct State {
            tree_size: u64,
        }
        match self {
            Self::Folder(ledger) => Ok(ledger.snapshot().size()),
            Self::Service(service) => Ok(service.ask::<State>(Call::get("/api/v1/status"))?.tree_size),
        }
    }

    /// Records a batch: all of it or nothing.
    pub fn append_batch(&self, drafts: Vec<Draft>) -> Result<Vec<Receipt>> {
        let service = match self {
            Self::Folder(ledger) => return ledger.append_batch(drafts),
            Self::Service(service) => service,
        };
        let mut body = Vec::new();
        for draft in &drafts {
            body.extend_from_slice(draft.client_bytes());
            body.push(b'\n');
        }
        record(service, service.folder(), body, drafts.len())
    }

    /// Records what a drill came to; the entry's index.
    pub fn record_drill(&self, drilled: &Drilled) -> Result<u64> {
        #[derive(Deserialize)]
        struct Noted {
            index: u64,
        }
        match self {
            Self::Folder(ledger) => {
                let origin = ledger.snapshot().origin().to_string();
                Ok(ledger.record_act(drilled.entry(LOCAL_ADMINISTRATOR, &origin))?.index)
            }
            Self::Service(service) => Ok(service.ask::<Noted>(Call::post("/api/v1/drills", drilled))?.index),
        }
    }

    /// Registers a client's key.
    pub fn register_key(&self, key: &ClientKey, actors: &[String]) -> Result<u64> {
        #[derive(Deserialize)]
        struct Registered {
            index: u64,
        }
        match self {
            Self::Folder(ledger) => Ok(ledger.register_key(key.key, actors.to_vec())?.index),
            Self::Service(service) => {
                let wanted = json!({"public_key": hex::encode(key.key.as_bytes()), "actors": actors});
                Ok(service.ask::<Registered>(Call::post("/api/v1/keys", &wanted))?.index)
            }
        }
    }

    /// Revokes a client's key.
    pub fn revoke_key(&self, key_id: &str) -> Result<u64> {
        match self {
            Self::Folder(ledger) => Ok(ledger.revoke_key(key_id)?.index),
            Self::Service(service) => {
                let path = format!("/api/v1/keys/{}", percent(key_id));
                let call = Call { method: Method::DELETE, ..Call::get(&path) };
                let receipts = service.ask::<Recorded>(call)?.receipts;
                receipts.first().map(|receipt| receipt.index).ok_or_else(|| strange("receipt"))
            }
        }
    }

    /// Seals early.
    pub fn seal(&self) -> Result<Sealed> {
        match self {
            Self::Folder(ledger) => Sealed::now(ledger),
            Self::Service(service) => service.ask(Call { method: Method::POST, ..Call::get("/api/v1/seal") }),
        }
    }

    /// Lets go of the ledger.
    pub fn close(self) -> Result<()> {
        match self {
            Self::Folder(ledger) => ledger.close(),
            Self::Service(_) => Ok(()),
        }
    }
}

/// Records so many entries, one a line, through a service. Where the ledger's folder is known, its key must prove each receipt.
pub fn record(service: &Remote, folder: Option<&Path>, lines: Vec<u8>, count: usize) -> Result<Vec<Receipt>> {
    let content_type = "application/x-ndjson";
    let path = if folder.is_some() { "/api/v1/entries?proof=true" } else { "/api/v1/entries" };
    let call = Call { method: Method::POST, content_type, body: lines, ..Call::get(path) };
    let bodies = service.ask::<Recorded>(call)?.receipts;
    if bodies.len() != count {
        return Err(strange("receipt for each entry"));
    }
    let proofs: Vec<String> = bodies.iter().filter_map(|body| body.proof.clone()).collect();
    let receipts = bodies.into_iter().map(ReceiptBody::read).collect::<Result<Vec<_>>>()?;
    if let Some(folder) = folder {
        check(folder, &receipts, &proofs)?;
    }
    Ok(receipts)
}

impl ReceiptBody {
    fn read(self) -> Result<Receipt> {
        let mut leaf_hash = [0; 32];
        hex::decode_to_slice(&self.leaf_hash, &mut leaf_hash).map_err(|_| strange("leaf hash"))?;
        Ok(Receipt {
            index: self.index,
            leaf_hash: Hash(leaf_hash),
            tree_size: self.tree_size,
            recorded_at: Timestamp::parse(&self.recorded_at).map_err(|_| strange("time"))?,
            checkpoint: Arc::from(""),
        })
    }
}

/// Refuses receipts that the ledger's key does not vouch for: whoever can put a socket into the folder need not have it.
fn check(folder: &Path, receipts: &[Receipt], proofs: &[String]) -> Result<()> {
    let text = OsDisk.read_small(&folder.join("ledger.toml")).map_err(|error| unproven(&error))?;
    let Config { origin, verifier_key, .. } = Config::parse(&text)?;
    let proofs =
        proofs.iter().map(|proof| TlogProof::parse(proof.as_bytes())).collect::<std::result::Result<Vec<_>, _>>();
    let proofs = proofs.map_err(|error| unproven(&error))?;
    let Some(first) = proofs.first().filter(|_| proofs.len() == receipts.len()) else {
        return Err(unproven(&"it carries no proof"));
    };
    let opened = Checkpoint::open(first.checkpoint.as_bytes(), &origin, &[verifier_key], &[]);
    let Checkpoint { size, root, .. } = opened.map_err(|error| unproven(&error))?.checkpoint;
    for (receipt, proof) in receipts.iter().zip(&proofs) {
        if proof.index.0 != receipt.index || proof.checkpoint != first.checkpoint {
            return Err(unproven(&"a proof is that of another entry"));
        }
        verify_inclusion(&receipt.leaf_hash, proof.index, size, &proof.hashes, &root)
            .map_err(|error| unproven(&error))?;
    }
    Ok(())
}

fn unproven(why: &dyn std::fmt::Display) -> Error {
    let message = format!("the service in the folder gave a receipt that the ledger's key does not prove: {why}");
    Error::new(ErrorKind::Tampered, message)
}
