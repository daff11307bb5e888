//! A ledger as it is read: in its folder, beside whoever writes, or through a service.

mod told;

use std::io::Read;
use std::path::{Path, PathBuf};

use arrow::datatypes::SchemaRef;
use arrow::ipc::reader::StreamReader;
use arrow::record_batch::RecordBatch;
use counterfoil::{Error, ErrorKind, Reader, Result, Snapshot, SourceStatus, Status};
use counterfoil_query::{Engine, Limits, Order};
use counterfoil_tlog::{Hash, Origin, Tile, TilePath, VerifierKey, bundle};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::exit::Failure;
use crate::ledgers;
use crate::remote::{Call, Remote, percent, strange};
use crate::text::{Grouped, entries};

pub use told::{Lake, OnlyInCopy, Shipping, State};

/// One consistent state of a ledger.
pub enum View {
    Folder { path: PathBuf, snapshot: Snapshot },
    Service { service: Remote, state: Box<State> },
}

/// Rows of an answer, as they come.
pub struct Rows {
    pub schema: SchemaRef,
    pub batches: Box<dyn Iterator<Item = Result<RecordBatch>>>,
}

#[derive(Deserialize)]
struct OneEntry {
    leaf_hash: String,
    canonical: String,
}

#[derive(Deserialize)]
struct Placed {
    index: u64,
    entry: Box<RawValue>,
}

impl View {
    /// The ledger that an argument names: a folder, or a service's URL.
    pub fn of(ledger: &Path) -> std::result::Result<Self, Failure> {
        match crate::remote::url(ledger) {
            Some(url) => Ok(Self::through(Remote::at(url)?)?),
            None => Ok(Self::Folder { path: ledger.to_owned(), snapshot: ledgers::read(ledger)? }),
        }
    }

    /// The ledger as a service shows it: what a service has acknowledged is in its folder's checkpoint a little later.
    pub fn through(service: Remote) -> Result<Self> {
        let state = service.ask(Call::get("/api/v1/status"))?;
        Ok(Self::Service { service, state })
    }

    pub fn origin(&self) -> Result<Origin> {
        match self {
            Self::Folder { snapshot, .. } => Ok(snapshot.origin().clone()),
            Self::Service { state, .. } => state.origin.parse().map_err(|_| strange("origin")),
        }
    }

    pub fn verifier_key(&self) -> Result<VerifierKey> {
        match self {
            Self::Folder { snapshot, .. } => Ok(snapshot.verifier_key().clone()),
            Self::Service { state, .. } => state.verifier_key.parse().map_err(|_| strange("verifier key")),
        }
    }

    pub fn size(&self) -> u64 {
        match self {
            Self::Folder { snapshot, .. } => snapshot.size(),
            Self::Service { state, .. } => state.tree_size,
        }
    }

    /// Refuses a size that the ledger does not have.
    pub fn check_size(&self, size: u64) -> std::result::Result<(), Failure> {
        if size <= self.size() {
            return Ok(());
        }
        let message = format!("the ledger has {}, not {}", entries(self.size()), Grouped(size));
        Err(Failure::new(ErrorKind::NotFound, message))
    }

    /// The parts that are read one by one: every segment, and the tail behind them; the first index of each, and its end.
    pub fn parts(&self) -> Vec<(u64, u64)> {
        let span = |first: u64, count: u64| (first, first + count);
        let mut parts: Vec<(u64, u64)> = match self {
            Self::Folder { snapshot, .. } => {
                snapshot.segments().iter().map(|one| span(one.first(), one.count())).collect()
            }
            Self::Service { state, .. } => state.segments.iter().map(|one| span(one.first, one.count)).collect(),
        };
        let sealed = parts.last().map_or(0, |(_, end)| *end);
        if sealed < self.size() {
            parts.push((sealed, self.size()));
        }
        parts
    }

    pub fn root(&self) -> Result<Hash> {
        match self {
            Self::Folder { snapshot, .. } => Ok(snapshot.root()),
            Self::Service { state, .. } => hash(&state.root_hash),
        }
    }

    pub fn checkpoint(&self) -> &str {
        match self {
            Self::Folder { snapshot, .. } => snapshot.checkpoint(),
            Self::Service { state, .. } => &state.checkpoint,
        }
    }

    /// An entry's canonical bytes and leaf hash.
    pub fn entry(&self, index: u64) -> std::result::Result<(Vec<u8>, Hash), Failure> {
        match self {
            Self::Folder { snapshot, .. } => Ok((ledgers::entry(snapshot, index)?, snapshot.leaf_hash(index)?)),
            Self::Service { service, .. } => {
                let one: OneEntry = service.ask(Call::get(&format!("/api/v1/entries/{index}")))?;
                Ok((one.canonical.into_bytes(), hash(&one.leaf_hash)?))
            }
        }
    }

