//! Alerts and what became of them, read from the ledger: an alert is an entry, and so is each change of its state.

use std::collections::HashMap;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use counterfoil::{Error, ErrorKind, Result, Snapshot};
use counterfoil_entry::Fields;
use counterfoil_query::{Engine, Order};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The type of an entry that is an alert.
const RAISED: &str = "ledger.alert_raised";

/// Most changes of one alert's state that are told.
const MAX_CHANGES: usize = 100;

/// What became of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AlertState {
    /// Nobody has looked at it.
    Open,
    /// Somebody looks at it.
    Acknowledged,
    /// It was right, and has been dealt with.
    Resolved,
    /// It was wrong.
    FalsePositive,
}

impl AlertState {
    /// The type of the entry that says so.
    pub(crate) fn event_type(self) -> &'static str {
        match self {
            Self::Open => "ledger.alert_reopened",
            Self::Acknowledged => "ledger.alert_acknowledged",
            Self::Resolved | Self::FalsePositive => "ledger.alert_resolved",
        }
    }

    fn of(event_type: &str, context: &Value) -> Option<Self> {
        Some(match event_type {
            "ledger.alert_reopened" => Self::Open,
            "ledger.alert_acknowledged" => Self::Acknowledged,
            "ledger.alert_resolved" if context["state"] == "false_positive" => Self::FalsePositive,
            "ledger.alert_resolved" => Self::Resolved,
            _ => return None,
        })
    }
}

/// Which alerts are asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Wanted {
    /// Open and acknowledged ones.
    #[default]
    Active,
    Open,
    Acknowledged,
    /// Resolved ones and false positives.
    Closed,
    All,
}

impl Wanted {
    /// The condition on the type of the newest change of an alert's state, in the column `s`.
    fn condition(self) -> &'static str {
        match self {
            Self::Active => "(s IS NULL OR s <> 'ledger.alert_resolved')",
            Self::Open => "(s IS NULL OR s = 'ledger.alert_reopened')",
            Self::Acknowledged => "s = 'ledger.alert_acknowledged'",
            Self::Closed => "s = 'ledger.alert_resolved'",
            Self::All => "TRUE",
        }
    }
}

/// How grave alerts are, the least first.
pub(crate) const LEVELS: [&str; 5] = ["informational", "low", "medium", "high", "critical"];

/// An alert with its state.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Alert {
    pub(crate) id: String,
    pub(crate) index: u64,
    pub(crate) raised_at: String,
    pub(crate) rule_id: String,
    pub(crate) title: String,
    pub(crate) level: String,
    author: Option<String>,
    description: Option<String>,
    references: Value,
    tags: Value,
    pub(crate) indices: Vec<u64>,
    group: Value,
    value: Value,
    pub(crate) why: Option<String>,
    drill: bool,
    pub(crate) state: AlertState,
    state_by: Option<String>,
    state_at: Option<String>,
    state_reason: Option<String>,
}

impl Alert {
    /// What its entries have in common, in a line.
    pub(crate) fn group_text(&self) -> String {
        let members = self.group.as_array().into_iter().flatten();
        let text = |member: &Value, name: &str| member[name].as_str().unwrap_or_default().to_owned();
        let members: Vec<String> =
            members.map(|member| format!("{}={}", text(member, "field"), text(member, "value"))).collect();
        members.join(" ")
    }
}

/// One change of an alert's state.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Change {
    pub(crate) index: u64,
    pub(crate) state: AlertState,
    by: String,
    at: String,
    reason: Option<String>,
}

/// What is asked of the alerts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ask {
    pub(crate) wanted: Wanted,
    /// The least level; the index in [`LEVELS`].
    pub(crate) least: usize,
    /// Only alerts before this index.
    pub(crate) below: Option<u64>,
    /// Only alerts from this index on.
    pub(crate) from: Option<u64>,
    /// Only alerts of rules whose id begins with this.
    pub(crate) rules: Option<&'static str>,
    pub(crate) limit: usize,
}

impl Ask {
    fn takes(&self, alert: &Alert) -> bool {
        let state = match self.wanted {
            Wanted::Active => matches!(alert.state, AlertState::Open | AlertState::Acknowledged),
            Wanted::Open => alert.state == AlertState::Open,
            Wanted::Acknowledged => alert.state == AlertState::Acknowledged,
            Wanted::Closed => matches!(alert.state, AlertState::Resolved | AlertState::FalsePositive),
            Wanted::All => true,
        };
        let level = LEVELS.iter().position(|level| *level == alert.level).unwrap_or(LEVELS.len());
        state
            && level >= self.least
            && self.below.is_none_or(|below| alert.index < below)
            && self.from.is_none_or(|from| alert.index >= from)
            && self.rules.is_none_or(|rules| alert.rule_id.starts_with(rules))
    }
}

/// What was found.
pub(crate) struct Found {
    /// The newest alerts that are asked for.
    pub(crate) alerts: Vec<Alert>,
    /// Whether there are more.
    pub(crate) more: bool,
    /// Why some may be missing, and the state of others not the newest.
    pub(crate) unread: Option<String>,
}

