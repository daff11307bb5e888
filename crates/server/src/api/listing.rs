//! `GET /api/v1/entries?…`: pages of entries, newest first, and `GET /api/v1/entities/{id}/history`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{RawQuery, State};
use counterfoil::Snapshot;
use counterfoil_entry::{Fields, Timestamp};
use counterfoil_query::{Engine, Limits, Order};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::access::Reads;
use crate::api::entries::{as_json, json_response};
use crate::api::sql::{literal, pattern};
use crate::asked::{InPath, InQuery};
use crate::problem::{Answered, Problem};
use crate::service::Service;

/// Entries of a page unless asked otherwise.
const DEFAULT_LIMIT: usize = 50;

/// Most entries of a page.
const MAX_LIMIT: usize = 500;

/// Entries of a page of a history, at most and unless asked otherwise.
const HISTORY_LIMIT: usize = 1_000;

/// Entries that are looked through first; each further look goes over eight times as many.
const FIRST_WINDOW: u64 = 4_096;

/// Members that a filter compares whole.
const EXACT: [&str; 9] =
    ["event_type", "actor", "actor_type", "entity_id", "entity_type", "outcome", "trace_id", "source", "recorder"];

/// Members that have one of a few values: any other would find nothing and look like an answer.
const CHOICES: [(&str, [&str; 3]); 2] =
    [("actor_type", ["user", "service", "ai_agent"]), ("outcome", ["success", "failure", "denied"])];

/// Members that free text is looked for in.
const TEXTS: [&str; 9] =
    ["event_type", "actor", "on_behalf_of", "entity_id", "entity_type", "reason", "old_value", "new_value", "context"];

/// What is asked for.
#[derive(Debug)]
struct Page {
    predicate: Option<String>,
    limit: usize,
    /// Only entries below this index.
    below: Option<u64>,
}

impl Page {
    fn parse(query: Option<&str>) -> Result<Self, Problem> {
        let mut page = Self { predicate: None, limit: DEFAULT_LIMIT, below: None };
        let mut alternatives: Vec<(&str, Vec<String>)> = Vec::new();
        let mut conditions = Vec::new();
        let mut once = BTreeSet::new();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if !EXACT.contains(&name.as_ref()) && !once.insert(name.clone()) {
                return Err(Problem::invalid(format!("{name} is given twice")));
            }
            if value.len() > 1024 {
                return Err(Problem::invalid(format!("the filter {name} is over 1,024 bytes")));
            }
            if let Some((_, choices)) = CHOICES.iter().find(|(choice, _)| *choice == name)
                && !choices.contains(&value.as_ref())
            {
                return Err(Problem::invalid(format!("{name} is one of {}", choices.join(", "))));
            }
            match name.as_ref() {
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
                    page.limit = limit.ok_or_else(|| Problem::invalid(format!("limit is 1 to {MAX_LIMIT}")))?;
                }
                "cursor" => {
                    let below = value.strip_prefix("before-").and_then(|below| below.parse().ok());
                    page.below = Some(below.ok_or_else(foreign_cursor)?);
                }
                "from" => conditions.push(format!("timestamp >= {}", moment(&name, &value)?)),
                "to" => conditions.push(format!("timestamp < {}", moment(&name, &value)?)),
                "q" => {
                    let like = pattern(&value);
                    let texts = TEXTS.map(|column| format!("{column} ILIKE {like}"));
                    conditions.push(format!("({})", texts.join(" OR ")));
                }
                other => match EXACT.iter().find(|exact| **exact == other) {
                    Some(exact) => match alternatives.iter_mut().find(|(name, _)| name == exact) {
                        Some((_, values)) => values.push(literal(&value)),
                        None => alternatives.push((exact, vec![literal(&value)])),
                    },
                    None => return Err(Problem::invalid(format!("there is no filter {other:?}"))),
                },
            }
        }
        conditions.extend(alternatives.iter().map(|(name, values)| match values.as_slice() {
            [value] => format!("{name} = {value}"),
            values => format!("{name} IN ({})", values.join(", ")),
        }));
        page.predicate = (!conditions.is_empty()).then(|| conditions.join(" AND "));
        Ok(page)
    }

    /// The newest indices of the page, descending, and whether there may be more.
    ///
    /// # Errors
    /// `unavailable` when all the looking together takes longer than one query may.
    fn find(&self, engine: &Engine, snapshot: &Snapshot) -> Result<(Vec<u64>, bool), Problem> {
        let mut end = self.below.unwrap_or(snapshot.size()).min(snapshot.size());
        let Some(predicate) = &self.predicate else {
            let start = end.saturating_sub(self.limit as u64);
            return Ok(((start..end).rev().collect(), start > 0));
        };
        let (since, limits) = (Instant::now(), engine.limits());
        let mut found = Vec::new();
        let mut window = FIRST_WINDOW;
        while end > 0 && found.len() <= self.limit {
            let start = end.saturating_sub(window);
            let bounded = format!("index >= {start} AND index < {end} AND {predicate}");
            let engine = engine.with_limits(Limits { time: limits.time.saturating_sub(since.elapsed()), ..limits });
            let order = Order::Newest(self.limit + 1 - found.len());
            found.extend(engine.select_indices(snapshot, &bounded, order)?);
            end = start;
            window = window.saturating_mul(8);
        }
        let more = found.len() > self.limit;
        found.truncate(self.limit);
        Ok((found, more))
    }
}

