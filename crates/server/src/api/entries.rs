//! `POST /api/v1/entries`, `GET /api/v1/entries/{index}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use counterfoil::{ErrorKind, Receipt, Snapshot};
use counterfoil_entry::Draft;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::access::{Principal, Reads, Records};
use crate::asked::{InPath, InQuery};
use crate::body::{Body, media_type, unsupported};
use crate::problem::{Answered, Problem};
use crate::recording::{Load, Outcomes, Refusal, check_prefix};
use crate::service::Service;
use crate::settings::Ack;
use crate::shipping::Acknowledging;

/// Most entries of one request.
const MAX_ENTRIES: usize = 10_000;

/// Reasons for which `?partial=true` leaves an entry out.
const LEFT_OUT: [ErrorKind; 4] = [ErrorKind::Invalid, ErrorKind::Conflict, ErrorKind::Denied, ErrorKind::Busy];

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Wishes {
    proof: bool,
    partial: bool,
    ack: Option<Ack>,
}

/// The answer to entries that were recorded.
#[derive(Debug, Serialize)]
struct Recorded {
    receipts: Vec<ReceiptBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<Vec<Refusal>>,
}

#[derive(Debug, Serialize)]
struct ReceiptBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<usize>,
    index: u64,
    leaf_hash: String,
    tree_size: u64,
    recorded_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<String>,
}

pub(crate) async fn record(
    Records(caller): Records,
    State(service): State<Arc<Service>>,
    InQuery(wishes): InQuery<Wishes>,
    headers: HeaderMap,
    Body(body, room): Body,
) -> Answered {
    let form = Form::of(&media_type(&headers))?;
    let load = service.load(room)?;
    let acknowledging = Acknowledging::of(wishes.ack, &service)?;
    let principal = caller.principal;
    if wishes.partial {
        let work = move |service: &Service| {
            let _load = load;
            record_good(service, &principal, &form.split(&body)?, wishes.proof)
        };
        let (response, last) = service.blocking(work).await?;
        acknowledging.wait(&service, last).await?;
        return Ok(response);
    }
    let read = move |principal: &Principal, body: &[u8]| {
        let texts = form.split(body)?;
        texts.iter().enumerate().map(|(at, text)| parse(principal, at, text)).collect::<Result<Vec<_>, Problem>>()
    };
    record_all(&service, principal, body, load, read, Asked { proof: wishes.proof, acknowledging }).await
}

/// What is asked of an answer to entries that are all recorded.
pub(crate) struct Asked {
    /// With a proof for each.
    pub(crate) proof: bool,
    /// When it comes.
    pub(crate) acknowledging: Acknowledging,
}

/// Reads a body and records all its entries or none.
pub(crate) async fn record_all(
    service: &Arc<Service>,
    principal: Principal,
    body: Bytes,
    load: Load,
    read: impl FnOnce(&Principal, &[u8]) -> Result<Vec<Draft>, Problem> + Send + 'static,
    asked: Asked,
) -> Answered {
    let recorder = Arc::clone(&principal.name);
    let length = body.len();
    let reading = move |_: &Service| read(&principal, &body).map(|drafts| (drafts, load));
    let (drafts, load) = service.unhurried(length, reading).await?;
    let receipts = service.append(&recorder, drafts, load).await?;
    asked.acknowledging.wait(service, receipts.iter().map(|receipt| receipt.index).max()).await?;
    let receipts: Vec<_> = receipts.into_iter().map(|receipt| (None, receipt)).collect();
    match asked.proof {
        false => recorded(receipts, None, None),
        true => service.blocking(move |service| recorded(receipts, None, Some(&service.snapshot()))).await,
    }
}

/// 201 with the receipts of what was recorded.
pub(crate) fn recorded(
    receipts: impl IntoIterator<Item = (Option<usize>, Receipt)>,
    refused: Option<Vec<Refusal>>,
    proofs: Option<&Snapshot>,
) -> Answered {
    let receipts = receipts.into_iter().map(|(position, receipt)| told(position, &receipt, proofs));
    let receipts = receipts.collect::<Result<_, _>>()?;
    Ok((StatusCode::CREATED, Json(Recorded { receipts, refused })).into_response())
}

/// How a body holds its entries.
#[derive(Debug, Clone, Copy)]
enum Form {
    Json,
    Lines,
}

impl Form {
    fn of(media_type: &str) -> Result<Self, Problem> {
        match media_type {
            "application/json" => Ok(Self::Json),
            "application/x-ndjson" | "application/jsonl" => Ok(Self::Lines),
            other => Err(unsupported(other, "application/json or application/x-ndjson")),
        }
    }