    /// The entries of one entity, oldest first, each with its index.
    pub fn history(&self, entity_id: &str) -> Result<Vec<(u64, Vec<u8>)>> {
        #[derive(Deserialize)]
        struct Life {
            entries: Vec<Placed>,
            next_cursor: Option<String>,
        }
        match self {
            Self::Folder { snapshot, .. } => snapshot.history(entity_id),
            Self::Service { service, .. } => {
                let path = format!("/api/v1/entities/{}/history", percent(entity_id));
                let (mut entries, mut page) = (Vec::new(), path.clone());
                loop {
                    let life = match service.ask::<Life>(Call::get(&page)) {
                        Err(error) if error.kind == ErrorKind::NotFound => return Ok(entries),
                        life => life?,
                    };
                    entries.extend(life.entries.into_iter().map(|one| (one.index, one.entry.get().into())));
                    let Some(cursor) = life.next_cursor else { return Ok(entries) };
                    page = format!("{path}?cursor={cursor}");
                }
            }
        }
    }

    /// The signed checkpoint of a size.
    pub fn checkpoint_at(&self, size: u64) -> Result<String> {
        match self {
            Self::Folder { snapshot, .. } if size == snapshot.size() => Ok(snapshot.checkpoint().to_owned()),
            Self::Folder { path, snapshot } => snapshot.checkpoint_at(size, &Reader::open(path)?.signer()?),
            Self::Service { service, .. } => text(service.text(Call::get(&format!("/api/v1/checkpoint?size={size}")))?),
        }
    }

    /// The C2SP tlog-proof of an entry under the checkpoint of a size.
    pub fn inclusion(&self, index: u64, size: u64) -> Result<String> {
        #[derive(Deserialize)]
        struct Inclusion {
            proof: String,
        }
        match self {
            Self::Folder { snapshot, .. } => snapshot.proof_text_under(index, size, &self.checkpoint_at(size)?),
            Self::Service { service, .. } => {
                let path = format!("/api/v1/proofs/inclusion?index={index}&size={size}");
                Ok(service.ask::<Inclusion>(Call::get(&path))?.proof)
            }
        }
    }

    /// The hashes that prove that the tree of one size begins that of another.
    pub fn consistency(&self, from: u64, to: u64) -> Result<Vec<Hash>> {
        #[derive(Deserialize)]
        struct Consistency {
            hashes: Vec<String>,
        }
        match self {
            Self::Folder { snapshot, .. } => snapshot.prove_consistency(from, to),
            Self::Service { service, .. } => {
                let path = format!("/api/v1/proofs/consistency?from={from}&to={to}");
                let proof: Consistency = service.ask(Call::get(&path))?;
                proof.hashes.iter().map(|text| hash(text)).collect()
            }
        }
    }

    /// How the copy is that the service keeps; a folder alone keeps none.
    pub fn shipping(&self) -> Option<&Shipping> {
        match self {
            Self::Folder { .. } => None,
            Self::Service { state, .. } => state.shipping.as_ref(),
        }
    }

    /// How the table is that the service keeps.
    pub fn lake(&self) -> Option<&Lake> {
        match self {
            Self::Folder { .. } => None,
            Self::Service { state, .. } => state.lake.as_ref(),
        }
    }

    /// What only the copy holds.
    pub fn only_in_copy(&self) -> Result<Option<OnlyInCopy>> {
        match self {
            Self::Service { state, .. } => Ok(state.only_in_copy.clone()),
            Self::Folder { snapshot, .. } => Ok(snapshot.only_in_copy()?.map(|only| OnlyInCopy {
                place: only.place,
                segments: only.gone.segments,
                entries: only.gone.entries,
                bytes: only.gone.bytes,
            })),
        }
    }

    /// How the ledger is, sources included.
    pub fn status(&self) -> Result<Status> {
        #[derive(Deserialize)]
        struct Sources {
            sources: Vec<Source>,
        }
        #[derive(Deserialize)]
        struct Source {
            recorder: Option<String>,
            source: String,
            last: u64,
            gaps: Vec<(u64, u64)>,
        }
        let (service, state) = match self {
            Self::Folder { snapshot, .. } => return Status::of(snapshot),
            Self::Service { service, state } => (service, state),
        };
        let told: Sources = service.ask(Call::get("/api/v1/sources"))?;
        let known =
            |one: Source| SourceStatus { recorder: one.recorder, source: one.source, last: one.last, gaps: one.gaps };
        Ok(Status {
            origin: state.origin.clone(),
            size: state.tree_size,
            root: hash(&state.root_hash)?,
            sealed_size: state.sealed_size,
            segments: state.segments.len(),
            segment_span: state.segment_span,
            sources: told.sources.into_iter().map(known).collect(),
            waiting_for_seal: 0,
            sealing_fault: None,
            publishing_fault: None,
            poisoned: None,
        })
    }

