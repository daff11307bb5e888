//! CloudEvents 1.0 over HTTP: structured, batched, binary.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;

use crate::access::Records;
use crate::api::entries::recorded;
use crate::body::{Body, media_type, unsupported};
use crate::ingest::cloudevents;
use crate::problem::{Answered, Problem};
use crate::recording::check_prefix;
use crate::service::Service;

/// All events of a request are recorded, or none.
pub(crate) async fn receive(
    Records(caller): Records,
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    Body(body, _room): Body,
) -> Answered {
    let given = media_type(&headers);
    let refused = |refused: crate::ingest::Refused| Problem::refused_entry(refused.position, refused.problem);
    let drafts = match given.as_str() {
        "application/cloudevents+json" => vec![cloudevents::structured(&body).map_err(refused)?],
        "application/cloudevents-batch+json" => {
            let mapped = cloudevents::batch(&body).map_err(|error| Problem::invalid(error.0))?;
            mapped.into_iter().collect::<Result<Vec<_>, _>>().map_err(refused)?
        }
        _ if headers.contains_key("ce-specversion") => {
            let mut pairs = Vec::new();
            for (name, value) in &headers {
                // Several SDKs send UTF-8 as it is where the binding asks for percent signs.
                match std::str::from_utf8(value.as_bytes()) {
                    Ok(value) => pairs.push((name.as_str(), value)),
                    Err(_) if name.as_str().starts_with("ce-") => {
                        return Err(Problem::invalid(format!("the header {name} is not UTF-8")));
                    }
                    Err(_) => {}
                }
            }
            let kind = headers.get("content-type").and_then(|value| value.to_str().ok());
            vec![cloudevents::binary(pairs, &body, kind).map_err(refused)?]
        }
        other => {
            return Err(unsupported(
                other,
                "application/cloudevents+json, application/cloudevents-batch+json, or ce-… headers",
            ));
        }
    };
    for (position, draft) in drafts.iter().enumerate() {
        check_prefix(&caller.0, draft).map_err(|problem| problem.at(position))?;
    }
    let place = service.append_place()?;
    let receipts = service.append(&caller.0.name, drafts).await?;
    drop(place);
    recorded(receipts.into_iter().map(|receipt| (None, receipt)), None, None)
}
