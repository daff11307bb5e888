//! `POST /api/v1/prune`: let go of segments that the copy holds; `POST /api/v1/prune/fetch`: bring them back.

use std::sync::Arc;

use axum::extract::State;
use counterfoil_ship::{DEFAULT_LOCKED_DAYS, Keep, MAX_DAYS, Retention};
use serde::Deserialize;

use crate::access::Administers;
use crate::api::entries::json_response;
use crate::body::JsonBody;
use crate::problem::{Answered, Problem};
use crate::pruning::{self, PruneOutcome, Wanted};
use crate::service::Service;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    keep: String,
    bucket: Option<String>,
    retain: Option<String>,
    #[serde(default, deserialize_with = "crate::body::whole_if_any")]
    locked_days: Option<u32>,
    #[serde(default)]
    dry_run: bool,
}

pub(crate) async fn prune(
    Administers(caller): Administers,
    State(service): State<Arc<Service>>,
    JsonBody(asked, _room): JsonBody<Asked>,
) -> Answered {
    let locked_days = asked.locked_days.unwrap_or(DEFAULT_LOCKED_DAYS);
    if locked_days > MAX_DAYS {
        return Err(Problem::invalid(format!("locked_days is 0 to {MAX_DAYS}")));
    }
    let wanted = Wanted {
        keep: asked.keep.parse::<Keep>()?,
        retain: asked.retain.as_deref().map(str::parse::<Retention>).transpose()?,
        locked_days,
        dry_run: asked.dry_run,
    };
    let alone = alone(&service)?;
    let work = move |service: &Service| {
        let _alone = alone;
        let ledger = service.backing.writer()?;
        let ship = pruning::place(service.settings.ship.as_ref(), asked.bucket.as_deref())?;
        Ok(json_response(&pruning::prune(ledger, ship, caller.name(), &wanted)?))
    };
    service.blocking(work).await
}

pub(crate) async fn fetch(Administers(_): Administers, State(service): State<Arc<Service>>) -> Answered {
    let alone = alone(&service)?;
    let work = move |service: &Service| {
        let _alone = alone;
        Ok(json_response(&PruneOutcome::back(&service.backing.writer()?.fetch_pruned()?)))
    };
    service.blocking(work).await
}

/// One at a time: each reads every byte of what is to go.
fn alone(service: &Service) -> Result<tokio::sync::OwnedSemaphorePermit, Problem> {
    let place = Arc::clone(&service.prunings).try_acquire_owned();
    place.map_err(|_| Problem::busy("segments are being pruned or fetched back already"))
}
