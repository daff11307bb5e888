//! The catalog of event types for finance workflows, as data.
//!
//! An entry may name any event type; the catalog is what `append --strict` checks against. Clause tags say
//! which rule an event type supports, never that anything complies with it.

mod schema;

use crate::canonical::members;
use crate::draft::Draft;
use crate::error::{EntryError, shown};
use crate::member::Member;
pub use schema::json_schema;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::OnceLock;

/// One event type.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EventType {
    /// What an entry says in `event_type`.
    pub name: &'static str,
    /// The part of the business: `invoice`, `payment`, `ledger`, …
    pub domain: &'static str,
    /// One sentence.
    pub description: &'static str,
    /// Members that the entry must have beside `event_type`, `actor` and `entity_id`.
    pub members: Vec<&'static str>,
    /// Members that `context` must have.
    pub context: Vec<&'static str>,
    /// The retention class, such as `sox_7y`.
    pub retention_class: &'static str,
    /// Clauses that entries of this type support.
    pub clauses: Vec<&'static str>,
}

impl EventType {
    /// Whether only the ledger writes entries of this type.
    pub fn is_own(&self) -> bool {
        self.name.starts_with(crate::OWN_PREFIX)
    }
}

const EVENTS: &str = include_str!("events.json");

struct Catalog {
    types: Vec<EventType>,
    by_name: HashMap<&'static str, usize>,
}

fn catalog() -> &'static Catalog {
    static CATALOG: OnceLock<Catalog> = OnceLock::new();
    CATALOG.get_or_init(|| {
        let types: Vec<EventType> = serde_json::from_str(EVENTS).expect("events.json is part of this crate and tested");
        let by_name = types.iter().enumerate().map(|(index, event)| (event.name, index)).collect();
        Catalog { types, by_name }
    })
}

/// Every event type, domain by domain; the ledger's own come last.
pub fn all() -> &'static [EventType] {
    &catalog().types
}

/// The event type of this name.
pub fn find(name: &str) -> Option<&'static EventType> {
    let catalog = catalog();
    catalog.by_name.get(name).map(|&index| &catalog.types[index])
}

/// Checks a draft against the catalog.
///
/// # Errors
/// An event type that the catalog does not have, or a member that it requires and the draft lacks.
pub fn check(draft: &Draft) -> Result<(), EntryError> {
    let name = draft.event_type();
    let Some(event) = find(&name) else {
        return Err(EntryError::UnknownType { event_type: shown(&name), nearest: nearest(&name) });
    };
    let required = |member: String| EntryError::Required { member, event_type: event.name };
    for &member in &event.members {
        if !Member::find(member.as_bytes()).is_some_and(|member| draft.has(member)) {
            return Err(required(member.into()));
        }
    }
    let context = draft.context().unwrap_or("{}");
    for &member in &event.context {
        if !members(context).any(|named| named.name == member) {
            return Err(required(format!("context.{member}")));
        }
    }
    Ok(())
}

/// The client's event type that is spelt most like this, if any is close.
fn nearest(name: &str) -> Option<&'static str> {
    const MOST_EDITS: usize = 4;
    spelt_like(name, all().iter().filter(|event| !event.is_own()).map(|event| event.name), MOST_EDITS)
}

/// The name that is spelt most like another, if so few letters make the difference.
pub fn spelt_like<'n>(name: &str, names: impl IntoIterator<Item = &'n str>, most_edits: usize) -> Option<&'n str> {
    const MOST_BYTES: usize = 128;
    if name.len() > MOST_BYTES {
        return None;
    }
    let (edits, found) = names.into_iter().map(|known| (edits(name.as_bytes(), known.as_bytes()), known)).min()?;
    (edits <= most_edits && edits < name.len()).then_some(found)
}

/// The members of an entry, those that the ledger adds among them.
pub fn members_of_entry() -> impl Iterator<Item = &'static str> {
    Member::ALL.into_iter().map(Member::name)
}

/// How many bytes must be put in, dropped or changed to make one text of the other.
fn edits(from: &[u8], to: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (done, a) in from.iter().enumerate() {
        let mut diagonal = done;
        row[0] = done + 1;
        for (column, b) in to.iter().enumerate() {
            let changed = diagonal + usize::from(a != b);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}