/// The newest alerts that are asked for. An alert about tampering must not be hidden by the tampering: what cannot be read is
/// passed over then, and that is said.
pub(crate) fn find(engine: &Engine, snapshot: &Snapshot, ask: &Ask) -> Found {
    match whole(engine, snapshot, ask) {
        Ok((alerts, more)) => Found { alerts, more, unread: None },
        Err(error) => {
            tracing::warn!(detail = error.message, "not all alerts can be read");
            let (alerts, more) = readable(engine, snapshot, ask);
            Found { alerts, more, unread: Some(error.message) }
        }
    }
}

/// Most entries about alerts that are looked at where not everything can be read.
const MAX_READABLE: usize = 5_000;

/// What can still be read of the newest alerts, part by part.
fn readable(engine: &Engine, snapshot: &Snapshot, ask: &Ask) -> (Vec<Alert>, bool) {
    let sealed = snapshot.segments().into_iter().map(|segment| (segment.first(), segment.first() + segment.count()));
    let mut parts: Vec<(u64, u64)> = sealed.collect();
    parts.push((snapshot.sealed_size(), snapshot.size()));
    let (mut alerts, mut newest, mut looked) = (Vec::new(), HashMap::new(), 0);
    for (first, end) in parts.into_iter().rev() {
        let part = format!("starts_with(event_type, 'ledger.alert_') AND index >= {first} AND index < {end}");
        let indices = engine.select_indices(snapshot, &part, Order::Newest(MAX_READABLE - looked)).unwrap_or_default();
        looked += indices.len();
        for index in indices {
            let Ok(bytes) = snapshot.entry(index) else { continue };
            let Ok(fields) = Fields::split(&bytes) else { continue };
            if let Ok(Some(change)) = change_of(index, &bytes) {
                newest.entry(fields.entity_id.into_owned()).or_insert(change);
            } else if fields.event_type == RAISED
                && let Ok(alert) = alert_of(index, &bytes, newest.get(&*fields.entity_id).cloned())
                && ask.takes(&alert)
            {
                alerts.push(alert);
            }
        }
        if looked >= MAX_READABLE || alerts.len() > ask.limit {
            break;
        }
    }
    let more = alerts.len() > ask.limit;
    alerts.truncate(ask.limit);
    (alerts, more)
}

fn whole(engine: &Engine, snapshot: &Snapshot, ask: &Ask) -> Result<(Vec<Alert>, bool)> {
    let mut found = pairs(engine, snapshot, ask)?;
    let more = found.len() > ask.limit;
    found.truncate(ask.limit);
    let mut indices: Vec<u64> = found.iter().flat_map(|(raised, change)| [Some(*raised), *change]).flatten().collect();
    indices.sort_unstable();
    indices.dedup();
    let entries: HashMap<u64, Vec<u8>> = indices.iter().copied().zip(snapshot.entries(&indices)?).collect();
    let alert = |(raised, change): &(u64, Option<u64>)| {
        let change = change.map(|index| change_of(index, &entries[&index])).transpose()?.flatten();
        alert_of(*raised, &entries[raised], change)
    };
    Ok((found.iter().map(alert).collect::<Result<_>>()?, more))
}

/// How many alerts there are of what is asked for.
pub(crate) fn count(engine: &Engine, snapshot: &Snapshot, ask: &Ask) -> Result<u64> {
    let sql = format!("SELECT count(*) FROM ({})", sql(ask));
    let mut count = 0;
    for batch in engine.query(snapshot, &sql)? {
        let batch = batch?;
        count += batch.column(0).as_primitive::<Int64Type>().values().iter().sum::<i64>().max(0) as u64;
    }
    Ok(count)
}

/// The indices at which alerts were raised, newest first, one more than the limit.
pub(crate) fn raised(engine: &Engine, snapshot: &Snapshot, ask: &Ask) -> Result<Vec<u64>> {
    Ok(pairs(engine, snapshot, ask)?.into_iter().map(|(raised, _)| raised).collect())
}

/// What an entry makes of an alert.
pub(crate) struct Effect {
    /// The index at which the alert was raised.
    pub(crate) raised: u64,
    pub(crate) state: AlertState,
}

/// What an entry makes of an alert; `None` where it does not say of which.
pub(crate) fn effect(index: u64, bytes: &[u8]) -> Result<Option<Effect>> {
    let (fields, context) = parts(index, bytes)?;
    if fields.event_type == RAISED {
        return Ok(Some(Effect { raised: index, state: AlertState::Open }));
    }
    let of = context["raised"].as_u64().zip(AlertState::of(&fields.event_type, &context));
    Ok(of.map(|(raised, state)| Effect { raised, state }))
}

