//! Putting an entry together, and making it fit.

use super::fitting::{Notes, shown};
use super::value::{Object, Value, write_object};
use counterfoil_entry::{Draft, EntryError};
use std::collections::BTreeMap;

/// A value with less JSON than this stays: its digest would hardly be shorter.
const WORTH_OMITTING: usize = 200;
/// About what `{"omitted":{…}}` takes.
const OMITTED_LENGTH: usize = 110;

/// An entry in the making.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    members: BTreeMap<&'static str, Value>,
    context: Object,
    /// Members of `context` that the client named itself.
    own: Object,
    /// Whether `new_value` came out of a mapping, so that it may be shortened.
    derived_value: bool,
    pub notes: Notes,
}

/// Members of `context` that the mapping derives and a client may name itself.
const REPLACEABLE: [&str; 2] = ["model_version", "tool_name"];

/// What is given up, in this order, until an entry fits.
#[derive(Clone, Copy)]
enum Round {
    /// Prompts, answers, tool arguments and results, under the names that the caller calls bulky.
    Content,
    /// Any other single text or foreign JSON value.
    Singles,
    /// Whole members of `context`.
    Members,
}

impl Assembly {
    /// An entry with the context and the notes that it shares with others.
    pub fn beginning(context: Object, notes: Notes) -> Self {
        Self { context, notes, ..Self::default() }
    }

    /// Appends the JSON of what was kept so far.
    pub fn write_context(&self, out: &mut Vec<u8>) {
        write_object(self.context.iter().map(|(name, value)| (name.as_str(), value)), out);
    }

    /// What was kept so far, for [`Assembly::beginning`], in about `max` bytes: the largest values make way.
    pub fn into_context(mut self, max: usize) -> (Object, Notes) {
        for round in [Round::Singles, Round::Members] {
            loop {
                let length: usize = self.context.values().map(Value::length).sum();
                if length <= max || !self.shrink(length - max, round, |_| false) {
                    break;
                }
            }
        }
        (self.context, self.notes)
    }

    /// Sets a member as the client wrote it: never shortened.
    pub fn set(&mut self, member: &'static str, value: Value) {
        self.members.insert(member, value);
    }

    /// Sets an identifier that was derived, unless the member is there: it is made to fit.
    pub fn derive(&mut self, member: &'static str, text: &str, max: usize) {
        if !self.has(member) && !text.is_empty() {
            let fitting = self.notes.identifier(member, text, max);
            self.members.insert(member, Value::Text(fitting));
        }
    }

    /// Sets `new_value` to something that was derived and may be shortened.
    pub fn derive_value(&mut self, value: Value) {
        self.derived_value = true;
        self.members.insert("new_value", value);
    }

    pub fn has(&self, member: &str) -> bool {
        self.members.contains_key(member)
    }

    /// The text of a member that has been set.
    pub fn text(&self, member: &str) -> Option<&str> {
        self.members.get(member).and_then(Value::scalar)
    }

    /// Sets a member of `context`; an earlier one of the same name gives way.
    pub fn keep(&mut self, name: &str, value: Value) {
        self.context.insert(name.into(), value);
    }

    /// [`Assembly::keep`], unless the text is empty.
    pub fn keep_text(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            let text = self.notes.text(text);
            self.keep(name, Value::Text(text));
        }
    }

    /// [`Assembly::keep`], unless the number is zero.
    pub fn keep_count(&mut self, name: &str, count: u32) {
        if count > 0 {
            self.keep(name, Value::integer(count));
        }
    }

    /// [`Assembly::keep`], unless there is nothing in it.
    pub fn keep_object(&mut self, name: &str, members: Object) {
        if !members.is_empty() {
            self.keep(name, Value::Object(members));
        }
    }

    /// Sets a member of `context` as the client wrote it: never shortened.
    pub fn keep_own(&mut self, name: &str, value: Value) {
        self.own.insert(name.into(), value);
    }

    /// The checked entry. What makes it too large is replaced by `{"omitted":{"bytes","sha256"}}`, bulky content first
    /// and the largest first, until it fits.
    ///
    /// # Errors
    /// Why it is no entry: the member and what is wrong with it.
    pub fn finish(mut self, is_bulky: fn(&str) -> bool) -> Result<Draft, String> {
        if let Some(notes) = std::mem::take(&mut self.notes).into_value() {
            self.context.insert("mapping_notes".into(), notes);
        }
        for name in self.own.keys() {
            if self.context.remove(name).is_some() && !REPLACEABLE.contains(&name.as_str()) {
                return Err(format!(
                    "context.{}: the mapping writes this member itself; choose another name",
                    shown(name)
                ));
            }
        }
        for round in [Round::Content, Round::Singles, Round::Members] {
            loop {
                match self.draft() {
                    Err(EntryError::TooLarge { length, limit }) if self.shrink(length - limit, round, is_bulky) => {}
                    Err(EntryError::TooLarge { .. }) => break,
                    finished => return finished.map_err(|error| error.to_string()),
                }
            }
        }
        self.draft().map_err(|error| error.to_string())
    }

    fn draft(&self) -> Result<Draft, EntryError> {
        let mut json = Vec::with_capacity(1024);
        write_object(self.members.iter().map(|(name, value)| (*name, value)), &mut json);
        if !self.context.is_empty() || !self.own.is_empty() {
            json.pop();
            json.extend_from_slice(b",\"context\":");
            let context = self.context.iter().chain(&self.own);
            write_object(context.map(|(name, value)| (name.as_str(), value)), &mut json);
            json.push(b'}');
        }
        Draft::parse(&json)
    }

    /// Replaces the largest values of a round until `excess` bytes are saved; whether any was replaced.
    fn shrink(&mut self, excess: usize, round: Round, is_bulky: fn(&str) -> bool) -> bool {
        let mut found = Vec::new();
        let derived = if self.derived_value { self.members.get_mut("new_value") } else { None };
        match round {
            Round::Members => self.context.values_mut().chain(derived).for_each(|value| offer(value, &mut found)),
            _ => {
                for (name, value) in &mut self.context {
                    gather(name, value, round, is_bulky, &mut found);
                }
                if let Some(value) = derived {
                    gather("new_value", value, round, is_bulky, &mut found);
                }
            }
        }
        found.sort_by_key(|(length, _)| std::cmp::Reverse(*length));
        let mut saved = 0;
        let shrunk = !found.is_empty();
        for (length, value) in found {
            if saved >= excess {
                break;
            }
            *value = value.omitted();
            saved += length - OMITTED_LENGTH;
        }
        shrunk
    }
}

/// Takes a value as a candidate when leaving it out would save something.
fn offer<'v>(value: &'v mut Value, found: &mut Vec<(usize, &'v mut Value)>) {
    let length = value.length();
    if length >= WORTH_OMITTING {
        found.push((length, value));
    }
}

fn gather<'v>(
    name: &str,
    value: &'v mut Value,
    round: Round,
    is_bulky: fn(&str) -> bool,
    found: &mut Vec<(usize, &'v mut Value)>,
) {
    let is_single = matches!(value, Value::Text(_) | Value::Literal(_));
    if matches!(round, Round::Content) && is_bulky(name) || matches!(round, Round::Singles) && is_single {
        offer(value, found);
        return;
    }
    match value {
        Value::Object(members) => {
            members.iter_mut().for_each(|(name, inner)| gather(name, inner, round, is_bulky, found));
        }
        Value::List(values) => values.iter_mut().for_each(|inner| gather("", inner, round, is_bulky, found)),
        Value::Text(_) | Value::Literal(_) => {}
    }
}
