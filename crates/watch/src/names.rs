//! Names in rules that no entry holds: a misspelt field never matches, and nobody notices.

use std::collections::BTreeSet;

use counterfoil_entry::catalog;
use rsigma_parser::{Detection, DetectionItem, Modifier, SigmaRule, SigmaValue};

/// Letters that may make the difference to a known name: of members anything is told; what else may be a client's own.
const MOST_EDITS_OF_MEMBER: usize = 3;
const MOST_EDITS: usize = 2;

/// What is odd about the names in a detection over entries.
pub(crate) fn odd_in_detection(rule: &SigmaRule) -> Vec<String> {
    let mut odd = Vec::new();
    let mut named: Vec<_> = rule.detection.named.iter().collect();
    named.sort_unstable_by_key(|(name, _)| *name);
    named.into_iter().for_each(|(_, detection)| walk(detection, &mut odd));
    odd
}

/// What is odd about fields by which entries are grouped, counted or summed.
pub(crate) fn odd_among<'f>(fields: impl IntoIterator<Item = &'f str>) -> Vec<String> {
    fields.into_iter().filter_map(odd_field).collect()
}

fn walk(detection: &Detection, odd: &mut Vec<String>) {
    match detection {
        Detection::AllOf(items) => items.iter().for_each(|item| odd.extend(odd_in_item(item))),
        Detection::AnyOf(inner) | Detection::And(inner) => inner.iter().for_each(|inner| walk(inner, odd)),
        // What is inside has names of its own.
        Detection::ArrayMatch { field, .. } => odd.extend(odd_field(field)),
        Detection::Conditional { named, .. } => named.values().for_each(|inner| walk(inner, odd)),
        Detection::Keywords(_) => {}
    }
}

fn odd_in_item(item: &DetectionItem) -> Vec<String> {
    let Some(field) = item.field.name.as_deref() else { return Vec::new() };
    let mut odd: Vec<String> = odd_field(field).into_iter().collect();
    let texts = item.values.iter().filter_map(|value| match value {
        SigmaValue::String(text) => Some(text.original.as_str()),
        _ => None,
    });
    if item.field.has_modifier(Modifier::FieldRef) {
        odd.extend(texts.filter_map(odd_field));
    } else if field == "event_type" && item.field.modifiers.iter().all(|modifier| *modifier == Modifier::Cased) {
        odd.extend(texts.filter_map(odd_event_type));
    }
    odd
}

fn odd_field(field: &str) -> Option<String> {
    let mut parts = field.split(['.', '[']);
    let (member, inner) = (parts.next()?, parts.next());
    let members = || catalog::members_of_entry();
    if !members().any(|known| known == member) {
        let near = did_you_mean(catalog::spelt_like(member, members(), MOST_EDITS_OF_MEMBER));
        return Some(format!("no entry has a member {member:?}{near}"));
    }
    let inner = inner.filter(|_| member == "context")?;
    let known: BTreeSet<&str> = catalog::all().iter().flat_map(|event| event.context.iter().copied()).collect();
    if known.contains(inner) {
        return None;
    }
    let near = catalog::spelt_like(inner, known, MOST_EDITS)?;
    Some(format!("no event type of the catalog has context.{inner}{}", did_you_mean(Some(near))))
}

fn odd_event_type(name: &str) -> Option<String> {
    if name.contains(['*', '?']) || catalog::find(name).is_some() {
        return None;
    }
    let near = catalog::spelt_like(name, catalog::all().iter().map(|event| event.name), MOST_EDITS)?;
    Some(format!("the catalog has no event type {name:?}{}", did_you_mean(Some(near))))
}

fn did_you_mean(name: Option<&str>) -> String {
    name.map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}