fn foreign_cursor() -> Problem {
    Problem::invalid("the cursor is none that a page gave; begin without one")
}

fn time(name: &str, value: &str) -> Result<Timestamp, Problem> {
    Timestamp::parse(value).map_err(|_| Problem::invalid(format!("{name} is no RFC 3339 time: {value:?}")))
}

fn moment(name: &str, value: &str) -> Result<String, Problem> {
    Ok(literal(&time(name, value)?.to_string()))
}

#[derive(Serialize)]
struct Listed<'a> {
    entries: Vec<Placed<'a>>,
    next_cursor: Option<String>,
    tree_size: u64,
}

/// An entry with its index.
#[derive(Serialize)]
pub(crate) struct Placed<'a> {
    pub(crate) index: u64,
    pub(crate) entry: &'a RawValue,
}

pub(crate) async fn list(
    Reads(caller): Reads,
    State(service): State<Arc<Service>>,
    RawQuery(query): RawQuery,
) -> Answered {
    let page = Page::parse(query.as_deref())?;
    let engine = service.query_engine().await?;
    let asked = serde_json::json!({"list": page.predicate, "below": page.below, "limit": page.limit});
    service.record_reading(&caller, asked).await?;
    service
        .reading(move |service| {
            let snapshot = service.snapshot();
            let (indices, more) = page.find(&engine, &snapshot)?;
            let entries = snapshot.entries(&indices)?;
            let next_cursor = indices.last().filter(|_| more).map(|last| format!("before-{last}"));
            let entries = placed(&indices, &entries)?;
            Ok(json_response(&Listed { entries, next_cursor, tree_size: snapshot.size() }))
        })
        .await
}

fn placed<'a>(indices: &[u64], entries: &'a [Vec<u8>]) -> Result<Vec<Placed<'a>>, Problem> {
    let pairs = indices.iter().zip(entries);
    pairs.map(|(index, bytes)| Ok(Placed { index: *index, entry: as_json(bytes)?.1 })).collect()
}

#[derive(Serialize)]
struct Life<'a> {
    entity_id: &'a str,
    entries: Vec<Placed<'a>>,
    next_cursor: Option<String>,
    tree_size: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PartOfLife {
    as_of: Option<String>,
    cursor: Option<String>,
    limit: Option<usize>,
}

impl PartOfLife {
    /// The condition for what comes after the cursor.
    fn after(&self) -> Result<String, Problem> {
        let Some(cursor) = &self.cursor else { return Ok(String::new()) };
        let after: Option<u64> = cursor.strip_prefix("after-").and_then(|after| after.parse().ok());
        let after = after.filter(|after| i64::try_from(*after).is_ok());
        Ok(format!(" AND index > {}", after.ok_or_else(foreign_cursor)?))
    }

    fn limit(&self) -> Result<usize, Problem> {
        let limit = self.limit.unwrap_or(HISTORY_LIMIT);
        if (1..=HISTORY_LIMIT).contains(&limit) {
            return Ok(limit);
        }
        Err(Problem::invalid(format!("limit is 1 to {HISTORY_LIMIT}")))
    }
}

pub(crate) async fn history(
    Reads(caller): Reads,
    State(service): State<Arc<Service>>,
    InPath(entity_id): InPath,
    InQuery(part): InQuery<PartOfLife>,
) -> Answered {
    let as_of = part.as_of.as_ref().map(|value| time("as_of", value)).transpose()?;
    let (after, limit) = (part.after()?, part.limit()?);
    let engine = service.query_engine().await?;
    let asked = serde_json::json!({"history": entity_id, "cursor": part.cursor, "limit": limit});
    service.record_reading(&caller, asked).await?;
    service
        .reading(move |service| {
            let snapshot = service.snapshot();
            let predicate = format!("entity_id = {}{after}", literal(&entity_id));
            let mut found = engine.select_indices(&snapshot, &predicate, Order::Oldest(limit + 1))?;
            if found.is_empty() {
                return Err(Problem::not_found(format!("no entry is about {entity_id:?}")));
            }
            let more = found.len() > limit;
            found.truncate(limit);
            let next_cursor = found.last().filter(|_| more).map(|last| format!("after-{last}"));
            let entries = snapshot.entries(&found)?;
            let happened = |bytes: &[u8]| match as_of {
                Some(as_of) => Fields::split(bytes).is_ok_and(|fields| fields.timestamp <= as_of),
                None => true,
            };
            let mut entries_placed = placed(&found, &entries)?;
            let mut kept = entries.iter().map(|bytes| happened(bytes));
            entries_placed.retain(|_| kept.next().unwrap_or(false));
            let (entity_id, tree_size) = (entity_id.as_str(), snapshot.size());
            Ok(json_response(&Life { entity_id, entries: entries_placed, next_cursor, tree_size }))
        })
        .await
}
