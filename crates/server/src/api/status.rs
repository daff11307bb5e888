//! How the ledger is: `GET /api/v1/status`, `/sources`, `/catalog`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::State;
use counterfoil::{ErrorKind, OnlyInCopy as OnlyThere, Result, Snapshot};
use counterfoil_entry::{Fields, Timestamp, catalog};
use counterfoil_query::{Engine, Order};
use serde::Serialize;

use crate::access::{Caller, Reads};
use crate::api::entries::json_response;
use crate::moment::now;
use crate::problem::Answered;
use crate::service::Service;
use crate::shipping::Told;
use crate::watched::Watched;
use crate::{lake, upkeep};

/// The newest entry of each source.
const NEWEST: &str = "index IN (SELECT max(index) FROM audit_log WHERE source IS NOT NULL GROUP BY recorder, source)";

/// Entries that are read at once.
const STEP: usize = 1_000;

#[derive(Serialize)]
struct Status {
    origin: String,
    verifier_key: String,
    tree_size: u64,
    root_hash: String,
    sealed_size: u64,
    segment_span: u64,
    segments: Vec<Segment>,
    checkpoint: String,
    fault: Option<String>,
    read_from: Option<String>,
    shipping: Option<Told>,
    only_in_copy: Option<OnlyInCopy>,
    pruning: Option<Pruning>,
    lake: Option<lake::Told>,
    version: &'static str,
    started_at: String,
}

#[derive(Serialize)]
struct Segment {
    first: u64,
    count: u64,
    file: String,
}

/// What was pruned and is in the copy alone.
#[derive(Serialize)]
struct OnlyInCopy {
    place: String,
    segments: u64,
    entries: u64,
    bytes: u64,
}

/// How pruning in the background goes.
#[derive(Serialize)]
struct Pruning {
    keep: String,
    last_pruned_at: Option<String>,
    failures: u64,
    fault: Option<String>,
}

impl Pruning {
    fn of(service: &Service) -> Option<Self> {
        let (keep, state) = (service.settings.prune_keep?, service.backing.pruning()?);
        let upkeep::State { last_done_at, failures, fault, .. } = state;
        Some(Self { keep: keep.to_string(), last_pruned_at: last_done_at, failures, fault })
    }
}

pub(crate) async fn status(_: Caller, State(service): State<Arc<Service>>) -> Answered {
    let snapshot = service.snapshot();
    let segments = snapshot.segments();
    let segments = segments
        .iter()
        .map(|segment| Segment { first: segment.first(), count: segment.count(), file: segment.name() })
        .collect();
    Ok(json_response(&Status {
        origin: snapshot.origin().to_string(),
        verifier_key: snapshot.verifier_key().to_string(),
        tree_size: snapshot.size(),
        root_hash: snapshot.root().to_string(),
        sealed_size: snapshot.sealed_size(),
        segment_span: snapshot.segment_span(),
        segments,
        checkpoint: snapshot.checkpoint().to_owned(),
        fault: service.backing.fault(),
        read_from: service.backing.watched().map(Watched::name),
        shipping: service.backing.shipping().map(|shipping| shipping.told(snapshot.size())),
        // What is wrong with `pruned.toml` a verification tells.
        only_in_copy: snapshot.only_in_copy().ok().flatten().map(|OnlyThere { place, gone }| OnlyInCopy {
            place,
            segments: gone.segments,
            entries: gone.entries,
            bytes: gone.bytes,
        }),
        pruning: Pruning::of(&service),
        lake: service.backing.lake().map(|lake| lake.told(snapshot.sealed_size())),
        version: env!("CARGO_PKG_VERSION"),
        started_at: service.started_at.to_string(),
    }))
}

#[derive(Serialize)]
struct Sources {
    sources: Vec<Source>,
    tree_size: u64,
}

#[derive(Serialize)]
struct Source {
    recorder: Option<String>,
    source: String,
    last: u64,
    gaps: Vec<(u64, u64)>,
    last_recorded_at: Option<String>,
    silent_seconds: Option<u64>,
}

pub(crate) async fn sources(Reads(_): Reads, State(service): State<Arc<Service>>) -> Answered {
    let engine = service.query_engine().await?;
    service
        .reading(move |service| {
            let state = service.backing.status()?;
            let snapshot = service.snapshot();
            let heard = match last_heard(&engine, &snapshot) {
                // They may be in pruned segments only, of a copy that does not answer.
                Err(error) if error.kind == ErrorKind::Unavailable => HashMap::new(),
                heard => heard?,
            };
            let mut sources = Vec::with_capacity(state.sources.len());
            for source in state.sources {
                let heard = heard.get(&(source.recorder.clone(), source.source.clone()));
                sources.push(Source {
                    silent_seconds: heard.map(|at| (now().micros() - at.micros()).max(0) as u64 / 1_000_000),
                    last_recorded_at: heard.map(|at| at.to_string()),
                    recorder: source.recorder,
                    source: source.source,
                    last: source.last,
                    gaps: source.gaps,
                });
            }
            Ok(json_response(&Sources { sources, tree_size: snapshot.size() }))
        })
        .await
}

/// When the newest entry of each source was recorded, by recorder and source: found in one pass over the ledger, however
/// many sources there are.
fn last_heard(engine: &Engine, snapshot: &Snapshot) -> Result<HashMap<(Option<String>, String), Timestamp>> {
    let newest = engine.select_indices(snapshot, NEWEST, Order::Ascending)?;
    let mut heard = HashMap::with_capacity(newest.len());
    for indices in newest.chunks(STEP) {
        for canonical in snapshot.entries(indices)? {
            let fields = Fields::split(&canonical)?;
            if let Some(source) = fields.source {
                heard.insert((fields.recorder.map(Cow::into_owned), source.into_owned()), fields.recorded_at);
            }
        }
    }
    Ok(heard)
}

#[derive(Serialize)]
struct Catalog {
    types: &'static [catalog::EventType],
}

pub(crate) async fn catalog(_: Caller) -> Answered {
    Ok(json_response(&Catalog { types: catalog::all() }))
}
