//! `/api/v1/reviews`: a day as a reviewer looks at it, and who signed that it was looked at. A signature is an entry.

use std::sync::Arc;

use arrow::json::ArrayWriter;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use counterfoil::{Error, ErrorKind, Result, Snapshot};
use counterfoil_entry::Fields;
use counterfoil_query::{Engine, Order};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::access::{Reads, Reviews};
use crate::api::entries::json_response;
use crate::asked::{InPath, InQuery};
use crate::body::JsonBody;
use crate::inbox::{self, Alert, Ask, Wanted};
use crate::moment::now;
use crate::problem::{Answered, Problem};
use crate::service::{Service, act};

/// The type of the entry that says that a day was reviewed.
const SIGNED: &str = "ledger.review_signed";

/// Rows that are shown of a list.
const MAX_SHOWN: usize = 100;

/// Days of a list, unless another number is asked for, and at most.
const LIMIT: usize = 30;
const MAX_LIMIT: usize = 400;

/// Characters of a note.
const MAX_NOTE: usize = 4_000;

/// A day in UTC, by the time of recording.
#[derive(Debug, Clone, Copy)]
struct Day(Date);

impl Day {
    fn parse(text: &str) -> std::result::Result<Self, Problem> {
        let date = text.parse().ok().filter(|_| text.len() == 10);
        date.map(Self).ok_or_else(|| Problem::invalid(format!("{text:?} is no day: write it as 2026-11-27")))
    }

    fn condition(self) -> std::result::Result<String, Problem> {
        if !(1970..2200).contains(&self.0.year()) {
            return Err(Problem::not_found("nothing was recorded in that year"));
        }
        let next = self.0.tomorrow().map_err(|_| Problem::invalid("there is no day after this one"))?;
        Ok(format!("recorded_at >= TIMESTAMP '{}T00:00:00Z' AND recorded_at < TIMESTAMP '{next}T00:00:00Z'", self.0))
    }
}

/// A day as a reviewer looks at it.
#[derive(Debug, Serialize)]
struct Looked {
    day: String,
    from_index: Option<u64>,
    to_index: Option<u64>,
    entries: u64,
    by_type: Vec<Value>,
    overrides: Vec<Value>,
    overrides_total: u64,
    overrides_without_reason: u64,
    denied: u64,
    failed: u64,
    alerts: Vec<Alert>,
    alerts_total: u64,
    open_alerts: u64,
    verifications: Vec<Value>,
    gaps: u64,
    signed: Vec<Value>,
}

pub(crate) async fn day(Reads(caller): Reads, State(service): State<Arc<Service>>, InPath(day): InPath) -> Answered {
    let date = Day::parse(&day)?;
    let condition = date.condition()?;
    let engine = service.query_engine().await?;
    service.record_reading(&caller, json!({"review": day})).await?;
    service.reading(move |service| Ok(json_response(&look(service, &engine, &day, &condition)?))).await
}

