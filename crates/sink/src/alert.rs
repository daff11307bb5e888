//! What an alert's entry says, read leniently: a member that is missing never stops a delivery.

use serde_json::Value;

use crate::filter::Level;

/// What happened to an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Raised,
    Acknowledged,
    Resolved,
}

impl Change {
    /// What an entry of this type says of an alert.
    pub fn of(event_type: &str) -> Option<Self> {
        match event_type {
            "ledger.alert_raised" => Some(Self::Raised),
            "ledger.alert_acknowledged" => Some(Self::Acknowledged),
            "ledger.alert_resolved" => Some(Self::Resolved),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
        }
    }
}

/// An alert.
#[derive(Debug, Clone)]
pub(crate) struct Alert {
    pub id: String,
    pub change: Change,
    pub level: Level,
    pub rule: String,
    pub title: String,
    pub author: Option<String>,
    pub references: Vec<String>,
    pub tags: Vec<String>,
    /// The entries that caused it.
    pub causes: Vec<u64>,
    /// What its correlation grouped by.
    pub group: Vec<(String, String)>,
    pub reason: Option<String>,
    pub is_drill: bool,
}

impl Alert {
    /// Reads an alert's `context`.
    pub fn read(id: &str, change: Change, context: &Value) -> Self {
        let rule = &context["rule"];
        let title = text(&rule["title"]).or_else(|| text(&rule["id"])).unwrap_or_else(|| "Alert".to_owned());
        let group = context["group"].as_object().map(|group| {
            let shown = |value: &Value| text(value).unwrap_or_else(|| value.to_string());
            group.iter().map(|(field, value)| (field.clone(), shown(value))).collect()
        });
        Self {
            id: id.to_owned(),
            change,
            level: Level::read(context["level"].as_str().unwrap_or_default()),
            rule: text(&rule["id"]).unwrap_or_else(|| title.clone()),
            title,
            author: text(&rule["author"]),
            references: texts(&rule["references"]),
            tags: texts(&rule["tags"]),
            causes: context["indices"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect(),
            group: group.unwrap_or_default(),
            reason: text(&context["reason"]),
            is_drill: context["drill"] == Value::Bool(true),
        }
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(text).collect()
}
