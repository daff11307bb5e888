//! `/tlog/…`: the C2SP tlog-tiles read API.
//!
//! A tile is answered at any width up to what the newest checkpoint covers: a tile of an earlier size is the beginning of
//! the same bytes, so what was ever published stays right. Caches keep tiles for ever: hashes that do not lead to the
//! signed root are not answered.

use std::sync::{Arc, Once};

use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{Version, header};
use axum::response::IntoResponse;
use counterfoil::{Error, ErrorKind, Snapshot};
use counterfoil_tlog::{
    Hash, HashReader, LeafIndex, Subtree, Tile, TilePath, TreeSize, bundle, root, subtree_consistency_proof,
    subtree_hash, verify_subtree_consistency,
};
use serde_json::json;

use crate::access::{Caller, Right};
use crate::asked::InPath;
use crate::problem::{Answered, Problem};
use crate::service::Service;
use crate::settings::TlogPublic;

/// For what never changes and anybody may see.
const PUBLIC: &str = "public, max-age=31536000, immutable";

/// For what never changes and one reader was shown.
const PRIVATE: &str = "private, max-age=31536000, immutable";

/// Headers that a proxy adds.
const BY_PROXIES: [&str; 6] =
    ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via"];

pub(crate) async fn checkpoint(State(service): State<Arc<Service>>, parts: Parts) -> Answered {
    admit(&service, &parts, TlogPublic::Checkpoint)?;
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
    Ok((headers, service.snapshot().checkpoint().to_owned()).into_response())
}

pub(crate) async fn tile(State(service): State<Arc<Service>>, InPath(path): InPath, parts: Parts) -> Answered {
    let wanted: TilePath =
        format!("tile/{path}").parse().map_err(|error| Problem::not_found(format!("/tlog/tile/{path}: {error}")))?;
    let public = match wanted {
        TilePath::Hashes(_) => TlogPublic::Tiles,
        TilePath::Entries(_) => TlogPublic::All,
    };
    let reader = admit(&service, &parts, public)?;
    if let (Some(reader), TilePath::Entries(_)) = (&reader, wanted) {
        service.record_reading(reader, json!({"tlog": wanted.to_string()})).await?;
    }
    let bytes = service.reading(move |service| read(&service.snapshot(), wanted)).await?;
    let cached = if reader.is_some() { PRIVATE } else { PUBLIC };
    let headers = [(header::CONTENT_TYPE, "application/octet-stream"), (header::CACHE_CONTROL, cached)];
    Ok((headers, bytes).into_response())
}

/// Lets anybody through to what is public, and readers to the rest: who it is, where it had to be asked.
fn admit(service: &Service, parts: &Parts, what: TlogPublic) -> Result<Option<Caller>, Problem> {
    let host = parts.headers.get(header::HOST).and_then(|value| value.to_str().ok());
    let host = host.or_else(|| parts.uri.host()).unwrap_or_default();
    if service.settings.tlog_public(host, by_proxy(service, parts)) >= what {
        return Ok(None);
    }
    let right = if what == TlogPublic::All { Right::Read } else { Right::Prove };
    Caller::of(parts, service, Some(right)).map(Some)
}

/// Whether a request was sent on by a proxy, as far as one tells: by its headers, or by HTTP/1.0, which nginx speaks unless
/// told otherwise.
fn by_proxy(service: &Service, parts: &Parts) -> bool {
    static WARNED: Once = Once::new();
    let by_proxy =
        parts.version < Version::HTTP_11 || BY_PROXIES.iter().any(|header| parts.headers.contains_key(*header));
    if by_proxy && service.settings.tlog_public.is_none() {
        WARNED.call_once(|| {
            tracing::warn!("a proxy sends requests here: /tlog asks for a token unless tlog-public says what does not");
        });
    }
    by_proxy
}

fn read(snapshot: &Snapshot, wanted: TilePath) -> Result<Vec<u8>, Problem> {
    let (TilePath::Hashes(tile) | TilePath::Entries(tile)) = wanted;
    let first = check(snapshot, tile)?;
    let indices = first..first + u64::from(tile.width());
    match wanted {
        TilePath::Hashes(_) => {
            let hashes = snapshot.tile(tile)?;
            authenticate(snapshot, tile, first, &hashes)?;
            Ok(hashes.iter().flat_map(|hash| hash.0).collect())
        }
        TilePath::Entries(_) => {
            let mut bytes = Vec::new();
            for entry in snapshot.entries(&indices.collect::<Vec<_>>())? {
                bundle::push_entry(&mut bytes, &entry).map_err(|error| Problem::internal(error.to_string()))?;
            }
            Ok(bytes)
        }
    }
}

/// The index of the tile's first hash; `not-found` for a tile that the ledger does not have that wide.
fn check(snapshot: &Snapshot, tile: Tile) -> Result<u64, Problem> {
    let hashes = snapshot.size().checked_shr(8 * u32::from(tile.level())).unwrap_or(0);
    let first = tile.index().checked_mul(256);
    let end = first.and_then(|first| first.checked_add(u64::from(tile.width())));
    match (first, end) {
        (Some(first), Some(end)) if end <= hashes => Ok(first),
        _ => Err(Problem::not_found(format!("the ledger has {} entries and not this tile", snapshot.size()))),
    }
}

/// Refuses a tile whose hashes do not lead to the signed root.
fn authenticate(snapshot: &Snapshot, tile: Tile, first: u64, hashes: &[Hash]) -> Result<(), Problem> {
    let height = 8 * tile.level();
    let (begin, end) = (LeafIndex(first << height), TreeSize((first + hashes.len() as u64) << height));
    let size = TreeSize(snapshot.size());
    let authentic = || {
        let stretch = Subtree::new(begin, end)?;
        let proof = subtree_consistency_proof(snapshot, stretch, size)?;
        let hash = root(&Row(hashes), TreeSize(hashes.len() as u64))?;
        Ok::<_, Error>(verify_subtree_consistency(stretch, size, &proof, &hash, &snapshot.root()).is_ok())
    };
    if authentic()? {
        return Ok(());
    }
    let detail = format!("the stored hashes of {} do not lead to the signed root", TilePath::Hashes(tile));
    Err(Error::new(ErrorKind::Tampered, detail).into())
}

/// Hashes side by side, as the leaves of a tree of their own.
struct Row<'a>(&'a [Hash]);

impl HashReader for Row<'_> {
    type Error = Error;

    fn node(&self, level: u8, index: u64) -> Result<Hash, Error> {
        let (begin, end) = ((index << level) as usize, ((index + 1) << level) as usize);
        Ok(subtree_hash(&self.0[begin..end]))
    }
}