fn look(service: &Service, engine: &Engine, day: &str, condition: &str) -> Result<Looked> {
    let snapshot = service.snapshot();
    let rows = |sql: &str| rows(engine, &snapshot, sql);
    let sums = format!(
        "SELECT count(*) AS entries, min(index) AS first, max(index) AS last, \
           count(*) FILTER (WHERE event_type = 'manual_override') AS overrides, \
           count(*) FILTER (WHERE event_type = 'manual_override' AND (reason IS NULL OR trim(reason) IN ('', '-', '.', 'n/a', 'none'))) AS unexplained, \
           count(*) FILTER (WHERE outcome = 'denied') AS denied, count(*) FILTER (WHERE outcome = 'failure') AS failed \
         FROM audit_log WHERE {condition}"
    );
    let sums = rows(&sums)?.pop().unwrap_or_default();
    let number = |name: &str| sums[name].as_u64();
    let (from_index, to_index) = (number("first"), number("last"));
    let of_day = Ask { wanted: Wanted::All, limit: MAX_SHOWN, from: from_index, ..Ask::default() };
    let of_day = Ask { below: to_index.map(|last| last + 1), ..of_day };
    let (alerts, alerts_total) = match from_index {
        Some(_) => (inbox::find(engine, &snapshot, &of_day).alerts, inbox::count(engine, &snapshot, &of_day)?),
        None => (Vec::new(), 0),
    };
    let status = service.backing.status()?;
    let missing = |(first, last): &(u64, u64)| (last - first).saturating_add(1);
    Ok(Looked {
        from_index,
        to_index,
        entries: number("entries").unwrap_or_default(),
        by_type: rows(&format!(
            "SELECT event_type, count(*) AS count FROM audit_log WHERE {condition} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {MAX_SHOWN}"
        ))?,
        overrides: rows(&format!(
            "SELECT index, actor, entity_id, reason FROM audit_log WHERE event_type = 'manual_override' AND {condition} \
             ORDER BY index DESC LIMIT {MAX_SHOWN}"
        ))?,
        overrides_total: number("overrides").unwrap_or_default(),
        overrides_without_reason: number("unexplained").unwrap_or_default(),
        denied: number("denied").unwrap_or_default(),
        failed: number("failed").unwrap_or_default(),
        alerts,
        alerts_total,
        open_alerts: inbox::count(engine, &snapshot, &Ask { wanted: Wanted::Active, ..Ask::default() })?,
        verifications: rows(&format!(
            "SELECT index, recorded_at AS at, context->>'verified' = 'true' AS verified FROM audit_log \
             WHERE event_type = 'ledger.verified' AND {condition} ORDER BY index DESC LIMIT {MAX_SHOWN}"
        ))?,
        gaps: status.sources.iter().flat_map(|source| &source.gaps).map(missing).fold(0, u64::saturating_add),
        signed: signatures(engine, &snapshot, Some(day), MAX_SHOWN)?.0,
        day: day.to_owned(),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    limit: Option<usize>,
}

pub(crate) async fn list(
    Reads(caller): Reads,
    State(service): State<Arc<Service>>,
    InQuery(page): InQuery<Page>,
) -> Answered {
    let limit = page.limit.unwrap_or(LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Problem::invalid(format!("limit is 1 to {MAX_LIMIT}")));
    }
    let engine = service.query_engine().await?;
    service.record_reading(&caller, json!({"reviews": limit})).await?;
    service
        .reading(move |service| {
            let (reviews, more) = signatures(&engine, &service.snapshot(), None, limit)?;
            Ok(json_response(&json!({"reviews": reviews, "more": more})))
        })
        .await
}

/// Who signed what, newest first, and whether there are more.
fn signatures(engine: &Engine, snapshot: &Snapshot, day: Option<&str>, limit: usize) -> Result<(Vec<Value>, bool)> {
    let of_day = day.map(|day| format!(" AND entity_id = '{day}'")).unwrap_or_default();
    let predicate = format!("event_type = '{SIGNED}'{of_day}");
    let mut indices = engine.select_indices(snapshot, &predicate, Order::Newest(limit + 1))?;
    let more = indices.len() > limit;
    indices.truncate(limit);
    let mut signed = Vec::with_capacity(indices.len());
    for (index, bytes) in indices.iter().zip(snapshot.entries(&indices)?) {
        let fields = Fields::split(&bytes)?;
        let context: Value = fields.context.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        signed.push(json!({
            "index": index, "day": fields.entity_id, "by": fields.actor, "at": fields.recorded_at.to_string(),
            "note": fields.reason, "counts": context,
        }));
    }
    Ok((signed, more))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Signature {
    note: Option<String>,
    /// The `to_index` of what was shown: what was recorded of the day since was not looked at.
    to_index: Option<f64>,
}

pub(crate) async fn sign(
    Reviews(caller): Reviews,
    State(service): State<Arc<Service>>,
    InPath(day): InPath,
    JsonBody(signature, _room): JsonBody<Map<String, Value>>,
) -> Answered {
    // An array would do for a struct whose members may all be missing.
    let signature: Signature = serde_json::from_value(Value::Object(signature))
        .map_err(|error| Problem::invalid(format!("the body is not as documented: {error}")))?;
    let date = Day::parse(&day)?;
    if day.as_str() > &now().to_string()[..10] {
        return Err(Problem::not_found(format!("{day} is yet to come")));
    }
    let condition = date.condition()?;
    let note = signature.note.as_deref().map(str::trim).filter(|note| !note.is_empty()).map(str::to_owned);
    if note.as_ref().is_some_and(|note| note.chars().count() > MAX_NOTE) {
        return Err(Problem::invalid(format!("the note is longer than {MAX_NOTE} characters")));
    }
    service.backing.writer()?;
    let engine = service.query_engine().await?;
    let shown = day.clone();
    let looked = service.reading(move |service| Ok(look(service, &engine, &shown, &condition)?)).await?;
    // A JSON number may say a whole one as 5.0; beyond 2^53 entries the day has grown in any case.
    if signature.to_index.is_some() && signature.to_index != looked.to_index.map(|index| index as f64) {
        let detail = "the day has more entries by now: look at it again";
        return Err(Problem::new("conflict", StatusCode::CONFLICT, detail));
    }
    let context = json!({
        "from_index": looked.from_index, "to_index": looked.to_index, "entries": looked.entries,
        "overrides": looked.overrides_total, "overrides_without_reason": looked.overrides_without_reason,
        "denied": looked.denied, "failed": looked.failed, "alerts": looked.alerts_total, "open_alerts": looked.open_alerts,
        "verifications": looked.verifications.len(), "gaps": looked.gaps,
    });
    let work = move |service: &Service| {
        let mut entry = act(SIGNED, caller.name(), &day, "review", context);
        if let Some(note) = &note {
            entry = entry.reason(note);
        }
        let receipt = service.backing.writer()?.record_act(entry)?;
        Ok((StatusCode::CREATED, Json(json!({"index": receipt.index}))).into_response())
    };
    service.blocking(work).await
}

/// The rows of an answer, which is a short one.
fn rows(engine: &Engine, snapshot: &Snapshot, sql: &str) -> Result<Vec<Value>> {
    let broken = |error: &dyn std::fmt::Display| Error::new(ErrorKind::Internal, error.to_string());
    let mut writer = ArrayWriter::new(Vec::new());
    for batch in engine.query(snapshot, sql)? {
        writer.write(&batch?).map_err(|error| broken(&error))?;
    }
    writer.finish().map_err(|error| broken(&error))?;
    let text = writer.into_inner();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Map<String, Value>> = serde_json::from_slice(&text).map_err(|error| broken(&error))?;
    Ok(rows.into_iter().map(Value::Object).collect())
}
