//! Prometheus Alertmanager, API version 2. It groups, silences and notifies by itself.

use counterfoil::Result;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::http::{Http, check_address};
use super::{Failure, Receiver, Sent};
use crate::alert::{Alert, Change};
use crate::config::Ca;
use crate::event::Event;
use crate::message::{MAX_SENTENCE, Message};
use crate::secret::Secret;
use crate::text;

/// How long an alert stays active that nobody resolves: each is sent once.
const ALERT_LIFE_H: i64 = 7 * 24;
/// How long any other entry does.
const ENTRY_LIFE_H: i64 = 1;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Options {
    /// `https://HOST:9093`
    pub address: String,
    pub bearer: Option<Secret>,
    pub ca: Ca,
}

/// An Alertmanager.
pub(crate) struct Alertmanager {
    http: Http,
    address: String,
    bearer: Option<String>,
}

impl Alertmanager {
    pub fn open(options: &Options) -> Result<Self> {
        check_address(&options.address, options.bearer.is_some())?;
        let bearer = options.bearer.as_ref().map(|bearer| bearer.read("bearer")).transpose()?;
        Ok(Self {
            http: Http::new(options.ca.as_deref())?,
            address: format!("{}/api/v2/alerts", options.address.trim_end_matches('/')),
            bearer: bearer.map(|token| format!("Bearer {token}")),
        })
    }
}

impl Receiver for Alertmanager {
    fn send(&mut self, message: &Message<'_>) -> std::result::Result<Sent, Failure> {
        let alerts: Vec<Value> = message.events.iter().filter_map(|event| alert(event, message)).collect();
        if alerts.is_empty() {
            return Ok(Sent::saying("nothing to send: an acknowledgement is no matter of Alertmanager"));
        }
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(self.bearer.as_deref().map(|bearer| ("authorization", bearer)));
        let answer = self.http.post(&self.address, &headers, Value::from(alerts).to_string().as_bytes())?.check()?;
        Ok(Sent::saying(answer.words()))
    }
}

fn alert(event: &Event, message: &Message<'_>) -> Option<Value> {
    let hours = |hours| jiff::SignedDuration::from_hours(hours);
    let start = jiff::Timestamp::from_millisecond(event.millis()).unwrap_or_else(|_| jiff::Timestamp::now());
    let (labels, end) = match &event.alert {
        Some(alert) if alert.change == Change::Acknowledged => return None,
        Some(alert) if alert.change == Change::Resolved => (labels(alert), start),
        Some(alert) => (labels(alert), start.saturating_add(hours(ALERT_LIFE_H)).unwrap_or(start)),
        None => (entry_labels(event), start.saturating_add(hours(ENTRY_LIFE_H)).unwrap_or(start)),
    };
    let mut labels = labels;
    labels.insert("origin".to_owned(), message.origin.into());
    if event.is_drill {
        labels.insert("drill".to_owned(), "true".into());
    }
    let mut alert = json!({
        "labels": labels,
        "annotations": { "summary": text::line(&event.sentence(), MAX_SENTENCE), "entry": event.index.to_string() },
        "endsAt": end.to_string(),
    });
    // A resolution is matched by its labels; its beginning is that of the alert it ends.
    if end > start {
        alert["startsAt"] = start.to_string().into();
    }
    if let Some(link) = message.link(event.index) {
        alert["generatorURL"] = link.into();
    }
    Some(alert)
}

/// What an alert is known by, the same when it is raised and when it is resolved.
fn labels(alert: &Alert) -> Map<String, Value> {
    let mut labels = Map::new();
    let mut label = |name: String, value: &str| {
        let value = text::line(value, 200);
        if !value.trim().is_empty() {
            labels.insert(name, value.into());
        }
    };
    for (field, value) in &alert.group {
        label(format!("group_{}", label_name(field)), value);
    }
    label("alertname".to_owned(), &alert.title);
    label("alert".to_owned(), &alert.id);
    label("rule".to_owned(), &alert.rule);
    label("severity".to_owned(), alert.level.name());
    labels
}

fn entry_labels(event: &Event) -> Map<String, Value> {
    let texts = [
        ("alertname", event.event_type.clone()),
        ("severity", "informational".to_owned()),
        ("entry", event.index.to_string()),
    ];
    texts.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect()
}

/// A field's name as Prometheus takes it.
fn label_name(field: &str) -> String {
    field.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).take(100).collect()
}
