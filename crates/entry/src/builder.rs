//! Building an entry in Rust.

use crate::canonical::write_string;
use crate::draft::Draft;
use crate::error::EntryError;
use crate::member::Member;
use crate::rules;
use crate::timestamp::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;

/// What kind of actor acted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActorType {
    /// A person.
    User,
    /// A program without a model.
    Service,
    /// A model that acts.
    AiAgent,
}

/// How the act ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was tried and failed.
    Failure,
    /// It was not allowed.
    Denied,
}

/// An entry in the making; see [`Draft::builder`]. A member that is set twice keeps the later value.
///
/// ```
/// use counterfoil_entry::{ActorType, Draft, Outcome};
///
/// let draft = Draft::builder("invoice_approved", "invoice-bot-7", "INV-2041")
///     .actor_type(ActorType::AiAgent)
///     .old_value("pending")
///     .new_value("approved")
///     .outcome(Outcome::Success)
///     .context_json(r#"{"model_version": "invoice-match-2.11.0", "confidence": 0.97}"#)
///     .build()?;
/// assert_eq!(draft.entity_id(), "INV-2041");
/// # Ok::<(), counterfoil_entry::EntryError>(())
/// ```
#[derive(Debug, Clone)]
pub struct EntryBuilder {
    /// JSON of each member, by name: in canonical order.
    members: BTreeMap<&'static str, Vec<u8>>,
    refused: Option<EntryError>,
}

impl EntryBuilder {
    pub(crate) fn new(event_type: &str, actor: &str, entity_id: &str) -> Self {
        let empty = Self { members: BTreeMap::new(), refused: None };
        empty.text(Member::EventType, event_type).text(Member::Actor, actor).text(Member::EntityId, entity_id)
    }

    /// When it happened; left out, the ledger's own time stands in.
    pub fn timestamp(self, instant: Timestamp) -> Self {
        self.text(Member::Timestamp, &instant.to_string())
    }

    /// What kind of actor acted.
    pub fn actor_type(self, actor_type: ActorType) -> Self {
        self.text(
            Member::ActorType,
            match actor_type {
                ActorType::User => "user",
                ActorType::Service => "service",
                ActorType::AiAgent => "ai_agent",
            },
        )
    }

    /// For whom the actor acted.
    pub fn on_behalf_of(self, principal: &str) -> Self {
        self.text(Member::OnBehalfOf, principal)
    }

    /// What kind of thing the entity is.
    pub fn entity_type(self, entity_type: &str) -> Self {
        self.text(Member::EntityType, entity_type)
    }

    /// The value before. NaN and infinities become `null` here, as serde_json writes them.
    pub fn old_value(self, value: impl Serialize) -> Self {
        self.serialised(Member::OldValue, &value)
    }

    /// The value before, as JSON.
    pub fn old_value_json(self, json: &str) -> Self {
        self.json(Member::OldValue, json)
    }

    /// The value after. NaN and infinities become `null` here, as serde_json writes them.
    pub fn new_value(self, value: impl Serialize) -> Self {
        self.serialised(Member::NewValue, &value)
    }

    /// The value after, as JSON.
    pub fn new_value_json(self, json: &str) -> Self {
        self.json(Member::NewValue, json)
    }

    /// How the act ended.
    pub fn outcome(self, outcome: Outcome) -> Self {
        self.text(
            Member::Outcome,
            match outcome {
                Outcome::Success => "success",
                Outcome::Failure => "failure",
                Outcome::Denied => "denied",
            },
        )
    }

    /// Why.
    pub fn reason(self, reason: &str) -> Self {
        self.text(Member::Reason, reason)
    }

    /// Anything more: must serialise as an object. NaN and infinities become `null` here.
    pub fn context(self, context: impl Serialize) -> Self {
        self.serialised(Member::Context, &context)
    }

    /// Anything more, as a JSON object.
    pub fn context_json(self, json: &str) -> Self {
        self.json(Member::Context, json)
    }

    /// The workflow run or W3C trace.
    pub fn trace_id(self, trace_id: &str) -> Self {
        self.text(Member::TraceId, trace_id)
    }

    /// The idempotency key.
    pub fn id(self, id: &str) -> Self {
        self.text(Member::Id, id)
    }

    /// The recording program and its gapless counter.
    pub fn source(self, name: &str, sequence: u64) -> Self {
        self.text(Member::Source, name).json(Member::Sequence, &sequence.to_string())
    }

    /// Checks the entry as [`Draft::parse`] does.
    ///
    /// # Errors
    /// Those of [`Draft::parse`], and a value that cannot be serialised.
    pub fn build(self) -> Result<Draft, EntryError> {
        Draft::parse(&self.into_json()?)
    }

    /// Checks an entry about the ledger's own acts as [`Draft::parse_own`] does.
    ///
    /// # Errors
    /// Those of [`Draft::parse_own`], and a value that cannot be serialised.
    pub fn build_own(self) -> Result<Draft, EntryError> {
        Draft::parse_own(&self.into_json()?)
    }

    fn into_json(self) -> Result<Vec<u8>, EntryError> {
        if let Some(error) = self.refused {
            return Err(error);
        }
        let mut json = Vec::with_capacity(512);
        for (name, value) in &self.members {
            json.push(if json.is_empty() { b'{' } else { b',' });
            write_string(name, &mut json);
            json.push(b':');
            json.extend_from_slice(value);
        }
        json.push(b'}');
        Ok(json)
    }

    fn text(mut self, member: Member, text: &str) -> Self {
        let mut literal = Vec::with_capacity(text.len() + 2);
        write_string(text, &mut literal);
        self.members.insert(member.name(), literal);
        self
    }

    /// The JSON is canonicalised on its own first, so that it cannot reach beyond its member.
    fn json(mut self, member: Member, json: &str) -> Self {
        let mut canonical = Vec::new();
        match crate::canonical::canonicalise(json.as_bytes(), &mut canonical) {
            Ok(()) => {
                self.members.insert(member.name(), canonical);
            }
            Err(error) => self.refuse(error.within(member.name())),
        }
        self
    }

    fn serialised(mut self, member: Member, value: &impl Serialize) -> Self {
        match serde_json::to_string(value) {
            Ok(json) => self.json(member, &json),
            Err(error) => {
                self.refuse(rules::refused(member.name(), format!("cannot be written as JSON: {error}")));
                self
            }
        }
    }

    fn refuse(&mut self, error: EntryError) {
        self.refused.get_or_insert(error);
    }
}
