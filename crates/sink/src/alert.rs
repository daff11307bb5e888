//! What an alert's entry says, read leniently: a member that is missing never stops a delivery.

use serde_json::Value;

use crate::filter::Level;

/// What happened to an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Raised,
    Acknowledged,
    Resolved,
    /// Open again: to a receiver as if it were raised anew.
    Reopened,
}

impl Change {
    /// What an entry of this type says of an alert.
    pub fn of(event_type: &str) -> Option<Self> {
        match event_type {
            "ledger.alert_raised" => Some(Self::Raised),
            "ledger.alert_acknowledged" => Some(Self::Acknowledged),
            "ledger.alert_resolved" => Some(Self::Resolved),
            "ledger.alert_reopened" => Some(Self::Reopened),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
            Self::Reopened => "reopened",
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
        let title = text(&context["title"]).or_else(|| text(&context["rule_id"])).unwrap_or_else(|| "Alert".to_owned());
        let group = context["group"].as_array().into_iter().flatten();
        let group = group.filter_map(|member| Some((text(&member["field"])?, text(&member["value"])?)));
        Self {
            id: id.to_owned(),
            change,
            level: Level::read(context["level"].as_str().unwrap_or_default()),
            rule: text(&context["rule_id"]).unwrap_or_else(|| title.clone()),
            title,
            author: text(&context["author"]),
            references: texts(&context["references"]),
            tags: texts(&context["tags"]),
            causes: context["indices"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect(),
            group: group.collect(),
            reason: text(&context["why"]),
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