    fn split(self, body: &[u8]) -> Result<Vec<&[u8]>, Problem> {
        let texts: Vec<&[u8]> = match self {
            Self::Lines => body.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).collect(),
            Self::Json if body.trim_ascii_start().first() == Some(&b'[') => {
                let elements: Vec<&RawValue> = serde_json::from_slice(body)
                    .map_err(|error| Problem::invalid(format!("the body is no array of entries: {error}")))?;
                elements.into_iter().map(|element| element.get().as_bytes()).collect()
            }
            Self::Json => vec![body],
        };
        if texts.is_empty() {
            return Err(Problem::invalid("there is no entry in the body"));
        }
        check_number(texts.len())?;
        Ok(texts)
    }
}

/// Refuses a request with too many entries.
pub(crate) fn check_number(entries: usize) -> Result<(), Problem> {
    if entries <= MAX_ENTRIES {
        return Ok(());
    }
    let detail = format!("{entries} entries in one request, at most {MAX_ENTRIES} are taken");
    Err(Problem::new("invalid", StatusCode::PAYLOAD_TOO_LARGE, detail))
}

fn parse(principal: &Principal, position: usize, text: &[u8]) -> Result<Draft, Problem> {
    let draft = Draft::parse(text.trim_ascii())
        .map_err(|error| Problem::refused_entry(position, format!("entry {position}: {error}")))?;
    check_prefix(principal, &draft).map_err(|problem| problem.at(position))?;
    Ok(draft)
}

/// Records what is good of the entries; the answer, and the highest index that it speaks of.
fn record_good(
    service: &Service,
    principal: &Principal,
    texts: &[&[u8]],
    proof: bool,
) -> Answered<(Response, Option<u64>)> {
    let mut outcomes = Outcomes::default();
    let mut good = Vec::new();
    for (position, text) in texts.iter().enumerate() {
        match Draft::parse(text.trim_ascii()) {
            Ok(draft) => outcomes.admit(principal, position, draft, &mut good),
            Err(error) => outcomes.refuse(position, "invalid", error.to_string()),
        }
    }
    outcomes.record(service, principal, good, &LEFT_OUT)?;
    let (denied, last) = (outcomes.denied(principal), outcomes.last());
    let mut response = if outcomes.receipts.is_empty() {
        outcomes.nothing().by(&principal.name).into_response()
    } else {
        let placed = outcomes.receipts.into_iter().map(|(position, receipt)| (Some(position), receipt));
        recorded(placed, Some(outcomes.refused), proof.then(|| service.snapshot()).as_ref())?
    };
    if let Some(denied) = denied {
        response.extensions_mut().insert(denied);
    }
    Ok((response, last))
}

fn told(position: Option<usize>, receipt: &Receipt, proofs: Option<&Snapshot>) -> Result<ReceiptBody, Problem> {
    let proof = proofs.map(|snapshot| snapshot.proof_text(receipt.index)).transpose()?;
    Ok(ReceiptBody {
        position,
        index: receipt.index,
        leaf_hash: receipt.leaf_hash.to_string(),
        tree_size: receipt.tree_size,
        recorded_at: receipt.recorded_at.to_string(),
        proof,
    })
}

#[derive(Serialize)]
struct One<'a> {
    index: u64,
    leaf_hash: String,
    canonical: &'a str,
    entry: &'a RawValue,
}

pub(crate) async fn one(Reads(caller): Reads, State(service): State<Arc<Service>>, InPath(index): InPath) -> Answered {
    let Some(index) = index.parse::<u64>().ok().filter(|_| !index.starts_with('+')) else {
        return Err(Problem::invalid(format!("{index:?} is no index: entries are counted 0, 1, 2, …")));
    };
    service.record_reading(&caller, serde_json::json!({"entry": index})).await?;
    service
        .reading(move |service| {
            let snapshot = service.snapshot();
            let bytes = snapshot.entry(index)?;
            let (canonical, entry) = as_json(&bytes)?;
            let one = One { index, leaf_hash: snapshot.leaf_hash(index)?.to_string(), canonical, entry };
            Ok((StatusCode::OK, [(header::CACHE_CONTROL, "private, no-cache")], Json(&one)).into_response())
        })
        .await
}

/// Canonical bytes as text and as JSON.
pub(crate) fn as_json(canonical: &[u8]) -> Result<(&str, &RawValue), Problem> {
    let broken = || Problem::internal("an entry is no JSON");
    let text = std::str::from_utf8(canonical).map_err(|_| broken())?;
    Ok((text, serde_json::from_str(text).map_err(|_| broken())?))
}

/// A value as the whole answer.
pub(crate) fn json_response(value: &impl Serialize) -> Response {
    Json(value).into_response()
}
