//! An alert as an entry of the ledger.

use counterfoil_entry::{ActorType, Draft, EntryBuilder};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::engine::Firing;
use crate::limits::MAX_QUOTED_BYTES;
use crate::rule::RuleInfo;

/// The type of the entry that is an alert.
pub const ALERT_RAISED: &str = "ledger.alert_raised";
/// The actor of alerts.
const ACTOR: &str = "counterfoil";
/// Members of a rule that an alert quotes at most.
const MAX_LISTED: usize = 20;

/// An alert that a rule raised.
#[derive(Debug, Clone, Serialize)]
pub struct Alert {
    /// Its identity: the same rule, entry and group give the same alert again, whenever they are looked at.
    pub id: String,
    /// The rule's id.
    pub rule_id: String,
    /// The rule's title.
    pub title: String,
    /// The rule's level.
    pub level: &'static str,
    /// The rule's author.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// What the rule is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The rule's references.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<String>,
    /// The rule's tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The entries that caused it, ascending.
    pub indices: Vec<u64>,
    /// What those have in common, by field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub group: Vec<GroupMember>,
    /// The figure that was reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Why, in a sentence, where a detector says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Whether it was raised in a drill.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub drill: bool,
}

/// One field of what an alert's entries have in common.
#[derive(Debug, Clone, Serialize)]
pub struct GroupMember {
    /// The field.
    pub field: String,
    /// Its value.
    pub value: String,
}

impl Alert {
    /// The alert of a firing.
    pub fn of(rule: &RuleInfo, firing: &Firing) -> Self {
        Self {
            id: identity(rule, firing),
            rule_id: quoted(&rule.id),
            title: quoted(&rule.title),
            level: rule.level,
            author: rule.author.as_deref().map(quoted),
            description: rule.description.as_deref().map(|text| cut(text, 8 * MAX_QUOTED_BYTES)),
            references: listed(&rule.references),
            tags: listed(&rule.tags),
            indices: firing.causes.clone(),
            group: firing
                .group
                .iter()
                .map(|(field, value)| GroupMember { field: quoted(field), value: quoted(value) })
                .collect(),
            value: firing.value.filter(|value| value.is_finite()),
            why: firing.why.clone(),
            drill: false,
        }
    }

    /// The entry that records it. Its id is the alert's, so that the ledger takes it once.
    pub fn entry(&self) -> EntryBuilder {
        self.entry_as(&self.id)
    }

    /// The same under another idempotency key, for when somebody else's entry has the alert's.
    pub(crate) fn entry_as(&self, id: &str) -> EntryBuilder {
        self.entry_without_id().id(id)
    }

    /// The same for a ledger that cannot tell whether an id is taken, because what it would look into was changed.
    pub fn entry_without_id(&self) -> EntryBuilder {
        Draft::builder(ALERT_RAISED, ACTOR, &self.id).actor_type(ActorType::Service).entity_type("alert").context(self)
    }
}

/// A digest of the rule, the entry at which it fired and the group.
fn identity(rule: &RuleInfo, firing: &Firing) -> String {
    let group = serde_json::to_string(&firing.group).expect("texts are JSON");
    let mut hash = Sha256::new();
    for part in [rule.id.as_str(), &firing.index.to_string(), &group] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    format!("alert-{}", &hex::encode(hash.finalize())[..32])
}

fn listed(texts: &[String]) -> Vec<String> {
    texts.iter().take(MAX_LISTED).map(|text| quoted(text)).collect()
}

fn quoted(text: &str) -> String {
    cut(text, MAX_QUOTED_BYTES)
}

fn cut(text: &str, most: usize) -> String {
    let clean = text.replace('\0', "\u{2400}");
    match clean.len() > most {
        true => format!("{}…", &clean[..clean.floor_char_boundary(most)]),
        false => clean,
    }
}