    /// The answer to a statement. A service has limits of its own.
    pub fn query(&self, sql: &str, limits: Limits) -> Result<Rows> {
        match self {
            Self::Folder { snapshot, .. } => Ok(Rows::of(Engine::new(limits)?.query(snapshot, sql)?)),
            Self::Service { service, .. } => {
                let accept = "application/vnd.apache.arrow.stream";
                let reply = service.send(Call { accept, ..Call::post("/api/v1/query", &json!({"sql": sql})) })?;
                Rows::read(reply)
            }
        }
    }

    /// Whole entries as rows of a segment's schema: all, or those for which a condition holds.
    pub fn rows(&self, predicate: Option<&str>) -> Result<Rows> {
        match self {
            Self::Folder { snapshot, .. } => Ok(Rows::of(Engine::new(Limits::NONE)?.rows(snapshot, predicate)?)),
            Self::Service { .. } => {
                let condition = predicate.map(|predicate| format!(" WHERE ({predicate}\n)")).unwrap_or_default();
                self.query(&format!("SELECT * FROM audit_log{condition} ORDER BY index"), Limits::NONE)
            }
        }
    }

    /// The indices of the entries for which a condition holds, ascending; none for all.
    pub fn select(&self, predicate: &str, limits: Limits) -> Result<Vec<u64>> {
        use arrow::array::AsArray;
        use arrow::datatypes::Int64Type;
        let snapshot = match self {
            Self::Folder { snapshot, .. } => snapshot,
            Self::Service { .. } => {
                let sql = format!("SELECT index FROM audit_log WHERE ({predicate}\n) ORDER BY index");
                let mut indices = Vec::new();
                for batch in self.query(&sql, limits)?.batches {
                    let batch = batch?;
                    indices.extend(batch.column(0).as_primitive::<Int64Type>().values().iter().map(|&i| i as u64));
                }
                return Ok(indices);
            }
        };
        Engine::new(limits)?.select_indices(snapshot, predicate, Order::Ascending)
    }

    /// Calls `each` with the canonical bytes of these entries, which must ascend.
    pub fn each_entry(
        &self,
        indices: impl IntoIterator<Item = u64>,
        mut each: impl FnMut(u64, &[u8]) -> std::result::Result<(), Failure>,
    ) -> std::result::Result<(), Failure> {
        match self {
            Self::Folder { snapshot, .. } => {
                let indices: Vec<u64> = indices.into_iter().collect();
                ledgers::each_entry(snapshot, &indices, each)
            }
            Self::Service { .. } => {
                let mut read: Option<(u64, Vec<u8>)> = None;
                for index in indices {
                    let wanted = index / 256;
                    let bundle = match &read {
                        Some((number, bytes)) if *number == wanted => bytes,
                        _ => &read.insert((wanted, self.bundle(wanted)?)).1,
                    };
                    let entries = bundle::entries(bundle).map_err(ledgers::tlog)?;
                    let entry = entries.get((index % 256) as usize).ok_or_else(|| strange("entry bundle"))?;
                    each(index, entry)?;
                }
                Ok(())
            }
        }
    }

    /// An entry bundle of a service's log.
    fn bundle(&self, number: u64) -> Result<Vec<u8>> {
        let Self::Service { service, state } = self else { return Err(strange("folder")) };
        let width = state.tree_size.saturating_sub(number * 256).min(256);
        let tile =
            Tile::new(0, number, width as u16).map_err(|error| Error::new(ErrorKind::NotFound, error.to_string()))?;
        service.text(Call::get(&format!("/tlog/{}", TilePath::Entries(tile))))
    }
}

impl Rows {
    fn of(answer: counterfoil_query::Answer) -> Self {
        Self { schema: answer.schema(), batches: Box::new(answer.into_iter()) }
    }

    fn read(reply: impl Read + 'static) -> Result<Self> {
        let broken = |error: arrow::error::ArrowError| {
            Error::new(
                ErrorKind::Unavailable,
                format!("the answer broke off, at a limit of the service perhaps: {error}"),
            )
        };
        let reader = StreamReader::try_new(reply, None).map_err(broken)?;
        Ok(Self { schema: reader.schema(), batches: Box::new(reader.map(move |batch| batch.map_err(broken))) })
    }
}

fn hash(hex: &str) -> Result<Hash> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(hex, &mut bytes).map_err(|_| strange("hash"))?;
    Ok(Hash(bytes))
}

fn text(bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|_| strange("text"))
}
