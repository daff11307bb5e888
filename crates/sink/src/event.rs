//! One entry as sinks see it.

use counterfoil::{Error, ErrorKind, Result, Snapshot};
use counterfoil_entry::{Fields, Timestamp};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::alert::{Alert, Change};
use crate::filter::{Level, VERIFIED};

/// One entry.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub index: u64,
    pub event_type: String,
    pub actor: String,
    pub entity_id: String,
    pub outcome: Option<String>,
    pub reason: Option<String>,
    pub recorded_at: Timestamp,
    /// The entry's canonical bytes, digit for digit.
    pub entry: Box<RawValue>,
    pub alert: Option<Alert>,
    /// The signed checkpoint up to which a verification found nothing.
    pub checkpoint: Option<String>,
    /// It is sent to try the receiver out.
    pub is_test: bool,
    /// It was made up in a drill.
    pub is_drill: bool,
}

impl Event {
    /// Takes an entry apart. A state change that does not repeat its alert's rule is joined with the entry that raised it.
    pub fn read(index: u64, canonical: &[u8], snapshot: Option<&Snapshot>) -> Result<Self> {
        let damaged = |error: &dyn std::fmt::Display| Error::new(ErrorKind::Damaged, format!("entry {index}: {error}"));
        let fields = Fields::split(canonical).map_err(|error| damaged(&error))?;
        let entry = String::from_utf8(canonical.to_vec()).map_err(|error| damaged(&error))?;
        let context: Value = fields.context.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null);
        let alert = Change::of(&fields.event_type).map(|change| {
            let known = change == Change::Raised || context["rule_id"].is_string();
            let raised = if known { None } else { snapshot.and_then(|snapshot| raised(&fields.entity_id, snapshot)) };
            let mut alert = Alert::read(&fields.entity_id, change, raised.as_ref().unwrap_or(&context));
            if change != Change::Raised {
                alert.reason = fields.reason.as_deref().or(context["reason"].as_str()).map(str::to_owned);
            }
            alert
        });
        let checkpoint = context["checkpoint"].as_str().filter(|_| fields.event_type == VERIFIED).map(str::to_owned);
        let is_drill = alert.as_ref().is_some_and(|alert| alert.is_drill);
        Ok(Self {
            index,
            checkpoint,
            event_type: fields.event_type.into_owned(),
            actor: fields.actor.into_owned(),
            entity_id: fields.entity_id.into_owned(),
            outcome: fields.outcome.map(|outcome| outcome.into_owned()),
            reason: fields.reason.map(|reason| reason.into_owned()),
            recorded_at: fields.recorded_at,
            entry: RawValue::from_string(entry).map_err(|error| damaged(&error))?,
            alert,
            is_test: false,
            is_drill,
        })
    }

    /// The entry in a sentence. It is text from clients: shown through [`crate::text`] alone.
    pub fn sentence(&self) -> String {
        let reason = |reason: &Option<String>| reason.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
        match &self.alert {
            Some(alert) if alert.change == Change::Raised => format!("{}{}", alert.title, reason(&alert.reason)),
            Some(alert) => {
                format!("{}: {} by {}{}", alert.title, alert.change.name(), self.actor, reason(&alert.reason))
            }
            None if self.checkpoint.is_some() => {
                format!("{} was verified and nothing was found: keep this checkpoint elsewhere", self.entity_id)
            }
            None => {
                let outcome = self.outcome.as_ref().map(|outcome| format!(" ({outcome})")).unwrap_or_default();
                format!("{}: {} by {}{outcome}{}", self.event_type, self.entity_id, self.actor, reason(&self.reason))
            }
        }
    }

    /// Milliseconds since 1970 at which it was recorded.
    pub fn millis(&self) -> i64 {
        self.recorded_at.micros().div_euclid(1000)
    }

    /// The entry as JSON with its place and what it says of an alert. The entry's own digits are kept.
    pub fn json(&self, origin: &str) -> Box<RawValue> {
        let alert = self.alert.as_ref().map(|alert| AlertJson {
            id: &alert.id,
            change: alert.change.name(),
            level: alert.level,
            rule: &alert.rule,
            title: &alert.title,
            indices: &alert.causes,
            drill: self.is_drill,
        });
        let json = EventJson {
            origin,
            index: self.index,
            sentence: self.sentence(),
            test: self.is_test,
            drill: self.is_drill,
            alert,
            entry: &self.entry,
        };
        serde_json::value::to_raw_value(&json).expect("texts and numbers are JSON")
    }
}

#[derive(Serialize)]
struct EventJson<'a> {
    origin: &'a str,
    index: u64,
    sentence: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    test: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    drill: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    alert: Option<AlertJson<'a>>,
    entry: &'a RawValue,
}

#[derive(Serialize)]
struct AlertJson<'a> {
    id: &'a str,
    change: &'a str,
    level: Level,
    rule: &'a str,
    title: &'a str,
    indices: &'a [u64],
    drill: bool,
}

/// The context of the entry that raised an alert.
fn raised(id: &str, snapshot: &Snapshot) -> Option<Value> {
    let history = snapshot.history(id).ok()?;
    history.iter().find_map(|(_, bytes)| {
        let fields = Fields::split(bytes).ok()?;
        let is_it = Change::of(&fields.event_type) == Some(Change::Raised);
        is_it.then(|| serde_json::from_str(fields.context?).ok())?
    })
}