/// One alert with everything that became of it, oldest first; `NotFound` when there is none of that id.
pub(crate) fn one(snapshot: &Snapshot, id: &str) -> Result<(Alert, Vec<Change>)> {
    let entries = snapshot.history(id)?;
    let is_raised = |bytes: &[u8]| Fields::split(bytes).is_ok_and(|fields| fields.event_type == RAISED);
    let raised = entries.iter().find(|(_, bytes)| is_raised(bytes));
    let missing = || Error::new(ErrorKind::NotFound, format!("there is no alert {id}"));
    let (index, bytes) = raised.ok_or_else(missing)?;
    let mut changes = Vec::new();
    for (index, bytes) in &entries {
        changes.extend(change_of(*index, bytes)?);
    }
    let alert = alert_of(*index, bytes, changes.last().cloned())?;
    changes.drain(..changes.len().saturating_sub(MAX_CHANGES));
    Ok((alert, changes))
}

/// Indices of alerts, each with that of the newest change of its state; newest first, one more than the limit.
fn pairs(engine: &Engine, snapshot: &Snapshot, ask: &Ask) -> Result<Vec<(u64, Option<u64>)>> {
    let sql = format!("{} ORDER BY index DESC LIMIT {}", sql(ask), ask.limit + 1);
    let mut found = Vec::new();
    for batch in engine.query(snapshot, &sql)? {
        let batch = batch?;
        let whole = |column: usize| cast(batch.column(column), &DataType::Int64);
        let broken = |error: arrow::error::ArrowError| Error::new(ErrorKind::Internal, error.to_string());
        let (raised, last) = (whole(0).map_err(broken)?, whole(1).map_err(broken)?);
        let (raised, last) = (raised.as_primitive::<Int64Type>(), last.as_primitive::<Int64Type>());
        found.extend(raised.iter().zip(last.iter()).filter_map(|(raised, last)| {
            Some((u64::try_from(raised?).ok()?, last.and_then(|last| u64::try_from(last).ok())))
        }));
    }
    Ok(found)
}

fn sql(ask: &Ask) -> String {
    let mut conditions = vec![format!("event_type = '{RAISED}'")];
    conditions.extend(ask.below.map(|below| format!("index < {below}")));
    conditions.extend(ask.from.map(|from| format!("index >= {from}")));
    conditions.extend(ask.rules.map(|rules| format!("starts_with(context->>'rule_id', '{rules}')")));
    if ask.least > 0 {
        let levels: Vec<String> = LEVELS[ask.least..].iter().map(|level| format!("'{level}'")).collect();
        conditions.push(format!("context->>'level' IN ({})", levels.join(", ")));
    }
    let (raised, wanted) = (conditions.join(" AND "), ask.wanted.condition());
    format!(
        "SELECT index, last FROM \
           (SELECT index, entity_id FROM audit_log WHERE {raised}) AS raised \
         LEFT JOIN \
           (SELECT entity_id AS changed, max(index) AS last, last_value(event_type ORDER BY index) AS s \
            FROM audit_log WHERE event_type IN ('ledger.alert_acknowledged', 'ledger.alert_resolved', 'ledger.alert_reopened') \
            GROUP BY entity_id) AS changes \
         ON entity_id = changed WHERE {wanted}"
    )
}

fn parts(index: u64, bytes: &[u8]) -> Result<(Fields<'_>, Value)> {
    let fields =
        Fields::split(bytes).map_err(|error| Error::new(ErrorKind::Damaged, format!("entry {index}: {error}")))?;
    let context = fields.context.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null);
    Ok((fields, context))
}

fn change_of(index: u64, bytes: &[u8]) -> Result<Option<Change>> {
    let (fields, context) = parts(index, bytes)?;
    Ok(AlertState::of(&fields.event_type, &context).map(|state| Change {
        index,
        state,
        by: fields.actor.to_string(),
        at: fields.recorded_at.to_string(),
        reason: fields.reason.map(|reason| reason.to_string()),
    }))
}

fn alert_of(index: u64, bytes: &[u8], change: Option<Change>) -> Result<Alert> {
    let (fields, context) = parts(index, bytes)?;
    let text = |member: &str| context[member].as_str().map(str::to_owned);
    let list =
        |member: &str| if context[member].is_array() { context[member].clone() } else { Value::Array(Vec::new()) };
    let indices = context["indices"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
    let (state, change) = (change.as_ref().map_or(AlertState::Open, |change| change.state), change);
    let (state_by, state_at, state_reason) =
        change.map_or((None, None, None), |change| (Some(change.by), Some(change.at), change.reason));
    Ok(Alert {
        id: fields.entity_id.to_string(),
        index,
        raised_at: fields.recorded_at.to_string(),
        rule_id: text("rule_id").unwrap_or_default(),
        title: text("title").unwrap_or_default(),
        level: text("level").unwrap_or_else(|| "critical".to_owned()),
        author: text("author"),
        description: text("description"),
        references: list("references"),
        tags: list("tags"),
        indices,
        group: list("group"),
        value: context["value"].clone(),
        why: text("why"),
        drill: context["drill"] == true,
        state,
        state_by,
        state_at,
        state_reason,
    })
}
