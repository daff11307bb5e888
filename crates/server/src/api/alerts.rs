//! `/api/v1/alerts`: what the rules found, and what became of it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::access::{Reads, Reviews};
use crate::api::entries::json_response;
use crate::asked::{InPath, InQuery};
use crate::body::JsonBody;
use crate::inbox::{self, Alert, AlertState, Ask, Change, Found, LEVELS, Wanted};
use crate::problem::{Answered, Problem};
use crate::service::{Service, act};

/// Alerts of a page, unless another number is asked for, and at most.
const LIMIT: usize = 50;
const MAX_LIMIT: usize = 500;

/// Characters of a reason.
const MAX_REASON: usize = 2_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    #[serde(default)]
    state: Wanted,
    level: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

impl Page {
    fn ask(&self) -> Result<Ask, Problem> {
        let least = match &self.level {
            None => 0,
            Some(level) => LEVELS
                .iter()
                .position(|known| known == level)
                .ok_or_else(|| Problem::invalid(format!("{level:?} is no level: there are {}", LEVELS.join(", "))))?,
        };
        let limit = self.limit.unwrap_or(LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(Problem::invalid(format!("limit is 1 to {MAX_LIMIT}")));
        }
        let below = self.cursor.as_deref().map(|cursor| {
            let below = cursor.strip_prefix("before-").and_then(|below| below.parse().ok());
            below.filter(|below: &u64| i64::try_from(*below).is_ok())
        });
        if below == Some(None) {
            return Err(Problem::invalid("the cursor is not one that this list gave"));
        }
        Ok(Ask { wanted: self.state, least, below: below.flatten(), limit, ..Ask::default() })
    }
}

#[derive(Serialize)]
struct Listed {
    alerts: Vec<Alert>,
    next_cursor: Option<String>,
    unread: Option<String>,
    tree_size: u64,
}

pub(crate) async fn list(
    Reads(caller): Reads,
    State(service): State<Arc<Service>>,
    InQuery(page): InQuery<Page>,
) -> Answered {
    let ask = page.ask()?;
    let engine = service.query_engine().await?;
    service
        .record_reading(&caller, json!({"alerts": {"state": format!("{:?}", page.state), "below": ask.below}}))
        .await?;
    service
        .reading(move |service| {
            let snapshot = service.snapshot();
            let Found { alerts, more, unread } = inbox::find(&engine, &snapshot, &ask);
            let next_cursor = alerts.last().filter(|_| more).map(|last| format!("before-{}", last.index));
            Ok(json_response(&Listed { alerts, next_cursor, unread, tree_size: snapshot.size() }))
        })
        .await
}

#[derive(Serialize)]
struct Told {
    #[serde(flatten)]
    alert: Alert,
    history: Vec<Change>,
}

pub(crate) async fn one(Reads(caller): Reads, State(service): State<Arc<Service>>, InPath(id): InPath) -> Answered {
    service.record_reading(&caller, json!({"alert": id})).await?;
    service
        .reading(move |service| {
            let (alert, history) = inbox::one(&service.snapshot(), &id)?;
            Ok(json_response(&Told { alert, history }))
        })
        .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewState {
    state: AlertState,
    reason: Option<String>,
}

pub(crate) async fn change(
    Reviews(caller): Reviews,
    State(service): State<Arc<Service>>,
    InPath(id): InPath,
    JsonBody(new, _room): JsonBody<NewState>,
) -> Answered {
    let reason = new.reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty());
    if reason.is_none() && new.state != AlertState::Acknowledged {
        return Err(Problem::invalid("say why: \"reason\" is missing"));
    }
    if reason.is_some_and(|reason| reason.chars().count() > MAX_REASON) {
        return Err(Problem::invalid(format!("the reason is longer than {MAX_REASON} characters")));
    }
    let reason = reason.map(str::to_owned);
    let work = move |service: &Service| {
        let (alert, history) = inbox::one(&service.snapshot(), &id)?;
        if alert.state == new.state {
            return Err(Problem::new("conflict", StatusCode::CONFLICT, "the alert is in this state already"));
        }
        let context = json!({
            "state": new.state, "rule_id": alert.rule_id, "title": alert.title, "level": alert.level, "indices": alert.indices,
            "raised": alert.index,
        });
        // One change follows another: two people who decide at once do not overwrite each other unseen.
        let after = history.last().map_or(alert.index, |change| change.index);
        let key = format!("{id}/after-{after}");
        let mut entry = act(new.state.event_type(), caller.name(), &id, "alert", context).id(&key);
        if let Some(reason) = reason {
            entry = entry.reason(&reason);
        }
        let receipt = service.backing.writer()?.record_act(entry)?;
        Ok((StatusCode::CREATED, Json(json!({"index": receipt.index}))).into_response())
    };
    service.blocking(work).await
}
