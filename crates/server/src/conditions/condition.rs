//! One condition: what it says, and its alert in the ledger.

use std::borrow::Cow;
use std::collections::BTreeSet;

use counterfoil::{ErrorKind, Result};
use counterfoil_watch::{Alert, GroupMember};
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::RULES;
use crate::inbox;
use crate::moment::now;
use crate::service::{Service, act};

/// A condition that holds.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Condition {
    pub(crate) id: Cow<'static, str>,
    pub(crate) title: Cow<'static, str>,
    pub(crate) level: &'static str,
    /// What it is about, where there are several.
    pub(crate) about: Vec<(&'static str, String)>,
    pub(crate) reason: String,
    pub(crate) since: String,
    /// The entries that it is about.
    #[serde(skip)]
    pub(crate) indices: Vec<u64>,
    /// Where it stands what to do.
    #[serde(skip)]
    pub(crate) runbook: Option<&'static str>,
    #[serde(skip)]
    pub(crate) alert: Option<String>,
}

impl Condition {
    pub(crate) fn level(&self) -> &'static str {
        self.level
    }

    pub(crate) fn new(id: &'static str, title: &'static str, level: &'static str, reason: String) -> Self {
        let (id, title) = (id.into(), title.into());
        Self {
            id,
            title,
            level,
            about: Vec::new(),
            reason,
            since: now().to_string(),
            indices: Vec::new(),
            runbook: None,
            alert: None,
        }
    }

    pub(crate) fn key(&self) -> String {
        let about: Vec<String> = self.about.iter().map(|(field, value)| format!("{field}={value}")).collect();
        format!("{RULES}{} {}", self.id, about.join(" "))
    }
}

/// Takes the first of many, those that hold already before others, so that none is resolved because of another; how many are
/// left.
pub(crate) fn first_of(
    mut many: Vec<Condition>,
    most: usize,
    held: &BTreeSet<String>,
    seen: &mut Vec<Condition>,
) -> usize {
    let rest = many.len().saturating_sub(most);
    if rest > 0 {
        many.sort_by_cached_key(|condition| !held.contains(&condition.key()));
    }
    seen.extend(many.into_iter().take(most));
    rest
}

/// Records the alert of a condition; its id.
pub(super) fn raise(service: &Service, condition: &Condition) -> Result<String> {
    let snapshot = service.snapshot();
    let mut hash = Sha256::new();
    hash.update(format!("{} {} {}", condition.key(), condition.since, snapshot.size()));
    let alert = Alert {
        id: format!("alert-{}", &hex::encode(hash.finalize())[..32]),
        rule_id: format!("{RULES}{}", condition.id),
        title: condition.title.to_string(),
        level: condition.level,
        author: Some("Counterfoil".to_owned()),
        description: None,
        references: condition.runbook.iter().map(|runbook| (*runbook).to_owned()).collect(),
        tags: Vec::new(),
        indices: condition.indices.clone(),
        group: condition
            .about
            .iter()
            .map(|(field, value)| GroupMember { field: (*field).to_owned(), value: value.clone() })
            .collect(),
        value: None,
        why: Some(condition.reason.clone()),
        drill: service.settings.drill,
    };
    let writer = service.backing.writer()?;
    match writer.record_act(alert.entry()) {
        // An alert about tampering must not be kept out by the tampering.
        Err(error) if matches!(error.kind, ErrorKind::Tampered | ErrorKind::Damaged) => {
            writer.record_act(alert.entry_without_id())?;
        }
        recorded => drop(recorded?),
    }
    Ok(alert.id)
}

/// Records that a condition holds no more, unless a person has said so already.
pub(super) fn resolve(service: &Service, alert: Option<&str>) -> Result<()> {
    let Some(id) = alert else { return Ok(()) };
    let (alert, _) = inbox::one(&service.snapshot(), id)?;
    if matches!(alert.state, inbox::AlertState::Resolved | inbox::AlertState::FalsePositive) {
        return Ok(());
    }
    let mut context = json!({"state": "resolved", "rule_id": alert.rule_id, "title": alert.title, "level": alert.level,
        "indices": [], "raised": alert.index});
    if service.settings.drill {
        context["drill"] = true.into();
    }
    let entry = act("ledger.alert_resolved", "counterfoil", id, "alert", context).reason("it holds no more");
    service.backing.writer()?.record_act(entry).map(drop)
}
