//! CloudEvents 1.0 over HTTP: structured, batched, binary.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use counterfoil_entry::Draft;

use crate::access::{Principal, Records};
use crate::api::entries::{Asked, check_number, record_all};
use crate::body::{Body, media_type, unsupported};
use crate::ingest::{Refused, cloudevents};
use crate::problem::{Answered, Problem};
use crate::recording::check_prefix;
use crate::service::Service;
use crate::shipping::Acknowledging;

/// All events of a request are recorded, or none.
pub(crate) async fn receive(
    Records(caller): Records,
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    Body(body, room): Body,
) -> Answered {
    let mode = Mode::of(headers)?;
    let load = service.load(room)?;
    let acknowledging = Acknowledging::of(None, &service)?;
    let read = move |principal: &Principal, body: &[u8]| {
        let drafts = mode.drafts(body)?;
        for (position, draft) in drafts.iter().enumerate() {
            check_prefix(principal, draft).map_err(|problem| problem.at(position))?;
        }
        Ok(drafts)
    };
    record_all(&service, caller.principal, body, load, read, Asked { proof: false, acknowledging }).await
}

/// How a request holds its events.
enum Mode {
    Structured,
    Batch,
    Binary(HeaderMap),
}

impl Mode {
    fn of(headers: HeaderMap) -> Result<Self, Problem> {
        match media_type(&headers).as_str() {
            "application/cloudevents+json" => Ok(Self::Structured),
            "application/cloudevents-batch+json" => Ok(Self::Batch),
            _ if headers.contains_key("ce-specversion") => Ok(Self::Binary(headers)),
            other => Err(unsupported(
                other,
                "application/cloudevents+json, application/cloudevents-batch+json, or ce-… headers",
            )),
        }
    }

    fn drafts(&self, body: &[u8]) -> Result<Vec<Draft>, Problem> {
        let refused = |refused: Refused| Problem::refused_entry(refused.position, refused.problem);
        match self {
            Self::Structured => Ok(vec![cloudevents::structured(body).map_err(refused)?]),
            Self::Batch => {
                let events = cloudevents::split(body).map_err(|error| Problem::invalid(error.0))?;
                check_number(events.len())?;
                cloudevents::batch(&events).map(|draft| draft.map_err(refused)).collect()
            }
            Self::Binary(headers) => {
                let kind = headers.get("content-type").and_then(|value| value.to_str().ok());
                Ok(vec![cloudevents::binary(attributes(headers)?, body, kind).map_err(refused)?])
            }
        }
    }
}

/// The headers as text. Several SDKs send UTF-8 as it is where the binding asks for percent signs.
fn attributes(headers: &HeaderMap) -> Result<Vec<(&str, &str)>, Problem> {
    let mut pairs = Vec::new();
    for (name, value) in headers {
        match std::str::from_utf8(value.as_bytes()) {
            Ok(value) => pairs.push((name.as_str(), value)),
            Err(_) if name.as_str().starts_with("ce-") => {
                return Err(Problem::invalid(format!("the header {name} is not UTF-8")));
            }
            Err(_) => {}
        }
    }
    Ok(pairs)
}
