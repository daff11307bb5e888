//! `GET /api/v1/checkpoint`, `GET /api/v1/proofs/…`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use counterfoil_tlog::Hash;
use serde::{Deserialize, Serialize};

use crate::access::Proves;
use crate::api::entries::json_response;
use crate::asked::InQuery;
use crate::problem::{Answered, Problem};
use crate::service::Service;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AtSize {
    size: Option<u64>,
}

pub(crate) async fn checkpoint(
    Proves(_): Proves,
    State(service): State<Arc<Service>>,
    InQuery(AtSize { size }): InQuery<AtSize>,
) -> Answered {
    let text = match size {
        None => service.snapshot().checkpoint().to_owned(),
        Some(size) => service.blocking(move |service| Ok(service.backing.checkpoint_at(size)?)).await?,
    };
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
    Ok((headers, text).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Included {
    index: u64,
    size: Option<u64>,
}

#[derive(Serialize)]
struct Inclusion {
    index: u64,
    tree_size: u64,
    leaf_hash: String,
    hashes: Vec<String>,
    root_hash: String,
    checkpoint: String,
    proof: String,
}

pub(crate) async fn inclusion(
    Proves(_): Proves,
    State(service): State<Arc<Service>>,
    InQuery(Included { index, size }): InQuery<Included>,
) -> Answered {
    service
        .reading(move |service| {
            let snapshot = service.snapshot();
            let leaf_hash = snapshot.leaf_hash(index)?;
            let size = size.unwrap_or(snapshot.size());
            if index >= size {
                let detail = format!("entry {index} is not among the first {size}: give a size above its index");
                return Err(Problem::invalid(detail));
            }
            let checkpoint = service.backing.checkpoint_at(size)?;
            Ok(json_response(&Inclusion {
                index,
                tree_size: size,
                leaf_hash: leaf_hash.to_string(),
                hashes: hex(&snapshot.prove_inclusion(index, size)?),
                root_hash: snapshot.root_at(size)?.to_string(),
                proof: snapshot.proof_text_under(index, size, &checkpoint)?,
                checkpoint,
            }))
        })
        .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Between {
    from: u64,
    to: Option<u64>,
}

#[derive(Serialize)]
struct Consistency {
    from: u64,
    to: u64,
    hashes: Vec<String>,
    checkpoint: String,
}

pub(crate) async fn consistency(
    Proves(_): Proves,
    State(service): State<Arc<Service>>,
    InQuery(Between { from, to }): InQuery<Between>,
) -> Answered {
    service
        .reading(move |service| {
            let snapshot = service.snapshot();
            let to = to.unwrap_or(snapshot.size());
            if from > snapshot.size() {
                let detail = format!("there is no size {from}: the ledger has {} entries", snapshot.size());
                return Err(Problem::not_found(detail));
            }
            if from > to {
                let detail = format!("a ledger of {from} entries is not the beginning of one of {to}");
                return Err(Problem::invalid(detail));
            }
            let hashes = hex(&snapshot.prove_consistency(from, to)?);
            Ok(json_response(&Consistency { from, to, hashes, checkpoint: service.backing.checkpoint_at(to)? }))
        })
        .await
}

fn hex(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(Hash::to_string).collect()
}
